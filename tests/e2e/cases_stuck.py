# SPDX-License-Identifier: BSD-2-Clause
"""Who is stuck because of whom: the slow stage, the deadlock, the leaked end."""
import os
import signal

from lib import (MS, Broken, case, channel_named, children, endpoints, flow_between, load_truth,
                 wait_for)

SHARE, LEAST = 0.02, 1 * MS


def start_stuck(t, workload):
    """Starts deadlock or leak. Returns its truth, which is written when it hangs."""
    path = t.new_path(".truth")
    t.start([t.demo, workload, "--truth", path])
    wait_for("the truth of a process that hangs", lambda: os.path.exists(path))
    return load_truth(path)


def attached(t, pids, *options, **kw):
    return t.trace("-p", ",".join(map(str, pids)), *options, **kw).report


@case()
def pipeline_culprit(t):
    """The slow stage is named, and each wait is as long as it was planned."""
    report, truth = t.trace_demo("pipeline", "-n", 200)
    pid = {p["comm"]: p["pid"] for p in truth["senders"] + truth["receivers"]}
    culprit = report["culprit"] or {}
    t.equal("culprit", (pid["work"], "work"), (culprit.get("pid"), culprit.get("comm")))
    t.equal("processes that wait for it", 2, culprit.get("waiters"))
    planned = truth["senders"][0]["planned_blocked_ns"]
    t.ok("the plan blocks the producer", planned > 500 * MS, str(planned))
    _, ep = endpoints(report, pid["produce"], "send")[0]
    t.near("produce: blocked in send against the stamps", planned, ep["blocked"]["total_ns"],
           SHARE, LEAST)
    _, ep = endpoints(report, pid["consume"], "recv")[0]
    want = truth["receivers"][1]["planned_blocked_ns"]
    t.near("consume: blocked in recv against the stamps", want, ep["blocked"]["total_ns"],
           SHARE, LEAST)
    for src, dst, verdict in (("produce", "work", "consumer-bound"),
                              ("work", "consume", "producer-bound")):
        flows = flow_between(report, pid[src], pid[dst])
        t.equal(f"{src} -> {dst}: verdict", [verdict], [f["verdict"] for f in flows])
        t.equal(f"{src} -> {dst}: messages", [200], [f["messages"] for f in flows])
    t.equal("nobody is blocked in the end", [], report["blocked_now"])


@case()
def pipeline_text(t):
    """The same in words."""
    truth = t.new_path(".truth")
    r = t.run([t.ipcspy, "--", t.demo, "pipeline", "-n", "60", "--truth", truth])
    work = load_truth(truth)["senders"][1]
    lines = r.err.decode().splitlines()
    named = [line for line in lines if line.startswith("Waited for most")]
    t.equal("lines that name the culprit", 1, len(named), r.err.decode())
    t.ok("it is the slow stage", named and f"{work['comm']}[{work['pid']}]" in named[0], str(named))
    t.ok("nothing was lost", "Lost: 0 events." in lines, r.err.decode())


def check_deadlock(t, report, truth, before_attach):
    blocked = {b["pid"]: b for b in report["blocked_now"]}
    t.equal("who is blocked", {s["pid"] for s in truth["stuck"]}, set(blocked))
    for s in truth["stuck"]:
        b = blocked.get(s["pid"])
        if not b:
            continue
        t.equal(f"{s['comm']}: waits for", s["waits_for"], [w["pid"] for w in b["waits_for"]])
        t.equal(f"{s['comm']}: state of whom it waits for", ["blocked"],
                [w["state"] for w in b["waits_for"]])
        t.equal(f"{s['comm']}: operation", "send", b["operation"])
        t.equal(f"{s['comm']}: system call", "write", b["syscall"])
        t.equal(f"{s['comm']}: before attach", before_attach, b["before_attach"])
        t.between(f"{s['comm']}: for how long", report["trace"]["duration_ns"] // 2,
                  report["trace"]["duration_ns"], b["for_ns"])
        chan = channel_named(t, report, s["channel"])
        t.equal(f"{s['comm']}: channel", chan["id"], b["channel"])
        t.equal(f"{s['channel']}: backlog", 65536, chan["backlog"]["now"])
        t.equal(f"{s['channel']}: capacity", 65536, chan["capacity"])
        t.between(f"{s['channel']}: time without room", report["trace"]["duration_ns"] // 2,
                  report["trace"]["duration_ns"], chan["backlog"]["full_ns"])


@case(params=[("both",), ("one",)])
def deadlock_attach(t, whom):
    """It hung before ipcspy came; one process is enough to see the other."""
    truth = start_stuck(t, "deadlock")
    pids = [s["pid"] for s in truth["stuck"]]
    report = attached(t, pids if whom == "both" else pids[:1], "-d", "0.5")
    check_deadlock(t, report, truth, True)
    targets = {p["pid"] for p in report["processes"] if p["target"]}
    t.equal("targets", set(pids if whom == "both" else pids[:1]), targets)


@case()
def deadlock_from_the_start(t):
    """Traced since it began, and still hanging when the trace ends."""
    path = t.new_path(".truth")
    r = t.trace("-d", "1", command=[t.demo, "deadlock", "--truth", path])
    truth = load_truth(path)
    os.kill(truth["pid"], signal.SIGTERM)
    for b in r.report["blocked_now"]:  # it took a moment to fill the pipes
        t.between("blocked for", 500 * MS, r.report["trace"]["duration_ns"], b["for_ns"])
    for chan in truth["channels"]:
        sent = [ep["bytes"] for _, ep in endpoints(r.report, role="send")
                if _["name"] == chan["name"]]
        t.equal(f"{chan['name']}: bytes sent", [65536], sent)
    check_deadlock(t, r.report, truth, False)
    t.equal("the command has no exit status yet", None, r.report["trace"]["command"]["exit"])


@case()
def leak_waits_for_itself(t):
    """The reader holds the only write end: nobody but itself could end its wait."""
    truth = start_stuck(t, "leak")
    reader = truth["stuck"][0]
    report = attached(t, [reader["pid"]], "-d", "0.3")
    if not t.equal("who is blocked", [reader["pid"]], [b["pid"] for b in report["blocked_now"]]):
        raise Broken("nothing to look at")
    b = report["blocked_now"][0]
    t.equal("operation", "recv", b["operation"])
    t.equal("waits for", [reader["pid"]], [w["pid"] for w in b["waits_for"]])
    t.equal("before attach", True, b["before_attach"])
    chan = channel_named(t, report, reader["channel"])
    t.equal("channel", chan["id"], b["channel"])
    t.equal("backlog", 0, chan["backlog"]["now"])


@case()
def blocked_receiver_attach(t):
    """A reader that was there first waits for the writer that sleeps."""
    p = t.start([t.demo, "pipe", "--sender-delay", "60s"])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    wait_for("both are asleep", lambda: all(in_call(k) for k in kids))
    names = {open(f"/proc/{k}/comm").read().strip(): k for k in kids}
    report = attached(t, [names["recv-0"]], "-d", "0.3")
    if not t.equal("who is blocked", [names["recv-0"]], [b["pid"] for b in report["blocked_now"]]):
        raise Broken("nothing to look at")
    b = report["blocked_now"][0]
    t.equal("operation", "recv", b["operation"])
    t.equal("waits for", [(names["send-0"], "send-0", "asleep")],
            [(w["pid"], w["comm"], w["state"]) for w in b["waits_for"]])


def in_call(pid):
    with open(f"/proc/{pid}/syscall") as f:
        return not f.read().startswith("running")
