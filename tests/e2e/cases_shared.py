# SPDX-License-Identifier: BSD-2-Clause
"""Shared memory: who maps it, with which rights, and how it is synchronised."""
import os
import re
import subprocess
import time

from cases_attach import PYTHON, traces
from lib import MS, case, channel_named, wait_for

MECHANISMS = {"shm": ("futex", "inside"), "sysv-shm": ("sysv-sem", "same-processes")}

# Does what it is told line by line, and says how many lines it has done.
MAPPER = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
PAGE, R, RW, SHARED, PRIVATE, FIXED, ANON = 4096, 1, 3, 1, 2, 0x10, 0x20
def call(name, *args):
    f = getattr(libc, name)
    f.restype = ctypes.c_long
    r = f(*[ctypes.c_long(a) for a in args])
    if r == -1:
        raise OSError(ctypes.get_errno(), name)
    return r
def mmap(fd, first, pages, rights=RW, how=SHARED, at=0):
    return call("mmap", at, pages * PAGE, rights, how, fd, first * PAGE)
def fork(then="sys.stdin.read()"):
    pid = os.fork()
    if not pid:
        exec(then, globals())
        os._exit(0)
    return pid
n = 0
while True:
    line = sys.stdin.readline()
    if not line:
        break
    exec(line, globals())
    n += 1
    with open(sys.argv[1] + ".tmp", "w") as f:
        f.write(str(n))
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])
"""


class Mapper:
    def __init__(self, t):
        self.done = t.new_path(".done")
        self.cnt = 0
        self.p = t.start([PYTHON, t.script(MAPPER), self.done], stdin=subprocess.PIPE)
        self.pid = self.p.pid

    def do(self, *lines):
        for line in lines:
            self.p.stdin.write(line.encode() + b"\n")
            self.p.stdin.flush()
            self.cnt += 1
            wait_for(f"the mapper does {line!r}", self.is_done)
        return self

    def is_done(self):
        return os.path.exists(self.done) and open(self.done).read() == str(self.cnt)


class Spy:
    """ipcspy beside processes that run; report() ends it."""

    def __init__(self, t, *pids, options=()):
        self.t, self.file = t, t.new_path(".json")
        self.p = t.start([t.ipcspy, "--format", "json", "-o", self.file,
                          "-p", ",".join(map(str, pids)), *options])
        wait_for("ipcspy traces", lambda: traces(self.p.pid))

    def report(self):
        self.p.terminate()
        r = self.t.end(self.p, report_file=self.file)
        self.t.equal("exit status", 0, r.status, str(r.err[-300:]))
        return r.report


def attached(t, *pids):
    """The report of a trace that begins when everything is in place."""
    spy = Spy(t, *pids)
    return spy.report()


def proc_maps(pid, name):
    """(offset, bytes, rights) of each shared mapping of the file, as the kernel lists them."""
    found = []
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            m = re.match(r"(\w+)-(\w+) (...)([sp]) (\w+) \S+ \d+ +(.*)", line)
            if m and m[4] == "s" and m[6].removesuffix(" (deleted)") == name:
                rights = m[3].replace("-", "").replace("x", "") or "-"
                found.append((int(m[5], 16), int(m[2], 16) - int(m[1], 16), rights))
    return found


def summed(found):
    rights = "".join(c for c in "rw" if any(c in r for _, _, r in found)) or "-"
    return {"offset": min(o for o, _, _ in found), "bytes": sum(n for _, n, _ in found),
            "rights": rights, "mappings": len(found)}


def maps_of(chan, pid):
    """What the report says of a process that maps it now, None when it does not."""
    rows = [m for m in chan["maps"] if m["pid"] == pid and m["until_ns"] is None]
    return {k: rows[0][k] for k in ("offset", "bytes", "rights", "mappings")} if rows else None


def check_maps(t, report, name, pids):
    chan = channel_named(t, report, name)
    for pid in pids:
        t.equal(f"{name}: mappings of {pid} as /proc has them", summed(proc_maps(pid, name)),
                maps_of(chan, pid))
    t.equal(f"{name}: who maps it", set(pids),
            {m["pid"] for m in chan["maps"] if m["until_ns"] is None})
    t.equal(f"{name}: bytes are not observable", False, chan["info"]["bytes_observable"])
    return chan


def shared_file(t, pages):
    path = f"/dev/shm/ipcspy-e2e-{os.getpid()}-{os.path.basename(t.new_path('.shm'))}"
    with open(path, "wb") as f:
        f.truncate(pages * 4096)
    t.shared = getattr(t, "shared", []) + [path]
    return path


def unshared(func):
    """Removes what shared_file() made."""
    def run(t, *args):
        try:
            func(t, *args)
        finally:
            for path in getattr(t, "shared", []):
                os.unlink(path)
    run.__name__, run.__doc__ = func.__name__, func.__doc__
    return run


# The workloads.


@case(params=[(w, s) for w in MECHANISMS for s in (1, 2, 8)])
def shared_truth(t, workload, senders):
    """Who maps it, and the wake-ups that go with it, against the truth."""
    sync, how = MECHANISMS[workload]
    runs = [[workload, "-S", senders, "-R", r, "-n", max(50, 400 // senders), "--vary"]
            for r in (1, 2, 8)]
    for args in runs:
        t.prefix = " ".join(map(str, args)) + ": "
        report, truth = t.trace_demo(*args)
        shared = truth["shared"]
        chan = channel_named(t, report, shared["name"])
        t.equal("mechanism", shared["mechanism"], chan["mechanism"])
        t.equal("size", shared["size"], chan["info"]["size"])
        want = {m["pid"]: (m["comm"], m["offset"], m["bytes"], m["rights"])
                for m in shared["maps"]}
        got = {m["pid"]: (m["comm"], m["offset"], m["bytes"], m["rights"]) for m in chan["maps"]}
        t.equal("maps", want, got)
        t.equal("all have unmapped it", [], [m for m in chan["maps"] if m["until_ns"] is None])
        if workload == "sysv-shm":
            t.equal("marked", True, chan["info"]["marked_for_destruction"])
            t.equal("creator", truth["pid"], chan["info"]["creator_pid"])
        names = {c["id"]: (c["mechanism"], c["name"]) for c in report["channels"]}
        want = {(sync, c["name"]) for c in truth["channels"]}
        got = {names[s["channel"]] for s in chan["synchronised_by"]
               if s["how"] == how or sync == "sysv-sem"}
        t.ok("synchronised by what it waits with", want <= got, f"{want}, {got}")
        t.equal("findings about it", [],
                [f for f in report["findings"] if f["channel"] == chan["id"]])
        want = {(f["src_pid"], f["dst_pid"]): f["messages"] for f in truth["flows"]}
        got = {(f["src"].get("pid"), f["dst"].get("pid")): f["messages"]
               for f in report["flows"] if f["mechanism"] == sync}
        t.equal("wake-ups by sender and receiver", want, got)
    t.prefix = ""


@case()
def shared_unsynchronised(t):
    """Nobody wakes anybody: the report warns, and says what it cannot see."""
    report, truth = t.trace_demo("shm", "--unsynchronised", "-S", 2, "-n", 400, "-r", 400)
    chan = channel_named(t, report, truth["shared"]["name"])
    found = [f for f in report["findings"] if f["channel"] == chan["id"]]
    if t.equal("findings about it", 1, len(found)):
        t.equal("kind", "unsynchronised-shm", found[0]["kind"])
        t.equal("severity", "warning", found[0]["severity"])
        t.equal("who", {p["pid"] for p in truth["senders"] + truth["receivers"]},
                set(found[0]["pids"]))
        t.ok("it names what is not seen", "no system call" in found[0]["text"], found[0]["text"])
    t.equal("synchronised by", [], chan["synchronised_by"])
    r = t.run([t.ipcspy, "--", t.demo, "shm", "--unsynchronised", "-n", "20", "-r", "400"])
    text = r.err.decode()
    for part in ("SHARED MEMORY", "bytes are not observable", "nothing seen", "FINDINGS\ninfo: ",
                 "That is a short time"):
        t.ok(f"the text has {part!r}", part in " ".join(text.split(" ")), text)


# Mappings as they come and go.

CHANGES = [
    ("pieces", ["a = mmap(fd, 0, 16)", "b = mmap(fd, 4, 4)", "call('munmap', a + 3 * PAGE, 5 * PAGE)",
                "call('munmap', b, PAGE)"]),
    ("joined", ["a = mmap(fd, 0, 16)", "call('munmap', a, 16 * PAGE)", "mmap(fd, 0, 4, at=a, how=17)",
                "mmap(fd, 4, 4, at=a + 4 * PAGE, how=17)"]),
    ("rights", ["a = mmap(fd, 0, 16)", "call('mprotect', a + 2 * PAGE, 3 * PAGE, R)",
                "call('mprotect', a + 9 * PAGE, PAGE, 0)"]),
    ("readonly", ["a = mmap(os.open(path, os.O_RDONLY), 0, 16, R)", "b = mmap(fd, 0, 1)"]),
    ("moved", ["a = mmap(fd, 2, 4)", "hole = mmap(-1, 0, 64, how=PRIVATE | ANON)",
               "a = call('mremap', a, 4 * PAGE, 8 * PAGE, 3, hole)"]),
    ("shrunk", ["a = mmap(fd, 1, 8)", "a = call('mremap', a, 8 * PAGE, 3 * PAGE, 1)"]),
    ("twice", ["a = mmap(fd, 1, 8)", "b = call('mremap', a, 0, 4 * PAGE, 1)"]),
    ("covered", ["a = mmap(fd, 0, 8)", "mmap(-1, 0, 3, how=PRIVATE | ANON | FIXED, at=a + PAGE)"]),
]


@case(params=[(name,) for name, _ in CHANGES])
@unshared
def shared_changes(t, name):
    """Mapped, unmapped in parts, moved and protected: as /proc has it, in front of our eyes
    and when a later trace finds it."""
    path = shared_file(t, 16)
    one, two = Mapper(t), Mapper(t)
    begin = [f"path = {path!r}", "fd = os.open(path, os.O_RDWR)"]
    one.do(*begin)
    two.do(*begin, "x = mmap(fd, 0, 16)")
    spy = Spy(t, one.pid)
    one.do(*dict(CHANGES)[name])
    found = attached(t, one.pid)
    chan = check_maps(t, found, path, [one.pid, two.pid])
    t.equal("since before", [None, None], [m["since_ns"] for m in chan["maps"]])
    chan = check_maps(t, spy.report(), path, [one.pid, two.pid])
    t.ok("since the target's first call", all(m["since_ns"] for m in chan["maps"]
                                              if m["pid"] == one.pid), str(chan["maps"]))
    t.equal("size", 16 * 4096, chan["info"]["size"])


@case()
@unshared
def shared_strangers(t):
    """A process that is no target maps what a target maps, and lets it go."""
    path = shared_file(t, 4)
    one, two, three = Mapper(t), Mapper(t), Mapper(t)
    for m in one, two, three:
        m.do(f"fd = os.open({path!r}, os.O_RDWR)")
    one.do("a = mmap(fd, 0, 4)")
    spy = Spy(t, one.pid)
    two.do("a = mmap(fd, 0, 2)")
    three.do("a = mmap(fd, 1, 2)", "call('munmap', a, 2 * PAGE)")
    two.do("call('ftruncate', fd, 8 * PAGE)")
    report = spy.report()
    chan = check_maps(t, report, path, [one.pid, two.pid])
    gone = [m for m in chan["maps"] if m["pid"] == three.pid]
    t.equal("who let it go", [(4096, 8192)], [(m["offset"], m["bytes"]) for m in gone])
    t.equal("size", 8 * 4096, chan["info"]["size"])
    t.equal("target", {one.pid}, {p["pid"] for p in report["processes"] if p["target"]})


@case(params=[("watched",), ("found",)])
@unshared
def shared_by_fork(t, when):
    """Children inherit all maps, anonymous ones, too; who executes another program has none."""
    path = shared_file(t, 4)
    one = Mapper(t).do(f"fd = os.open({path!r}, os.O_RDWR)")
    if when == "watched":
        spy = Spy(t, one.pid)
    one.do("a = mmap(fd, 0, 4)", "b = mmap(-1, 0, 8, how=SHARED | ANON)",
           "c = mmap(-1, 0, 2, how=SHARED | ANON)", "call('madvise', c, 2 * PAGE, 10)",
           "pid = fork('import time; time.sleep(100)')",
           f"open({path + '.pid'!r}, 'w').write(str(pid))")
    t.shared.append(path + ".pid")
    child = int(open(path + ".pid").read())
    one.do("p = subprocess.Popen(['/bin/sleep', '100'])",
           "pid = fork('os.execv(\"/bin/sleep\", [\"sleep\", \"100\"])')")
    time.sleep(0.05)
    report = spy.report() if when == "watched" else attached(t, one.pid)
    check_maps(t, report, path, [one.pid, child])
    # what madvise(MADV_DONTFORK) keeps from a child is found missing by the last look
    anon = [c for c in report["channels"] if c["mechanism"] == "shm" and c["name"][:5] == "shm:["
            and sum(m["until_ns"] is None for m in c["maps"]) > 1]
    if t.equal("shared anonymous memory", 1, len(anon), str(anon)):
        t.equal("who maps it", {one.pid: 8 * 4096, child: 8 * 4096},
                {m["pid"]: m["bytes"] for m in anon[0]["maps"]})
        t.equal("size", 8 * 4096, anon[0]["info"]["size"])


@case()
@unshared
def shared_by_nobody(t):
    """What one process maps, and what nobody may write, is no channel."""
    alone, read = shared_file(t, 4), shared_file(t, 4)
    one, two = Mapper(t), Mapper(t)
    one.do(f"a = mmap(os.open({alone!r}, os.O_RDWR), 0, 4)",
           "p = subprocess.Popen(['/bin/sleep', '100'])",
           "fork('os.execv(\"/bin/sleep\", [\"sleep\", \"100\"])')")
    for m in one, two:
        m.do(f"b = mmap(os.open({read!r}, os.O_RDONLY), 0, 4, R)")
    spy = Spy(t, one.pid)
    one.do("fork('os.execv(\"/bin/sleep\", [\"sleep\", \"100\"])')")
    time.sleep(0.05)
    t.equal("channels of shared memory", [],
            [c["name"] for c in spy.report()["channels"] if c["mechanism"] == "shm"])
    # until a writer comes
    spy = Spy(t, one.pid)
    two.do(f"c = mmap(os.open({read!r}, os.O_RDWR), 0, 2)")
    check_maps(t, spy.report(), read, [one.pid, two.pid])


# System V.


def sysv_maps(pid, shmid):
    found = []
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            m = re.match(r"(\w+)-(\w+) (...)s (\w+) \S+ (\d+) +/SYSV", line)
            if m and int(m[5]) == shmid:
                found.append((int(m[4], 16), int(m[2], 16) - int(m[1], 16), m[3].replace("-", "")))
    return found


@case(params=[("watched",), ("found",)])
def sysv_segments(t, when):
    """Key, id, creator; removed while attached; read-only; the id's slot used again."""
    one, two = Mapper(t), Mapper(t)
    key, name = 0x69700000 | os.getpid() & 0xffff, t.new_path(".id")
    if when == "watched":
        spy = Spy(t, one.pid)
    one.do(f"id = call('shmget', {key}, 10 * PAGE, 0o1600)", f"open({name!r}, 'w').write(str(id))",
           "a = call('shmat', id, 0, 0)")
    shmid = int(open(name).read())
    two.do(f"id = {shmid}", "a = call('shmat', id, 0, 0)", "b = call('shmat', id, 0, 0o10000)",
           "call('munmap', a + 2 * PAGE, PAGE)")
    one.do("call('shmctl', id, 0, 0)")
    report = spy.report() if when == "watched" else attached(t, one.pid)
    chan = channel_named(t, report, f"shm:0x{key:08x}/{shmid}")
    t.equal("mechanism", "sysv-shm", chan["mechanism"])
    t.equal("info", {"size": 10 * 4096, "key": key, "id": shmid, "marked_for_destruction": True,
                     "creator_pid": one.pid, "bytes_observable": False,
                     "ipc_ns": os.stat("/proc/self/ns/ipc").st_ino}, chan["info"])
    for m in one, two:
        t.equal(f"mappings of {m.pid} as /proc has them", summed(sysv_maps(m.pid, shmid)),
                maps_of(chan, m.pid))
    spy = Spy(t, one.pid)
    two.do("call('shmdt', a)", "call('shmdt', b)")
    one.do("call('shmdt', a)")
    # the slot is free again: the next segment gets it, with another sequence number
    one.do("id = call('shmget', 0, PAGE, 0o1600)", "a = call('shmat', id, 0, 0)",
           "call('shmctl', id, 0, 0)", "pid = fork('import time; time.sleep(100)')",
           f"open({name!r}, 'w').write(str(id))")
    again = int(open(name).read())
    t.ok("it has another id", again != shmid, f"{again}, {shmid}")
    chans = {c["info"]["id"]: c for c in spy.report()["channels"] if c["mechanism"] == "sysv-shm"}
    if t.equal("segments", {shmid, again}, set(chans)):
        t.equal("the first is gone", False, chans[shmid]["open"])
        t.equal("nobody maps it", 0,
                sum(m["until_ns"] is None for m in chans[shmid]["maps"]))
        t.equal("two map the second", {4096}, {m["bytes"] for m in chans[again]["maps"]})


