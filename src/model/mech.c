// SPDX-License-Identifier: BSD-2-Clause
/* The registry: one row per mechanism, with its name and its channel class. */
#include "model/mech.h"

#include <string.h>

#include "model/class.h"

// clang-format off
#define MECHS(row) \
	row(MECH_PIPE, "pipe", pipe_class) \
	row(MECH_FIFO, "fifo", pipe_class) \
	row(MECH_UNIX_STREAM, "unix-stream", unix_stream_class) \
	row(MECH_UNIX_DGRAM, "unix-dgram", unix_dgram_class) \
	row(MECH_UNIX_SEQPACKET, "unix-seqpacket", unix_seqpacket_class) \
	row(MECH_TCP, "tcp", tcp_class) \
	row(MECH_UDP, "udp", udp_class) \
	row(MECH_SYSV_SEM, "sysv-sem", sem_class) \
	row(MECH_SYSV_SHM, "sysv-shm", shm_class) \
	row(MECH_SHM, "shm", shm_class) \
	row(MECH_FUTEX, "futex", futex_class) \
	row(MECH_FUTEX_PRIVATE, "futex-private", futex_class) \
	row(MECH_POSIX_MQ, "posix-mq", posix_mq_class) \
	row(MECH_SYSV_MSG, "sysv-msg", sysv_msg_class) \
	row(MECH_EVENTFD, "eventfd", eventfd_class) \
	row(MECH_SIGNAL, "signal", signal_class) \
	row(MECH_PTY, "pty", pty_class) \
	row(MECH_PROCESS_VM, "process-vm", process_vm_class)
// clang-format on

#define DECLARE(mech, name, cls) extern const struct chan_class cls;
MECHS(DECLARE)

#define ROW(mech, name, cls) {mech, name, &cls},
static const struct {
	enum ipcspy_mech mech;
	const char *name;
	const struct chan_class *cls;
} mechs[] = {MECHS(ROW)};
#define MECH_CNT (sizeof(mechs) / sizeof(mechs[0]))

static const char *const ops[OP_MAX] = {
	[OP_SEND] = "send",         [OP_RECV] = "recv",       [OP_WAIT] = "wait",
	[OP_ACCEPT] = "accept",     [OP_CONNECT] = "connect", [OP_CLOSE] = "close",
	[OP_SHUTDOWN] = "shutdown", [OP_RESIZE] = "resize",   [OP_CREATE] = "create",
	[OP_HANDLED] = "handled",   [OP_REMOVE] = "remove",   [OP_NOTIFY] = "notify",
	[OP_FOUND] = "found",
};

const char *mech_name(enum ipcspy_mech mech)
{
	for (unsigned int i = 0; i < MECH_CNT; i++)
		if (mechs[i].mech == mech)
			return mechs[i].name;
	return "?";
}

enum ipcspy_mech mech_by_name(const char *s, unsigned int len)
{
	for (unsigned int i = 0; i < MECH_CNT; i++)
		if (strlen(mechs[i].name) == len && memcmp(mechs[i].name, s, len) == 0)
			return mechs[i].mech;
	return MECH_NONE;
}

enum ipcspy_mech mech_at(unsigned int i)
{
	return i < MECH_CNT ? mechs[i].mech : MECH_NONE;
}

const struct chan_class *mech_class(unsigned int mech)
{
	for (unsigned int i = 0; i < MECH_CNT; i++)
		if (mechs[i].mech == mech)
			return mechs[i].cls;
	return NULL;
}

const char *op_name(enum ipcspy_op op)
{
	return (unsigned int)op < OP_MAX && ops[op] ? ops[op] : "?";
}
