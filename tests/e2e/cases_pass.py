# SPDX-License-Identifier: BSD-2-Clause
"""Descriptors handed from one process to another: what, by whom, to whom, through what."""
import os

from lib import case, endpoints, flow_between, wait_for

PYTHON = "/usr/bin/python3"

# usage: KIND PASSES FDS. The child uses what it was given; both pids and the pipes' inode
# numbers are told in the file OUT.
GIVE = """
import os, socket, sys
kind, passes, cnt, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
type_ = dict(stream=socket.SOCK_STREAM, dgram=socket.SOCK_DGRAM,
             seqpacket=socket.SOCK_SEQPACKET)[kind]
a, b = socket.socketpair(socket.AF_UNIX, type_)
pipes = [os.pipe() for _ in range(cnt)]
child = os.fork()
if not child:
    a.close()
    for fds in pipes:
        os.close(fds[0]), os.close(fds[1])
    for _ in range(passes):
        fds = socket.recv_fds(b, 10, cnt)[1]
        for fd in fds:
            os.write(fd, b"x" * 7)
            os.close(fd)
    os._exit(0)
b.close()
for _ in range(passes):
    socket.send_fds(a, [b"hey"], [w for _, w in pipes])
os.wait()
for r, w in pipes:
    os.close(w)
    got = 0
    while True:
        data = os.read(r, 4096)
        if not data:
            break
        got += len(data)
    assert got == 7 * passes
with open(out, "w") as f:
    f.write(" ".join(map(str, [os.getpid(), child] + [os.fstat(r).st_ino for r, _ in pipes])))
"""

GETFD = """
import ctypes, os, sys, time
r, w = os.pipe()
up, down = os.pipe()
child = os.fork()
if not child:
    os.close(r)
    os.write(down, b"!")
    time.sleep(60)
os.read(up, 1)
os.close(w)
pidfd = os.pidfd_open(child)
fd = ctypes.CDLL(None).syscall(438, pidfd, w, 0)
assert fd >= 0
os.write(fd, b"hey")
assert os.read(r, 10) == b"hey"
with open(sys.argv[1], "w") as f:
    f.write("%d %d %d" % (os.getpid(), child, os.fstat(r).st_ino))
os.kill(child, 9)
os.wait()
"""


def traced(t, script, *args):
    out = t.new_path(".pids")
    r = t.trace(command=[PYTHON, t.script(script), *map(str, args), out])
    t.equal("status", 0, r.report["trace"]["command"]["exit"], f"stderr: {r.err[-500:]!r}")
    with open(out) as f:
        return r.report, list(map(int, f.read().split()))


def pipe_by_ino(t, report, ino):
    found = [c for c in report["channels"] if c["name"] == f"pipe:[{ino}]"]
    t.equal(f"channels named pipe:[{ino}]", 1, len(found))
    return found[0]


@case(params=[(kind, cnt) for kind in ("stream", "dgram", "seqpacket") for cnt in (1, 20)])
def pass_rights(t, kind, cnt):
    """SCM_RIGHTS: each pipe says who had it from whom, the flow what went along."""
    passes = 5
    report, (src, dst, *inos) = traced(t, GIVE, kind, passes, cnt)
    ids = set()
    for ino in inos:
        c = pipe_by_ino(t, report, ino)
        ids.add(c["id"])
        rows = [{k: r[k] for k in ("from", "to", "count")} for r in c.get("passed", [])]
        t.equal(f"how pipe:[{ino}] was passed", [{"from": src, "to": dst, "count": passes}], rows)
        sent = [ep["bytes"] for ch, ep in endpoints(report, dst, "send") if ch["id"] == c["id"]]
        t.equal(f"bytes of its new owner in pipe:[{ino}]", [7 * passes], sent)
    flows = [f for f in flow_between(report, src, dst) if f["mechanism"] == f"unix-{kind}"]
    t.equal("flows of the carrier", 1, len(flows))
    passed = {p["channel"]: p["count"] for f in flows for p in f.get("passed", [])}
    t.equal("passed along the flow", {i: passes for i in ids}, passed)


@case()
def pass_getfd(t):
    """pidfd_getfd(2): whose descriptor it was."""
    report, (taker, owner, ino) = traced(t, GETFD)
    rows = pipe_by_ino(t, report, ino).get("passed", [])
    t.equal("how the pipe was taken", [(owner, taker, 1, "pidfd_getfd")],
            [(r["from"], r["to"], r["count"], r["via"]) for r in rows])


@case()
def pass_to_stranger(t):
    """Only the giver is a target, and never used what it hands over: it is watched all the same."""
    script = t.script("""
import os, socket, sys, time
what, sock, fifo = sys.argv[1:4]
if what == "take":
    s = socket.socket(socket.AF_UNIX)
    s.bind(sock)
    s.listen()
    c = s.accept()[0]
    fd = socket.recv_fds(c, 10, 1)[1][0]
    for _ in range(50):
        os.write(fd, b"12345")
    open(fifo + ".done", "w").close()
    sys.exit(0)
r = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
w = os.open(fifo, os.O_WRONLY)
s = socket.socket(socket.AF_UNIX)
s.connect(sock)
socket.send_fds(s, [b"x"], [w])  # to close it here would be to use it
while not os.path.exists(fifo + ".done"):
    time.sleep(0.01)
assert len(os.read(r, 4096)) == 250
""")
    path, fifo = t.path("sock"), t.path("fifo")
    os.mkfifo(fifo)
    p = t.start([PYTHON, script, "take", path, fifo])
    wait_for("the taker listens", lambda: os.path.exists(path))
    r = t.trace(command=[PYTHON, script, "give", path, fifo])
    t.equal("status", 0, r.report["trace"]["command"]["exit"], f"stderr: {r.err[-300:]!r}")
    t.end(p)
    flows = [f for f in flow_between(r.report, p.pid, r.report["trace"]["command"]["pid"])
             if f["mechanism"] == "fifo"]
    t.equal("messages and bytes through the FIFO that was passed", [(50, 250)],
            [(f["messages"], f["bytes"]) for f in flows])
