# SPDX-License-Identifier: BSD-2-Clause
"""Why is it stuck: scenarios whose root cause is known, and healthy ones."""
import os
import signal
import subprocess
import sys
import time

from cases_attach import traces
from lib import MS, Broken, case, children, load_truth, strict_json, wait_for

BOUND_MS = 500  # of one look at a thousand processes


def scenario(t, *args):
    """Starts a scenario. Returns its truth, which is written when all is in place."""
    path = t.new_path(".truth")
    p = t.start([t.demo, *args, "--truth", path])
    wait_for("the truth of a scenario that is in place",
             lambda: os.path.exists(path) or p.poll() is not None, timeout=30)
    return load_truth(path)


def why(t, *args):
    """One look, as a dictionary."""
    r = t.run([t.ipcspy, "why", "--format", "json", *map(str, args)])
    try:
        return strict_json(r.out)
    except ValueError as e:
        raise Broken(f"no JSON: {e}: {r.out[:200]!r}")


def answer(t, pid):
    """What it says about one process."""
    found = [a for a in why(t, pid)["why"] if a["pid"] == pid]
    if not t.equal(f"answers about {pid}", 1, len(found)):
        raise Broken("no answer")
    return found[0]


def answer_asleep(t, pid):
    """The same about one that wakes now and then; a look may meet it just while it runs."""
    for _ in range(5):
        a = answer(t, pid)
        if all(row["state"] not in ("running", "unknown") for row in a["chain"]):
            break
    return a


def demo_pids(truth):
    return {p["pid"] for p in truth["senders"] + truth["receivers"]} | {truth["pid"]}


def serious(doc, pids):
    """Findings above info that name one of these processes: (kind, pids)."""
    return [(f["kind"], sorted(set(f["pids"]))) for f in doc["findings"]
            if f["severity"] != "info" and pids & set(f["pids"])]


def expected(truth):
    f = truth["finding"]
    return [(f["kind"], sorted(f["pids"]))] if f else []


def same_channel(row, truth, s):
    """Is the channel of this line of the chain the one that the truth names?"""
    chan = truth["channels"][s["channel_index"]]
    c = row["channel"] or {}
    return (c.get("mechanism"), c.get("name")) == (chan["mechanism"], chan["name"])


def check_chain(t, truth, answered, stuck):
    """From one that is stuck along waits_for, as far as the truth goes."""
    s, seen = stuck, set()
    for row in answered["chain"]:
        who = f"{stuck['comm']}: line {row['depth']} of its chain"
        if not t.equal(f"{who}: who", s["pid"], row["pid"]):
            return
        seen.add(s["pid"])
        t.ok(f"{who}: waits on the channel", same_channel(row, truth, s), str(row["channel"]))
        t.equal(f"{who}: operation", s["operation"], row["operation"])
        following = [n for n in truth["stuck"] if n["pid"] == s["waits_for"][0]]
        if not following or following[0]["pid"] in seen:
            return
        s = following[0]


def check_stuck(t, truth, stuck=True, roots=None):
    """Each of them has the root cause named that the truth knows, and only the finding is
    found that is to be found. roots: what they may be, else the last one of the chain."""
    for s in truth["stuck"]:
        a = answer(t, s["pid"])
        t.equal(f"{s['comm']}: is stuck", stuck, a["stuck"])
        check_chain(t, truth, a, s)
        t.ok(f"{s['comm']}: root cause", a["root"]["pid"] in roots,
             f"{a['root']}, not one of {sorted(roots)}")
    doc = why(t, "-a")
    t.equal("findings above info", expected(truth), serious(doc, demo_pids(truth)))
    told = {row["pid"] for a in doc["why"] for row in a["chain"]} & demo_pids(truth)
    want = {s["pid"] for s in truth["stuck"]} if stuck else set()
    t.ok("all who are stuck are told of", want <= told, f"{sorted(want)}, told: {sorted(told)}")
    return doc


@case(params=[("2",), ("3",), ("7",)])
def scen_deadlock(t, parties):
    """A ring over pipes: the chain comes back to where it began."""
    truth = scenario(t, "deadlock", "--parties", parties)
    t.equal("processes that are stuck", int(parties), len(truth["stuck"]))
    check_stuck(t, truth, roots={s["pid"] for s in truth["stuck"]})


@case()
def scen_deadlock_mixed(t):
    """A pipe, a unix socket and a System V queue, in one ring."""
    truth = scenario(t, "deadlock", "--mixed")
    t.equal("mechanisms", ["pipe", "unix-stream", "sysv-msg"],
            [c["mechanism"] for c in truth["channels"]])
    check_stuck(t, truth, roots={s["pid"] for s in truth["stuck"]})


