# SPDX-License-Identifier: BSD-2-Clause
"""Futexes and semaphores: who woke whom, how long it took, and who did not wake anybody."""
import json
import os
import signal

from cases_stuck import attached, in_call
from cases_time import agree, blocked_misses, latency_misses
from cases_truth import compare
from lib import MS, Broken, case, endpoints, flow_between, load_truth, wait_for

WAKES = ("futex", "sysv-sem")
PYTHON = "/usr/bin/python3"

# What the programs below begin with: raw calls on words that all children share.
PRELUDE = """
import ctypes, json, mmap, os, signal, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
m = mmap.mmap(-1, 65536)
base = ctypes.addressof(ctypes.c_char.from_buffer(m))
WAIT, WAKE, CMP_REQUEUE = 0, 1, 4

class Timespec(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]

def call(nr, *args):
    n = libc.syscall(ctypes.c_long(nr), *[ctypes.c_long(a) if isinstance(a, int) else a
                                          for a in args])
    return n if n >= 0 else -ctypes.get_errno()

def futex(word, op, val=0, timeout=None, word2=0, val3=0):
    t = ctypes.byref(Timespec(timeout // 10**9, timeout % 10**9)) if op == WAIT and timeout \\
        else (timeout or 0)
    return call(202, base + word, op, val, t, base + word2, val3)

def child(fn, *args):
    pid = os.fork()
    if not pid:
        try:
            fn(*args)
        finally:
            os._exit(0)
    return pid

def asleep(pid, cnt=1):
    while True:
        n = 0
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/syscall") as f:
                n += f.read().split()[0] in ("202", "65", "219", "220", "449", "455")
        if n >= cnt:
            return
        time.sleep(0.001)

def semop(sem, num, by, flags=0):
    return libc.semop(sem, struct.pack("Hhh", num, by, flags), 1)

pids, told = [], {}
"""
EPILOGUE = """
for pid in pids:
    os.waitpid(pid, 0)
print(json.dumps(told))
"""


def run_program(t, text, *options, whole=True):
    """Traces a program of the kind above. Returns (report, what it told, its pid)."""
    path = t.script(PRELUDE + text + EPILOGUE)
    r = t.trace(*options, command=[PYTHON, path], whole=whole)
    t.equal("exit status of the program", 0, r.report["trace"]["command"]["exit"], f"{r.err!r}")
    try:
        return r.report, json.loads(r.out), r.report["trace"]["command"]["pid"]
    except ValueError:
        raise Broken(f"the program failed: {r.err[-500:]!r}")


def at(report, word, mechanism="futex"):
    """The channel of a word of the programs above, which has an offset of its own."""
    found = [c for c in report["channels"]
             if c["mechanism"] == mechanism and c["name"].endswith(f"+0x{word:x}")]
    if len(found) != 1:
        raise Broken(f"channels of +0x{word:x}: {[c['name'] for c in report['channels']]}")
    return found[0]


def flows_at(report, chan):
    return {(f["src"].get("pid"), f["dst"].get("pid")): f["messages"]
            for f in report["flows"] if f["channel"] == chan["id"]}


def total(chan, role, what):
    return sum(ep[what] for ep in chan["endpoints"] if ep["role"] == role)


