# SPDX-License-Identifier: BSD-2-Clause
"""Attaching to what already runs, and seeing the peers of a target."""
import ctypes
import fcntl
import os
import signal
import stat
import struct
import termios
import time

import privileges
from cases_stuck import attached, children, in_call
from lib import (MECHANISMS, MS, case, endpoints, flow_between, kill_group, load_truth, part_of,
                 task_state, wait_for)

SERVER = """
import os, socket, sys
kind, where = sys.argv[1:3]
if kind == "tcp":
    s = socket.create_server(("127.0.0.1", 0))
    name = "%s:%d" % s.getsockname()
else:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if "packet" in kind else 1)
    s.bind(where + ".sock")
    s.listen(8)
    name = where + ".sock"
with open(where + ".tmp", "w") as f:
    f.write(name)
os.rename(where + ".tmp", where)
while True:
    c = s.accept()[0]
    while True:
        data = c.recv(4096)
        if not data:
            break
        c.send(data.upper())
    c.close()
"""

CLIENT = """
import os, socket, sys, time
kind, name, go, done = sys.argv[1:5]
while not os.path.exists(go + ".connect"):
    time.sleep(0.01)
if kind == "tcp":
    host, port = name.split(":")
    s = socket.create_connection((host, int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
else:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if "packet" in kind else 1)
    s.connect(name)
open(done + ".connected", "w").close()
while not os.path.exists(go):
    time.sleep(0.01)
for i in range(50):
    s.send(b"x" * (i + 1))
    s.recv(4096)
s.close()
open(done, "w").close()
"""
PYTHON = "/usr/bin/python3"
SYS_PIDFD_GETFD = 438  # the same number on every architecture


def start_demo(t, *args):
    """A workload whose processes all have begun. Returns it, {comm: pid}, and its truth's path."""
    path = t.new_path(".truth")
    p = t.start([t.demo, *map(str, args), "--truth", path])
    kids = wait_for("the processes of the workload", lambda: named_children(p.pid))
    return p, kids, path


def named_children(pid):
    """{comm: pid} once all children have the name they work under."""
    names = {}
    for kid in children(pid):
        with open(f"/proc/{kid}/comm") as f:
            names[f.read().strip()] = kid
    ready = "recv-0" in names and "send-0" in names and "ipcspy-demo" not in names
    return names if ready else None


