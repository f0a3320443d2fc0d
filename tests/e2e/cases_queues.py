# SPDX-License-Identifier: BSD-2-Clause
"""Message queues, POSIX and System V: truth, order, ends, and what goes wrong."""
import json
import os
import re
import shutil
import signal
import time

from cases_strace import finished_calls
from cases_stuck import attached
from cases_time import (BLOCKED_LEAST, BLOCKED_SHARE, HOLD_NS, agree, blocked_late_sender,
                        blocked_misses, blocked_slow_receiver, latency_misses, only_flow)
from cases_truth import compare
from lib import MS, Broken, Skip, case, check_report, endpoints, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
QUEUES = ("posix-mq", "sysv-msg")
MSG_MAX = 10  # /proc/sys/fs/mqueue/msg_max, what the workload asks for


@case(params=[(m, s) for m in QUEUES for s in (1, 2, 8)])
def queue_truth(t, mechanism, senders):
    """Each number of senders with 1, 2 and 8 receivers, of one queue."""
    n = max(300, 2000 // senders)
    for report, true in t.trace_demos([[mechanism, "-S", senders, "-R", r, "-n", n]
                                       for r in (1, 2, 8)]):
        compare(t, report, true)


SIZES = ["-n 500 --vary --senders 2 --size 4000 --seed 7", "-n 500 --size 32", "-n 300 --size 8192"]
CLASSES = {"posix-mq": ["--priorities 2 -n 600", "--priorities 32 -n 600 -S 3",
                        "--priorities 7 -n 300 -S 2 -R 8 --vary",
                        "--priorities 3 -n 200 --receiver-delay 100us"],
           "sysv-msg": ["--types 5 -n 600 -S 2", "--types 4 --select exact -R 4 -n 400 -S 2",
                        "--types 6 --select lowest -n 400 -R 2 -S 3",
                        "--types 3 --select except -n 300 -R 3 -S 2",
                        "--types 300 -n 900 --vary"]}


@case(params=[(m, w) for m in QUEUES for w in ("sizes", "classes")])
def queue_truth_with(t, mechanism, what):
    """Sizes that differ; priorities and types, and every way to choose among them."""
    options = SIZES if what == "sizes" else CLASSES[mechanism]
    for report, true in t.trace_demos([[mechanism, *o.split()] for o in options]):
        compare(t, report, true)


@case(params=[(m, o) for m in QUEUES
              for o in ("--rate 4000 -n 1500", "--rate 2000 -n 700 --size 4096 --senders 2",
                        "-n 4000", "-n 2000 --size 4096 --senders 2 --receivers 2")])
def queue_latency(t, mechanism, options):
    agree(t, latency_misses, mechanism, *options.split())


@case(params=[(m,) for m in QUEUES])
def queue_hold(t, mechanism):
    """Nobody receives for a while, so the queue fills and its sender sleeps."""
    report, truth = agree(t, blocked_misses, mechanism, "--hold", "300ms", "-n", 100,
                          "--size", 4096)
    planned, left = truth["planned"]["send_blocked_ns"], truth["elapsed_ns"] - HOLD_NS
    t.ok("the hold was long enough to block", planned > HOLD_NS // 2, str(planned))
    chan, ep = endpoints(report, truth["senders"][0]["pid"], "send", mechanism)[0]
    room = max(planned * BLOCKED_SHARE, BLOCKED_LEAST)
    t.between("longest blocked", planned - room, planned + left + room, ep["blocked"]["max_ns"])
    t.between("time without room", planned - room, planned + left + room,
              chan["backlog"]["full_ns"])
    limit = MSG_MAX if mechanism == "posix-mq" else 16384
    t.equal("capacity", limit, chan["capacity"])
    t.equal("backlog at its most", limit, chan["backlog"]["max"])
    t.equal("backlog in the end", 0, chan["backlog"]["now"])
    t.equal("verdict", "consumer-bound", only_flow(t, report, truth)["verdict"])


@case(params=[(m,) for m in QUEUES])
def queue_slow_receiver(t, mechanism):
    blocked_slow_receiver(t, mechanism)


@case(params=[(m, n) for m in QUEUES for n in (1, 2)])
def queue_late_sender(t, mechanism, receivers):
    blocked_late_sender(t, mechanism, receivers)


# Programs of their own. What they print is what the report must say.

PYTHON = "/usr/bin/python3"
HEADER = f"""
import os, signal, sys, time
sys.path.insert(0, {HERE!r})
from queues import *

def child(func, *args):
    pid = os.fork()
    if not pid:
        func(*args)
        os._exit(0)
    return pid

def asleep(pid):
    while True:
        with open(f"/proc/{{pid}}/stat") as f:
            if f.read().rpartition(")")[2].split()[0] == "S":
                return
        time.sleep(0.01)
"""


def program(t, text, **kw):
    """Runs a program under ipcspy. Returns (report, the words that it printed)."""
    r = t.trace(command=[PYTHON, t.script(HEADER + text)], **kw)
    t.equal("status of the program", 0, r.report["trace"]["command"]["exit"], str(r.err[-400:]))
    return r.report, r.text.split()


def queues(report, mechanism):
    return [c for c in report["channels"] if c["mechanism"] == mechanism]


def only_queue(t, report, mechanism):
    found = queues(report, mechanism)
    if not t.equal(f"{mechanism} channels", 1, len(found), str([c["name"] for c in found])):
        raise Broken("not one queue")
    return found[0]


def side(t, chan, role, pid=None):
    found = [ep for ep in chan["endpoints"] if ep["role"] == role and pid in (None, ep["pid"])]
    if not t.equal(f"{chan['name']}: endpoints that {role}", 1, len(found)):
        raise Broken("not one endpoint")
    return found[0]


def counts(ep):
    return {k: ep[k] for k in ("calls", "messages", "bytes", "errors", "would_block")}


def expect(calls, messages, size, errors=0, would_block=0):
    return {"calls": calls, "messages": messages, "bytes": size, "errors": errors,
            "would_block": would_block}


def flow_counts(report, chan):
    return [(f["messages"], f["bytes"]) for f in report["flows"] if f["channel"] == chan["id"]]


@case()
def queue_mq_failures(t):
    """EMSGSIZE on both sides, EAGAIN, ETIMEDOUT, an empty message: counted as what they are."""
    report, words = program(t, """
name = f"/ipcspy-e2e.{os.getpid()}"
fd = mq_open(name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 3, 64)
print(name, mq_unlink(name))
print(mq_send(fd, b"x" * 65), mq_receive(fd, 63)[0], mq_receive(fd)[0])
print([mq_send(fd, b"x" * n) for n in (0, 10, 64, 5)])
print(mq_getattr(fd), mq_receive(fd, 64), mq_receive(fd, 64, ask=False), mq_receive(fd, 100))
os.set_blocking(fd, True)
print(mq_receive(fd, timeout=0.1)[0])
for _ in range(3):
    mq_send(fd, b"late")
print(mq_send(fd, b"no room", timeout=0.1))
""")
    t.equal("what the program saw", "0 -90 -90 -11 [0, 0, 0, -11] 0 (0, 0) (10, 0) (64, 0) -110 -110",
            " ".join(words[1:]))
    chan = only_queue(t, report, "posix-mq")
    t.equal("name", words[0], chan["name"])
    t.equal("capacity", 3, chan["capacity"])
    t.equal("backlog", {"now": 3, "max": 3}, {k: chan["backlog"][k] for k in ("now", "max")})
    t.ok("full for the time that a sender waited", chan["backlog"]["full_ns"] > 90 * MS,
         str(chan["backlog"]))
    send, recv = side(t, chan, "send"), side(t, chan, "recv")
    t.equal("send", expect(9, 6, 86, errors=2, would_block=1), counts(send))
    t.equal("recv", expect(6, 3, 74, errors=2, would_block=1), counts(recv))
    for ep in (send, recv):
        t.near(f"{ep['role']}: blocked until the timeout", 100 * MS, ep["blocked"]["total_ns"],
               0.2, 20 * MS)
    t.equal("flow", [(3, 74)], flow_counts(report, chan))
    t.equal("info", (64, 1, 2), tuple(chan["info"][k] for k in ("message_max_bytes", "unlinked",
                                                                "timeouts")))


@case()
def queue_msg_failures(t):
    """E2BIG, MSG_NOERROR, ENOMSG, EAGAIN, EINVAL; MSG_COPY takes nothing out."""
    report, words = program(t, """
q = msgget()
print(q, msgsnd(q, 0, b"bad type"), msgsnd(q, 1, b"x" * 9000))
print(msgsnd(q, 5, b"five" * 10), msgsnd(q, 7, b"seven" * 10), msgsnd(q, 5, b""))
print(msgrcv(q, 10, 5)[0], msgrcv(q, 10, 5, MSG_NOERROR), msgrcv(q, 64, 6, IPC_NOWAIT)[0])
print(msgrcv(q, 64, 0, MSG_COPY | IPC_NOWAIT)[0], msgctl(q, IPC_STAT, b"x" * 256))
print(msgrcv(q, 64, -9), msgrcv(q, 64, 5, MSG_EXCEPT))
print([msgsnd(q, 9, b"f" * 8192, IPC_NOWAIT) for _ in range(3)])
print(msgctl(q), msgrcv(q)[0])
""")
    t.equal("what the program saw", "-22 -22 0 0 0 -7 (10, 5) -42 50 0 (0, 5) (50, 7) "
            "[0, 0, -11] 0 -22", " ".join(words[1:]))
    chan = only_queue(t, report, "sysv-msg")
    t.equal("name", f"msg:0x0/{words[0]}", chan["name"])
    t.equal("still open", False, chan["open"])
    t.equal("capacity", 16384, chan["capacity"])
    t.equal("backlog", {"now": 0, "max": 16384}, {k: chan["backlog"][k] for k in ("now", "max")})
    t.equal("messages that went with the queue", 2, chan["dropped"])
    t.equal("unpaired", 0, chan["unpaired"])
    t.equal("send", expect(8, 5, 90 + 2 * 8192, errors=2, would_block=1),
            counts(side(t, chan, "send")))
    t.equal("recv", expect(6, 3, 60, errors=1, would_block=1), counts(side(t, chan, "recv")))
    t.equal("flow: what the receiver got of each message", [(3, 60)], flow_counts(report, chan))
    t.equal("info", (0, 1, int(words[0])),
            tuple(chan["info"][k] for k in ("messages_queued", "too_big", "ipc_id")))
    t.equal("types", {(5, 2, 2, 0), (7, 1, 1, 0), (9, 2, 0, 0)},
            {(r["type"], r["sent"], r["received"], r["queued"]) for r in chan["types"]})


@case()
def queue_removed_while_blocked(t):
    """IPC_RMID: sender and receivers that are inside a call return from it with an error."""
    report, words = program(t, """
full, empty = msgget(), msgget()
while msgsnd(full, 1, b"x" * 4000, IPC_NOWAIT) == 0:
    pass
kids = [child(lambda: os._exit(-msgsnd(full, 1, b"y" * 4000)))]
kids += [child(lambda: os._exit(-msgrcv(empty, 64, kind)[0])) for kind in (0, 3)]
for pid in kids:
    asleep(pid)
time.sleep(0.2)
print(full, empty, msgctl(full), msgctl(empty), *kids)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in kids])
""")
    t.equal("EIDRM for all", "[43, 43, 43]", " ".join(words[7:]))
    full, empty, sender, *receivers = (int(words[i]) for i in (0, 1, 4, 5, 6))
    chans = {c["name"]: c for c in queues(report, "sysv-msg")}
    t.equal("channels", {f"msg:0x0/{full}", f"msg:0x0/{empty}"}, set(chans))
    for name, pids, role in ((full, [sender], "send"), (empty, receivers, "recv")):
        chan = chans[f"msg:0x0/{name}"]
        t.equal(f"{chan['name']}: still open", False, chan["open"])
        for pid in pids:
            ep = side(t, chan, role, pid)
            t.equal(f"{chan['name']}: {role}", expect(1, 0, 0, errors=1), counts(ep))
            t.near(f"{chan['name']}: blocked", 200 * MS, ep["blocked"]["total_ns"], 0.3, 60 * MS)
            t.equal(f"{chan['name']}: blocked now", 0, ep["blocked"]["now_ns"])
    t.equal("messages that went with the queue", 4, chans[f"msg:0x0/{full}"]["dropped"])
    t.equal("nobody is blocked in the end", [], report["blocked_now"])


@case()
def queue_ids_reused(t):
    """The same key, and names that come back, are another queue each time."""
    report, words = program(t, """
key = 0x1ace0000 | os.getpid() & 0xffff
ids = []
for i in range(20):
    q = msgget(key)
    ids.append(q)
    for k in range(i + 1):
        msgsnd(q, 1, b"m" * (k + 1))
        msgrcv(q)
    msgctl(q)
name = f"/ipcspy-e2e.{os.getpid()}"
for i in range(5):
    fd = mq_open(name)
    for k in range(i + 1):
        mq_send(fd, b"q" * (k + 1))
        mq_receive(fd)
    mq_unlink(name)
    os.close(fd)
print(hex(key), name, *ids)
""")
    key, name, *ids = words
    want = [(f"msg:{key}/{ids[i]}", i + 1, (i + 1) * (i + 2) // 2) for i in range(20)]
    got = [(c["name"], *flow) for c in queues(report, "sysv-msg")
           for flow in flow_counts(report, c)]
    t.equal("System V queues and their flows", sorted(want), sorted(got))
    got = sorted(flow for c in queues(report, "posix-mq") for flow in flow_counts(report, c))
    t.equal("POSIX queues' flows", [(i + 1, (i + 1) * (i + 2) // 2) for i in range(5)], got)
    t.equal("POSIX queues' names", {name}, {c["name"] for c in queues(report, "posix-mq")})


@case(root="it makes namespaces")
def queue_namespaces(t):
    """Queues of two containers are two channels, also with the same id and the same name."""
    report, words = program(t, """
def inside(n):
    if LIBC.unshare(0x08000000):  # CLONE_NEWIPC
        os._exit(1)
    q, fd = msgget(0x4444), mq_open("/same")
    for k in range(n):
        msgsnd(q, 1, b"m" * n)
        mq_send(fd, b"q" * n)
        msgrcv(q)
        mq_receive(fd)
    os.write(1, b"%d\\n" % q)  # at once: there are two of us
    os.close(w)
    os.read(r, 1)  # a namespace that is gone gives its number to the next

r, w = os.pipe()
kids = [child(inside, n) for n in (3, 4)]
for pid in kids:
    asleep(pid)
os.close(w)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in kids])
""")
    t.equal("ids are the same", "0 0 [0, 0]", " ".join(words))
    for mechanism, name in (("sysv-msg", "msg:0x4444/0"), ("posix-mq", "/same")):
        chans = queues(report, mechanism)
        t.equal(f"{mechanism}: names", [name] * 2, [c["name"] for c in chans])
        t.equal(f"{mechanism}: flows", [(3, 9), (4, 16)],
                sorted(flow for c in chans for flow in flow_counts(report, c)))
    t.equal("namespaces", 2, len({c["info"]["ipc_ns"] for c in queues(report, "sysv-msg")}))


def message_lines(t, text):
    """The lengths of all messages in the order in which they were paired."""
    r = t.run([t.ipcspy, "-t", "--format", "jsonl", "-o", t.path("lines"), "--", PYTHON,
               t.script(HEADER + text)])
    with open(t.path("lines")) as f:
        lines = [json.loads(line) for line in f]
    return [m["bytes"] for m in lines if m.get("mechanism") in QUEUES], r


@case(params=[("asks",), ("does not ask",)])
def queue_priorities(t, ask):
    """Highest first, first in first out within one; also when no receive says which it was."""
    text = f"""
fd = mq_open("/ipcspy-e2e.prio", maxmsg=10)
mq_unlink("/ipcspy-e2e.prio")
for length, prio in ((1, 3), (2, 0), (3, 7), (4, 3), (5, 7), (6, 0)):
    mq_send(fd, b"p" * length, prio)
for _ in range(6):
    mq_receive(fd, ask={ask == "asks"})
"""
    got, _ = message_lines(t, text)
    t.equal("lengths by priority", [3, 5, 1, 4, 2, 6], got)
    report, _ = program(t, text)
    chan = only_queue(t, report, "posix-mq")
    t.equal("priorities", {(0, 2, 2), (3, 2, 2), (7, 2, 2)},
            {(r["priority"], r["sent"], r["received"]) for r in chan["priorities"]})
    t.equal("unpaired", 0, chan["unpaired"])


@case()
def queue_types(t):
    """msgtyp: exact, the lowest up to |t|, all but one."""
    got, _ = message_lines(t, """
q = msgget()
for length, kind in ((1, 3), (2, 1), (3, 2), (4, 3), (5, 1), (6, 9)):
    msgsnd(q, kind, b"t" * length)
msgrcv(q, 64, 3)
msgrcv(q, 64, -2)
msgrcv(q, 64, 1, MSG_EXCEPT)
for _ in range(3):
    msgrcv(q)
msgctl(q)
""")
    t.equal("lengths in the order of the receives", [1, 2, 3, 4, 5, 6], got)


@case()
def queue_notify(t):
    """Who asked to be told of the next message."""
    report, words = program(t, """
signal.signal(signal.SIGUSR2, lambda *_: None)
fd = mq_open("/ipcspy-e2e.notify")
mq_unlink("/ipcspy-e2e.notify")
print(os.getpid(), mq_notify(fd, signal.SIGUSR2), mq_notify(fd, signal.SIGUSR2))
""")
    t.equal("the second request is refused", ["0", "-16"], words[1:])
    chan = only_queue(t, report, "posix-mq")
    t.equal("requests", 1, chan["info"]["notify_requests"])
    t.equal("notify", [(int(words[0]), "signal", int(signal.SIGUSR2))],
            [(r["pid"], r["by"], r["signal"]) for r in chan["notify"]])


# Attaching to what already runs.

BEACON = """
r, w = os.pipe()
while True:
    os.write(w, b"here")
    os.read(r, 4)
    time.sleep(0.02)
"""


def trace_around(t, pids, action):
    """Attaches, waits until something was seen, acts, and ends the trace; its report."""
    path = t.new_path(".jsonl")
    beacon = t.start([PYTHON, t.script(HEADER + BEACON)])
    spy = t.start([t.ipcspy, "-t", "--format", "jsonl", "-o", path, "-p",
                   ",".join(map(str, [beacon.pid, *pids]))])
    wait_for("ipcspy sees the beacon", lambda: os.path.exists(path) and os.path.getsize(path), 60)
    action()
    os.kill(spy.pid, signal.SIGINT)
    t.equal("status of ipcspy", 0, t.end(spy).status)
    with open(path) as f:
        report = json.loads(f.readlines()[-1])["report"]
    check_report(t, report)
    return report


def printed_pids(p, cnt):
    """The pids that a program printed when it was ready."""
    path = f"/proc/self/fd/{p.files[0].fileno()}"

    def read():
        with open(path) as f:
            words = f.read().split()
        return [int(w) for w in words] if len(words) == cnt else None

    return wait_for("the program is ready", read, 30)


HOLDER = """
mq, msg = mq_open("/ipcspy-e2e.held"), msgget()
mq_unlink("/ipcspy-e2e.held")
for i in range(4):
    mq_send(mq, b"old" * 2, i % 2)
    msgsnd(msg, 1 + i % 2, b"old" * 2)

def serve(recv):
    signal.sigwait({signal.SIGUSR1})
    for i in range(34):
        recv()

def feed(send):
    signal.sigwait({signal.SIGUSR1})
    for i in range(30):
        send(i)
        time.sleep(0.002)

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
kids = [child(serve, lambda: mq_receive(mq)), child(serve, lambda: msgrcv(msg)),
        child(feed, lambda i: mq_send(mq, b"n" * (i % 7), i % 2)),
        child(feed, lambda i: msgsnd(msg, 1 + i % 2, b"n" * (i % 7)))]
print(*kids, flush=True)
for pid in kids:
    os.waitpid(pid, 0)
msgctl(msg)
"""


@case()
def queue_attach_with_messages(t):
    """What was in a queue before has no sender; it shifts nobody else's messages."""
    p = t.start([PYTHON, t.script(HEADER + HOLDER)])
    kids = printed_pids(p, 4)

    def act():
        for pid in kids:
            os.kill(pid, signal.SIGUSR1)
        t.end(p)

    report = trace_around(t, kids, act)
    size = sum(i % 7 for i in range(30))
    for mechanism, receiver in zip(QUEUES, kids):
        chan = only_queue(t, report, mechanism)
        t.equal(f"{mechanism}: flow", [(30, size)], flow_counts(report, chan))
        t.equal(f"{mechanism}: received", expect(34, 34, size + 24),
                counts(side(t, chan, "recv", receiver)))
        t.equal(f"{mechanism}: unpaired", 0, chan["unpaired"])


ALIKE = """
mq, msg = mq_open("/ipcspy-e2e.alike"), msgget()
mq_unlink("/ipcspy-e2e.alike")

def fill():
    for i in range(4):
        mq_send(mq, b"same")
        msgsnd(msg, 1, b"same")

def feed():
    signal.sigwait({signal.SIGUSR1})
    fill()

def serve():
    signal.sigwait({signal.SIGUSR1})
    time.sleep(0.3)
    for i in range(8):
        mq_receive(mq)
        msgrcv(msg)
        time.sleep(0.1)

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
fill()
kids = [child(serve), child(feed)]
print(*kids, flush=True)
for pid in kids:
    os.waitpid(pid, 0)
msgctl(msg)
"""


@case()
def queue_attach_alike(t):
    """Messages that only their order tells apart: those from before come out first."""
    p = t.start([PYTHON, t.script(HEADER + ALIKE)])
    kids = printed_pids(p, 2)

    def act():
        for pid in kids:
            os.kill(pid, signal.SIGUSR1)
        t.end(p)

    report = trace_around(t, kids, act)
    for mechanism in QUEUES:
        chan = only_queue(t, report, mechanism)
        t.equal(f"{mechanism}: flow", [(4, 16)], flow_counts(report, chan))
        flow, = [f for f in report["flows"] if f["channel"] == chan["id"]]
        t.ok(f"{mechanism}: each waited for the four before it", flow["latency_ns"]["min"] >
             650 * MS, str(flow["latency_ns"]))


BLOCKED = """
mq, msg = mq_open("/ipcspy-e2e.blocked"), msgget()
mq_unlink("/ipcspy-e2e.blocked")
send, recv = {"posix-mq": (lambda d: mq_send(mq, d), lambda: mq_receive(mq)),
              "sysv-msg": (lambda d: msgsnd(msg, 1, d), lambda: msgrcv(msg, 4096))}[sys.argv[1]]
full = sys.argv[2] == "send"
for _ in range(full * {"posix-mq": 10, "sysv-msg": 4}[sys.argv[1]]):
    send(b"x" * {"posix-mq": 64, "sysv-msg": 4096}[sys.argv[1]])
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
kid = child(send, b"mine") if full else child(recv)
asleep(kid)
print(kid, flush=True)
signal.sigwait({signal.SIGUSR1})
if full:
    while recv()[0] != 4:
        pass
else:
    send(b"mine")
os.waitpid(kid, 0)
msgctl(msg)
"""


@case(params=[(m, o) for m in QUEUES for o in ("send", "recv")])
def queue_blocked_before_attach(t, mechanism, operation):
    """Inside a call since before the trace: seen, with its channel, and counted once."""
    p = t.start([PYTHON, t.script(HEADER + BLOCKED), mechanism, operation])
    kid, = printed_pids(p, 1)
    report = attached(t, [kid], "-d", "0.3")
    blocked = [b for b in report["blocked_now"] if b["pid"] == kid]
    t.equal("blocked now", [(operation, mechanism, True)],
            [(b["operation"], b["mechanism"], b["before_attach"]) for b in blocked])
    chan = only_queue(t, report, mechanism)
    t.equal("on this channel", [chan["id"]], [b["channel"] for b in blocked])
    limit = MSG_MAX if mechanism == "posix-mq" else 16384
    t.equal("backlog", limit if operation == "send" else 0, chan["backlog"]["now"])
    t.equal("capacity", limit, chan["capacity"])

    def act():
        os.kill(p.pid, signal.SIGUSR1)
        t.end(p)

    report = trace_around(t, [kid], act)
    chan = only_queue(t, report, mechanism)
    t.equal("the call", expect(1, 1, 4), counts(side(t, chan, operation, kid)))
    t.equal("flow", [(1, 4)], flow_counts(report, chan))
    t.equal("still open", False, chan["open"])
    t.equal("unpaired", 0, chan["unpaired"])


# Against strace, which watches the same processes at once.

QUEUE_CALLS = {"mq_timedsend": "send", "mq_timedreceive": "recv", "msgsnd": "send",
               "msgrcv": "recv"}
SEND_LENGTH = {"mq_timedsend": re.compile(r".*, (\d+), \d+, (?:NULL|\{.*\})$"),
               "msgsnd": re.compile(r".*, (\d+), [^,]*$")}


def queue_of(name, args):
    """(mechanism, name or id) from what strace prints of a call."""
    if name.startswith("mq"):
        return "posix-mq", re.match(r"\d+<(/[^>]*)>", args).group(1)
    return "sysv-msg", re.match(r"\d+", args).group()


def strace_counts(log):
    found = {}
    for pid, name, args, result in finished_calls(log):
        key = (pid, *queue_of(name, args), QUEUE_CALLS[name])
        count = found.setdefault(key, [0, 0])
        count[0] += 1
        if not result.isdigit() or "MSG_COPY" in args:
            continue
        sends = QUEUE_CALLS[name] == "send"
        count[1] += int(SEND_LENGTH[name].match(args).group(1) if sends else result)
    return found


def report_counts(report):
    return {(ep["pid"], c["mechanism"], c["name"].rpartition("msg:0x0/")[2], ep["role"]):
            [ep["calls"], ep["bytes"]]
            for c, ep in endpoints(report) if c["mechanism"] in QUEUES and ep["role"] != "attach"}


STRACED = """
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
names = [f"/ipcspy-e2e.{os.getpid()}.{i}" for i in range(3)]
fds = [mq_open(name, maxmsg=4, msgsize=100) for name in names]
ids = [msgget() for _ in range(3)]
for name in names:
    mq_unlink(name)

def reader(i):
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    while (n := mq_receive(fds[i], 100)[0]) != 99:
        n == 98 and mq_receive(fds[i], 50)
    while (n := msgrcv(ids[i], 100, 0, MSG_NOERROR)[0]) != 99:
        n == 98 and msgrcv(ids[i], 64, 7, IPC_NOWAIT)
        n == 97 and msgrcv(ids[i], 64, 0, IPC_NOWAIT | MSG_COPY)

def writer(i):
    for n in range(60):
        mq_send(fds[i], b"w" * (n % 30), n % 3)
    mq_send(fds[i], b"w" * 101)
    mq_send(fds[i], b"w" * 98)
    for n in range(60):
        msgsnd(ids[i], 1 + n % 5, b"w" * (n * 3))
    for n in (98, 97):
        msgsnd(ids[i], 3, b"w" * n)

kids = [child(f, i) for i in range(3) for f in (reader, writer, writer)]
time.sleep(0.2)
for pid in kids[1::3] + kids[2::3]:
    os.waitpid(pid, 0)
for i in range(3):
    mq_send(fds[i], b"w" * 99)
    msgsnd(ids[i], 1, b"w" * 99)
for pid in kids[::3]:
    os.waitpid(pid, 0)
for q in ids:
    msgctl(q)
    msgsnd(q, 1, b"gone")
"""


@case()
def queue_strace(t):
    """Calls and bytes by process, queue and direction, with signals in between."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    log = t.new_path(".strace")
    r = t.trace(command=["strace", "-f", "-yy", "-qq", "-s", "0", "-e", "signal=none", "-e",
                         "trace=" + ",".join(QUEUE_CALLS), "-o", log, "--", PYTHON,
                         t.script(HEADER + STRACED)])
    t.equal("status of the command", 0, r.report["trace"]["command"]["exit"], str(r.err[-300:]))
    want, got = strace_counts(log), report_counts(r.report)
    t.equal("what strace saw", 24, len(want))
    for (_, mechanism, _, _), count in want.items():
        if mechanism == "sysv-msg" and count == [2, 99]:
            count[0] -= 1  # the call on an id that is gone: it names no queue
    t.equal("[calls, bytes] by (pid, mechanism, queue, role)", want, got)
