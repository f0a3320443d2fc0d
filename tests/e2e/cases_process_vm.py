# SPDX-License-Identifier: BSD-2-Clause
"""process_vm_readv, process_vm_writev, ptrace, pidfd_getfd: who reached into whom."""
import os
import shutil
import signal

from cases_attach import start_demo
from cases_strace import finished_calls
from cases_stuck import attached
from cases_truth import compare_channels, compare_flows
from lib import Skip, case, endpoints, flow_between, load_truth

PYTHON = "/usr/bin/python3"


def compare(t, report, truth):
    compare_flows(t, report, truth)
    compare_channels(t, report, truth)
    pull = truth["receivers"][0]["calls"] > 0
    for key, role, active in (("senders", "send", not pull), ("receivers", "recv", pull)):
        for proc in truth[key]:
            found = [ep for _, ep in endpoints(report, proc["pid"], role, "process-vm")]
            for what in ("calls", "bytes", "messages"):
                t.equal(f"{proc['comm']} {role}: {what}", proc[what] if active else 0,
                        sum(ep[what] for ep in found))
            t.equal(f"{proc['comm']} {role}: errors", 0, sum(ep["errors"] for ep in found))
    ids = {c["id"] for c in report["channels"] if c["mechanism"] == "process-vm"}
    t.equal("conversations", [], [c for c in report["conversations"] if ids & set(c["channels"])])
    for f in report["flows"]:
        t.equal("latencies of what waits in no queue", 0, f["latency_ns"]["count"])


