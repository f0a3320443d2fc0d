# SPDX-License-Identifier: BSD-2-Clause
"""The collector among others: two at once, one that traces another, stopped for a while, killed."""
import ctypes
import os
import platform
import signal
import time

import privileges
from cases_attach import start_demo, traces
from cases_truth import compare, compare_flows
from lib import check_report, load_truth, case, part_of, strict_json, task_state, wait_for

SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
GET_NEXT_ID = {"prog_id": 11, "map_id": 12, "link_id": 31}  # enum bpf_cmd, <linux/bpf.h>


def start_tracing(t, *args, program=None):
    """ipcspy in the background, once it traces. Returns it and where its report will be."""
    path = t.new_path(".json")
    p = t.start([program or t.ipcspy, "--format", "json", "-o", path, *args])
    wait_for("the trace", lambda: traces(p.pid) or p.poll() is not None, 30)
    t.equal("status of what should trace", None, p.poll(), open(p.files[1].name).read())
    return p, path


def end_tracing(t, p, path, status=0, whole=True):
    p.send_signal(signal.SIGINT)
    r = t.end(p, report_file=path)
    t.equal("exit status", status, r.status, repr(r.err[-300:]))
    check_report(t, r.report, whole)
    return r.report


@case(params=[("pipe", "-S", 2), ("unix-stream", "-S", 2), ("posix-mq", "-R", 2)])
def two_at_once(t, *workload):
    """Both see all of the machine, and both see it right."""
    both = [start_tracing(t, "-a", "-m", workload[0]) for _ in range(2)]
    path = t.path("truth")
    t.run([t.demo, *map(str, workload), "--truth", path])
    truth = load_truth(path)
    for p, report in both:
        compare(t, part_of(end_tracing(t, p, report), truth), truth)


@case()
def two_of_the_same(t):
    """Two that trace the same processes by pid: each message in both, neither one in the other."""
    _, pids, _ = start_demo(t, "pipe", "--rate", 3000, "-n", 1000000)
    both = [start_tracing(t, "-p", ",".join(map(str, pids.values()))) for _ in range(2)]
    time.sleep(1)
    for q, report in both:
        report = end_tracing(t, q, report)
        flow = [f for f in report["flows"] if f["mechanism"] == "pipe"]
        t.equal("flows", [(pids["send-0"], pids["recv-0"])],
                [(f["src"].get("pid"), f["dst"].get("pid")) for f in flow])
        t.ok("messages", flow[0]["messages"] > 500, str(flow))
        # a collector looks into the memory of who waits, which the other one rightly shows
        used = {ep["pid"] for c in report["channels"] for ep in c["endpoints"]
                if c["mechanism"] == "pipe"}
        t.equal("collectors on the channels", set(), used & {q.pid for q, _ in both})


@case()
def two_of_each_other(t):
    """Each traces the other one: none itself, and it does not go round in circles."""
    name = f"spy-{os.getpid()}"
    os.symlink(t.ipcspy, t.path(name))
    both = [start_tracing(t, "-n", name, program=t.path(name)) for _ in range(2)]
    time.sleep(1)
    for (p, path), (other, _) in (both, both[::-1]):
        report = end_tracing(t, p, path)
        target = {q["pid"]: q["comm"] for q in report["processes"] if q["target"]}
        t.equal("itself", None, target.get(p.pid))
        if other.poll() is None:
            t.equal("the other one", name, target.get(other.pid))
        calls = sum(ep["calls"] for c in report["channels"] for ep in c["endpoints"])
        t.ok("few calls", calls < 1000, str(calls))


@case(params=[("pipe",), ("mixed",)])
def one_in_another(t, workload):
    """A command that runs ipcspy itself: inside and outside say the same of the workload."""
    inner, path = t.path("inner.json"), t.path("truth")
    argv = [t.ipcspy, "--format", "json", "-o", inner, "--", t.demo, workload, "--truth", path]
    r = t.trace(command=["sh", "-c", '"$@"; exit $?', "sh", *argv], timeout=120)
    t.equal("status inside", 0, r.report["trace"]["command"]["exit"])
    with open(inner, "rb") as f:
        within = strict_json(f.read())
    check_report(t, within)
    truth = load_truth(path)
    for part in truth.get("parts", [truth]):
        if part["workload"] in ("shm", "sysv-shm"):
            continue  # whose wake-ups are another mechanism's
        for t.prefix, report in (("inside: ", within), ("outside: ", r.report)):
            # whoever looks at the machine meanwhile reads the memory of who waits
            spies = {p["pid"] for p in report["processes"] if p["comm"] == "ipcspy"}
            report["flows"] = [f for f in report["flows"] if f["dst"].get("pid") not in spies]
            t.equal(f"{part['workload']}: messages by sender and receiver", pairs(part, part),
                    pairs(report, part))
    t.prefix = ""
    spies = {p["pid"] for p in r.report["processes"] if p["comm"] == "ipcspy"}
    calls = sum(ep["calls"] for c in r.report["channels"] for ep in c["endpoints"]
                if ep["pid"] in spies)
    t.ok("calls of the inner one on channels are few", calls < 1000, str(calls))


def pairs(doc, truth):
    """{(mechanism, sender, receiver): messages} of a report or a truth, of a workload's senders."""
    of = {(f["mechanism"], f["src_pid"]) for f in truth["flows"]}
    sums = {}
    for f in doc["flows"]:
        src = f["src"].get("pid") if "src" in f else f["src_pid"]
        dst = f["dst"].get("pid") if "dst" in f else f["dst_pid"]
        if (f["mechanism"], src) in of:
            key = f["mechanism"], src, dst
            sums[key] = sums.get(key, 0) + f["messages"]
    return sums


