# SPDX-License-Identifier: BSD-2-Clause
"""Signals: who sends them, what becomes of them, how long they wait."""
import os
import pty
import shutil
import signal
import time

from cases_attach import traces
from cases_strace import finished_calls
from cases_time import ATTEMPTS, agree, latency_misses
from cases_truth import compare
from lib import MS, Skip, case, channel_named, endpoints, flow_between, task_state, wait_for

PYTHON = "/usr/bin/python3"
FATES = ("delivered", "ignored", "coalesced", "discarded", "pending")
TAKERS = ("handler", "wait", "fd")


def row_of(t, report, pid, name):
    """What became of the signals of one number at one process; {} when there are none."""
    chan = channel_named(t, report, f"signal:{pid}")
    rows = [r for r in chan["signals"] if r["name"] == name]
    if rows:
        t.equal(f"{name}: every one has a fate", rows[0]["generated"],
                sum(rows[0][fate] for fate in FATES))
        t.equal(f"{name}: delivered", rows[0]["delivered"],
                rows[0]["handled"] + rows[0]["default"] + rows[0]["taken"])
    return rows[0] if rows else {}


def some(row, *names):
    return {name: row.get(name) for name in names}


def flows_to(report, pid, kind):
    """Messages to a process from what is no process."""
    return sum(f["messages"] for f in report["flows"]
               if f["src"].get("kind") == kind and f["dst"].get("pid") == pid)


def traced(t, text, *args, whole=True):
    """A Python program under ipcspy. Returns (report, its pid, the words it printed)."""
    out = t.new_path(".words")
    script = t.script("import os, signal, sys, time\n"
                      f"def say(*words):\n    open({out!r}, 'a').write(' '.join(map(str, words)) + '\\n')\n"
                      + text)
    r = t.trace(*args, command=[PYTHON, script], whole=whole)
    words = []
    if os.path.exists(out):
        with open(out) as f:
            words = f.read().split()
    return r.report, r.report["trace"]["command"]["pid"], words