def unread(pid):
    """Bytes that wait for a process in its pipes and stream sockets, as FIONREAD says."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd, total = os.pidfd_open(pid), 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with privileges.root():
            fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            continue
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            try:
                total += struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"0000"))[0]
            except OSError:  # /dev/null, a listening socket
                pass
        os.close(fd)
    os.close(pidfd)
    return total


HOLD_NS = 5000 * MS


@case(params=[(512,), (4096,), (10000,)])
def attach_full(t, size):
    """Channels are full and their senders blocked when ipcspy comes; then they are
    drained. What was inside has no name; every message from then on has."""
    demos, held = {}, {}
    for m in [m for m in MECHANISMS if m != "udp"]:  # whose senders wait outside of the call
        n = (12_000_000 if m == "tcp" else 4_000_000) // size
        demos[m] = start_demo(t, m, "--hold", f"{HOLD_NS}ns", "-n", n, "--size", size)
    for _, pids, _ in demos.values():
        wait_for("the sender blocks", lambda pid=pids["send-0"]: in_call(pid))
    time.sleep(0.2)
    for m, (_, pids, _) in demos.items():
        held[m] = unread(pids["recv-0"])
    report = attached(t, [pid for _, pids, _ in demos.values() for pid in pids.values()])
    for m, (p, _, path) in demos.items():
        t.end(p)
        t.prefix = m + ": "
        truth = load_truth(path)
        check_full(t, part_of(report, truth), truth, held[m])


def check_full(t, report, truth, held):
    size, n = truth["options"]["size"], truth["options"]["messages"]
    src, dst = truth["senders"][0]["pid"], truth["receivers"][0]["pid"]
    sent = endpoints(report, src, "send")[0][1]
    chan, got = endpoints(report, dst, "recv")[0]
    flows = flow_between(report, src, dst)
    t.equal("bytes received since", n * size, got["bytes"])
    t.ok("some were sent before, some since", 0 < sent["calls"] < n, str(sent))
    t.equal("each call sent a message", sent["calls"], sent["messages"])
    t.equal("each call sent it whole", sent["calls"] * size, sent["bytes"])
    # The call under way at attach returns while its receiver already drains: how much of its
    # one message was inside before is known from either end only, and not at one moment.
    t.between("messages of the flow", sent["messages"] - 1, sent["messages"],
              sum(f["messages"] for f in flows))
    since = sum(f["bytes"] for f in flows)
    t.between("bytes of the flow: of the call under way only the rest",
              sent["bytes"] - size, sent["bytes"], since)
    if truth["workload"] in ("pipe", "fifo", "unix-stream"):
        t.between("bytes that were there before", held - size, held + size, n * size - since)
        t.ok("backlog at its most", chan["backlog"]["max"] >= held, f"{chan['backlog']}, {held}")
    attach_ns = report["trace"]["start_realtime_ns"] - (time.time_ns() - time.monotonic_ns())
    still_ns = truth["start_ns"] + HOLD_NS - attach_ns
    t.ok("attached before the hold ended", still_ns > 50 * MS, str(still_ns))
    t.between("longest blocked, from attach to the end of the hold", still_ns // 2,
              still_ns + 50 * MS, sent["blocked"]["max_ns"])
    t.equal("backlog in the end", 0, chan["backlog"]["now"])
    t.equal("unpaired messages", 0, chan["unpaired"])


@case(params=[(1, 1), (2, 1), (1, 2)])
def attach_running(t, senders, receivers):
    """In the middle of traffic: each later message of a sender finds its receiver."""
    n = 3000
    demos = {m: start_demo(t, m, "-S", senders, "-R", receivers, "--rate", 700, "-n", n)
             for m in MECHANISMS}
    report = attached(t, [pid for _, pids, _ in demos.values() for pid in pids.values()])
    for m, (p, _, path) in demos.items():
        t.end(p)
        truth = load_truth(path)
        part = part_of(report, truth)
        for proc in truth["senders"]:
            t.prefix = f"{m}, {proc['comm']}: "
            sent = sum(ep["messages"] for _, ep in endpoints(part, proc["pid"], "send"))
            flows = [f for f in part["flows"] if f["src"].get("pid") == proc["pid"]]
            t.ok("attached in the middle", 100 < sent < n, str(sent))
            # a call that was under way at attach has its message among the nameless first bytes
            got = sum(f["messages"] for f in flows)
            t.between("messages of its flows", sent - 2, sent, got)
            t.equal("bytes of its flows", got * 512, sum(f["bytes"] for f in flows))
        pairs = {(f["src_pid"], f["dst_pid"]) for f in truth["flows"]}
        got = {(f["src"].get("pid"), f["dst"].get("pid")) for f in part["flows"]
               if f["src"].get("pid")}
        t.equal("who talks to whom", pairs, got)


@case(params=[(side, what) for side in ("send-0", "recv-0") for what in ("peers", "no-peers")])
def peers(t, side, what):
    """One end is the target: the other is seen as its peer, or left out."""
    demos = {m: start_demo(t, m, "--rate", 500, "-n", 100000) for m in MECHANISMS}
    targets = {pids[side] for _, pids, _ in demos.values()}
    report = attached(t, targets, "-d", "0.5", *(["--no-peers"] if what == "no-peers" else []))
    for m, (p, pids, _) in demos.items():
        os.killpg(p.pid, signal.SIGKILL)
        t.prefix = m + ": "
        both = flow_between(report, pids["send-0"], pids["recv-0"])
        other = pids["send-0" if side == "recv-0" else "recv-0"]
        seen = [ep for _, ep in endpoints(report, other) if ep["role"] != "attach"]
        if what == "no-peers":
            t.equal(f"flows between {side} and the other", [], both)
            t.equal("operations of the other", [], seen)
            t.ok("operations of the target", endpoints(report, pids[side], side[:4]))
            continue
        t.ok("there is one flow with both ends", len(both) == 1 and both[0]["messages"] > 100,
             str(both))
        t.ok("operations of the other", len(seen) == 1 and seen[0]["calls"] > 100, str(seen))
    t.prefix = ""
    t.equal("targets", targets, {proc["pid"] for proc in report["processes"] if proc["target"]})


@case(params=[(k, when) for k in ("unix-stream", "unix-seqpacket", "tcp")
              for when in ("before", "after")])
def peers_of_server(t, kind, connected):
    """A server is traced; a client that connected before or after is named."""
    name, go, done = t.path("server"), t.path("go"), t.path("done")
    server = t.start([PYTHON, "-c", SERVER, kind, name])
    where = wait_for("the server listens", lambda: os.path.exists(name) and open(name).read())
    client = t.start([PYTHON, "-c", CLIENT, kind, where, go, done])
    if connected == "before":
        open(go + ".connect", "w").close()
        wait_for("the client connects", lambda: os.path.exists(done + ".connected"))
        time.sleep(0.05)  # until the server has accepted it
    report_file = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", report_file, "-p", str(server.pid)])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    open(go + ".connect", "w").close()
    open(go, "w").close()
    wait_for("the client is done", lambda: os.path.exists(done))
    spy.terminate()
    report = t.end(spy, report_file=report_file).report
    want = {"messages": 50, "bytes": 50 * 51 // 2}
    for src, dst in ((client.pid, server.pid), (server.pid, client.pid)):
        flows = [f for f in flow_between(report, src, dst) if f["mechanism"] == kind]
        who = "client -> server" if src == client.pid else "server -> client"
        t.equal(f"{who}: the flow", [want], [{k: f[k] for k in want} for f in flows])
    if kind != "tcp":
        names = {c["name"] for c, _ in endpoints(report, server.pid, "recv", kind)}
        t.equal("name of the connection", {"unix:" + where}, names)
    turns = [{c[end]["pid"]: c["turnaround_ns"][end]["count"] for end in "ab"}
             for c in report["conversations"]]
    if t.equal("conversations", 1, len(turns)):  # its first answer makes it one
        t.between("turnarounds of the server", 49, 50, turns[0].get(server.pid, 0))
        t.equal("turnarounds of the client", 49, turns[0].get(client.pid, 0))


def traces(pid):
    """ipcspy has attached, taken its snapshot and waits: it made its BPF links and sleeps."""
    links = 0
    with privileges.root():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links += os.readlink(f"/proc/{pid}/fd/{fd}") in ("anon_inode:bpf_link",
                                                                 "anon_inode:bpf-link")
            except OSError:
                continue
    if links < 5:
        return False
    time.sleep(0.05)
    return task_state(pid) == "S"


STRANGER = """
import ctypes, fcntl, os, sys, time
how, fifo, begin, ready, go = sys.argv[1:]
CLONE_FILES, SIGCHLD, FD = 0x400, 17, 9
def wait(path):
    while not os.path.exists(path):
        time.sleep(0.01)
