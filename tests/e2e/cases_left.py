# SPDX-License-Identifier: BSD-2-Clause
"""What nobody uses any more, and wake-ups that were lost: known ones, and none where all is well."""
import os
import signal
import sys
import time

from cases_scenarios import answer, demo_pids, scenario, serious, why
from lib import case, wait_for

UNMOUNTED = "queues that nobody has open are seen by who may mount them"
REST = 1.3  # seconds: who slept for less is not suspected


def orphans(doc, names):
    """Of these names: those of objects that are said to be without users."""
    told = {(f["object"]["mechanism"], f["object"]["name"]) for f in doc["findings"]
            if f["kind"] == "orphaned-ipc" and "object" in f}
    return names & told


def end(t, p):
    p.send_signal(signal.SIGTERM)
    t.equal("status of the workload", 0, p.wait(10))


@case(root=UNMOUNTED)
def left_orphans(t):
    """Each kind of object that outlives its maker is found, with what it costs."""
    truth = scenario(t, "orphan")
    names = {(c["mechanism"], c["name"]) for c in truth["channels"]}
    t.equal("kinds of objects", 5, len(names))
    doc = why(t, "-a")
    t.equal("all were looked at", [], doc["not_looked_at"])
    t.equal("objects", names, orphans(doc, names))
    cost = {f["object"]["mechanism"]: (f["object"]["bytes"], f["object"]["messages"])
            for f in doc["findings"] if f["kind"] == "orphaned-ipc" and
            (f.get("object", {}).get("mechanism"), f.get("object", {}).get("name")) in names}
    t.equal("what they cost", {"sysv-msg": (64, 1), "sysv-sem": (0, 0), "sysv-shm": (65536, 0),
                               "posix-mq": (64, 1), "shm": (65536, 0)}, cost)
    end(t, t.background[-1])
    t.equal("objects that were removed", set(), orphans(why(t, "-a"), names))


USER = """
import ctypes, mmap, os, sys, time
rt = ctypes.CDLL("librt.so.1", use_errno=True)
c = ctypes.CDLL(None, use_errno=True)
c.shmat.restype = ctypes.c_void_p
kind, name = sys.argv[1:3]
if kind == "posix-mq":
    held = rt.mq_open(name.encode(), os.O_RDONLY)
elif kind == "shm":
    held = mmap.mmap(os.open(name, os.O_RDONLY), 4096, prot=mmap.PROT_READ)
elif kind == "sysv-shm":
    held = c.shmat(int(name.split("/")[1]), None, 0)
elif kind == "sysv-msg":
    sys.stdout.write("ready")
    sys.stdout.flush()
    c.msgrcv(int(name.split("/")[1]), ctypes.create_string_buffer(4096), 4088, 99, 0)
elif kind == "sysv-sem":
    c.semctl(int(name.split("/")[1]), 0, 16, 1)  # SETVAL
sys.stdout.write("ready")
sys.stdout.flush()
time.sleep(1000)
"""


@case(params=[("sysv-msg",), ("sysv-sem",), ("sysv-shm",), ("posix-mq",), ("shm",)],
      root={"posix-mq": UNMOUNTED})
def left_in_use(t, kind):
    """Somebody comes and uses it: it is none that is left any more, until that one ends."""
    truth = scenario(t, "orphan")
    demo = t.background[-1]
    name = {(c["mechanism"], c["name"]) for c in truth["channels"] if c["mechanism"] == kind}
    p = t.start([sys.executable, "-c", USER, kind, *(n for _, n in name)])
    wait_for("the user", lambda: "ready" in open(p.files[0].name).read())
    wait_for("its sleep", lambda: open(f"/proc/{p.pid}/stat").read().split()[2] == "S")
    t.equal("objects while one is used", set(), orphans(why(t, "-a"), name))
    p.kill()
    p.wait()
    t.equal("and when its user has ended", name, orphans(why(t, "-a"), name))
    end(t, demo)


@case()
def left_lost_wakeup(t):
    """A word is changed, and its sleeper is not woken."""
    truth = scenario(t, "lostwake")
    sleeper = truth["stuck"][0]["pid"]
    time.sleep(REST)
    doc = why(t, "-a")
    t.equal("findings above info", [("lost-wakeup-suspect", [sleeper])],
            serious(doc, demo_pids(truth)))
    t.ok("it says what it was and is",
         any("since it was 0. It is 1 by now" in f["text"] for f in doc["findings"]))
    a = answer(t, sleeper)
    t.ok("the answer about it says so", "wake-up may have been lost" in a["verdict"], a["verdict"])
    doc = t.trace("-p", str(sleeper), "-d", "1").report
    t.equal("findings of a trace", [("lost-wakeup-suspect", [sleeper])],
            serious(doc, demo_pids(truth)))


SEMAPHORES = """
import ctypes, mmap, os, sys, time
c = ctypes.CDLL(None, use_errno=True)
at = mmap.mmap(-1, 4096)
sem = ctypes.addressof(ctypes.c_char.from_buffer(at))
c.sem_init(ctypes.c_void_p(sem), 1, 0)
for i in range(8):
    if not os.fork():
        while True:
            c.sem_wait(ctypes.c_void_p(sem))
for i in range(20):
    c.sem_post(ctypes.c_void_p(sem))
time.sleep(1000)
"""

THREADS = """
import queue, threading, time
condition, lock, work = threading.Condition(), threading.Lock(), queue.Queue()
def on_condition():
    with condition:
        while True:
            condition.wait()
def on_lock():
    while True:
        with lock:
            pass
for target in [on_condition] * 4 + [work.get] * 4:
    threading.Thread(target=target, daemon=True).start()
time.sleep(0.1)
with condition:
    condition.notify()
work.put(1)
lock.acquire()
for _ in range(4):
    threading.Thread(target=on_lock, daemon=True).start()
time.sleep(1000)
"""


@case(params=[("convoy",), ("semaphores",), ("threads",)])
def left_no_lost_wakeup(t, what):
    """Locks, semaphores and condition variables whose users all sleep as they should."""
    if what == "convoy":
        pids = demo_pids(scenario(t, "convoy"))
    else:
        p = t.start([sys.executable, "-c", {"semaphores": SEMAPHORES, "threads": THREADS}[what]])
        wait_for("the others", lambda: len(os.listdir(f"/proc/{p.pid}/task")) == 12 or
                 what == "semaphores" and len(kids(p.pid)) == 8)
        pids = {p.pid, *kids(p.pid)}
    time.sleep(REST)
    for _ in range(3):
        found = [f for f in why(t, "-a")["findings"]
                 if f["kind"] == "lost-wakeup-suspect" and pids & set(f["pids"])]
        t.equal("suspects", [], found)


def kids(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(k) for k in f.read().split()]
