# SPDX-License-Identifier: BSD-2-Clause
"""A program that moves data in every way there is, for cases_strace.py to watch.

    calls.py SECTION DIRECTORY

Each section is one function. Children are forked where a call has to block.
"""
import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


def mmsg(call, sock, sizes, flags=0):
    """sendmmsg(2) or recvmmsg(2) of messages of these sizes."""
    bufs = [ctypes.create_string_buffer(b"m" * n, n) for n in sizes]
    iovs = [Iovec(ctypes.addressof(b), len(b)) for b in bufs]
    vec = (Mmsghdr * len(sizes))(*[Mmsghdr(Msghdr(None, 0, ctypes.addressof(v), 1, None, 0, 0), 0)
                                   for v in iovs])
    args = [sock.fileno(), vec, len(sizes), flags] + ([None] if call == "recvmmsg" else [])
    return getattr(LIBC, call)(*args)


def attempt(call, *args):
    """For calls that shall fail."""
    try:
        call(*args)
    except OSError:
        pass


def child(func, *args):
    pid = os.fork()
    if not pid:
        func(*args)
        os._exit(0)
    return pid


def plain(directory):
    """read, write and their vectors, at end of file, without room, without a reader."""
    r, w = os.pipe()
    for n in (1, 10, 4096, 5000, 0):
        os.write(w, b"x" * n)
        if n:
            os.read(r, n)
    os.writev(w, [b"abc", b"defgh", b""])
    os.readv(r, [bytearray(2), bytearray(100)])
    os.pwritev(w, [b"abc", b"de"], -1)
    os.preadv(r, [bytearray(100)], -1)
    os.set_blocking(r, False)
    os.set_blocking(w, False)
    attempt(os.read, r, 10)
    for _ in range(40):
        attempt(os.write, w, b"y" * 3000)
    attempt(os.write, w, b"y" * 100000)
    for size in (7, 4096, 100000, 100000):
        attempt(os.read, r, size)
    attempt(LIBC.read, r, 1, 100)  # a bad address
    attempt(LIBC.write, w, 1, 100)
    dup = os.dup(w)
    os.close(w)
    os.write(dup, b"last")
    os.close(dup)
    os.read(r, 100)
    os.read(r, 100)  # the end
    os.close(r)
    r, w = os.pipe()
    os.close(r)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    attempt(os.write, w, b"nobody")


def fifo(directory):
    path = os.path.join(directory, "a fifo")
    os.mkfifo(path)

    def reader():
        with open(path, "rb", buffering=0) as f:
            while f.read(1000):
                pass

    pid = child(reader)
    with open(path, "wb", buffering=0) as f:
        for n in range(1, 4000, 13):
            f.write(b"z" * n)
    os.waitpid(pid, 0)


def splices(directory):
    """splice, tee, vmsplice, sendfile, copy_file_range."""
    r, w = os.pipe()
    r2, w2 = os.pipe()
    path = os.path.join(directory, "file")
    with open(path, "w+b", buffering=0) as f:
        f.write(b"f" * 30000)
        f.seek(0)
        os.sendfile(w, f.fileno(), None, 9000)
        os.splice(f.fileno(), w, 5000)
        LIBC.tee(r, w2, ctypes.c_size_t(4000), 0)
        os.splice(r, w2, 3000)
        os.splice(r, f.fileno(), 11000)
        attempt(os.copy_file_range, r2, f.fileno(), 100)
    os.read(r2, 100000)
    buf = ctypes.create_string_buffer(b"v" * 2000, 2000)
    iov = Iovec(ctypes.addressof(buf), 2000)
    LIBC.vmsplice(w, ctypes.byref(iov), ctypes.c_size_t(1), 0)
    LIBC.vmsplice(r, ctypes.byref(iov), ctypes.c_size_t(1), 0)
    a, b = socket.socketpair()
    os.write(w, b"p" * 700)
    os.splice(r, a.fileno(), 700)
    b.recv(1000)
    a.send(b"s" * 900)
    os.splice(b.fileno(), w, 900)
    os.set_blocking(r, False)
    os.read(r, 1000)
    attempt(os.splice, r, w2, 100)


def pair(kind):
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    exchange(a, b, kind != socket.SOCK_STREAM)


