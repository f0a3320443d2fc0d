# SPDX-License-Identifier: BSD-2-Clause
"""io_uring by its raw system calls, for programs that live cases run.

Ring(entries, flags) is one ring; add() queues a request, enter() submits what is
queued and waits, reap() takes completions as (user_data, res, flags). Numbers
and layouts are those of io_uring(7), io_uring_setup(2) and io_uring_enter(2).
"""
import ctypes
import mmap
import os
import struct

NR_SETUP, NR_ENTER, NR_REGISTER = 425, 426, 427  # the same on every architecture
SETUP_SQPOLL, SETUP_DEFER_TASKRUN, SETUP_SINGLE_ISSUER = 1 << 1, 1 << 13, 1 << 12
ENTER_GETEVENTS, ENTER_SQ_WAKEUP = 1, 2
SQ_NEED_WAKEUP = 1
OFF_SQ_RING, OFF_CQ_RING, OFF_SQES = 0, 0x8000000, 0x10000000
REGISTER_BUFFERS, REGISTER_FILES, REGISTER_PBUF_RING = 0, 2, 22
(READV, WRITEV, READ_FIXED, WRITE_FIXED, SENDMSG, RECVMSG, ACCEPT, CONNECT, CLOSE, READ, WRITE,
 SEND, RECV, SPLICE, PROVIDE_BUFFERS, SEND_ZC) = (
     1, 2, 4, 5, 9, 10, 13, 16, 19, 22, 23, 26, 27, 30, 31, 47)
FIXED_FILE, IO_LINK, BUFFER_SELECT, CQE_SKIP_SUCCESS = 1, 1 << 2, 1 << 5, 1 << 6
RECV_MULTISHOT, ACCEPT_MULTISHOT = 1 << 1, 1
CQE_F_BUFFER, CQE_F_MORE, CQE_F_NOTIF = 1, 2, 8

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(nr, *args):
    ret = libc.syscall(ctypes.c_long(nr), *[a if isinstance(a, ctypes.Array) else ctypes.c_ulong(a)
                                            for a in args])
    if ret < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return ret


def refused():
    """Why the kernel refuses io_uring, None: it does not."""
    try:
        os.close(Ring(2).fd)
    except OSError as e:
        return os.strerror(e.errno)
    return None


class Ring:
    def __init__(self, entries=64, flags=0):
        params = ctypes.create_string_buffer(120)
        struct.pack_into("IIII", params, 0, 0, 0, flags, 0)
        if flags & SETUP_SQPOLL:
            struct.pack_into("I", params, 16, 50)  # sq_thread_idle, ms
        self.flags, self.queued, self.keep = flags, 0, []
        self.fd = call(NR_SETUP, entries, params)
        self.sq_cnt, self.cq_cnt = struct.unpack_from("II", params, 0)
        self.sq_off = struct.unpack_from("7I", params, 40)
        self.cq_off = struct.unpack_from("7I", params, 80)
        self.sq = mmap.mmap(self.fd, self.sq_off[6] + 4 * self.sq_cnt, offset=OFF_SQ_RING)
        self.cq = mmap.mmap(self.fd, self.cq_off[5] + 16 * self.cq_cnt, offset=OFF_CQ_RING)
        self.sqes = mmap.mmap(self.fd, 64 * self.sq_cnt, offset=OFF_SQES)
        # words that the kernel reads at any time: struct would write zeroes first
        self.sq_tail = ctypes.c_uint32.from_buffer(self.sq, self.sq_off[1])
        self.cq_head = ctypes.c_uint32.from_buffer(self.cq, self.cq_off[0])

    def add(self, op, fd, addr=0, length=0, off=0, flags=0, op_flags=0, user_data=0, ioprio=0,
            buf=0, file_index=0):
        tail = self.sq_tail.value
        i = tail & (self.sq_cnt - 1)
        struct.pack_into("BBHiQQIIQHHi", self.sqes, 64 * i, op, flags, ioprio, fd, off, addr,
                         length, op_flags, user_data, buf, 0, file_index)
        struct.pack_into("QQ", self.sqes, 64 * i + 48, 0, 0)
        struct.pack_into("I", self.sq, self.sq_off[6] + 4 * i, i)
        self.sq_tail.value = tail + 1
        self.queued += 1

    def enter(self, wait=0):
        flags = ENTER_GETEVENTS if wait else 0
        n, self.queued = self.queued, 0
        if self.flags & SETUP_SQPOLL:
            if struct.unpack_from("I", self.sq, self.sq_off[4])[0] & SQ_NEED_WAKEUP:
                flags |= ENTER_SQ_WAKEUP
            if not flags:
                return n
        return call(NR_ENTER, self.fd, n, wait, flags, 0, 0)

    def reap(self):
        head = self.cq_head.value
        tail = struct.unpack_from("I", self.cq, self.cq_off[1])[0]
        done = []
        while head != tail:
            done.append(struct.unpack_from("QiI", self.cq,
                                           self.cq_off[5] + 16 * (head & (self.cq_cnt - 1))))
            head = (head + 1) & 0xffffffff
        self.cq_head.value = head
        return done

    def wait(self, cnt):
        """Submits, and takes completions until there are cnt."""
        done = []
        while len(done) < cnt:
            self.enter(1)
            done += self.reap()
        return done

    def register(self, what, data, cnt):
        call(NR_REGISTER, self.fd, what, ctypes.create_string_buffer(data), cnt)


def address(buf):
    return ctypes.addressof(buf)


def iovec(*bufs):
    """A struct iovec array over buffers from ctypes; keep what this returns."""
    return ctypes.create_string_buffer(b"".join(struct.pack("QQ", address(b), len(b))
                                                for b in bufs))


def msghdr(iov, cnt=1, name=None):
    return ctypes.create_string_buffer(struct.pack(
        "QIIQQQQII", address(name) if name else 0, len(name) if name else 0, 0, address(iov), cnt,
        0, 0, 0, 0))