@case(params=[(s, way) for s in (1, 2, 8) for way in ("", "--pull")])
def process_vm_truth(t, senders, way):
    """Each number of senders with 1, 2 and 8 receivers, either of which is passive."""
    n = max(300, 2000 // senders)
    for report, truth in t.trace_demos([["process-vm", "-S", senders, "-R", r, "-n", n,
                                         *way.split()] for r in (1, 2, 8)]):
        compare(t, report, truth)


@case(params=[("",), ("--pull",)])
def process_vm_sizes(t, way):
    for report, truth in t.trace_demos([["process-vm", *v.split(), *way.split()] for v in (
            "-n 300 --size 32", "-n 300 --size 4096", "-n 100 --size 1000000")]):
        compare_flows(t, report, truth)


CALLS = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
class Iov(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
SIZE = 3 * 4096
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
base = libc.mmap(None, SIZE, 3, 0x22, -1, 0)
libc.munmap(base + 2 * 4096, 4096)  # two pages, then none
other = os.fork()
if other == 0:
    signal.pause()
here = ctypes.create_string_buffer(SIZE)
def vm(call, pid, parts):
    mine = Iov(ctypes.addressof(here), sum(n for _, n in parts))
    theirs = (Iov * len(parts))(*[Iov(a, n) for a, n in parts])
    return getattr(libc, call)(pid, ctypes.byref(mine), ctypes.c_ulong(1), theirs,
                               ctypes.c_ulong(len(parts)), ctypes.c_ulong(0))
got = [vm("process_vm_readv", other, [(base, 100)]),
       vm("process_vm_readv", other, [(base, 10), (base + 50, 20), (base + 4000, 30)]),
       vm("process_vm_readv", other, [(base, SIZE)]),                # partial: 8192
       vm("process_vm_readv", other, [(base + 2 * 4096, 100)]),      # EFAULT
       vm("process_vm_readv", 0x3ffff0, [(base, 100)]),              # ESRCH
       vm("process_vm_writev", other, [(base, 7)]),
       vm("process_vm_writev", other, [(base + 8000, 1000)]),        # partial: 192
       vm("process_vm_readv", other, [(base, 0)])]                   # nothing
assert got == [100, 60, 8192, -1, -1, 7, 192, 0], got
PEEK, POKE, GETREGS, ATTACH, DETACH = 2, 5, 12, 16, 17
assert libc.ptrace(ATTACH, other, None, None) == 0
os.waitpid(other, 0)
for i in range(3):
    libc.ptrace(PEEK, other, ctypes.c_void_p(base + 8 * i), None)
libc.ptrace(POKE, other, ctypes.c_void_p(base), ctypes.c_void_p(1))
libc.ptrace(GETREGS, other, None, here)
libc.ptrace(PEEK, other, ctypes.c_void_p(8), None)                   # EIO
libc.ptrace(DETACH, other, None, None)
fd = libc.syscall(438, os.pidfd_open(other), 1, 0)                   # pidfd_getfd
assert fd > 0
os.kill(other, signal.SIGKILL)
os.waitpid(other, 0)
assert vm("process_vm_readv", other, [(base, 100)]) == -1            # ESRCH
"""


def only_channel(t, report, name):
    found = [c for c in report["channels"] if c["name"] == name]
    return found[0] if t.equal(f"channels {name}", 1, len(found)) else None


@case()
def process_vm_calls(t):
    """Parts, partial transfers, errors, nobody there; words and control of ptrace."""
    report = t.trace(command=[PYTHON, t.script(CALLS)]).report
    main = report["trace"]["command"]["pid"]
    other = [c["info"]["pid"] for c in report["channels"] if c["mechanism"] == "process-vm"
             and c["info"]["pid"]]
    if not t.equal("processes reached into", 1, len(other)):
        return
    chan = only_channel(t, report, f"process-vm:{other[0]}")
    eps = {(ep["pid"], ep["role"]): ep for ep in chan["endpoints"]}
    what = ("calls", "messages", "bytes", "errors")
    # readv: 100 60 8192 EFAULT 0; words: 3, one EIO; control: GETREGS, pidfd_getfd
    t.equal("received", (5 + 4 + 2, 6, 100 + 60 + 8192 + 3 * 8, 2),
            tuple(eps[main, "recv"][k] for k in what))
    # writev: 7 192; a word; control: ATTACH, DETACH
    t.equal("sent", (2 + 1 + 2, 3, 7 + 192 + 8, 0), tuple(eps[main, "send"][k] for k in what))
    t.equal("calls of the other", (0, 0), (eps[other[0], "send"]["calls"],
                                           eps[other[0], "recv"]["calls"]))
    t.equal("control, partial", (4, 2), (chan["info"]["control_calls"],
                                         chan["info"]["partial_calls"]))
    flows = {f["src"]["pid"]: (f["messages"], f["bytes"]) for f in report["flows"]
             if f["channel"] == chan["id"]}
    t.equal("flows by sender", {other[0]: (6, 8376), main: (3, 207)}, flows)
    t.equal("closed with its process", False, chan["open"])
    nobody = only_channel(t, report, "process-vm:?")
    t.equal("calls to nobody", [(2, 2)], [(ep["calls"], ep["errors"])
                                          for ep in nobody["endpoints"]])


FORBIDDEN = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class Iov(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
here = ctypes.create_string_buffer(100)
iov = Iov(ctypes.addressof(here), 100)
parent = os.getpid()
pid = os.fork()
if pid == 0:
    os.setgid(65534)
    os.setuid(65534)
    r = libc.process_vm_readv(parent, ctypes.byref(iov), 1, ctypes.byref(iov), 1, 0)
    os._exit(0 if r == -1 and ctypes.get_errno() == 1 else 1)
assert os.waitpid(pid, 0)[1] == 0
"""


@case(root="it becomes another user")
def process_vm_eperm(t):
    """What the kernel forbids is an error of the caller, on the process it was about."""
    report = t.trace(command=[PYTHON, "-c", FORBIDDEN]).report
    main = report["trace"]["command"]["pid"]
    chan = only_channel(t, report, f"process-vm:{main}")
    t.equal("its one call failed", [(1, 1, 0)], [(ep["calls"], ep["errors"], ep["bytes"])
                                                 for ep in chan["endpoints"] if ep["calls"]])


@case(params=[("passive",), ("active",)])
def process_vm_peer(t, which):
    """Whoever reaches into a target is its peer; and what a target reaches into."""
    p, pids, _ = start_demo(t, "process-vm", "--rate", 500, "-n", 100000)
    target = pids["recv-0" if which == "passive" else "send-0"]
    report = attached(t, [target], "-d", "0.5")
    os.killpg(p.pid, signal.SIGKILL)
    flows = flow_between(report, pids["send-0"], pids["recv-0"])
    t.ok("one flow, some of the messages", len(flows) == 1 and 100 < flows[0]["messages"] < 1000,
         str(flows))
    for f in flows:
        t.equal("bytes", f["messages"] * 512, f["bytes"])
    t.equal("names", {"send-0", "recv-0"}, {f[end]["comm"] for f in flows for end in ("src", "dst")})


@case(root="it makes namespaces")
def process_vm_namespace(t):
    """In a pid namespace of its own a process has another number: the machine's is shown."""
    if not shutil.which("unshare"):
        raise Skip("unshare is not installed")
    truth = t.new_path(".truth")
    report = t.trace(command=["unshare", "--pid", "--fork", "--mount-proc", t.demo, "process-vm",
                              "-n", "50", "-S", "2", "-R", "2", "--truth", truth]).report
    inside = {p["pid"] for p in load_truth(truth)["receivers"]}
    t.ok("numbers inside are small", max(inside) < 20, str(inside))
    flows = [f for f in report["flows"] if f["mechanism"] == "process-vm"]
    t.equal("flows", [("recv-0", 25), ("recv-0", 25), ("recv-1", 25), ("recv-1", 25)],
            sorted((f["dst"]["comm"], f["messages"]) for f in flows))
    pids = {p["pid"] for p in report["processes"]}
    t.ok("processes are the machine's", {f["dst"]["pid"] for f in flows} <= pids
         and min(f["dst"]["pid"] for f in flows) > 20, str(flows))


@case()
def process_vm_strace(t):
    """Calls and bytes against strace, which watches the same processes."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    log = t.new_path(".strace")
    report = t.trace("-m", "process-vm", command=[
        "strace", "-f", "-qq", "-e", "trace=process_vm_readv,process_vm_writev", "-e",
        "signal=none", "-o", log, t.demo, "process-vm", "-n", "100", "-S", "2", "-R", "2",
        "--size", "5000"]).report
    want = {}
    for pid, _, args, result in finished_calls(log):
        count = want.setdefault((pid, int(args.split(",")[0])), [0, 0])
        count[0] += 1
        count[1] += max(0, int(result))
    t.ok("strace saw something", len(want) == 4, str(want))
    got = {}
    for chan, ep in endpoints(report, role="send", mechanism="process-vm"):
        if ep["comm"] != "strace" and ep["calls"]:
            got[ep["pid"], chan["info"]["pid"]] = [ep["calls"], ep["bytes"]]
    t.equal("[calls, bytes] by caller and process", want, got)