@case(params=[(taker, s) for taker in TAKERS for s in (1, 2, 8)])
def signal_truth(t, taker, senders):
    """Real-time signals all arrive, whoever sends them to whomever."""
    n = max(250, 2000 // senders)
    for report, truth in t.trace_demos([["signal", "--taker", taker, "-S", senders, "-R", r,
                                         "-n", n] for r in (1, 2, 8)]):
        compare(t, report, truth)
        for receiver in truth["receivers"]:
            row = row_of(t, report, receiver["pid"], "SIGRTMIN")
            fate = "handled" if taker == "handler" else "taken"
            t.equal("generated, " + fate, [receiver["messages"]] * 2,
                    [row.get("generated"), row.get(fate)])


@case(params=[(taker,) for taker in TAKERS])
def signal_latency(t, taker):
    # a handler takes its stamp after the kernel has laid out its frame: twice as much can come
    # between it and the delivery
    report, truth = agree(t, latency_misses, "signal", "--taker", taker, "-n", 4000,
                          attempts=2 * ATTEMPTS)
    want = truth["flows"][0]["latency_ns"]
    flow = flow_between(report, truth["senders"][0]["pid"], truth["receivers"][0]["pid"])[0]
    t.equal("latencies", want["count"], flow["latency_ns"]["count"])


@case()
def signal_standard(t):
    """A standard signal that is pending takes in all that follow."""
    report, truth = t.trace_demo("signal", "--standard", "-n", 500, "--hold", "300ms")
    pid = truth["receivers"][0]["pid"]
    row = row_of(t, report, pid, "SIGUSR2")
    t.equal("coalesced", truth["channels"][0]["dropped"], row.get("coalesced"))
    t.equal("delivered", truth["messages"], row.get("delivered"))
    t.equal("generated", 500, row.get("generated"))
    flow = flow_between(report, truth["senders"][0]["pid"], pid)
    t.equal("messages", [truth["messages"]], [f["messages"] for f in flow])


FLOOD = """
pid = os.getpid()
signal.signal(signal.SIGUSR1, lambda *_: None)
child = os.fork()
if not child:
    for i in range(100000):
        os.kill(pid, signal.SIGUSR1)
    os._exit(0)
while True:
    try:
        if os.waitpid(child, os.WNOHANG)[0]:
            break
    except InterruptedError:
        pass
    time.sleep(0.01)
say(child)
"""


@case()
def signal_flood(t):
    """100,000 signals of which most coalesce."""
    report, pid, words = traced(t, FLOOD)
    row = row_of(t, report, pid, "SIGUSR1")
    t.equal("generated", 100000, row.get("generated"))
    t.ok("most coalesce", row.get("coalesced", 0) > 10000, str(row))
    t.equal("handled", row.get("delivered"), row.get("handled"))
    flow = flow_between(report, int(words[0]), pid)
    t.equal("messages", [row.get("delivered")], [f["messages"] for f in flow])
    t.equal("calls", [100000], [ep["calls"] for _, ep in endpoints(report, int(words[0]), "send")])
    chan = channel_named(t, report, f"signal:{pid}")
    t.between("most pending at once", 1, 2, chan["backlog"]["max"])


GROUP = """
signal.signal(signal.SIGUSR1, lambda *_: None)
os.setpgid(0, 0)
ready, go = os.pipe()
kids = []
for i in range(5):
    kid = os.fork()
    if not kid:
        os.close(ready)
        os.write(go, b"x")
        signal.pause()
        os._exit(0)
    kids.append(kid)
got = 0
while got < 5:
    got += len(os.read(ready, 5))
time.sleep(0.1)
os.kill(0, signal.SIGUSR1)
for kid in kids:
    os.waitpid(kid, 0)
say(*kids)
"""


@case()
def signal_group(t):
    """kill(0) is one call and a signal to each process of the group."""
    report, pid, words = traced(t, GROUP)
    for kid in [pid, *map(int, words)]:
        t.equal("handled", 1, row_of(t, report, kid, "SIGUSR1").get("handled"))
        t.equal("messages", 1, sum(f["messages"] for f in flow_between(report, pid, kid)
                                   if f["mechanism"] == "signal"))
    calls = sum(ep["calls"] for _, ep in endpoints(report, pid, "send", "signal"))
    t.equal("calls", 1, calls)
    for kid in map(int, words):
        waits = [ep for _, ep in endpoints(report, kid, "recv", "signal")]
        t.equal("pauses", [1], [ep["calls"] for ep in waits])
        t.ok("asleep in them", waits[0]["blocked"]["total_ns"] > 50 * MS, str(waits))


FATE = """
pid = os.getpid()
def nap(*_):
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
signal.signal(signal.SIGUSR1, nap)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
for i in range(3):
    os.kill(pid, signal.SIGUSR1)
os.kill(pid, signal.SIGUSR2)
os.kill(pid, signal.SIGURG)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
begin = time.monotonic_ns()
os.kill(pid, signal.SIGUSR1)
time.sleep(0.3)
blocked_ns = time.monotonic_ns() - begin
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
say(blocked_ns)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.kill(pid, signal.SIGHUP)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
for number, what in ((0x7ffffffe, signal.SIGTERM), (pid, 0)):
    try:
        os.kill(number, what)
    except OSError:
        pass
"""


@case()
def signal_fates(t):
    """Handled, ignored, blocked, discarded, sent to nobody."""
    report, pid, words = traced(t, FATE)
    usr1 = row_of(t, report, pid, "SIGUSR1")
    t.equal("SIGUSR1", {"generated": 4, "handled": 4, "coalesced": 0},
            some(usr1, "generated", "handled", "coalesced"))
    t.near("blocked by the mask", int(words[0]), usr1.get("blocked_ns", 0), 0.02, 1 * MS)
    t.equal("SIGUSR2", {"generated": 1, "ignored": 1},
            some(row_of(t, report, pid, "SIGUSR2"), "generated", "ignored"))
    t.equal("SIGURG", {"generated": 1, "ignored": 1},
            some(row_of(t, report, pid, "SIGURG"), "generated", "ignored"))
    t.equal("SIGHUP", {"generated": 1, "discarded": 1},
            some(row_of(t, report, pid, "SIGHUP"), "generated", "discarded"))
    nobody = channel_named(t, report, f"signal:{0x7ffffffe}")
    t.equal("to nobody", [(1, 1, 0)], [(ep["calls"], ep["errors"], ep["messages"])
                                      for ep in nobody["endpoints"]])


HANDLER = r"""
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}
static long long took[2][5]; /* outer, inner: by their own clock, the outer without the inner */
static int cnt[2];
static void spin(int sig)
{
	int inner = sig == SIGUSR2;
	long long begin = now(), apart = 0;

	while (now() < begin + apart + (inner ? 10000000 : 30000000))
		if (!inner && !apart) {
			long long sent = now();

			kill(getpid(), SIGUSR2);
			apart = now() - sent;
		}
	took[inner][cnt[inner]++] = now() - begin - apart;
}
int main(void)
{
	signal(SIGUSR1, spin);
	signal(SIGUSR2, spin);
	for (int i = 0; i < 5; i++)
		kill(getpid(), SIGUSR1);
	for (int i = 0; i < 5; i++)
		printf("%lld %lld\n", took[0][i], took[1][i]);
	return 0;
}
"""


@case()
def signal_handler_time(t):
    """How long handlers run, without the handlers that interrupt them."""
    if not shutil.which("gcc"):
        raise Skip("gcc is not installed")
    source, program = t.path("handler.c"), t.path("handler")
    with open(source, "w") as f:
        f.write(HANDLER)
    t.run(["gcc", "-O1", "-o", program, source])
    out = t.path("out")
    with open(out, "wb") as f:
        report = t.trace(command=[program], stdout=f).report
    with open(out) as f:
        took = [sorted(times) for times in zip(*(map(int, line.split()) for line in f))]
    pid = report["trace"]["command"]["pid"]
    outer, inner = (row_of(t, report, pid, n) for n in ("SIGUSR1", "SIGUSR2"))
    t.equal("handled", [5, 5], [outer["handled"], inner["handled"]])
    for what, row, times in (("outer", outer, took[0]), ("inner", inner, took[1])):
        t.near(f"the {what} handler", times[2], row["handler_p50_ns"], 0.05, 1 * MS)


SOURCES = """
import ctypes, threading
pid = os.getpid()
libc = ctypes.CDLL(None, use_errno=True)
for number in (signal.SIGALRM, signal.SIGCHLD, signal.SIGRTMIN + 2, signal.SIGPIPE):
    signal.signal(number, lambda *_: None)
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int),
                ("pad", ctypes.c_byte * 48)]
timer = ctypes.c_void_p()
event = Event(signo=signal.SIGRTMIN + 2)
if libc.timer_create(1, ctypes.byref(event), ctypes.byref(timer)):
    raise OSError(ctypes.get_errno(), "timer_create")
libc.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 10000000, 0, 10000000), None)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
end = time.monotonic() + 0.5
while time.monotonic() < end:
    time.sleep(0.001)
signal.setitimer(signal.ITIMER_REAL, 0)
libc.timer_delete(timer)
for i in range(7):
    if not os.fork():
        os._exit(0)
    os.wait()
reader, writer = os.pipe()
os.close(reader)
try:
    os.write(writer, b"x")
except BrokenPipeError:
    pass
"""


@case()
def signal_sources(t):
    """Timers, the end of children and the kernel send signals, too."""
    report, pid, _ = traced(t, SOURCES)
    alarm, posix = (row_of(t, report, pid, n) for n in ("SIGALRM", "SIGRTMIN+2"))
    t.between("itimer", 3, 26, alarm.get("generated", 0))
    t.between("timer", 6, 52, posix.get("generated", 0))
    t.equal("from timers", alarm["delivered"] + posix["delivered"], flows_to(report, pid, "timer"))
    t.equal("from children", 7, flows_to(report, pid, "child exit"))
    t.equal("from the kernel", 1, flows_to(report, pid, "kernel"))
    t.equal("from processes", 0, sum(f["messages"] for f in report["flows"]
                                     if f["mechanism"] == "signal" and "pid" in f["src"]))


@case()
def signal_terminal(t):
    """Ctrl-C, Ctrl-Z and a new window size come from the terminal."""
    master, slave = pty.openpty()
    script = t.script("""
import fcntl, os, signal, sys, termios, time
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
got = set()
for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGWINCH):
    signal.signal(number, lambda n, _: got.add(n))
os.write(1, b"ready\\n")
end = time.monotonic() + 20
while len(got) < 3 and time.monotonic() < end:
    time.sleep(0.05)
""")
    p = t.start([PYTHON, script], stdin=slave, stdout=slave)
    wait_for("the program to begin", lambda: b"ready" in os.read(master, 100))
    tracer = t.start([t.ipcspy, "--format", "json", "-o", t.path("r.json"), "-p", str(p.pid)])
    wait_for("ipcspy to attach", lambda: traces(tracer.pid))
    os.write(master, b"\x03\x1a")
    termios_size(slave)
    r = t.end(tracer, report_file=t.path("r.json"))
    t.end(p)
    os.close(master)
    os.close(slave)
    for name in ("SIGINT", "SIGTSTP", "SIGWINCH"):
        t.equal(name, {"generated": 1, "handled": 1},
                some(row_of(t, r.report, p.pid, name), "generated", "handled"))
    t.equal("from the terminal", 3, flows_to(r.report, p.pid, "terminal"))


def termios_size(fd):
    import fcntl
    import struct
    import termios
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))


