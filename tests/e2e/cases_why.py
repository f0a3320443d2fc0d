# SPDX-License-Identifier: BSD-2-Clause
"""ipcspy why: the root cause of what hangs, and no alarm for what is idle."""
import json
import os
import signal
import subprocess
import sys
import time

from cases_stuck import start_stuck
from lib import case, children, wait_for


def why(t, *args):
    r = t.run([t.ipcspy, "why", "--format", "json", *map(str, args)])
    return json.loads(r.out)


def kinds(report, pids):
    """Findings above info about these processes; others may be stuck on the machine, too."""
    return [(f["kind"], f["severity"]) for f in report["findings"]
            if f["severity"] != "info" and set(f["pids"]) & set(pids)]


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def comm_of(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


@case()
def why_deadlock(t):
    """Two processes and two full pipes."""
    truth = start_stuck(t, "deadlock")
    pids = [s["pid"] for s in truth["stuck"]]
    one = why(t, pids[0])["why"][0]
    t.equal("stuck", True, one["stuck"])
    t.equal("the chain", pids + pids[:1], [row["pid"] for row in one["chain"]])
    t.ok("verdict", one["verdict"].startswith("Deadlock: "), one["verdict"])
    for row in one["chain"][:2]:
        t.equal("how full", (65536, 65536),
                (row["channel"]["backlog"], row["channel"]["capacity"]))
    t.equal("findings", [("deadlock", "critical")], kinds(why(t, "-a"), pids))


@case()
def why_leak(t):
    """A reader that holds the only write end."""
    pid = start_stuck(t, "leak")["stuck"][0]["pid"]
    one = why(t, pid)["why"][0]
    t.equal("stuck", True, one["stuck"])
    t.equal("root", pid, one["root"]["pid"])
    found = [f for f in why(t, "-a")["findings"] if pid in f["pids"]]
    t.equal("findings", [("end-leak", "critical")], [(f["kind"], f["severity"]) for f in found])
    t.ok("both descriptors", found and len({fd["fd"] for fd in found[0]["fds"]}) == 2, str(found))


@case()
def why_stopped_stage(t):
    """The stage in the middle of a shell's pipeline is stopped."""
    p = t.start(["bash", "-c", "yes | cat | sleep 1000"], stdout=subprocess.DEVNULL)
    kids = wait_for("three stages", lambda: len(children(p.pid)) == 3 and children(p.pid))
    wait_for("their programs", lambda: open(f"/proc/{kids[1]}/comm").read() == "cat\n")
    os.kill(kids[1], signal.SIGSTOP)
    wait_for("the stop", lambda: state_of(kids[1]) == "T")
    wait_for("a full pipe", lambda: state_of(kids[0]) == "S")
    one = why(t, kids[0])["why"][0]
    t.equal("root", (kids[1], "stopped"), (one["root"]["pid"], one["root"]["state"]))
    t.ok("what to do", f"kill -CONT {kids[1]}" in one["verdict"], one["verdict"])
    t.equal("findings", [("stopped-peer", "warning")], kinds(why(t, "-a"), kids))


CHILD_WITH_FULL_PIPE = """
import subprocess
subprocess.Popen(["head", "-c", "300000", "/dev/zero"], stdout=subprocess.PIPE).wait()
"""


@case()
def why_unread_child(t):
    """A parent waits for its child, which writes what nobody reads."""
    p = t.start([sys.executable, "-c", CHILD_WITH_FULL_PIPE])
    kid = wait_for("a child", lambda: children(p.pid))[0]
    wait_for("its program", lambda: open(f"/proc/{kid}/comm").read() == "head\n")
    wait_for("a full pipe", lambda: state_of(kid) == "S" and state_of(p.pid) == "S")
    one = why(t, p.pid)["why"][0]
    t.equal("the chain", [(p.pid, "wait4"), (kid, "write"), (p.pid, "wait4")],
            [(row["pid"], row["syscall"]) for row in one["chain"]])
    t.equal("findings", [("deadlock", "critical")], kinds(why(t, "-a"), [p.pid, kid]))


KILLED_WITH_LOCK = """
import multiprocessing, os, signal, time
def work(queue):
    while True:
        queue.get()
queue = multiprocessing.Queue()
workers = [multiprocessing.Process(target=work, args=(queue,)) for _ in range(3)]
for w in workers:
    w.start()
reads = []
while len(reads) != 1:
    time.sleep(0.1)
    calls = {w: open(f"/proc/{w.pid}/syscall").read().split()[0] for w in workers}
    reads = [w for w in workers if calls[w] in ("0", "63")]
    if len({*calls.values()}) != 2:
        reads = []
reads[0].kill()
reads[0].join()
workers.remove(reads[0])
print("ready", flush=True)
for w in workers:
    w.join()
"""


@case()
def why_killed_with_lock(t):
    """A worker was killed that had the lock of a queue; the others wait for that lock for good."""
    p = t.start([sys.executable, "-c", KILLED_WITH_LOCK])
    wait_for("the end of a worker", lambda: open(p.files[0].name).read())
    kids = children(p.pid)
    wait_for("sleep", lambda: all(state_of(pid) == "S" for pid in [p.pid, *kids]) and
             open(f"/proc/{p.pid}/syscall").read().split()[0] in ("61", "260"))
    report = why(t, "-a")
    t.equal("findings", [("deadlock", "critical")], kinds(report, [p.pid]))
    text = "".join(f["text"] for f in report["findings"] if p.pid in f["pids"])
    t.ok("what they sleep on", f"[{kids[0]}] sleeps on futex:/dev/shm/" in text, text)
    t.ok("what may have come to it", text.endswith(" has ended without doing so."), text)


FORK_SERVER = """
import os
ends, workers = [], []
for i in range(3):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(w)
        while os.read(r, 100):
            pass
        os._exit(0)
    os.close(r)
    ends.append(w)
    workers.append(pid)
os.close(ends[0])
os.waitpid(workers[0], 0)
"""


@case()
def why_forgotten_end(t):
    """A fork server: the workers inherit the write ends that feed those before them."""
    p = t.start([sys.executable, "-c", FORK_SERVER])
    kids = wait_for("three workers", lambda: len(children(p.pid)) == 3 and children(p.pid))
    wait_for("sleep", lambda: all(state_of(pid) == "S" for pid in [p.pid, *kids]))
    report = why(t, "-a")
    found = [f for f in report["findings"] if p.pid in f["pids"]]
    t.equal("findings", [("end-leak", "critical")], [(f["kind"], f["severity"]) for f in found])
    text = found[0]["text"]
    t.ok("who waits, and who never sees the end",
         f"[{p.pid}] waits for the end of python3[{kids[0]}], which reads" in text, text)
    for kid in kids[1:]:
        t.ok("who has the write end", f"python3[{kid}], descriptor " in text, text)
    t.equal("the verdict", text, why(t, p.pid)["why"][0]["verdict"])


LOCK_OF_TWO = """
import fcntl, os, sys, time
r, w = os.pipe()
f = open(sys.argv[1], "w")
fcntl.flock(f, fcntl.LOCK_EX)
if not os.fork():
    os.close(r)
    os.close(w)
    time.sleep(1000)
if not os.fork():
    os.close(r)
    fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)
    os._exit(0)
f.close()
os.close(w)
os.read(r, 1)
"""


def waits_for_flock(pid):
    with open("/proc/locks") as f:
        return any(line.split()[1:3] == ["->", "FLOCK"] and str(pid) in line.split()
                   for line in f)


def has_open(pid, path):
    fds = f"/proc/{pid}/fd"
    return path in [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]


@case()
def why_lock_of_two(t):
    """The lock of an open file is given back by whoever has it still, not by who took it."""
    path = t.new_path(".lock")
    p = t.start([sys.executable, "-c", LOCK_OF_TWO, path])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    wait_for("the lock is waited for", lambda: waits_for_flock(kids[1]))
    wait_for("the lock's file is closed", lambda: not has_open(p.pid, path))
    wait_for("sleep", lambda: all(state_of(pid) == "S" for pid in [p.pid, *kids]))
    t.equal("findings", [], kinds(why(t, "-a"), [p.pid, *kids]))
    one = why(t, kids[1])["why"][0]
    t.equal("stuck", False, one["stuck"])
    t.ok("verdict", "share its open file" in one["verdict"], one["verdict"])


TRACER = """
import ctypes, os, sys
r, w = os.pipe()
if not os.fork():
    os.close(w)
    os.read(r, 1)
os.close(r)
ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None)  # PTRACE_SEIZE
os.wait()
"""


@case()
def why_tracer(t):
    """One that waits in wait4 for its child, which reads from it; but it traces another, too."""
    traced = t.start(["sleep", "1000"])
    p = t.start([sys.executable, "-c", TRACER, str(traced.pid)])
    kids = wait_for("a child", lambda: children(p.pid))
    with open(f"/proc/{traced.pid}/status") as f:
        wait_for("it is traced", lambda: f.seek(0) == 0 and f"TracerPid:\t{p.pid}\n" in f.read())
    wait_for("sleep", lambda: all(state_of(pid) == "S" for pid in [p.pid, *kids]))
    t.equal("findings", [], kinds(why(t, "-a"), [p.pid, *kids]))
    one = why(t, p.pid)["why"][0]
    t.equal("stuck", False, one["stuck"])
    t.ok("verdict", "that it traces" in one["verdict"], one["verdict"])


WITH_TIME_OUT = """
import select, subprocess
p = subprocess.Popen(["sleep", "1000"], stdout=subprocess.PIPE)
select.select([p.stdout], [], [], 500)
"""


@case([("running",), ("stopped",)])
def why_time_out(t, child):
    """Who waits for another, but not for ever: it is about the other."""
    p = t.start([sys.executable, "-c", WITH_TIME_OUT])
    kid = wait_for("a child", lambda: children(p.pid))[0]
    wait_for("its program", lambda: comm_of(kid) == "sleep")
    wait_for("sleep", lambda: state_of(kid) == "S" and state_of(p.pid) == "S")
    if child == "stopped":
        os.kill(kid, signal.SIGSTOP)
        wait_for("the stop", lambda: state_of(kid) == "T")
    one = why(t, p.pid)["why"][0]
    t.equal("stuck", False, one["stuck"])
    t.between("time left", 400_000_000_000, 500_000_000_000, one["chain"][0]["goes_on_in_ns"])
    t.equal("processes", [p.pid, kid], [row["pid"] for row in one["chain"]])
    if child == "stopped":
        t.ok("verdict", f"`kill -CONT {kid}`" in one["verdict"], one["verdict"])
    else:
        t.ok("verdict", one["verdict"].startswith(f"It is up to sleep[{kid}], which sleeps in "),
             one["verdict"])
    t.equal("findings", [], [f["kind"] for f in why(t, "-a")["findings"]
                             if {p.pid, kid} & set(f["pids"]) and f["severity"] == "critical"])


INPUT_LEFT_OPEN = """
import subprocess
subprocess.Popen(["cat"], stdin=subprocess.PIPE).wait()
"""


@case()
def why_input_left_open(t):
    """A parent waits for its child, which waits for the end of its input."""
    p = t.start([sys.executable, "-c", INPUT_LEFT_OPEN])
    kid = wait_for("a child", lambda: children(p.pid))[0]
    wait_for("its program", lambda: open(f"/proc/{kid}/comm").read() == "cat\n")
    wait_for("sleep", lambda: state_of(kid) == "S" and state_of(p.pid) == "S")
    found = [f for f in why(t, "-a")["findings"] if p.pid in f["pids"]]
    t.equal("findings", [("end-leak", "critical")], [(f["kind"], f["severity"]) for f in found])
    t.ok("what to do", found[0]["text"].endswith("Close it before waiting."), found[0]["text"])
    t.equal("processes, each once", {p.pid: 1, kid: 1},
            {pid: found[0]["pids"].count(pid) for pid in found[0]["pids"]})


@case()
def why_shell_waits(t):
    """A shell's "wait" sleeps for a signal, and is up to its children all the same."""
    p = t.start(["sh", "-c", "trap exit INT; sleep 1000 & sleep 2000 & wait"])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    for kid in kids:
        wait_for("their programs", lambda: open(f"/proc/{kid}/comm").read() == "sleep\n")
    wait_for("sleep", lambda: state_of(p.pid) == "S")
    one = why(t, p.pid)["why"][0]
    t.equal("state", "waits for a child", one["state"])
    t.equal("who is waited for", kids, sorted(row["pid"] for row in one["chain"][1:]))
    t.ok("root", one["root"]["pid"] in kids and one["root"]["state"] == "asleep", str(one["root"]))


WAITS_FOR_USR1 = """
import signal, subprocess
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.signal(signal.SIGUSR1, lambda *_: None)
subprocess.Popen(["sleep", "1000"])
signal.pause()
"""


@case()
def why_waits_for_a_signal(t):
    """Who handles others, too, may wait for those: no word of its children."""
    p = t.start([sys.executable, "-c", WAITS_FOR_USR1])
    wait_for("a child", lambda: children(p.pid))
    wait_for("sleep", lambda: state_of(p.pid) == "S" and
             open(f"/proc/{p.pid}/syscall").read().split()[0] == "34")
    one = why(t, p.pid)["why"][0]
    t.equal("root", (p.pid, "blocked"), (one["root"]["pid"], one["root"]["state"]))
    t.ok("verdict", one["verdict"].endswith("for a signal: it is idle."), one["verdict"])


@case(params=[("<", "writer", "info"), (">", "reader", "warning")])
def why_opens(t, how, partner, severity):
    """A FIFO whose other end nobody opens."""
    fifo = t.path("the fifo")
    os.mkfifo(fifo)
    p = t.start(["bash", "-c", f"cd {t.dir}; exec 3{how}'the fifo'"])
    wait_for("sleep", lambda: open(f"/proc/{p.pid}/wchan").read() == "wait_for_partner")
    one = why(t, p.pid)["why"][0]
    t.equal("state", "waits to open a FIFO", one["state"])
    t.ok("verdict", one["verdict"].endswith(
        f" waits in openat for a {partner} of FIFO the fifo, which nobody else has open."),
        one["verdict"])
    t.equal("path", {"path": "the fifo", "waits_for": partner}, one["chain"][0]["opens"])
    found = [f for f in why(t, "-a")["findings"] if p.pid in f["pids"]]
    t.equal("findings", [(f"no-{partner}", severity)],
            [(f["kind"], f["severity"]) for f in found])


IDLE = """
import os, select, signal, socket
for i in range(300):
    if not os.fork():
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen()
        e = select.epoll()
        e.register(s, select.EPOLLIN)
        e.poll()
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
select.select([r], [], [])
"""


@case()
def why_idle(t):
    """Servers in epoll, a self-pipe, a pipeline at rest: nobody is stuck."""
    p = t.start([sys.executable, "-c", IDLE])
    wait_for("the servers", lambda: len(children(p.pid)) == 300)
    shell = t.start(["bash", "-c", "sleep 1000 | cat | wc -l"], stdout=subprocess.DEVNULL)
    kids = wait_for("three stages", lambda: len(children(shell.pid)) == 3 and children(shell.pid))
    pids = [p.pid, shell.pid, *children(p.pid), *kids]
    for _ in range(5):
        report = why(t, "-a")
        t.equal("findings", [], kinds(report, pids))
        t.equal("stuck", [], [w for w in report["why"] if w["pid"] in pids])
    one = why(t, kids[2])["why"][0]
    t.equal("root", (kids[0], "asleep"), (one["root"]["pid"], one["root"]["state"]))


JOINS = """
import os, threading
r, w = os.pipe()
t = threading.Thread(target=os.read, args=(r, 1))
t.start()
t.join()
"""


@case()
def why_join(t):
    """The main thread waits for another: it is up to that one."""
    p = t.start([sys.executable, "-c", JOINS])
    other = wait_for("a thread", lambda: [int(tid) for tid in os.listdir(f"/proc/{p.pid}/task")
                                          if int(tid) != p.pid])[0]
    wait_for("both asleep", lambda: all(open(f"/proc/{p.pid}/task/{tid}/syscall").read()[0] != "r"
                                        for tid in (p.pid, other)))
    one = why(t, p.pid)["why"][0]
    t.equal("the chain", [p.pid, other, other], [row["tid"] for row in one["chain"]])
    t.ok("verdict", f"/{other}], which waits for itself" in one["verdict"], one["verdict"])


@case()
def why_watch(t):
    """What lasts is told once, however often it is looked at."""
    pid = start_stuck(t, "leak")["stuck"][0]["pid"]
    path = t.path("told")
    with open(path, "wb") as out:
        p = t.start([t.ipcspy, "why", "--watch=1", str(pid)], stdout=out)

    def told():
        with open(path, encoding="utf-8") as f:
            return f.read().count("waits for itself: ")

    wait_for("the first time", told, timeout=30)
    time.sleep(3)
    p.send_signal(signal.SIGINT)
    p.wait(30)
    t.equal("told", 1, told())


CONNECTS = """
import os, socket, sys, time
kind = sys.argv[1]
family = {"unix": socket.AF_UNIX, "tcp": socket.AF_INET, "any": socket.AF_INET}[kind]
s = socket.socket(family)
s.bind(sys.argv[2] if kind == "unix" else ("" if kind == "any" else "127.0.0.1", 0))
s.listen(8)
at = sys.argv[2] if kind == "unix" else ("127.0.0.1", s.getsockname()[1])
for i in range(2):
    if not os.fork():
        s.close()
        c = socket.socket(family)
        c.connect(at)
        c.send(b"a question")
        c.recv(100)
c, _ = s.accept()
time.sleep(1000)
"""


@case(params=[("unix",), ("tcp",), ("any",)])
def why_not_accepted(t, kind):
    """Two ask a server that is at it with one of them, and has not accepted the other."""
    p = t.start([sys.executable, "-c", CONNECTS, kind, t.path("socket")])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    wait_for("sleep", lambda: all(state_of(pid) == "S" for pid in [p.pid, *kids]) and
             open(f"/proc/{p.pid}/syscall").read().split()[0] in ("35", "230", "101", "115"))
    told = [why(t, kid)["why"][0] for kid in kids]
    for one in told:
        t.equal("whom they wait for", (p.pid, "asleep"), (one["root"]["pid"], one["root"]["state"]))
    os.kill(p.pid, signal.SIGSTOP)
    wait_for("the stop", lambda: state_of(p.pid) == "T")
    found = [f for f in why(t, "-a")["findings"] if p.pid in f["pids"]]
    t.equal("findings", [("stopped-peer", "warning")],
            [(f["kind"], f["severity"]) for f in found])
    t.equal("who waits for it", set(kids), set(found[0]["pids"]) - {p.pid} if found else None)
    text = t.run([t.ipcspy, "why", *map(str, kids)]).text
    t.equal("one is not accepted", 1, text.count("which nobody has accepted yet"), text)


MAKES = """
all: one two
one two:
\t+@$(MAKE) -s --no-print-directory -f makes $@.hangs $@.waits
%.hangs:
\t@exec sleep 1000
%.waits:
\t@:
"""


@case(params=[("one",), ("all",)])
def why_make(t, goals):
    """make -j: no token is left, and a job hangs. One make alone, and two below another, which
    wait for tokens of each other: the job is named, and nobody is taken to be stuck."""
    with open(t.path("makes"), "w") as f:
        f.write(MAKES if goals == "all" else
                "all: one two three\none two:\n\t@exec sleep 1000\nthree:\n\t@:\n")
    p = t.start(["make", "-s", "-j2", "-f", "makes"], cwd=t.dir)
    def jobs(pid):
        return [j for k in children(pid) for j in ([k] if comm_of(k) == "sleep" else jobs(k))]
    def makes(pid):
        return [pid] + [m for k in children(pid) if comm_of(k) == "make" for m in makes(k)]
    wait_for("two jobs", lambda: len(jobs(p.pid)) == 2)
    waiting = wait_for("makes that wait for a token", lambda: [
        m for m in makes(p.pid) if open(f"/proc/{m}/wchan").read().startswith("poll_schedule")])
    for pid in makes(p.pid):
        one = why(t, pid)["why"][0]
        t.ok("root", one["root"]["pid"] in jobs(p.pid), str(one["root"]))
        t.equal("stuck", False, one["stuck"])
    report = why(t, "-a")
    t.equal("findings", [], kinds(report, [*makes(p.pid), *jobs(p.pid)]))
    t.equal("told", [], [w for w in report["why"] if w["pid"] in makes(p.pid)])
    t.ok("who waits", set(waiting) <= set(makes(p.pid)))


# From one pipe to another: the first is full or empty, nobody reads the second.
SPLICES = """
import os, sys, time
def child(what, *ends):
    if not os.fork():
        for fd in {*a, *b} - set(ends):
            os.close(fd)
        what()
def write():
    while sys.argv[1] == "full":
        os.write(a[1], bytes(4096))
    time.sleep(1000)
def splice():
    while True:
        os.splice(a[0], b[1], 65536)
a, b = os.pipe(), os.pipe()
child(write, a[1])
child(splice, a[0], b[1])
child(lambda: time.sleep(1000), b[0])
for fd in (*a, *b):
    os.close(fd)
os.wait()
"""


@case(params=[("full", "send", 2), ("empty", "recv", 0)])
def why_splice(t, source, operation, partner):
    """Who moves bytes along waits for data while there are none, else for room."""
    p = t.start([sys.executable, "-c", SPLICES, source])
    kids = wait_for("three stages", lambda: len(children(p.pid)) == 3 and children(p.pid))
    writer, mover, _ = kids
    wait_for("all asleep", lambda: [state_of(pid) for pid in kids] == ["S"] * 3 and
             open(f"/proc/{mover}/wchan").read() != "0" and (
                 source == "empty" or "pipe" in open(f"/proc/{writer}/wchan").read()))
    one = why(t, mover)["why"][0]
    t.equal("chain", [(mover, operation), (kids[partner], None)],
            [(row["pid"], row["operation"]) for row in one["chain"]])
    t.equal("findings", [], kinds(why(t, "-a"), kids))
    report = t.trace("-p", str(mover), "-d", "1").report
    t.equal("traced", [(operation, [kids[partner]])],
            [(b["operation"], [w["pid"] for w in b["waits_for"]])
             for b in report["blocked_now"] if b["pid"] == mover])


@case()
def why_errors(t):
    """Processes that are not there, and nonsense."""
    r = t.run([t.ipcspy, "why", "999999999"], expect=1)
    t.ok("it says so", b"no process 999999999" in r.err, r.err.decode())
    t.run([t.ipcspy, "why"], expect=2)
    t.run([t.ipcspy, "why", "x"], expect=2)
    t.run([t.ipcspy, "why", "-a", "1"], expect=2)


@case()
def why_watch_goes_on(t):
    """What lasts is told once, and when it is over; the end of who is watched is the end."""
    p = t.start(["bash", "-c", "yes | cat | tail -c 1"], stdout=subprocess.DEVNULL)
    kids = wait_for("three stages", lambda: len(children(p.pid)) == 3 and children(p.pid))
    wait_for("their programs", lambda: open(f"/proc/{kids[1]}/comm").read() == "cat\n")
    os.kill(kids[1], signal.SIGSTOP)
    wait_for("the stop", lambda: state_of(kids[1]) == "T")
    wait_for("a full pipe", lambda: state_of(kids[0]) == "S")
    w = t.start([t.ipcspy, "why", "--watch=.5", str(kids[0])])
    wait_for("a chain", lambda: b"kill -CONT" in os.pread(w.files[0].fileno(), 10000, 0))
    time.sleep(2.5)
    os.kill(kids[1], signal.SIGCONT)
    wait_for("its end", lambda: b" goes on, after" in os.pread(w.files[0].fileno(), 10000, 0))
    os.kill(kids[0], signal.SIGKILL)
    r = t.end(w)
    t.equal("exit status", 0, r.status, r.err.decode())
    t.equal("chains that were told", 1, r.text.count("is blocked in write to pipe:"), r.text)
    t.equal("chains that are over", 1, r.text.count(f"yes[{kids[0]}] goes on, after at least "),
            r.text)
    t.equal("nothing on stderr", b"", r.err)


@case()
def why_watch_healthy(t):
    """Somebody asleep, and somebody who serves: nothing to tell."""
    idle = t.start([sys.executable, "-c", "import select; e = select.epoll(); e.poll()"])
    p = t.start(["sleep", "3"])
    w = t.start([t.ipcspy, "why", "--watch=.3", str(p.pid), str(idle.pid)])
    p.wait(20)
    time.sleep(1.5)
    t.equal("it still looks at the other", None, w.poll())
    idle.kill()
    idle.wait()
    r = t.end(w)
    t.equal("exit status", 0, r.status, r.err.decode())
    t.equal("output", "", r.text)