target = os.open(fifo, os.O_RDWR)
r, w = os.pipe()
if how == "same":
    r = w = target
os.dup2(w, FD)
wait(begin)
for i in range(5):
    os.write(FD, b"before.")
    os.read(r, 7)
open(ready, "w").close()
wait(go)
time.sleep(0.3)
if how == "replaced":
    os.dup2(target, FD)
elif how == "closed":
    os.close(FD)
    fcntl.fcntl(target, fcntl.F_DUPFD, FD)
elif how == "shared":
    if not ctypes.CDLL(None).syscall(56, CLONE_FILES | SIGCHLD, 0, 0, 0, 0):
        os.dup2(target, FD)
        os._exit(0)
    os.wait()
for i in range(50):
    os.write(FD, b"message")
"""

JOINED = """
import os, sys, time
fifo, begin, ready, go = sys.argv[1:]
open(begin, "w").close()
while not os.path.exists(ready):
    time.sleep(0.01)
fd = os.open(fifo, os.O_RDWR)
open(go, "w").close()
n = 0
while n < 350:
    n += len(os.read(fd, 7))
"""


@case(params=[("same",), ("replaced",), ("closed",), ("shared",)])
def stranger_joins(t, how):
    """A descriptor that was of no interest, and was used while ipcspy ran, begins to concern
    a target: by what the target does, by another file behind it, by whom it is shared with."""
    paths = [t.path(name) for name in ("fifo", "begin", "ready", "go")]
    os.mkfifo(paths[0])
    stranger = t.start([PYTHON, t.script(STRANGER), how, *paths])
    r = t.trace(command=[PYTHON, t.script(JOINED), *paths])
    flows = flow_between(r.report, stranger.pid, r.report["trace"]["command"]["pid"])
    t.equal("messages of the stranger", 50, sum(f["messages"] for f in flows))
    t.equal("bytes of the stranger", 350, sum(f["bytes"] for f in flows))
    t.equal("status of the stranger", 0, t.end(stranger).status)


EXEC_IN_THREAD = """
import os, sys, threading
program = "import os; r, w = os.pipe(); [(os.write(w, b'x'), os.read(r, 1)) for i in range(50)]"
threading.Thread(target=os.execv, args=(sys.executable, [sys.executable, "-c", program])).start()
threading.Event().wait()
"""


@case()
def exec_in_thread(t):
    """A thread that executes a program takes the process's pid over, and stays a target."""
    r = t.trace(command=[PYTHON, t.script(EXEC_IN_THREAD)])
    pid = r.report["trace"]["command"]["pid"]
    t.equal("status of the command", 0, r.report["trace"]["command"]["exit"])
    t.equal("messages to itself", 50,
            sum(f["messages"] for f in flow_between(r.report, pid, pid)))


