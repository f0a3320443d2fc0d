# SPDX-License-Identifier: BSD-2-Clause
# ipcspy: everything built lands in $(BUILD). `make help` lists the targets.

VERSION := 0.1.0
BUILD ?= build
V ?= 0
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(if $(WERROR),-Werror) $(CFLAGS) -DIPCSPY_VERSION='"$(VERSION)"' \
	-D_GNU_SOURCE -Iinclude -Isrc -I$(BUILD) $(SAN)
ALL_LDFLAGS = $(LDFLAGS) $(SAN)
LIBS := -lbpf -lelf -lz
BPF_CFLAGS := -O2 -g --target=bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-unused-function -Wno-missing-declarations -Iinclude -Ivmlinux/$(ARCH) -Ibpf

ifeq ($(V),0)
Q := @
say = @printf '  %-8s%s\n' '$(1)' '$(2)';
endif

LIB_MODULES := lib event metrics model analysis view export probe cmd
LIB_SRC := $(filter-out src/cmd/main.c,$(wildcard $(LIB_MODULES:%=src/%/*.c)))
DEMO_SRC := $(wildcard src/demo/*.c)
BPF_SRC := $(wildcard bpf/*.bpf.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_HELP := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
DEMO_OBJ := $(DEMO_SRC:%.c=$(BUILD)/%.o)
BPF_OBJ := $(BPF_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
UNIT_HELP_OBJ := $(UNIT_HELP:%.c=$(BUILD)/%.o)

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

## all: build ipcspy, ipcspy-demo and the man page
all: $(BUILD)/ipcspy $(BUILD)/ipcspy-demo

$(BUILD)/ipcspy: $(BUILD)/src/cmd/main.o $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/ipcspy-demo: $(DEMO_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lm

$(BUILD)/%.bpf.o: %.bpf.c
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -c $< -o $@

# Linking first deduplicates BTF: the skeleton shrinks a hundredfold.
$(BUILD)/ipcspy.bpf.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/ipcspy.skel.h: $(BUILD)/ipcspy.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name ipcspy_bpf > $@

$(BUILD)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(filter $(BUILD)/src/probe/%,$(LIB_OBJ)): $(BUILD)/ipcspy.skel.h

$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o $(UNIT_HELP_OBJ) $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

## unit: build and run the unit and golden tests (no privileges)
unit: $(UNIT_BIN)
	$(Q)for t in $(UNIT_BIN); do $$t || exit 1; done

## format: let clang-format decide
format:
	$(Q)$(CLANG_FORMAT) -i $(shell git ls-files '*.c' '*.h' | grep -v '^vmlinux/')

## clean: remove everything built
clean:
	$(Q)rm -rf $(BUILD)

## help: this list
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

.PHONY: all unit format clean help

-include $(LIB_OBJ:.o=.d) $(DEMO_OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(UNIT_BIN:%=%.d) \
	$(UNIT_HELP_OBJ:.o=.d) $(BUILD)/src/cmd/main.d
