/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * pty.bpf.h - pseudoterminals: two struct tty_struct that are each other's link
 * (drivers/tty/pty.c), the master behind /dev/ptmx and the slave /dev/pts/N.
 *
 * What one end writes lies first in the other's port (struct tty_buffer) and then,
 * after its line discipline has been through it, in struct n_tty_data, from where
 * it is read. Both ends are known by the master's address and that of its line
 * discipline's data, which comes from vmalloc and so is another soon after.
 */
#ifndef IPCSPY_PTY_BPF_H
#define IPCSPY_PTY_BPF_H

#include "pidns.bpf.h"

/* Documentation/admin-guide/devices.txt */
#define TTYAUX_MAJOR     5 /* /dev/tty, /dev/ptmx: the file knows its terminal */
#define PTMX_MAJOR       128
#define PTS_MAJOR        136
#define PTS_MAJOR_LAST   143
#define OLD_MASTER_MAJOR 2
#define OLD_SLAVE_MAJOR  3
#define DEV_MINOR_BITS   20
#define N_TTY            0
#define N_TTY_BUF_SIZE   4096 /* include/linux/tty.h */

/* objref.family: which end it is. No address family. */
#define PTY_MASTER 0x101
#define PTY_SLAVE  0x102

/* Flags of <asm-generic/termbits.h>, on x86 and arm64. */
#define ISIG   0x1
#define ICANON 0x2
#define ECHO   0x8
#define ECHONL 0x40
#define OPOST  0x1
#define PARMRK 0x8
#define IGNCR  0x80
#define IXON   0x400

static __always_inline bool may_be_pty(__u32 rdev)
{
	__u32 major = rdev >> DEV_MINOR_BITS;

	return (major >= PTS_MAJOR && major <= PTS_MAJOR_LAST) || major == TTYAUX_MAJOR ||
	       major == OLD_MASTER_MAJOR || major == OLD_SLAVE_MAJOR;
}

/* o->ptr is the file's private data when called, this end's struct tty_struct afterwards. */
static __always_inline bool pty_resolve(struct objref *o, __u64 file, __u32 rdev)
{
	struct tty_file_private *priv = (void *)o->ptr;
	struct tty_struct *tty = NULL, *link = NULL;
	struct tty_driver *driver = NULL;
	__u64 of = 0, data = 0;
	int major = 0, index = 0;

	if (!may_be_pty(rdev) || KREAD(&of, (__u64 *)&priv->file) || of != file ||
	    KREAD(&tty, &priv->tty) || !tty || KREAD(&link, &tty->link) || !link)
		return false;
	KREAD(&driver, &tty->driver);
	KREAD(&major, &driver->major);
	KREAD(&index, &tty->index);
	o->family = major == PTMX_MAJOR || major == OLD_MASTER_MAJOR ? PTY_MASTER : PTY_SLAVE;
	o->ptr = (__u64)tty;
	if (o->family == PTY_SLAVE)
		tty = link;
	KREAD(&data, (__u64 *)&tty->disc_data);
	o->wkey = mix((__u64)tty ^ index, data);
	o->id = o->wkey ^ o->family;
	o->ino = index;
	o->mech = MECH_PTY;
	o->connected = true;
	return true;
}

struct pty_ends {
	struct tty_struct *master, *slave;
};

static __always_inline void pty_ends(struct pty_ends *e, const struct objref *o)
{
	struct tty_struct *tty = (void *)o->ptr, *link = NULL;

	KREAD(&link, &tty->link);
	e->master = o->family == PTY_MASTER ? tty : link;
	e->slave = o->family == PTY_MASTER ? link : tty;
}

/* PTYF_*: what the terminal does to the bytes. */
static __always_inline __u32 pty_mode(const struct pty_ends *e)
{
	__u32 t[4] = {}; /* c_iflag, c_oflag, c_cflag, c_lflag: as user space has them */
	__u8 packet = 0;

	bpf_probe_read_kernel(t, sizeof(t), &e->slave->termios.c_iflag);
	KREAD(&packet, (__u8 *)&e->master->ctrl.packet);
	return (t[3] & ICANON ? PTYF_CANONICAL : 0) | (t[3] & (ECHO | ECHONL) ? PTYF_ECHO : 0) |
	       (t[1] & OPOST ? PTYF_OUTPUT : 0) |
	       (t[3] & ISIG || t[0] & (IXON | IGNCR | PARMRK) ? PTYF_SPECIAL : 0) |
	       (packet ? PTYF_PACKET : 0);
}

#define PORT_BUFS 16