@case(params=[("leak",), ("end-leak",)])
def scen_end_leak(t, workload):
    """Whoever has the write end is the root cause, and it is said through which descriptor."""
    truth = scenario(t, workload)
    keeper = truth["stuck"][-1]["pid"]
    doc = check_stuck(t, truth, roots={keeper})
    found = [f for f in doc["findings"] if f["kind"] == "end-leak" and keeper in f["pids"]]
    want = {fd for fd in pipe_ends(keeper, truth["channels"][0]["name"]) if writable(keeper, fd)}
    got = {f["fd"] for f in found[0]["fds"] if f["pid"] == keeper} if found else set()
    t.ok("the write end is among the descriptors", want and want <= got, f"{want}, {got}")


def pipe_ends(pid, name):
    """Descriptors of a process that are this pipe."""
    directory = f"/proc/{pid}/fd"
    return [int(fd) for fd in os.listdir(directory) if os.readlink(f"{directory}/{fd}") == name]


def writable(pid, fd):
    with open(f"/proc/{pid}/fdinfo/{fd}") as f:
        flags = [line.split()[1] for line in f if line.startswith("flags:")]
    return int(flags[0], 8) & os.O_ACCMODE != os.O_RDONLY


@case()
def scen_stopped(t):
    """The reader was stopped: it is the root, and in that state."""
    truth = scenario(t, "stopped")
    reader = truth["stuck"][0]["waits_for"][0]
    check_stuck(t, truth, roots={reader})
    t.equal("state of the root", "stopped", answer(t, truth["stuck"][0]["pid"])["root"]["state"])


@case()
def scen_convoy(t):
    """All wait for the one that keeps the mutex, and that one sleeps: no more than slow."""
    truth = scenario(t, "convoy")
    t.equal("processes that wait", 3, len(truth["stuck"]))
    check_stuck(t, truth, stuck=False, roots={truth["stuck"][0]["waits_for"][0]})
    t.equal("state of the root", "asleep", answer(t, truth["stuck"][0]["pid"])["root"]["state"])


@case()
def scen_selfpipe(t):
    """It polls a pipe that only itself can write to: a way to wake oneself."""
    truth = scenario(t, "selfpipe")
    check_stuck(t, truth, roots=set())
    a = answer(t, truth["receivers"][0]["pid"])
    t.equal("it is stuck", False, a["stuck"])


@case()
def scen_idle(t):
    """A thousand servers that nobody calls."""
    truth = scenario(t, "idle")
    servers = [p["pid"] for p in truth["receivers"]]
    t.equal("servers", 1000, len(servers))
    begin = time.monotonic_ns()
    doc = why(t, "-a")
    took_ms = (time.monotonic_ns() - begin) // MS
    t.accuracy.note("one look at 1,000 idle servers", took_ms,
                    f"{took_ms} ms (bound {BOUND_MS} ms)")
    t.equal("findings above info", [], serious(doc, demo_pids(truth)))
    t.equal("chains of those that are stuck", [],
            [a["pid"] for a in doc["why"] if a["pid"] in set(servers)])
    a = answer(t, servers[500])
    t.equal("one of them: is stuck", False, a["stuck"])
    t.equal("one of them: its root", (servers[500], "waiting"),
            (a["root"]["pid"], a["root"]["state"]))


def named(pids, names):
    """{name: pid} once all of them have the names they work under."""
    got = {comm(pid): pid for pid in pids}
    return got if set(got) == names else None


@case()
def scen_five_stages(t):
    """While it runs, whoever waits in a pipeline of five waits for the slow one in the middle,
    and over the whole trace it is the one that all others waited for."""
    demo = ["pipeline", "--stages", "5", "-n", "800", "--receiver-delay", "50ms"]
    p = t.start([t.demo, *demo])
    kids = wait_for("five stages", lambda: len(children(p.pid)) == 5 and children(p.pid))
    stages = {"produce", "stage-1", "work", "stage-3", "consume"}
    name = wait_for("they have their names", lambda: named(kids, stages))
    time.sleep(1.5)  # until the pipes are full
    for who in ("produce", "stage-1", "stage-3", "consume"):
        a = answer_asleep(t, name[who])
        t.equal(f"{who}: stuck", False, a["stuck"])
        t.equal(f"{who}: root cause", name["work"], a["root"]["pid"], str(a["chain"]))
    t.equal("findings above info", [], serious(why(t, "-a"), set(kids)))
    report, truth = t.trace_demo("pipeline", "--stages", 5, "-n", 100)
    work = [s["pid"] for s in truth["senders"] if s["comm"] == "work"]
    t.equal("whom all waited for", work, [(report["culprit"] or {}).get("pid")])