DEATHS = """
import subprocess
def victim(number, *how):
    kid = subprocess.Popen(["sleep", "30"])
    time.sleep(0.05)
    for n in (number, *how):
        os.kill(kid.pid, n)
        time.sleep(0.05)
    say(kid.pid)
    if number == signal.SIGSTOP:
        kid.kill()
    kid.wait()
victim(signal.SIGKILL)
victim(signal.SIGTERM)
victim(signal.SIGSEGV)
victim(signal.SIGSTOP, signal.SIGCONT)
"""


@case()
def signal_death(t):
    """A signal that ends its receiver was delivered; so was one that stops it."""
    report, pid, words = traced(t, DEATHS)
    names = ("SIGKILL", "SIGTERM", "SIGSEGV", "SIGSTOP", "SIGCONT", "SIGKILL")
    for kid, name in zip([*words, words[-1], words[-1]], names):
        row = row_of(t, report, int(kid), name)
        t.equal(f"{name} of {kid}", {"generated": 1, "default": 1, "handled": 0},
                some(row, "generated", "default", "handled"))
    for kid, cnt in zip(map(int, words), (1, 1, 1, 3)):
        t.equal("messages", cnt, sum(f["messages"] for f in flow_between(report, pid, kid)))


THREADS = """
import threading
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
def body():
    for i in range(20):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        time.sleep(0.005)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(0.1)
    assert signal.sigtimedwait([signal.SIGUSR2], 1)
    assert signal.sigtimedwait([signal.SIGUSR2], 1)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
t = threading.Thread(target=body)
t.start()
t.join()
say(len(got))
"""