THREADS = """
import os, sys, threading, time
r, w = os.pipe()
def echo():
    while os.read(r, 100):
        pass
threading.Thread(target=echo, daemon=True).start()
while True:
    os.write(w, b"x" * 10)
    time.sleep(0.005)
"""


def move(pid, group):
    with open(os.path.join(group, "cgroup.procs"), "w") as f:
        f.write(str(pid))


@case(root="it makes a control group")
def cgroup(t):
    """Who is in a group or in one inside it, who is born there, and who is moved there with
    all its threads and what they hold; nobody else."""
    mount, name = t.path("cgroup"), f"ipcspy-test-{os.getpid()}"
    os.mkdir(mount)
    t.run(["mount", "-t", "cgroup2", "none", mount])
    group = os.path.join(mount, name)
    inner = os.path.join(group, "inner")
    try:
        os.makedirs(inner)
        check_cgroup(t, group, inner)
    finally:
        for p in t.background:
            kill_group(p)
        wait_for("the group is empty", lambda: not members(group) and not members(inner))
        os.rmdir(inner)
        os.rmdir(group)
        t.run(["umount", mount])


def members(group):
    with open(os.path.join(group, "cgroup.procs")) as f:
        return f.read().split()


def check_cgroup(t, group, inner):
    script = t.script(THREADS)
    inside, moved, outside = (t.start([PYTHON, script]) for _ in range(3))
    move(inside.pid, inner)
    path = t.new_path(".json")
    tracer = t.start([t.ipcspy, "-c", group, "-d", "30", "-v", "--format", "json", "-o", path])
    wait_for("tracing", lambda: traces(tracer.pid))
    truth = t.new_path(".truth")
    t.run(["sh", "-c", f'echo $$ >"{group}/cgroup.procs" && exec "$@"', "sh", t.demo, "pipe", "-n",
           "200", "--truth", truth])
    move(moved.pid, group)
    time.sleep(1)
    tracer.send_signal(signal.SIGINT)
    report = t.end(tracer, report_file=path).report
    targets = {p["pid"] for p in report["processes"] if p["target"]}
    t.ok("who was in it is a target", inside.pid in targets)
    t.ok("who was moved there is a target", moved.pid in targets)
    t.ok("who was never there is none", outside.pid not in targets, str(targets))
    for p in (inside, moved):
        between = flow_between(report, p.pid, p.pid)
        t.ok("its threads are heard of", sum(f["messages"] for f in between) > 20, str(between))
    truth = load_truth(truth)
    t.equal("messages of who was born there", 200,
            sum(f["messages"] for f in part_of(report, truth)["flows"]
                if f["mechanism"] == "pipe"))
    none = t.run([t.ipcspy, "-c", "no/such", "-d", "1"], expect=1)
    t.ok("no such group", b"no cgroup 'no/such'" in none.err, str(none.err))
