# SPDX-License-Identifier: BSD-2-Clause
"""io_uring: one end or both use a ring, and every byte is where it belongs."""
import json
import os

import ring
from lib import Skip, case, endpoints, flow_between

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"

# usage: KIND SEND RECV MESSAGES SIZE BATCH TRUTH, where SEND and RECV are an operation or
# "plain", and what the ring is like behind it: read,sqpoll,files
EXCHANGE = f"""
import sys
sys.path.insert(0, {HERE!r})
import ctypes, json, os, socket
import ring as u

kind, send_how, recv_how = sys.argv[1:4]
cnt, size, batch = map(int, sys.argv[4:7])
packets = kind.endswith(("dgram", "packet", "udp"))
ANY = 0xffffffffffffffff


def make():
    if kind == "pipe":
        return os.pipe()
    if kind == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as s:
            a = socket.create_connection(s.getsockname())
            b = s.accept()[0]
    elif kind == "udp":
        a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        a.bind(("127.0.0.1", 0)), b.bind(("127.0.0.1", 0))
        a.connect(b.getsockname()), b.connect(a.getsockname())
    else:
        a, b = socket.socketpair(socket.AF_UNIX, dict(
            stream=socket.SOCK_STREAM, dgram=socket.SOCK_DGRAM,
            seqpacket=socket.SOCK_SEQPACKET)[kind.partition("-")[2]])
    return b.detach(), a.detach()


class End:
    def __init__(self, how, fd):
        self.op, *self.with_ = how.split(",")
        self.fd = self.target = fd
        self.calls = self.messages = self.bytes = 0
        self.sqe_flags, self.left = 0, []
        if self.op == "plain":
            return
        flags = u.SETUP_SQPOLL if "sqpoll" in self.with_ else 0
        if "defer" in self.with_:
            flags |= u.SETUP_SINGLE_ISSUER | u.SETUP_DEFER_TASKRUN
        self.ring = u.Ring(max(batch, 2), flags)
        self.bufs = [ctypes.create_string_buffer(size) for _ in range(batch)]
        self.iovs = [u.iovec(b) for b in self.bufs]
        self.msgs = [u.msghdr(v) for v in self.iovs]
        if "files" in self.with_:
            self.ring.register(u.REGISTER_FILES, fd.to_bytes(4, "little"), 1)
            self.target, self.sqe_flags = 0, u.FIXED_FILE
        if self.op.endswith("fixed"):
            self.ring.register(u.REGISTER_BUFFERS, b"".join(bytes(v) [:16] for v in self.iovs),
                               batch)

    def add(self, i):
        op = dict(read=u.READ, write=u.WRITE, readv=u.READV, writev=u.WRITEV, recv=u.RECV,
                  send=u.SEND, recvmsg=u.RECVMSG, sendmsg=u.SENDMSG, readfixed=u.READ_FIXED,
                  writefixed=u.WRITE_FIXED, sendzc=u.SEND_ZC)[self.op]
        addr, length, off = u.address(self.bufs[i]), size, 0
        if self.op.endswith("v") and op in (u.READV, u.WRITEV):
            addr, length, off = u.address(self.iovs[i]), 1, ANY
        elif self.op.endswith("msg"):
            addr, length = u.address(self.msgs[i]), 1
        elif op not in (u.SEND, u.RECV, u.SEND_ZC):
            off = ANY
        self.ring.add(op, self.target, addr, length, off, self.sqe_flags, user_data=i,
                      buf=i if self.op.endswith("fixed") else 0)

    def run(self, n):
        # n requests at once; their results, in order of completion
        for i in range(n):
            self.add(i)
        results, notes = [], 0
        while len(results) < n or notes:
            for _, res, flags in self.ring.wait(1):
                if flags & u.CQE_F_NOTIF:
                    notes -= 1
                    continue
                notes += bool(flags & u.CQE_F_MORE)
                results.append(res)
        return results

    def count(self, res):
        self.calls += 1
        if res > 0:
            self.messages += 1
            self.bytes += res
        elif res < 0:
            sys.exit("%s: %s" % (self.op, os.strerror(-res)))

    def truth(self):
        return dict(pid=os.getpid(), calls=self.calls, messages=self.messages, bytes=self.bytes)


def send(fd):
    end = End(send_how, fd)
    for i in range(0, cnt, batch):
        if end.op == "plain":
            for k in range(batch):
                end.count(os.write(fd, (i + k).to_bytes(4, "big") * (size // 4)))
            continue
        for k in range(batch):
            ctypes.memmove(end.bufs[k], (i + k).to_bytes(4, "big") * (size // 4), size)
        for res in end.run(batch):
            end.count(res)
    return end


def receive(fd):
    end = End(recv_how, fd)
    while not packets or end.messages < cnt:
        if end.op == "plain":
            results = [len(os.read(fd, size))]
        else:
            results = end.run(batch)
        for res in results:
            end.count(res)
        if 0 in results:
            break
    return end


rfd, wfd = make()
up, down = os.pipe()
if not os.fork():
    os.close(rfd)
    os.write(down, json.dumps(send(wfd).truth()).encode())
    os._exit(0)
os.close(wfd)
got = receive(rfd).truth()
truth = dict(send=json.loads(os.read(up, 1000)), recv=got)
os.wait()
with open(sys.argv[7], "w") as f:
    json.dump(truth, f)
"""