@case(params=[("deadlock",), ("deadlock", "--parties", "5"), ("deadlock", "--mixed"), ("leak",),
              ("end-leak",), ("stopped",), ("selfpipe",), ("convoy",), ("idle", "--parties", "50")])
def scen_trace(t, *args):
    """A trace of those who are stuck finds what one look at them does."""
    truth = scenario(t, *args)
    pids = {pid for pid in demo_pids(truth) if os.path.exists(f"/proc/{pid}")}
    report = t.trace("-p", ",".join(map(str, sorted(pids))), "-d", "1").report
    t.equal("findings above info", expected(truth), serious(report, pids))
    t.equal("of one look", expected(truth), serious(why(t, "-a"), pids))


def check_one_party(t, truth, pid, report):
    """A trace of one of them names the same deadlock as one look does, of the same processes."""
    t.equal("findings above info", expected(truth), serious(report, demo_pids(truth)))
    t.equal("of one look", expected(truth), serious(why(t, "-a"), demo_pids(truth)))
    t.equal("target", [pid], [p["pid"] for p in report["processes"]
                              if p["target"] and p["pid"] in demo_pids(truth)])
    want = {truth["channels"][s["channel_index"]]["name"] for s in truth["stuck"]}
    t.ok("its channels are in the report", want <= {c["name"] for c in report["channels"]},
         f"{want}")
    t.equal("blocked now", sorted(s["pid"] for s in truth["stuck"]),
            sorted(b["pid"] for b in report["blocked_now"] if b["pid"] in demo_pids(truth)))


RINGS = [("--parties", "2"), ("--parties", "3"), ("--parties", "7"), ("--mixed",)]


@case(params=RINGS)
def scen_one_party(t, *args):
    """Of a ring that stood still before, only one is traced: the others are found from there."""
    truth = scenario(t, "deadlock", *args)
    pid = truth["stuck"][-1]["pid"]
    check_one_party(t, truth, pid, t.trace("-p", str(pid), "-d", "0.5").report)


@case(params=RINGS)
def scen_one_party_later(t, *args):
    """The same of a ring that came to a stop under the eyes of the trace."""
    path = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path,
                   "-n", "right" if "2" in args else "party-1"])
    wait_for("ipcspy traces", lambda: traces(spy.pid), timeout=30)
    truth = scenario(t, "deadlock", *args)
    pid = truth["stuck"][1]["pid"]
    time.sleep(1)
    spy.send_signal(signal.SIGINT)
    check_one_party(t, truth, pid, t.end(spy, report_file=path).report)


@case()
def scen_one_party_live(t):
    """It is said while it goes on, too, and the file has it for later."""
    truth = scenario(t, "deadlock", "--parties", "3")
    path = t.new_path(".rec")
    r = t.run([t.ipcspy, "--record", path, "-p", str(truth["stuck"][0]["pid"]), "-i", "0.3",
               "-d", "1"])
    t.between("reports with the finding", 3, 5, r.text.count("Nobody outside can help"))
    doc = strict_json(t.run([t.ipcspy, "report", "--format", "json", path]).out)
    t.equal("findings above info of the file", expected(truth), serious(doc, demo_pids(truth)))


FAMILY = """
import os, sys
a, b = os.pipe(), os.pipe()
def child(get, put):
    pid = os.fork()
    if not pid:
        for fd in {*a, *b} - {get, put}:
            os.close(fd)
        os.read(get, 1)
        os._exit(0)
    return pid
pids = child(a[0], b[1]), child(b[0], a[1])
for fd in (*a, *b):
    os.close(fd)
print(*pids, flush=True)
os.waitpid(pids[0], 0)
"""