# A program that nobody here wrote.

PYTHON_SHARED = """
import multiprocessing as mp, os, sys, time
from multiprocessing import shared_memory
def work(name, lock):
    s = shared_memory.SharedMemory(name)
    for i in range(100):
        with lock:
            s.buf[0] = (s.buf[0] + 1) % 256
            time.sleep(0.001)
    s.close()
if __name__ == "__main__":
    mp.set_start_method(sys.argv[1])
    lock = mp.Lock()
    s = shared_memory.SharedMemory(create=True, size=8192)
    ps = [mp.Process(target=work, args=(s.name, lock)) for _ in range(3)]
    [p.start() for p in ps]
    with open(sys.argv[2], "w") as f:
        f.write(f"/dev/shm/{s.name} {os.getpid()} {' '.join(str(p.pid) for p in ps)}")
    [p.join() for p in ps]
    s.close()
    s.unlink()
"""


@case(params=[("fork",), ("spawn",)])
def shared_python(t, method):
    """multiprocessing.shared_memory under a lock, which is a POSIX semaphore."""
    names = t.new_path(".names")
    report = t.trace(command=[PYTHON, t.script(PYTHON_SHARED), method, names]).report
    name, parent, *workers = open(names).read().split()
    chan = channel_named(t, report, name)
    t.equal("who maps it", {int(parent), *map(int, workers)}, {m["pid"] for m in chan["maps"]})
    t.equal("size", 8192, chan["info"]["size"])
    chans = {c["id"]: c for c in report["channels"]}
    by = [chans[s["channel"]] for s in chan["synchronised_by"]]
    semaphores = [c["info"]["posix_semaphore"] for c in by if "posix_semaphore" in c.get("info", {})]
    futexes = [c["name"] for c in by if c["mechanism"] == "futex"]
    t.equal("semaphores that it is synchronised by", 1, len(semaphores), str(by))
    t.ok("and its futex, which lies in it",
         semaphores and f"futex:/dev/shm/sem.{semaphores[0]}+0x0" in futexes, str(futexes))
    t.equal("warnings", [], [f for f in report["findings"] if f["severity"] == "warning"])