def need_ring():
    why = ring.refused()
    if why:
        raise Skip(f"the kernel refuses io_uring: {why}")


def exchanges(t, rows):
    """Several in one trace: loading the programs takes longer than most of them."""
    need_ring()
    script, truths = t.script(EXCHANGE), [t.new_path(".truth") for _ in rows]
    line = " && ".join(f"{PYTHON} {script} {' '.join(map(str, row))} {path}"
                       for row, path in zip(rows, truths))
    r = t.trace(command=["sh", "-c", line])
    t.equal("status of the exchanges", 0, r.report["trace"]["command"]["exit"],
            f"stderr: {r.err[-500:]!r}")
    for row, path in zip(rows, truths):
        with open(path) as f:
            yield row, r.report, json.load(f)


def compare(t, row, report, truth):
    t.prefix = " ".join(map(str, row)) + ": "
    mechanism = {"pipe": "pipe", "tcp": "tcp", "udp": "udp"}.get(row[0], row[0])
    src, dst = truth["send"], truth["recv"]
    flows = [f for f in flow_between(report, src["pid"], dst["pid"])
             if f["mechanism"] == mechanism and f["messages"] > 1]
    for what in ("messages", "bytes"):
        t.equal(f"{what} of the flow", src[what], sum(f[what] for f in flows))
    ids = {f["channel"] for f in flows}
    for role, true in (("send", src), ("recv", dst)):
        eps = [ep for c, ep in endpoints(report, true["pid"], role, mechanism) if c["id"] in ids]
        for what in ("calls", "bytes"):
            t.equal(f"{role}: {what}", true[what], sum(ep[what] for ep in eps))
        t.equal(f"{role}: errors", 0, sum(ep["errors"] for ep in eps))
    for c in report["channels"]:
        if c["id"] in ids:
            t.equal("unpaired", 0, c["unpaired"])
            t.equal("dropped", 0, c["dropped"])
    t.prefix = ""


PAIRS = {
    "pipe": [("write", "plain"), ("plain", "read"), ("write", "read"), ("writev", "readv"),
             ("writefixed", "readfixed"), ("write,sqpoll", "read,sqpoll"),
             ("write,defer", "read,defer"), ("write,files", "read,files"),
             ("write,files,sqpoll", "plain")],
    "unix-stream": [("send", "plain"), ("plain", "recv"), ("sendmsg", "recvmsg"),
                    ("send,files", "recv,files"), ("write,sqpoll", "read,defer")],
    "unix-seqpacket": [("send", "recv"), ("plain", "recv"), ("sendmsg", "plain")],
    "unix-dgram": [("send", "recv"), ("plain", "recvmsg"), ("sendmsg", "plain")],
    "tcp": [("send", "plain"), ("plain", "recv"), ("sendzc", "recv"), ("sendmsg", "recvmsg"),
            ("send,sqpoll", "recv,files")],
    "udp": [("send", "plain"), ("plain", "recv"), ("sendmsg", "recvmsg"), ("sendzc", "recv")],
}


@case(params=[(kind, batch) for kind in PAIRS for batch in (1, 8)])
def uring(t, kind, batch):
    """Every pair of ways to send and to receive, one request at a time and eight."""
    cnt = 32 if kind == "udp" else 128  # zero-copy packets fill a receive buffer soon
    rows = [(kind, s, r, cnt, 400, batch) for s, r in PAIRS[kind]]
    for row, report, truth in exchanges(t, rows):
        compare(t, row, report, truth)


@case(params=[("pipe", "write", "read"), ("unix-stream", "send", "recv"), ("tcp", "send", "recv")])
def uring_large(t, kind, send, recv):
    """Messages that do not fit: requests wait for room, and none for longer than it is there."""
    rows = [(kind, s, r, 64, 40000, 1) for s, r in ((send, "plain"), ("plain", recv),
                                                    (send, recv))]
    for row, report, truth in exchanges(t, rows):
        compare(t, row, report, truth)