@case()
def scen_one_parent(t):
    """Who waits for a child waits for whom that one waits: none of them is traced."""
    p = t.start([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE)
    pids = sorted(map(int, p.stdout.readline().split()))
    wait_for("all wait", lambda: all(in_call(k) for k in (p.pid, *pids)))
    time.sleep(0.1)
    report = t.trace("-p", str(p.pid), "-d", "0.5").report
    t.equal("findings above info", [("deadlock", pids)], serious(report, {p.pid, *pids}))


PASSED = """
import array, os, socket, sys
passed = sys.argv[1] == "passed"
a, b = os.pipe(), os.pipe()
s, t = socket.socketpair()
if passed:  # on its way, and nobody has received it yet
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [a[1]]))])
pid = os.fork()
if not pid:
    for fd in (a[0], b[1], s.fileno(), t.fileno()):
        os.close(fd)
    os.read(b[0], 1)
    os._exit(0)
for fd in (a[1], b[0]):
    os.close(fd)
print(pid, flush=True)
os.read(a[0], 1)
"""


@case(params=[("passed",), ("closed",)])
def scen_end_on_its_way(t, how):
    """Two who wait for each other, but for an end that is in a socket, where somebody may yet
    receive it: no deadlock as long as it is there."""
    p = t.start([sys.executable, "-c", PASSED, how], stdout=subprocess.PIPE)
    pids = {p.pid, int(p.stdout.readline())}
    wait_for("both wait", lambda: all(in_call(k) for k in pids))
    time.sleep(0.1)
    stuck = how == "closed"
    want = [("deadlock", sorted(pids))] if stuck else []
    t.equal("findings above info", want, serious(why(t, "-a"), pids))
    t.equal("stuck", [stuck] * 2, [answer(t, k)["stuck"] for k in sorted(pids)])
    report = t.trace("-p", str(p.pid), "-d", "0.3").report
    t.equal("findings above info of a trace", want, serious(report, pids))


def check_blame(t, report):
    """What each caused and what nobody did is all that was measured, to the nanosecond."""
    measured = sum(ep["blocked"]["total_ns"] + ep["blocked"]["now_ns"]
                   for c in report["channels"] for ep in c["endpoints"]
                   if c["mechanism"] != "signal")  # to wait for one is to be idle
    blocked, caused = report["blocked"], sum(row["caused_ns"] for row in report["blame"])
    t.equal("blocked time", measured, blocked["total_ns"])
    t.equal("caused and unattributed", blocked["total_ns"], caused + blocked["unattributed_ns"])
    for row in report["blame"]:
        t.between(f"share of {row['comm']}", 0, 1000, row["share"])
        t.near(f"share of {row['comm']}", 1000 * row["caused_ns"] // max(blocked["total_ns"], 1),
               row["share"], 0, 1)


@case(params=[("pipeline", "--stages", "5", "-n", "100"), ("pipeline", "-n", "200"),
              ("unix-stream", "--senders", "3", "--receivers", "3", "-n", "500"),
              ("futex", "-n", "500", "--receivers", "2"), ("mixed",)])
def scen_blame(t, *args):
    """Of a whole run: shares sum to the blocked time."""
    report, _ = t.trace_demo(*args)
    t.ok("somebody waited", report["blocked"]["total_ns"] > 0)
    check_blame(t, report)


@case(params=[("deadlock",), ("stopped",), ("convoy",)])
def scen_blame_now(t, *args):
    """The same of those who still wait."""
    truth = scenario(t, *args)
    pids = {pid for pid in demo_pids(truth) if os.path.exists(f"/proc/{pid}")}
    report = t.trace("-p", ",".join(map(str, sorted(pids))), "-d", "1").report
    t.ok("somebody waits", report["blocked"]["total_ns"] > 0)
    check_blame(t, report)


@case()
def scen_shell(t):
    """A shell that waits for its child, which sleeps."""
    p = t.start(["sh", "-c", "sleep 100; :"])
    wait_for("the child runs", lambda: children(p.pid))
    child = children(p.pid)[0]
    wait_for("both wait", lambda: comm(child) == "sleep" and in_call(child) and in_call(p.pid))
    a = answer(t, p.pid)
    t.equal("stuck", False, a["stuck"])
    t.equal("root cause", (child, "asleep"), (a["root"]["pid"], a["root"]["state"]))
    t.equal("findings above info", [], serious(why(t, "-a"), {p.pid, child}))


@case()
def scen_pipeline_at_rest(t):
    """cat | cat | cat behind a program that has nothing to say for now."""
    p = t.start(["sh", "-c", "sleep 100 | cat | cat | cat"])
    kids = wait_for("four stages", lambda: len(children(p.pid)) == 4 and children(p.pid))
    wait_for("all sleep", lambda: all(in_call(k) and comm(k) != "sh" for k in kids))
    name = {k: comm(k) for k in kids}
    root = [k for k in kids if name[k] == "sleep"]
    for k in kids:
        a = answer(t, k)
        t.equal(f"{name[k]}[{k}]: stuck", False, a["stuck"])
        t.equal(f"{name[k]}[{k}]: root cause", root, [a["root"]["pid"]])
    t.equal("findings above info", [], serious(why(t, "-a"), set(kids) | {p.pid}))


def comm(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def in_call(pid):
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().split()[0].isdigit()
