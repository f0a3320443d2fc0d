# SPDX-License-Identifier: BSD-2-Clause
"""Message queues by their system calls, for the programs that cases run: Python has none.

Every function returns what the call does, or -errno.
"""
import ctypes
import os
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LONG = ctypes.sizeof(ctypes.c_long)

IPC_PRIVATE, IPC_CREAT, IPC_NOWAIT = 0, 0o1000, 0o4000
IPC_RMID, IPC_SET, IPC_STAT = 0, 1, 2
MSG_NOERROR, MSG_EXCEPT, MSG_COPY = 0o10000, 0o20000, 0o40000


class Attr(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_long), ("maxmsg", ctypes.c_long), ("msgsize", ctypes.c_long),
                ("curmsgs", ctypes.c_long), ("reserved", ctypes.c_long * 4)]


class Timespec(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]


class Sigevent(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int),
                ("pad", ctypes.c_char * 48)]


def result(n):
    return n if n >= 0 else -ctypes.get_errno()


def mq_open(name, flags=os.O_RDWR | os.O_CREAT, maxmsg=10, msgsize=64):
    return result(LIBC.mq_open(name.encode(), flags, 0o600, ctypes.byref(Attr(0, maxmsg, msgsize))))


def mq_unlink(name):
    return result(LIBC.mq_unlink(name.encode()))


def deadline(seconds):
    """seconds from now as mq_timedsend takes it; None: without end."""
    if seconds is None:
        return None
    now = time.time() + seconds
    return ctypes.byref(Timespec(int(now), int(now % 1 * 1e9)))


def mq_send(fd, data, prio=0, timeout=None):
    return result(LIBC.mq_timedsend(fd, data, ctypes.c_size_t(len(data)), prio, deadline(timeout)))


def mq_receive(fd, size=64, timeout=None, ask=True):
    """(bytes, priority); without ask the program does not ask for the priority."""
    buf, prio = ctypes.create_string_buffer(max(size, 1)), ctypes.c_uint(0)
    n = result(LIBC.mq_timedreceive(fd, buf, ctypes.c_size_t(size),
                                    ctypes.byref(prio) if ask else None, deadline(timeout)))
    return n, prio.value


def mq_notify(fd, signo=None):
    event = ctypes.byref(Sigevent(None, signo, 0)) if signo else None
    return result(LIBC.mq_notify(fd, event))


def mq_getattr(fd):
    return result(LIBC.mq_getattr(fd, ctypes.byref(Attr())))


def msgget(key=IPC_PRIVATE, flags=IPC_CREAT | 0o600):
    return result(LIBC.msgget(ctypes.c_int(key), flags))


def msgsnd(queue, kind, data, flags=0):
    return result(LIBC.msgsnd(queue, ctypes.c_long(kind).value.to_bytes(LONG, "little", signed=True)
                              + data, ctypes.c_size_t(len(data)), flags))


def msgrcv(queue, size=64, kind=0, flags=0):
    """(bytes, type)."""
    buf = ctypes.create_string_buffer(LONG + max(size, 1))
    n = result(LIBC.msgrcv(queue, buf, ctypes.c_size_t(size), ctypes.c_long(kind), flags))
    return n, int.from_bytes(buf.raw[:LONG], "little", signed=True)


def msgctl(queue, command=IPC_RMID, buf=None):
    return result(LIBC.msgctl(queue, command, buf))