@case()
def uring_eventfd(t):
    """A counter written by a request and read by a call, and the other way round."""
    need_ring()
    script = t.script(f"""
import sys
sys.path.insert(0, {HERE!r})
import ctypes, os, ring as u

def one(op, fd, value=0):
    buf = ctypes.create_string_buffer(value.to_bytes(8, "little"), 8)
    r.add(op, fd, u.address(buf), 8, off=0xffffffffffffffff)
    assert r.wait(1)[0][1] == 8
    return int.from_bytes(buf.raw, "little")

there, back = os.eventfd(0), os.eventfd(0)
child = not os.fork()
r = u.Ring(4)
for i in range(20):
    if child:
        assert os.eventfd_read(there) == 3
        one(u.WRITE, back, 5)
    else:
        one(u.WRITE, there, 3)
        assert one(u.READ, back) == 5
if child:
    os._exit(0)
os.wait()
""")
    report = t.trace(command=[PYTHON, script]).report
    flows = [f for f in report["flows"] if f["mechanism"] == "eventfd"]
    t.equal("flows through eventfds", 2, len(flows))
    for f in flows:
        t.equal("wake-ups that found their reader", 20, f["messages"])
        t.equal("bytes", 160, f["bytes"])


@case()
def uring_skipped(t):
    """Requests that succeed without a completion are counted, and the status says so."""
    need_ring()
    script = t.script(f"""
import sys
sys.path.insert(0, {HERE!r})
import ctypes, os, ring as u
fd, out = os.pipe()
file = os.open({t.path("file")!r}, os.O_CREAT | os.O_WRONLY)
buf = ctypes.create_string_buffer(10)
r = u.Ring(16)
for where in (out, file):
    for i in range(5):
        r.add(u.WRITE, where, u.address(buf), 10, off=0xffffffffffffffff,
              flags=u.CQE_SKIP_SUCCESS)
    r.enter()
assert len(os.read(fd, 100)) == 50
""")
    r = t.trace(command=[PYTHON, script], whole=False, expect=3)
    t.equal("skipped", 5, r.report["loss"]["skipped"]["io_uring"])


@case()
def uring_multishot(t):
    """One request that receives many messages, into buffers that the ring chooses."""
    need_ring()
    script = t.script(f"""
import sys
sys.path.insert(0, {HERE!r})
import ctypes, os, socket, ring as u
a, b = socket.socketpair()
cnt, size = 200, 64
if not os.fork():
    b.close()
    for i in range(cnt):
        a.send(bytes([i]) * size)
        if i % 10 == 9:
            assert a.recv(1) == b"+"
    os._exit(0)
a.close()
r = u.Ring(64)
room = ctypes.create_string_buffer(16 * 4096)
r.add(u.PROVIDE_BUFFERS, 16, u.address(room), 4096, buf=7)
assert r.wait(1)[0][1] >= 0
got, more, used = 0, False, []
while True:
    if not more:
        r.add(u.RECV, b.fileno(), 0, 0, ioprio=u.RECV_MULTISHOT, flags=u.BUFFER_SELECT, buf=7,
              user_data=99)
        more = True
    answers = 0
    for user_data, res, flags in r.wait(1):
        if user_data != 99:
            continue
        more = bool(flags & u.CQE_F_MORE)
        assert res >= 0, res
        if not res:
            os.wait()
            sys.exit(0 if got == cnt * size else 1)
        before, got = got, got + res
        for _ in range(before // (10 * size), got // (10 * size)):
            b.send(b"+")
        r.add(u.PROVIDE_BUFFERS, 1, u.address(room) + 4096 * (flags >> 16), 4096, off=flags >> 16,
              buf=7, user_data=1)
""")
    report = t.trace(command=[PYTHON, script]).report
    t.equal("status", 0, report["trace"]["command"]["exit"])
    flows = sorted((f["messages"], f["bytes"]) for f in report["flows"]
                   if f["mechanism"] == "unix-stream")
    t.equal("messages and bytes of the flows", [(20, 20), (200, 12800)], flows)


@case(params=[(0,), (1,)])
def uring_peer(t, fixed):
    """What a stranger's requests do to a channel of a target counts, with registered files, too."""
    need_ring()
    fifo = t.path("fifo")
    os.mkfifo(fifo)
    writer = t.script(f"""
import sys
sys.path.insert(0, {HERE!r})
import ctypes, os, time, ring as u
fd, fixed = os.open({fifo!r}, os.O_WRONLY), int(sys.argv[1])
time.sleep(0.3)
r, buf = u.Ring(4), ctypes.create_string_buffer(100)
if fixed:
    r.register(u.REGISTER_FILES, fd.to_bytes(4, "little"), 1)
    os.dup2(os.open("/dev/null", os.O_WRONLY), fd)
for i in range(50):
    r.add(u.WRITE, 0 if fixed else fd, u.address(buf), 100, off=0xffffffffffffffff,
          flags=u.FIXED_FILE if fixed else 0)
    assert r.wait(1)[0][1] == 100
""")
    p = t.start([PYTHON, writer, str(fixed)])
    r = t.trace(command=["sh", "-c", f"exec cat {fifo} > /dev/null"])
    t.end(p)
    flows = flow_between(r.report, p.pid, r.report["trace"]["command"]["pid"])
    t.equal("messages and bytes", [(50, 5000)], [(f["messages"], f["bytes"]) for f in flows])
    t.equal("of a process that is no target", [False],
            [x["target"] for x in r.report["processes"] if x["pid"] == p.pid])