struct port_walk {
	struct tty_buffer *buf;
	__u32 bytes, pad;
};

static long port_add(__u32 i, void *arg)
{
	struct port_walk *w = arg;
	__u32 commit = 0, read = 0;

	if (!w->buf)
		return 1;
	KREAD(&commit, (__u32 *)&w->buf->commit);
	KREAD(&read, (__u32 *)&w->buf->read);
	if (commit > read)
		w->bytes += commit - read;
	KREAD(&w->buf, &w->buf->next);
	return 0;
}

/*
 * Unread bytes at this end. First the port, then the line discipline: what moves
 * meanwhile is counted twice rather than not at all. False: they cannot be counted.
 */
GLOBAL int pty_unread(__u64 tty_ptr, __u32 *bytes)
{
	struct tty_struct *tty = (void *)tty_ptr;
	struct n_tty_data *data = NULL;
	struct port_walk w = {};
	struct tty_port *port = NULL;
	__u64 head = 0, tail = 0;
	__u8 line = ~0;

	if (!bytes)
		return 0;
	*bytes = 0;
	if (KREAD(&line, (__u8 *)&tty->termios.c_line) || line != N_TTY)
		return 0;
	KREAD(&port, &tty->port);
	KREAD(&data, (struct n_tty_data **)&tty->disc_data);
	if (!port || !data || KREAD(&w.buf, &port->buf.head))
		return 0;
	bpf_loop(PORT_BUFS, port_add, &w, 0);
	KREAD(&head, (__u64 *)&data->read_head); /* with the line that is not whole yet */
	KREAD(&tail, (__u64 *)&data->read_tail);
	if (w.buf || head - tail > N_TTY_BUF_SIZE)
		return 0;
	*bytes = w.bytes + (head - tail);
	return 1;
}

/* No room in the port that this end writes to: tty_buffer_space_avail(). */
static __always_inline bool port_full(struct tty_struct *to)
{
	struct tty_port *port = NULL;
	int used = 0, limit = 0;

	KREAD(&port, &to->port);
	if (!port)
		return false;
	KREAD(&used, &port->buf.mem_used.counter);
	KREAD(&limit, &port->buf.mem_limit);
	return used >= limit;
}

static __always_inline bool to_master(const struct objref *o, __u8 op)
{
	return (o->family == PTY_MASTER) == (op == OP_RECV);
}

/* Which bits of the mode make what is written and what is read differ. */
static __always_inline bool pty_alters(__u32 mode, bool master_reads)
{
	return mode & (master_reads ? PTYF_OUTPUT | PTYF_ECHO | PTYF_PACKET
				    : PTYF_CANONICAL | PTYF_SPECIAL);
}

/* seq: the mode. */
GLOBAL int pty_sample(struct sample *s, const struct objref *o, __u32 op)
{
	struct tty_struct *to;
	bool master_reads;
	struct pty_ends e;
	__u32 bytes = 0;

	if (!s || !o)
		return 0;
	master_reads = to_master(o, op);
	pty_ends(&e, o);
	s->seq = pty_mode(&e);
	s->flags |= OPF_SEQ;
	if (!pty_alters(s->seq, master_reads)) /* else fingerprints differ as well */
		s->dir = o->wkey + master_reads;
	to = master_reads ? e.master : e.slave;
	if (op == OP_SEND && port_full(to))
		s->flags |= OPF_FULL;
	if (!pty_unread((__u64)to, &bytes))
		return 0;
	s->backlog = bytes;
	s->flags |= OPF_BACKLOG | (bytes ? 0 : OPF_EMPTY);
	return 0;
}

/*
 * self, peer: both ends of one terminal have each other's. vals[0] = PTYF_* << 32 |
 * index; vals[1] = the foreground process group.
 */
static __always_inline void pty_describe(struct ev_obj *e, const struct objref *o)
{
	struct pid *pgrp = NULL;
	struct pty_ends ends;
	__u32 bytes = 0;

	pty_ends(&ends, o);
	e->ino = o->ino;
	e->self = o->id;
	e->peer = o->id ^ PTY_MASTER ^ PTY_SLAVE;
	KREAD(&pgrp, &ends.slave->ctrl.pgrp);
	e->vals[0] = (__u64)(pty_mode(&ends) | (o->family == PTY_MASTER ? PTYF_MASTER : 0)) << 32 |
		     o->ino;
	e->vals[1] = pid_shown((__u64)pgrp);
	if (pty_unread(o->ptr, &bytes)) {
		e->backlog = bytes;
		e->hdr.flags |= OBJF_BACKLOG;
	}
}

#endif