STOP_S = 5


def stopped_trace(t, *workload, until_end=False):
    """A workload whose collector is stopped for a while, or until the workload has ended if
    that takes longer. Returns when that was, counted from the stop, the result, the truth."""
    truth, path = t.path("truth"), t.path("report")
    p = t.start([t.ipcspy, "--format", "json", "-o", path, "--", t.demo, *map(str, workload),
                 "--truth", truth])
    wait_for("the trace", lambda: traces(p.pid))
    time.sleep(0.3)
    os.kill(p.pid, signal.SIGSTOP)
    wait_for("the stop", lambda: task_state(p.pid) == "T")
    begin, ended = time.monotonic(), None
    while time.monotonic() < begin + STOP_S or (until_end and ended is None and
                                                time.monotonic() < begin + 40):
        if ended is None and os.path.exists(truth):
            ended = time.monotonic() - begin
        time.sleep(0.02)
    os.kill(p.pid, signal.SIGCONT)
    return ended, t.end(p, report_file=path), truth


@case()
def stopped_under_little(t):
    """What comes while the collector is stopped waits in the buffer: nothing is lost."""
    _, r, path = stopped_trace(t, "pipe", "--rate", 1000, "-n", 4000)
    t.equal("exit status", 0, r.status, repr(r.err[-300:]))
    check_report(t, r.report)
    truth = load_truth(path)
    compare_flows(t, part_of(r.report, truth), truth)


@case()
def stopped_under_much(t):
    """More than the buffer has room for: the workload is not held up, what was lost is
    counted, and what is left of the report is right."""
    ended, r, path = stopped_trace(t, "pipe", "-n", 1500000, "--size", 64, until_end=True)
    t.ok("the workload ended meanwhile", ended is not None)
    t.equal("exit status", 3, r.status, repr(r.err[-300:]))
    report, truth = r.report, load_truth(path)
    check_report(t, report, whole=False)
    t.ok("events that were lost", report["loss"]["events"] > 0, str(report["loss"]))
    t.equal("of which mechanism", True, "pipe" in report["loss"]["by_mechanism"],
            str(report["loss"]))
    pair = truth["flows"][0]["src_pid"], truth["flows"][0]["dst_pid"]
    flows = [f for f in report["flows"] if f["mechanism"] == "pipe"
             and (f["src"].get("pid"), f["dst"].get("pid")) == pair]
    t.equal("flows", 1, len(flows))
    t.between("messages", 1, truth["options"]["messages"] - 1, flows[0]["messages"])
    chan = [c for c in report["channels"] if c["id"] == flows[0]["channel"]][0]
    t.equal("its channel is marked", True, chan["incomplete"])
    calls = 2 * truth["options"]["messages"]
    seen = sum(ep["calls"] for ep in chan["endpoints"])
    t.ok("calls seen and lost are those that were made", seen + report["loss"]["events"] >= calls,
         f"{seen} + {report['loss']['events']} of {calls}")


def ids_of(pid):
    """{(kind, id)} of the programs, maps and links that a process has open."""
    found = set()
    with privileges.root():
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                for line in f:
                    name, _, value = line.partition(":")
                    if name in GET_NEXT_ID:
                        found.add((name, int(value)))
    return found


def exists(kind, number):
    """By the list of ids. Not by opening it: a map of programs that is opened and closed again
    while the kernel takes it down stays for ever (prog_array_map_clear(), kernel/bpf/arraymap.c)."""
    attr = (ctypes.c_uint32 * 3)(number - 1)
    with privileges.root():
        err = ctypes.CDLL(None).syscall(SYS_BPF, GET_NEXT_ID[kind], ctypes.byref(attr),
                                        ctypes.sizeof(attr))
    return not err and attr[1] == number


def pinned():
    with privileges.root():
        return {os.path.join(path, n) for path, _, names in os.walk("/sys/fs/bpf") for n in names}


@case(params=[("attached",), ("command",), ("record",)])
def killed_collector(t, how):
    """SIGKILL: no program, map or link is left in the kernel, and the workload ends well."""
    truth, before = t.path("truth"), pinned()
    workload = [t.demo, "pipe", "--rate", "2000", "-n", "4000", "--truth", truth]
    demo = None
    if how == "attached":
        demo = t.start(workload)
        p = t.start([t.ipcspy, "-f", "-p", str(demo.pid)])
    elif how == "command":
        p = t.start([t.ipcspy, "--", *workload])
    else:
        p = t.start([t.ipcspy, "record", "-o", t.path("rec"), "--", *workload])
    wait_for("the trace", lambda: traces(p.pid))
    time.sleep(0.3)
    ids = ids_of(p.pid)
    t.equal("kinds of what it has", set(GET_NEXT_ID), {kind for kind, _ in ids})
    t.ok("all of it is there", all(exists(*i) for i in ids))
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    end = time.monotonic() + 30  # the kernel frees them when it has the time
    while time.monotonic() < end and any(exists(*i) for i in ids):
        time.sleep(0.1)
    t.equal("programs, maps and links that are left", [], [i for i in ids if exists(*i)])
    t.equal("pinned objects", set(), pinned() - before)
    wait_for("the end of the workload", lambda: os.path.exists(truth), 20)
    if demo:
        t.equal("status of the workload", 0, demo.wait(10))
    t.equal("messages", 4000, sum(f["messages"] for f in load_truth(truth)["flows"]))