@case()
def signal_threads(t):
    """Signals to a thread and to the process wait side by side."""
    report, pid, words = traced(t, THREADS)
    usr1 = row_of(t, report, pid, "SIGUSR1")
    t.equal("generated", 20, usr1.get("generated"))
    t.equal("handled, coalesced", 20, usr1.get("handled") + usr1.get("coalesced"))
    t.equal("taken", {"generated": 2, "taken": 2, "coalesced": 0},
            some(row_of(t, report, pid, "SIGUSR2"), "generated", "taken", "coalesced"))


@case()
def signal_to_stranger(t):
    """A target sends to a process that is none: its peer's side is seen, too."""
    stranger = t.start([PYTHON, t.script("""
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: None)
end = time.monotonic() + 20
while time.monotonic() < end:
    time.sleep(0.1)
""")])
    wait_for("the stranger sleeps", lambda: task_state(stranger.pid) == "S")
    time.sleep(0.3)
    for option, delivered in ((), 5), (("--no-peers",), 0):
        report, pid, _ = traced(t, f"""
for i in range(5):
    os.kill({stranger.pid}, signal.SIGUSR1)
    time.sleep(0.02)
""", *option)
        row = row_of(t, report, stranger.pid, "SIGUSR1")
        t.equal("generated, handled", [5, delivered], [row["generated"], row["handled"]])
        t.equal("sent", 5, sum(ep["messages"] for _, ep in endpoints(report, pid, "send", "signal")))
    stranger.kill()
    stranger.wait()


