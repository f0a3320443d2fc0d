# SPDX-License-Identifier: BSD-2-Clause
# ipcspy: everything built lands in $(BUILD). `make help` lists the targets.

VERSION := 0.1.0
BUILD ?= build
V ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
# Debian has it where only root looks
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PROTOC_C ?= protoc-c
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_E2E ?= truth
JOBS ?= $(shell nproc)
C_FILES := $(sort $(wildcard bpf/*.[ch] include/ipcspy/*.h src/*/*.[ch] tests/*/*.[ch]))

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(if $(WERROR),-Werror) $(CFLAGS) -DIPCSPY_VERSION='"$(VERSION)"' \
	-D_GNU_SOURCE -Iinclude -Isrc -I$(BUILD) $(SAN)
ALL_LDFLAGS = $(LDFLAGS) $(SAN)
LIBS := -lbpf -lelf -lz -lsqlite3 -lprotobuf-c -lzstd -lm -pthread
BPF_CFLAGS := -O2 -g --target=bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-unused-function -Wno-missing-declarations -Iinclude -Ivmlinux/$(ARCH) -Ibpf

ifeq ($(V),0)
Q := @
say = @printf '  %-8s%s\n' '$(1)' '$(2)';
endif

LIB_MODULES := lib event metrics model analysis view export probe store cmd
LIB_SRC := $(filter-out src/cmd/main.c,$(wildcard $(LIB_MODULES:%=src/%/*.c)))
DEMO_SRC := $(wildcard src/demo/*.c)
BPF_SRC := $(wildcard bpf/*.bpf.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_HELP := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))

PROTO := $(BUILD)/perfetto.pb-c
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(PROTO).o
DEMO_OBJ := $(DEMO_SRC:%.c=$(BUILD)/%.o)
BPF_OBJ := $(BPF_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
UNIT_HELP_OBJ := $(UNIT_HELP:%.c=$(BUILD)/%.o)

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

## all: build ipcspy and ipcspy-demo
all: $(BUILD)/ipcspy $(BUILD)/ipcspy-demo

$(BUILD)/ipcspy: $(BUILD)/src/cmd/main.o $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/ipcspy-demo: $(DEMO_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -lm -pthread

$(BUILD)/%.bpf.o: %.bpf.c
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -c $< -o $@

# Linking first deduplicates BTF: the skeleton shrinks a hundredfold.
$(BUILD)/ipcspy.bpf.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(filter %.o,$^)

$(BUILD)/ipcspy.skel.h: $(BUILD)/ipcspy.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name ipcspy_bpf > $@

$(PROTO).c $(PROTO).h &: src/export/perfetto.proto $(BUILD)/flags
	$(call say,PROTOC,$(PROTO).c)
	$(Q)$(PROTOC_C) --proto_path=$(<D) --c_out=$(BUILD) $<

$(PROTO).o: $(PROTO).c
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# Written anew when what is compiled, or how, changes: everything depends on it.
FLAGS := $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(CLANG) $(BPF_CFLAGS) $(LIB_SRC) $(DEMO_SRC) $(BPF_SRC)
$(BUILD)/flags: force
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(FLAGS)' | cmp -s - $@ || printf '%s\n' '$(FLAGS)' > $@

$(LIB_OBJ) $(DEMO_OBJ) $(BPF_OBJ) $(BUILD)/ipcspy.bpf.o $(BUILD)/src/cmd/main.o \
	$(BUILD)/ipcspy $(BUILD)/ipcspy-demo: $(BUILD)/flags

$(BUILD)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(filter $(BUILD)/src/export/%,$(LIB_OBJ)) $(BUILD)/tests/unit/test_perfetto.o: $(PROTO).h

$(filter $(BUILD)/src/probe/%,$(LIB_OBJ)) $(BUILD)/tests/unit/test_names.o: $(BUILD)/ipcspy.skel.h

$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o $(UNIT_HELP_OBJ) $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS)

$(BUILD)/tests/e2e/%: tests/e2e/%.c $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS)

$(BUILD)/tests/kernels/%: tests/kernels/%.c $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS)

# whose stack is looked at: the kernel follows frame pointers
$(BUILD)/tests/e2e/spin: private CFLAGS += -fno-omit-frame-pointer

E2E := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/e2e/*.c))

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(LIB_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_MAIN) -MMD -MP -o $@ $< $(LIB_OBJ) $(LIBS)

FUZZ := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
# NULL + 0 is what loops over empty arrays begin with, and defined from C2y on.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow \
	-fno-sanitize-recover=all \
	-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
FUZZ_SECONDS ?= 60

BENCH := $(BUILD)/tests/bench/empty.bpf.o $(patsubst %.c,$(BUILD)/%,\
	$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))

## demo: install what is missing, build, and watch the demo pipeline (as root)
demo:
	$(Q).ci/deps
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(BUILD)/ipcspy -- $(BUILD)/ipcspy-demo pipeline

## check: install what is missing, then every test there is (as root)
check:
	$(Q).ci/deps
	$(Q)for t in all lint unit selftest asan fuzz-quick bench-quick e2e \
			privileges-quick; do \
		$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 $$t || exit 1; done

## unit: build and run the unit and golden tests (no privileges)
unit: $(UNIT_BIN)
	$(Q)for t in $(UNIT_BIN); do $$t || exit 1; done

## selftest: hold the truth of ipcspy-demo against strace and itself
selftest: $(BUILD)/ipcspy-demo
	$(Q)tests/e2e/demo_selftest.sh $<

## e2e: live tests against the demos' truth (as root)
e2e: all $(E2E)
	$(Q)tests/e2e/run --build $(BUILD)

## privileges: the live tests as an ordinary user, ipcspy with CAP_BPF and CAP_PERFMON (as root)
privileges: all $(E2E)
	$(Q)tests/e2e/run --build $(BUILD) --capabilities

privileges-quick: all $(E2E)
	$(Q)tests/e2e/run --build $(BUILD) --capabilities --quick

## asan: unit and live tests under the address and undefined-behaviour sanitizers
asan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SAN='$(SANITIZE)' all unit
	$(Q)tests/e2e/run --build $(BUILD)/asan --only '$(ASAN_E2E)'

## fuzz: hostile recordings and records, FUZZ_SECONDS each
fuzz:
	$(Q)$(MAKE) --no-print-directory CC=$(CLANG) BUILD=$(BUILD)/fuzz SAN='$(FUZZ_FLAGS)' fuzzers
	$(Q)tests/fuzz/run --build $(BUILD)/fuzz --seconds $(FUZZ_SECONDS)

fuzzers: FUZZ_MAIN := -fsanitize=fuzzer
fuzzers: $(FUZZ)

fuzz-quick:
	$(Q)$(MAKE) --no-print-directory FUZZ_SECONDS=10 fuzz

## bench: what ipcspy costs, beside empty programs, strace, bpftrace and perf trace (as root)
bench: all $(BENCH)
	$(Q)tests/bench/run --build $(BUILD)

## bench-quick: the same in short, to see that it runs
bench-quick: all $(BENCH)
	$(Q)tests/bench/run --build $(BUILD) --quick

## kernels: the same answers on other kernels and on arm64, in QEMU
kernels:
	$(Q)tests/kernels/run --build $(BUILD)

## lint: formatting, cppcheck, a second compiler, stack of the BPF programs, the manual page
lint:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--inline-suppr -Iinclude -Isrc src
	$(Q)$(MAKE) --no-print-directory CC=$(CLANG) BUILD=$(BUILD)/clang WERROR=1 all
	$(Q)tests/bpf/stack $(BUILD)/clang/ipcspy.bpf.o
	$(Q)mandoc -T lint -W warning src/ipcspy.8
	$(Q)for f in .ci/* tests/e2e/*.sh; do bash -n $$f || exit 1; done

## format: let clang-format decide
format:
	$(Q)$(CLANG_FORMAT) -i $(C_FILES)

## vmlinux: hold the kernel types in vmlinux/ against the running kernel's BTF
vmlinux:
	$(Q)vmlinux/check vmlinux/kernel.h vmlinux/$(ARCH)/vmlinux.h

## compdb: compile_commands.json in $(BUILD), for editors (needs bear)
compdb:
	$(Q)mkdir -p $(BUILD)
	$(Q)bear --output $(BUILD)/compile_commands.json -- $(MAKE) --no-print-directory -B all

PREFIX ?= /usr/local

## install: into $(PREFIX), under $(DESTDIR)
install: all
	install -D -m 755 $(BUILD)/ipcspy $(DESTDIR)$(PREFIX)/sbin/ipcspy
	install -D -m 755 $(BUILD)/ipcspy-demo $(DESTDIR)$(PREFIX)/bin/ipcspy-demo
	install -D -m 644 src/ipcspy.8 $(DESTDIR)$(PREFIX)/share/man/man8/ipcspy.8
	install -D -m 644 src/completion/ipcspy.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ipcspy

## clean: remove everything built
clean:
	$(Q)rm -rf $(BUILD)

## help: this list
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

.PHONY: force all demo check unit selftest e2e privileges privileges-quick asan fuzz fuzzers fuzz-quick bench bench-quick kernels lint format vmlinux compdb install \
	clean help

-include $(LIB_OBJ:.o=.d) $(DEMO_OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(UNIT_BIN:%=%.d) \
	$(UNIT_HELP_OBJ:.o=.d) $(BENCH:%=%.d) $(E2E:%=%.d) $(BUILD)/src/cmd/main.d