@case(params=[(m, s) for m in WAKES for s in (1, 2, 8)])
def wake_truth(t, mechanism, senders):
    """Each number of senders with 1, 2 and 8 receivers: every wake-up, nothing else."""
    n = max(100, 1000 // senders)
    for report, true in t.trace_demos([[mechanism, "-S", senders, "-R", r, "-n", n]
                                       for r in (1, 2, 8)]):
        compare(t, report, true)
        flows = [f for f in report["flows"] if f["mechanism"] == mechanism]
        t.equal("paired exactly", sum(f["messages"] for f in flows),
                sum(f["pairing"]["exact"] for f in flows))
        # a set of semaphores is one channel for all of them
        most = len(true["receivers"]) if mechanism == "sysv-sem" else 1
        for c in report["channels"]:
            if c["mechanism"] == mechanism:
                t.equal("unit", "waiters", c["unit"])
                t.between("waiters at once", 1, most, c["backlog"]["max"])
                t.equal("waiters in the end", 0, c["backlog"]["now"])


@case(params=[(m, o) for m in WAKES
              for o in ("--rate 2000 -n 800", "-n 1500", "--rate 500 -n 300 --senders 2 --receivers 2")])
def wake_latency(t, mechanism, options):
    agree(t, latency_misses, mechanism, *options.split())


@case(params=[(m, o) for m in WAKES
              for o in ("--sender-delay 300ms -n 10", "--hold 200ms -n 50",
                        "--receiver-delay 1ms -n 100", "--rate 100 -n 40")])
def wake_blocked(t, mechanism, options):
    """Asleep for a wake: not while the receiver does something else."""
    report, truth = agree(t, blocked_misses, mechanism, *options.split())
    if "sender-delay" in options or "rate" in options:
        planned = truth["planned"]["recv_blocked_ns"]
        t.ok("the delay was long enough", planned > 250 * MS, str(planned))
        _, ep = endpoints(report, truth["receivers"][0]["pid"], "recv", mechanism)[0]
        t.near("blocked against the stamps", planned, ep["blocked"]["total_ns"], 0.02, MS)


def start_waiting(t, mechanism, delay, *args):
    """A workload whose receiver sleeps. Returns it and {comm: pid}."""
    p = t.start([t.demo, mechanism, "--sender-delay", delay, *args])

    def ready():
        kids = {}
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            for kid in f.read().split():
                with open(f"/proc/{kid}/comm") as comm:
                    kids[comm.read().strip()] = int(kid)
        return kids if {"recv-0", "send-0"} <= set(kids) and \
            all(in_call(k) for k in kids.values()) else None

    return p, wait_for("the workload sleeps", ready)


@case(params=[(m,) for m in WAKES])
def wake_blocked_now(t, mechanism):
    """Asleep since before ipcspy came, and still so in the end."""
    p, kids = start_waiting(t, mechanism, "60s")
    report = attached(t, [kids["recv-0"]], "-d", "0.2")
    p.terminate()  # killed, it could not remove its semaphores
    t.end(p)
    blocked = [b for b in report["blocked_now"] if b["pid"] == kids["recv-0"]]
    if t.equal("the receiver is blocked", 1, len(blocked)):
        b = blocked[0]
        t.equal("operation", ("recv", mechanism, True),
                (b["operation"], b["mechanism"], b["before_attach"]))
        chan = [c for c in report["channels"] if c["id"] == b["channel"]]
        t.equal("waiters now", [1], [c["backlog"]["now"] for c in chan])


@case(params=[(m, who) for m in WAKES for who in ("recv-0", "send-0")])
def wake_attach(t, mechanism, who):
    """The receiver sleeps already when ipcspy comes; either end shows the other."""
    path = t.new_path(".truth")
    p, kids = start_waiting(t, mechanism, "4s", "-n", "20", "--truth", path)
    report = attached(t, [kids[who]])
    t.end(p)
    truth = load_truth(path)
    src, dst = (truth[k][0]["pid"] for k in ("senders", "receivers"))
    flows = [f for f in flow_between(report, src, dst) if f["mechanism"] == mechanism]
    # a stranger that slept on it before a target touched it is not seen to wake up
    first = 20 if who == "recv-0" else 19
    t.equal("every wake-up since", [first], [f["messages"] for f in flows])
    t.equal("paired exactly", [first], [f["pairing"]["exact"] for f in flows])
    if mechanism == "futex":
        t.equal("woken, but not seen", [20 - first],
                [c["unpaired"] for c in report["channels"] if c["id"] == flows[0]["channel"]])


@case()
def futex_calls(t):
    """Wakes of nobody, of many, of those who were moved; waits that end otherwise."""
    report, told, pid = run_program(t, """
def waits(word, timeout=None):
    os._exit(-futex(word, WAIT, 0, timeout))

many = [child(waits, 0x100) for _ in range(5)]
for k in many:
    asleep(k)
told["many"] = [futex(0x100, WAKE, 2), futex(0x100, WAKE, 100), futex(0x100, WAKE, 1)]
told["late"] = [child(waits, 0x140, 20_000_000) for _ in range(3)]
told["changed"] = futex(0x180, WAIT, 7)
moved = [child(waits, 0x200) for _ in range(3)]
for k in moved:
    asleep(k)
told["requeue"] = futex(0x200, CMP_REQUEUE, 1, 2, 0x240, 0)
told["after"] = futex(0x240, WAKE, 5)
told["requeue_changed"] = futex(0x200, CMP_REQUEUE, 1, 2, 0x240, 9)
stopped = child(waits, 0x280, 5_000_000_000)
asleep(stopped)
os.kill(stopped, signal.SIGSTOP)
os.waitpid(stopped, os.WUNTRACED)
os.kill(stopped, signal.SIGCONT)
asleep(stopped)
told["restarted"] = futex(0x280, WAKE, 1)
def handled():
    signal.signal(signal.SIGALRM, lambda *a: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    told_ret = futex(0x2c0, WAIT, 0, 5_000_000_000)
    os._exit(0 if told_ret == -4 else 1)
told["interrupted"] = os.waitpid(child(handled), 0)[1]
told["fault"] = call(202, 0, WAKE, 1, 0, 0, 0)
pids += many + told["late"] + moved + [stopped]
told["moved"], told["many_pids"], told["stopped"] = moved, many, stopped
""")
    t.equal("what the kernel said", ([2, 3, 0], -11, 3, 2, -11, 1, 0, -14),
            (told["many"], told["changed"], told["requeue"], told["after"],
             told["requeue_changed"], told["restarted"], told["interrupted"], told["fault"]))
    many = at(report, 0x100)
    t.equal("one wakes many: flows", {(pid, k): 1 for k in told["many_pids"]},
            flows_at(report, many))
    t.equal("one wakes many: calls, messages", (3, 5),
            (total(many, "send", "calls"), total(many, "send", "messages")))
    t.equal("one wakes many: waiters at once", 5, many["backlog"]["max"])
    t.equal("one wakes many: what else is known", {"waits": 5, "wakes": 3, "wakes_of_nobody": 1},
            {k: many["info"][k] for k in ("waits", "wakes", "wakes_of_nobody")})
    late = at(report, 0x140)
    t.equal("timeouts", (3, 3, 0),
            tuple(total(late, "recv", k) for k in ("calls", "errors", "messages")))
    t.equal("timeouts: flows", {}, flows_at(report, late))
    t.equal("value changed", (1, 1, 0), tuple(total(at(report, 0x180), "recv", k)
                                              for k in ("calls", "would_block", "messages")))
    moved = at(report, 0x200)
    t.equal("moved to another word: flows where they waited",
            {(pid, k): 1 for k in told["moved"]}, flows_at(report, moved))
    t.equal("moved to another word: messages", 3,
            total(moved, "send", "messages") + total(at(report, 0x240), "send", "messages"))
    t.equal("moved to another word: unpaired", (0, 0),
            (moved["unpaired"], at(report, 0x240)["unpaired"]))
    t.equal("a wait that goes on after a signal", {(pid, told["stopped"]): 1},
            flows_at(report, at(report, 0x280)))
    t.equal("a wait that a signal ends", {}, flows_at(report, at(report, 0x2c0)))


@case()
def futex_new_calls(t):
    """futex_waitv, and where the kernel has them futex_wait and futex_wake."""
    report, told, pid = run_program(t, """
SIZE_U32 = 2
def waitv(*words):
    v = b"".join(struct.pack("QQII", 0, base + w, SIZE_U32, 0) for w in words)
    buf = ctypes.create_string_buffer(v)
    os._exit(call(449, ctypes.addressof(buf), len(words), 0, 0, 0) & 0x7f)
told["waitv"] = child(waitv, 0x100, 0x140, 0x180)
asleep(told["waitv"])
futex(0x140, WAKE, 1)
told["index"] = os.waitstatus_to_exitcode(os.waitpid(told["waitv"], 0)[1])
told["has"] = call(454, base + 0x200, 0xffffffff, 1, SIZE_U32)
if told["has"] == 0:
    told["wait2"] = child(lambda: call(455, base + 0x200, 0, 0xffffffff, SIZE_U32, 0, 1))
    asleep(told["wait2"])
    told["woke"] = call(454, base + 0x200, 0xffffffff, 1, SIZE_U32)
    pids.append(told["wait2"])
""")
    t.equal("index of the word that was woken", 1, told["index"])
    t.equal("futex_waitv", {(pid, told["waitv"]): 1}, flows_at(report, at(report, 0x140)))
    if told["has"] == 0:
        t.equal("futex_wake", 1, told["woke"])
        t.equal("futex_wait", {(pid, told["wait2"]): 1}, flows_at(report, at(report, 0x200)))


@case()
def futex_threads(t):
    """Threads of one process over shared memory; and what they do with private words."""
    text = """
def ping(n, mine, other, private):
    for i in range(n):
        while ctypes.c_uint32.from_address(base + mine).value != i + 1:
            futex(mine, WAIT | private, i)
        ctypes.c_uint32.from_address(base + other).value = i + 1
        told["woke"] += max(0, futex(other, WAKE | private, 1))
told["woke"] = 0
for private, at in ((0, 0x100), (128, 0x200)):
    a = threading.Thread(target=ping, args=(50, at, at + 0x40, private))
    a.start()
    for i in range(50):
        time.sleep(0.001)
        ctypes.c_uint32.from_address(base + at).value = i + 1
        futex(at, WAKE | private, 1)
        while ctypes.c_uint32.from_address(base + at + 0x40).value != i + 1:
            futex(at + 0x40, WAIT | private, i)
    a.join()
"""
    report, told, pid = run_program(t, text)
    t.equal("no private words by default", [],
            [c["name"] for c in report["channels"] if c["mechanism"] == "futex-private"])
    t.between("woken through a shared word", 40, 50,
              flows_at(report, at(report, 0x100)).get((pid, pid), 0))
    t.equal("the private word is not taken for a shared one", [],
            [c["name"] for c in report["channels"] if c["name"].endswith("+0x200")])
    report, told, pid = run_program(t, text, "-m", "futex-private")
    t.equal("only what was asked for", {"futex-private"},
            {c["mechanism"] for c in report["channels"]})
    own = [f["messages"] for f in report["flows"]
           if f["src"].get("pid") == pid and f["dst"].get("pid") == pid]
    t.ok("woken through a private word", own and max(own) >= 40, str(own))


GLIBC = """
MUTEX, COND, SEM, ATTR, SHARED = base + 0x100, base + 0x200, base + 0x300, base + 0x400, 1
def ok(n):
    assert n == 0, n
P = ctypes.c_void_p
def mutex(protocol=0, robust=0):
    ok(libc.pthread_mutexattr_init(P(ATTR)))
    ok(libc.pthread_mutexattr_setpshared(P(ATTR), SHARED))
    ok(libc.pthread_mutexattr_setprotocol(P(ATTR), protocol))
    ok(libc.pthread_mutexattr_setrobust(P(ATTR), robust))
    ok(libc.pthread_mutex_init(P(MUTEX), P(ATTR)))
lock = lambda: libc.pthread_mutex_lock(P(MUTEX))
unlock = lambda: libc.pthread_mutex_unlock(P(MUTEX))
"""


@case()
def futex_glibc(t):
    """A mutex, a condition variable and a POSIX semaphore, shared between processes."""
    report, told, pid = run_program(t, GLIBC + """
N = 20
ok(libc.sem_init(P(SEM), SHARED, 0))
told["sem"] = child(lambda: [libc.sem_wait(P(SEM)) for _ in range(N)])
for _ in range(N):
    asleep(told["sem"])
    ok(libc.sem_post(P(SEM)))
    time.sleep(0.002)
mutex()
def locker():
    ok(lock())
    unlock()
told["mutex"] = []
for _ in range(N):
    ok(lock())
    told["mutex"].append(child(locker))
    asleep(told["mutex"][-1])
    ok(unlock())
    os.waitpid(told["mutex"][-1], 0)
ok(libc.pthread_condattr_init(P(ATTR)))
ok(libc.pthread_condattr_setpshared(P(ATTR), SHARED))
ok(libc.pthread_cond_init(P(COND), P(ATTR)))
def waiter():
    ok(lock())
    ok(libc.pthread_cond_wait(P(COND), P(MUTEX)))
    unlock()
told["cond"] = [child(waiter) for _ in range(4)]
for k in told["cond"]:
    asleep(k)
ok(libc.pthread_cond_broadcast(P(COND)))
pids += [told["sem"]] + told["cond"]
""")
    woken = {}
    for f in report["flows"]:
        if f["mechanism"] == "futex" and f["src"].get("pid") == pid:
            to = f["dst"]["pid"]
            woken[to] = woken.get(to, 0) + f["messages"]
    t.equal("semaphore: each post", 20, woken.get(told["sem"]))
    t.equal("mutex: each unlock", [1] * 20, [woken.get(k, 0) for k in told["mutex"]])
    t.ok("condition variable: all are woken, by it or one by another",
         all(any(f["dst"].get("pid") == k for f in report["flows"]) for k in told["cond"]))
    t.ok("nobody wakes a stranger", all(f["dst"].get("pid") and f["src"].get("pid")
                                        for f in report["flows"] if f["mechanism"] == "futex"))


@case()
def futex_owner(t):
    """Of a lock with priority inheritance the kernel knows who has it; of a robust one, that
    the owner died."""
    report, told, pid = run_program(t, GLIBC + """
mutex(robust=1)
def dies():
    ok(lock())
    time.sleep(0.2)
def inherits():
    told_ret = lock()
    os._exit(told_ret)
told["dead"] = child(dies)
time.sleep(0.05)
heir = child(inherits)
told["heir"] = heir
told["status"] = os.waitstatus_to_exitcode(os.waitpid(heir, 0)[1])
pids.append(told["dead"])
""")
    t.equal("status of the heir: EOWNERDEAD", 130, told["status"])
    flows = flow_between(report, told["dead"], told["heir"])
    t.equal("from the dead to the heir", [1], [f["messages"] for f in flows
                                               if f["mechanism"] == "futex"])
    path = t.script(PRELUDE + GLIBC + """
mutex(protocol=1)
def holds():
    ok(lock())
    time.sleep(60)
def waits():
    ok(lock())
owner = child(holds)
time.sleep(0.1)
first = child(waits)
asleep(first)
print(json.dumps([owner, first]), flush=True)
time.sleep(60)
""")
    p = t.start([PYTHON, path])

    def line():
        with open(p.files[0].name) as f:
            return f.read().strip()

    owner, first = json.loads(wait_for("the lock is held", line))
    report = attached(t, [first], "-d", "0.3")
    t.equal("who is blocked, and by whom", [(first, [owner])],
            [(b["pid"], [w["pid"] for w in b["waits_for"]]) for b in report["blocked_now"]])
    os.killpg(p.pid, signal.SIGKILL)


@case()
def futex_killed(t):
    """Receivers that are killed between their wake-up and their return."""
    report, told, pid = run_program(t, """
told["woke"], told["killed"] = 0, []
for i in range(30):
    k = child(lambda: futex(0x100, WAIT, 0))
    asleep(k)
    told["woke"] += futex(0x100, WAKE, 1)
    os.kill(k, signal.SIGKILL)
    os.waitpid(k, 0)
    told["killed"].append(k)
""")
    chan = at(report, 0x100)
    t.equal("woken", (30, 30), (told["woke"], total(chan, "send", "messages")))
    t.equal("woken, whether they were seen again or not", 30,
            sum(flows_at(report, chan).values()) + chan["unpaired"])
    t.ok("only by the one who woke", {src for src, _ in flows_at(report, chan)} <= {pid})
    t.equal("errors", 0, total(chan, "send", "errors"))


@case()
def semaphores(t):
    """Several in one set, removal, undo at exit, waiting for zero, another who never waits."""
    report, told, pid = run_program(t, """
IPC_RMID, SETVAL, SETALL = 0, 16, 17
sem = libc.semget(0x4d2, 4, 0o1600)
told["id"] = sem
def take(num):
    os._exit(semop(sem, num, -1) and ctypes.get_errno())
told["plain"] = child(take, 0)
asleep(told["plain"])
semop(sem, 0, 1)
os.waitpid(told["plain"], 0)
told["setval"] = child(take, 1)
asleep(told["setval"])
libc.semctl(sem, 1, SETVAL, 1)
os.waitpid(told["setval"], 0)
semop(sem, 2, 1)
told["zero"] = child(lambda: semop(sem, 2, 0))
asleep(told["zero"])
semop(sem, 2, -1)
os.waitpid(told["zero"], 0)
semop(sem, 2, 1)
def undone():
    semop(sem, 2, -1, 0x1000)
    time.sleep(0.2)
told["undo"] = child(undone)
time.sleep(0.05)
told["heir"] = child(take, 2)
for k in (told["undo"], told["heir"]):
    os.waitpid(k, 0)
told["busy"] = semop(sem, 3, -1, 0o4000)
told["removed"] = [child(take, 3) for _ in range(2)]
for k in told["removed"]:
    asleep(k)
libc.semctl(sem, 0, IPC_RMID)
told["status"] = [os.waitstatus_to_exitcode(os.waitpid(k, 0)[1]) for k in told["removed"]]
again = libc.semget(0x4d2, 4, 0o1600)
told["again"] = again
semop(again, 0, 1)
libc.semctl(again, 0, IPC_RMID)
""")
    t.equal("status of those whose set was removed: EIDRM", [43, 43], told["status"])
    chans = [c for c in report["channels"] if c["mechanism"] == "sysv-sem"]
    t.equal("sets", [f"sem:0x4d2/{told['id']}", f"sem:0x4d2/{told['again']}"],
            [c["name"] for c in chans])
    chan = chans[0]
    t.equal("who let whom go on", {(pid, told["plain"]): 1, (pid, told["setval"]): 1,
                                   (pid, told["zero"]): 1, (told["undo"], told["heir"]): 1},
            flows_at(report, chan))
    t.equal("paired exactly", 4, sum(f["pairing"]["exact"] for f in report["flows"]
                                     if f["channel"] == chan["id"]))
    t.equal("both are removed", [False, False], [c["open"] for c in chans])
    t.equal("errors of those who waited", 2, total(chan, "recv", "errors"))
    t.equal("would block", 1, total(chan, "recv", "would_block"))
    sems = {s["index"]: s for s in chan["semaphores"]}
    t.equal("semaphores", {0, 1, 2, 3}, set(sems))
    t.equal("waits for each", [1, 1, 2, 2], [sems[i]["waits"] for i in range(4)])
    t.between("the wait for one that died", 50 * MS, 1000 * MS, sems[2]["wait_ns"])
    t.equal("the last who changed the first", told["plain"], sems[0]["last_pid"])
    t.equal("one of the other set is not of this", [0],
            [s["index"] for s in chans[1]["semaphores"]])