@case()
def signal_before_attach(t):
    """What is pending when ipcspy comes, and who waits in sigwaitinfo."""
    p = t.start([PYTHON, t.script("""
import os, signal, time
block = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN + 5, signal.SIGHUP]
signal.pthread_sigmask(signal.SIG_BLOCK, block)
for i in range(2):
    os.kill(os.getpid(), signal.SIGUSR1)
for i in range(3):
    os.kill(os.getpid(), signal.SIGRTMIN + 5)
assert signal.sigwait([signal.SIGHUP])
for i in range(3):
    assert signal.sigtimedwait([signal.SIGRTMIN + 5], 1)
time.sleep(0.5)
""")])
    wait_for("it waits", lambda: task_state(p.pid) == "S")
    time.sleep(0.3)
    report = attached_for(t, p.pid, 0.5)
    chan = channel_named(t, report, f"signal:{p.pid}")
    t.equal("backlog", {"now": 4, "max": 4, "full_ns": 0}, chan["backlog"])
    t.equal("pending", {"SIGUSR1": 1, "SIGRTMIN+5": 1},
            {r["name"]: r["pending"] for r in chan["signals"]})
    t.equal("nobody is blocked: it is idle", [], report["blocked_now"])
    waits = [ep for _, ep in endpoints(report, p.pid, "recv", "signal")]
    t.ok("it waits for signals", waits and waits[0]["blocked"]["now_ns"] > 300 * MS, str(waits))
    tracer = t.start([t.ipcspy, "--format", "json", "-o", t.path("r.json"), "-p", str(p.pid)])
    wait_for("ipcspy to attach", lambda: traces(tracer.pid))
    os.kill(p.pid, signal.SIGHUP)
    r = t.end(tracer, report_file=t.path("r.json"))
    t.end(p)
    t.equal("SIGHUP taken", 1, row_of(t, r.report, p.pid, "SIGHUP").get("taken"))
    rt = [x for x in channel_named(t, r.report, f"signal:{p.pid}")["signals"]
          if x["name"] == "SIGRTMIN+5"]
    t.equal("those pending, taken", [(3, 0)], [(x["taken"], x["pending"]) for x in rt])
    t.equal("from nobody known", 3, sum(f["messages"] for f in r.report["flows"]
                                        if f["src"].get("pid") == 0))


def attached_for(t, pid, seconds):
    path = t.new_path(".json")
    return t.run([t.ipcspy, "--format", "json", "-o", path, "-p", str(pid), "-d", str(seconds)],
                 report_file=path).report


@case()
def strace_signals(t):
    """Calls that send signals, by process, against strace."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    log = t.new_path(".strace")
    # strace stops its own child by a signal: the one to look at is that one's child
    command = ["bash", "-c", "bash -c \"$0\"; :", "trap : USR1; sleep 30 & sleep 30 & kill -USR1 $$; kill -TERM %1; "
                             "kill %2; for i in 1 2 3 4 5; do kill -USR1 $$; done; "
                             "(kill -USR1 $$; kill -USR1 $$); kill -9 99999999; wait"]
    r = t.trace(command=["strace", "-f", "-qq", "-e", "signal=none", "-e",
                         "trace=kill,tgkill,tkill,rt_sigqueueinfo", "-o", log, "--", *command])
    want = {}
    for pid, _, args, _ in finished_calls(log):
        if not args.endswith(", 0"):
            want[pid] = want.get(pid, 0) + 1
    got = {}
    for _, ep in endpoints(r.report, role="send", mechanism="signal"):
        got[ep["pid"]] = got.get(ep["pid"], 0) + ep["calls"]
    t.ok("strace saw something", len(want) > 1, str(want))
    t.equal("calls by process", want, {pid: n for pid, n in got.items() if pid in want})