def exchange(a, b, packets):
    """Between two connected sockets, by every call that sockets have."""
    for n in (1, 100, 3000):
        a.send(b"s" * n)
        b.recv(n, socket.MSG_PEEK)
        b.recv(n)
    a.sendall(b"w" * 500)
    os.read(b.fileno(), 500)
    os.write(b.fileno(), b"back" * 50)
    a.recv(200, socket.MSG_WAITALL)
    a.sendmsg([b"one", b"two", b"three"])
    b.recvmsg(100)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]
    a.sendmsg([b"rights"], rights if a.family == socket.AF_UNIX else [])
    b.recvmsg_into([bytearray(2), bytearray(50)])
    os.writev(a.fileno(), [b"v" * 10, b"w" * 20])
    os.readv(b.fileno(), [bytearray(15), bytearray(15)])
    mmsg("sendmmsg", a, [5, 50, 500])
    if packets:
        mmsg("recvmmsg", b, [600, 600, 600, 600], socket.MSG_DONTWAIT)
        a.send(b"cut off" * 10)
        b.recv(5)
        a.send(b"")
        b.recv(5)
    else:
        mmsg("recvmmsg", b, [100, 455], 0)
    attempt(b.recv, 10, socket.MSG_DONTWAIT)
    attempt(a.recv, 10, socket.MSG_DONTWAIT)
    pid = child(drain, b, a)
    for n in range(1, 3000, 61):
        a.send(b"c" * n)
    if packets:
        a.send(b"")
    else:
        a.close()
    b.close()
    os.waitpid(pid, 0)


def drain(sock, other):
    other.close()
    while sock.recv(2000):
        pass


def unix_stream(directory):
    pair(socket.SOCK_STREAM)
    s = socket.socket(socket.AF_UNIX)
    s.bind(os.path.join(directory, "stream"))
    s.listen()
    a = socket.socket(socket.AF_UNIX)
    a.connect(s.getsockname())
    exchange(a, s.accept()[0], False)


def unix_seqpacket(directory):
    pair(socket.SOCK_SEQPACKET)


def unix_dgram(directory):
    pair(socket.SOCK_DGRAM)
    a, b = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in "ab")
    b.bind(os.path.join(directory, "dgram"))
    for n in (1, 10, 200):
        a.sendto(b"n" * n, b.getsockname())
        b.recvfrom(1000)
    attempt(a.sendto, b"nowhere", os.path.join(directory, "none"))


def tcp(directory):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 0), family=family) as s:
            a = socket.create_connection(s.getsockname()[:2])
            exchange(a, s.accept()[0], False)


def udp(directory):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        a, b = (socket.socket(family, socket.SOCK_DGRAM) for _ in "ab")
        a.bind((host, 0))
        b.bind((host, 0))
        for n in (1, 10, 1000):
            a.sendto(b"n" * n, b.getsockname())
            b.recvfrom(2000)
        a.connect(b.getsockname())
        b.connect(a.getsockname())
        exchange(a, b, True)


def interrupted(directory):
    """Signals in the middle of calls that block, restarted by the kernel and not."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    for restart in (True, False):
        signal.siginterrupt(signal.SIGALRM, not restart)
        r, w = os.pipe()
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

        def late():
            signal.setitimer(signal.ITIMER_REAL, 0)
            time.sleep(0.11)
            os.write(w, b"late")

        pid = child(late)
        os.read(r, 100)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.waitpid(pid, 0)
        fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ
        os.write(w, b"f" * 4096)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

        def slow():
            os.close(w)
            for _ in range(10):
                time.sleep(0.01)
                if not os.read(r, 1000):
                    break

        pid = child(slow)
        attempt(os.write, w, b"i" * 9000)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(w)
        os.waitpid(pid, 0)


def polled(directory):
    """As programs with an event loop do it."""
    a, b = socket.socketpair()
    a.setblocking(False)
    poll = select.poll()
    poll.register(a, select.POLLOUT)

    def slow():
        a.close()
        while b.recv(20000):
            time.sleep(0.002)

    pid = child(slow)
    b.close()
    left = 1 << 20
    while left:
        try:
            left -= a.send(b"p" * min(left, 60000))
        except BlockingIOError:
            poll.poll()
    a.close()
    os.waitpid(pid, 0)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
