# SPDX-License-Identifier: BSD-2-Clause
"""Eventfds: messages and who got them, the limit, semaphores, calls that do not wait."""
import os
import signal

from cases_attach import traces
from cases_stuck import attached, in_call
from cases_truth import compare_channels, compare_flows
from lib import MS, US, case, channel_named, endpoints, flow_between, wait_for

PYTHON = "/usr/bin/python3"
LIMIT = 2 ** 64 - 2


def compare_calls(t, report, truth):
    """Calls and bytes are those of the calls; a receive may bring many messages."""
    for key, role in (("senders", "send"), ("receivers", "recv")):
        for proc in truth[key]:
            found = [ep for _, ep in endpoints(report, proc["pid"], role, truth["workload"])]
            for what in ("calls", "bytes"):
                t.equal(f"{proc['comm']} {role}: {what}", proc[what], sum(ep[what] for ep in found))
            t.equal(f"{proc['comm']} {role}: errors", 0, sum(ep["errors"] for ep in found))


@case(params=[(s,) for s in (1, 2, 8)])
def eventfd_truth(t, senders):
    """Each number of senders with 1, 2 and 8 receivers, each of which has its own."""
    n = max(300, 2000 // senders)
    for report, truth in t.trace_demos([["eventfd", "-S", senders, "-R", r, "-n", n]
                                        for r in (1, 2, 8)]):
        compare_flows(t, report, truth)
        compare_channels(t, report, truth)
        compare_calls(t, report, truth)


@case()
def eventfd_semaphore(t):
    """One eventfd for all, from which each read takes one."""
    for report, truth in t.trace_demos([["eventfd", "--semaphore", "-R", r, "-n", 1000]
                                        for r in (1, 2, 8)]):
        compare_flows(t, report, truth)
        compare_channels(t, report, truth)
        compare_calls(t, report, truth)
        chan = channel_named(t, report, truth["channels"][0]["name"])
        t.equal("semaphore", True, chan["info"]["semaphore"])


@case()
def eventfd_latency(t):
    """A counter that is read late: how old each message is by then."""
    report, truth = t.trace_demo("eventfd", "-n", 200, "--rate", 1000, "--hold", "100ms",
                                 "--receiver-delay", "10ms")
    want = truth["flows"][0]["latency_ns"]
    got = flow_between(report, truth["senders"][0]["pid"], truth["receivers"][0]["pid"])
    if t.equal("flows", 1, len(got)):
        t.equal("messages", 200, got[0]["latency_ns"]["count"])
        for q in ("p50", "p99"):
            t.near(f"latency {q}", want[q], got[0]["latency_ns"][q], 0.10, 200 * US)


AT_LIMIT = f"""
import os, sys, time
fd = os.eventfd(0)
os.eventfd_write(fd, {LIMIT})
pid = os.fork()
if pid == 0:
    os.eventfd_write(fd, 7)
    os._exit(0)
time.sleep(0.3)
assert os.eventfd_read(fd) == {LIMIT}
os.waitpid(pid, 0)
assert os.eventfd_read(fd) == 7
"""


@case()
def eventfd_limit(t):
    """A write that would pass the counter's limit waits until it is read."""
    report = t.trace(command=[PYTHON, "-c", AT_LIMIT]).report
    chans = [c for c in report["channels"] if c["mechanism"] == "eventfd"]
    if not t.equal("eventfds", 1, len(chans)):
        return
    chan = chans[0]
    t.equal("capacity", LIMIT, chan["capacity"])
    t.equal("unit", "count", chan["unit"])
    t.equal("backlog at its most", LIMIT, chan["backlog"]["max"])
    t.equal("backlog in the end", 0, chan["backlog"]["now"])
    t.near("time without room", 300 * MS, chan["backlog"]["full_ns"], 0.1, 20 * MS)
    blocked = {ep["pid"]: ep["blocked"] for ep in chan["endpoints"] if ep["role"] == "send"}
    main = report["trace"]["command"]["pid"]
    child = [pid for pid in blocked if pid != main]
    if t.equal("senders", 2, len(blocked)):
        t.equal("the first did not wait", 0, blocked[main]["count"])
        t.near("the second waited", 300 * MS, blocked[child[0]]["total_ns"], 0.1, 20 * MS)
        t.equal("its message", [(1, 8)], [(f["messages"], f["bytes"])
                                          for f in flow_between(report, child[0], main)])
        t.equal("what it did not wait for", [(1, 8)],
                [(f["messages"], f["bytes"]) for f in flow_between(report, main, main)])


NONBLOCK = """
import os
fd = os.eventfd(0, os.EFD_NONBLOCK)
for i in range(3):
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass
os.eventfd_write(fd, 2**64 - 2)
for i in range(2):
    try:
        os.eventfd_write(fd, 1)
    except BlockingIOError:
        pass
os.eventfd_read(fd)
os.eventfd_write(fd, 1)
os.writev(fd, [b"\\1" + bytes(7), b"\\2" + bytes(7)])
assert os.eventfd_read(fd) == 4
os.eventfd_write(fd, 5)
buf = bytearray(8)
os.readv(fd, [buf])
assert buf[0] == 5
try:
    os.write(fd, b"abc")
except OSError:
    pass
"""


@case()
def eventfd_nonblock(t):
    """EAGAIN on both sides, a stall, several writes in one call, a write that is too short."""
    report = t.trace(command=[PYTHON, "-c", NONBLOCK]).report
    pid = report["trace"]["command"]["pid"]
    send = endpoints(report, pid, "send", "eventfd")[0][1]
    recv = endpoints(report, pid, "recv", "eventfd")[0][1]
    t.equal("sends: calls, messages, bytes, would block, errors", (7, 4, 40, 2, 1),
            tuple(send[k] for k in ("calls", "messages", "bytes", "would_block", "errors")))
    t.equal("sends: stalls", 1, send["stalled"]["count"])
    t.equal("receives: calls, messages, bytes, would block, errors", (6, 3, 24, 3, 0),
            tuple(recv[k] for k in ("calls", "messages", "bytes", "would_block", "errors")))
    flows = flow_between(report, pid, pid)
    t.equal("flow", [(4, 40)], [(f["messages"], f["bytes"]) for f in flows])


INHERITED = """
import os, select, sys, time
fd = os.eventfd(0)
pid = os.fork()
if pid == 0:
    if sys.argv[1] == "poll":
        select.select([fd], [], [])
    os.eventfd_read(fd)
    os._exit(0)
open(sys.argv[2], "w").write(str(pid))
while not os.path.exists(sys.argv[2] + ".go"):
    time.sleep(0.01)
os.eventfd_write(fd, 1)
os.waitpid(pid, 0)
"""


@case(params=[("read",), ("poll",)])
def eventfd_blocked_before(t, how):
    """A reader that waited before ipcspy came: for whom, and what ended it."""
    path = t.path("pid")
    writer = t.start([PYTHON, "-c", INHERITED, how, path])
    reader = int(wait_for("the reader", lambda: os.path.exists(path) and open(path).read()))
    wait_for("the reader waits", lambda: in_call(reader))
    report = attached(t, [reader], "-d", "0.3")
    if how == "poll":
        t.equal("in poll nobody is blocked", [], report["blocked_now"])
        chans = [c for c in report["channels"] if c["mechanism"] == "eventfd"]
        t.equal("the eventfd is known", 1, len(chans))
    elif t.equal("who is blocked", [reader], [b["pid"] for b in report["blocked_now"]]):
        b = report["blocked_now"][0]
        t.equal("in what", ("recv", "eventfd", True),
                (b["operation"], b["mechanism"], b["before_attach"]))
        t.equal("waits for", [writer.pid], [w["pid"] for w in b["waits_for"]])
    report_file = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", report_file, "-p", str(reader)])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    open(path + ".go", "w").close()
    t.end(writer)
    spy.send_signal(signal.SIGINT)
    report = t.end(spy, report_file=report_file).report
    t.equal("flow", [(1, 8)], [(f["messages"], f["bytes"])
                               for f in flow_between(report, writer.pid, reader)])


REUSED = """
import os
for i in range(20):
    fd = os.eventfd(0)
    for k in range(i + 1):
        os.eventfd_write(fd, 1)
    assert os.eventfd_read(fd) == i + 1
    os.close(fd)
"""


@case()
def eventfd_reused(t):
    """Address and number of a closed eventfd come back at once; it is another."""
    report = t.trace(command=[PYTHON, "-c", REUSED]).report
    chans = [c for c in report["channels"] if c["mechanism"] == "eventfd"]
    t.equal("eventfds", 20, len(chans))
    t.equal("messages of each", list(range(1, 21)),
            sorted(f["messages"] for f in report["flows"] if f["mechanism"] == "eventfd"))
