# SPDX-License-Identifier: BSD-2-Clause
"""Hostile names, processes that die, fork without end or share a pid, few privileges."""
import os
import shutil
import signal
import subprocess

from cases_attach import start_demo, traces
from cases_stuck import children, in_call
from lib import Skip, case, check_report, endpoints, flow_between, load_truth, wait_for

PYTHON = "/usr/bin/python3"

NAMES = [b"new\nline", b'quo"te\\s', b"\x1b[31mred\x1b[0m", b"\xff\xfe\x80 bad", b"\x01\x7f\xc2\x9b",
         "za\u017c\u00f3\u0142\u0107".encode(), b"cut off \xe2\x82", b"  ", b"%s%n%x"]

TALK = """
import ctypes, os, sys
r, w = os.pipe()
libc = ctypes.CDLL(None)
def name(n):
    libc.prctl(15, bytes.fromhex(n), 0, 0, 0)
if os.fork() == 0:
    name(sys.argv[2])
    os.close(w)
    while os.read(r, 100): pass
    os._exit(0)
name(sys.argv[1])
os.close(r)
for i in range(20): os.write(w, b"hello")
os.close(w)
os.wait()
"""


def shown_in_json(raw):
    """Bytes of a name as the report has them: what is no UTF-8 is U+FFFD, each byte one."""
    out, i = "", 0
    while i < len(raw):
        for n in (1, 2, 3, 4):
            try:
                out += raw[i:i + n].decode("utf-8")
                i += n
                break
            except UnicodeDecodeError:
                continue
        else:
            out += "\ufffd"
            i += 1
    return out


def no_raw_bytes(t, what, data, newlines=True):
    """Printable or valid UTF-8 only; no ESC, no C1 control that a terminal obeys."""
    text = data.decode("utf-8", "strict")
    bad = {c for c in text if (ord(c) < 32 and not (newlines and c == "\n"))
           or 0x7f <= ord(c) < 0xa0}
    t.equal(f"{what}: control characters", set(), bad)


@case()
def hostile_comm(t):
    """In JSON each name is what it is, as far as it is UTF-8."""
    script = t.script(TALK)
    talks = "; ".join(f"{PYTHON} {script} {n.hex()} {b'receiver'.hex()}" for n in NAMES)
    report = t.trace(command=["sh", "-c", talks]).report
    want = {shown_in_json(raw[:15]): 20 for raw in NAMES}
    got = {f["src"]["comm"]: f["messages"] for f in report["flows"]
           if f["dst"]["comm"] == "receiver"}
    t.equal("messages by name", want, got)


@case(params=[("text",), ("lines",), ("jsonl",)])
def hostile_comms_in_output(t, how):
    """Every way to print them."""
    options = {"text": [], "lines": ["-t"], "jsonl": ["--format", "jsonl"]}[how]
    script = t.script(TALK)
    all_talk = "; ".join(f"{PYTHON} {script} {n.hex()} {n.hex()}" for n in NAMES)
    for env in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}):
        path = t.new_path(".out")
        t.run([t.ipcspy, "-o", path, *options, "--", "sh", "-c", all_talk], env=env)
        with open(path, "rb") as f:
            data = f.read()
        no_raw_bytes(t, f"{env}", data)
        t.ok("all are there", b"cut o" in data and b"%s%n%x" in data)
        if env["LC_ALL"] == "C" and how != "jsonl":
            t.ok("ASCII only", max(data) < 128)


@case()
def hostile_paths(t):
    """A FIFO and unix sockets with names that nobody should have given them."""
    talk = """
import os, socket, sys
where = os.fsencode(sys.argv[1])
for raw in map(bytes.fromhex, sys.argv[2:]):
    path = where + b"/f" + raw
    os.mkfifo(path)
    if os.fork() == 0:
        fd = os.open(path, os.O_RDONLY)
        while os.read(fd, 100): pass
        os._exit(0)
    fd = os.open(path, os.O_WRONLY)
    for i in range(200): os.write(fd, b"hello")
    import time; time.sleep(0.05)
    os.close(fd)
    os.wait()
    for path in (where + b"/s" + raw, b"\\0abs" + raw + b"\\0" + where):
        s, a = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        s.bind(path[:100]); s.listen(); a.connect(path[:100]); b = s.accept()[0]
        a.send(b"hi"); b.recv(100)
"""
    names = [n for n in NAMES if b"/" not in n]
    hexes = [n.hex() for n in names]
    report = t.trace(command=[PYTHON, t.script(talk), t.dir, *hexes]).report
    got = {c["name"] for c, ep in endpoints(report, role="recv")}
    for raw in names:
        for want in (f"{t.dir}/f{shown_in_json(raw)}", f"unix:{t.dir}/s{shown_in_json(raw)}"):
            t.ok(f"{want!r} is a channel", want in got, str(sorted(got)))
    t.equal("abstract names", len(names), sum(n.startswith("unix:@abs") for n in got))
    path = t.new_path(".txt")
    again = t.path("again")
    os.mkdir(again)
    t.run([t.ipcspy, "-o", path, "--", PYTHON, t.script(talk), again, *hexes])
    with open(path, "rb") as f:
        no_raw_bytes(t, "text", f.read())


def peak_rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1])


FORKER = """
import os, sys
r, w = os.pipe()
for i in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        os.write(w, b"x")
        os._exit(0)
    os.read(r, 1)
    os.waitpid(pid, 0)
"""


@case()
def many_children(t):
    """10,000 short-lived children, each of which sends a byte: all seen, little kept."""
    path, children_cnt = t.new_path(".json"), 10000
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "--", PYTHON, "-c", FORKER,
                   str(children_cnt)])
    peak = 0
    while spy.poll() is None:
        try:
            peak = max(peak, peak_rss_kib(spy.pid))
            spy.wait(0.05)
        except (StopIteration, FileNotFoundError, subprocess.TimeoutExpired):
            continue
    r = t.end(spy, report_file=path)
    t.equal("exit status", 0, r.status, repr(r.err))
    check_report(t, r.report)
    t.between("peak memory in KiB", 1, 200 * 1024, peak)
    t.accuracy.note("peak memory, 10,000 children", 0, f"{peak} KiB")
    t.equal("bytes received", [children_cnt],
            [ep["bytes"] for _, ep in endpoints(r.report, role="recv")])
    t.equal("bytes sent", children_cnt,
            sum(ep["bytes"] for _, ep in endpoints(r.report, role="send")))
    t.equal("messages in flows", children_cnt, sum(f["messages"] for f in r.report["flows"]))


@case(params=[("recv-0",), ("send-0",)])
def killed_in_a_call(t, victim):
    """SIGKILL to a process that is blocked: what went before is whole."""
    option = "--sender-delay" if victim == "recv-0" else "--hold"
    p, pids, _ = start_demo(t, "pipe", option, "60s", "-n", 1000)
    wait_for("it is blocked", lambda: in_call(pids[victim]))
    path = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "-p", str(pids[victim])])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    os.kill(pids[victim], signal.SIGKILL)
    r = t.end(spy, timeout=10, report_file=path)
    t.equal("exit status", 0, r.status, repr(r.err))
    check_report(t, r.report)
    proc = [x for x in r.report["processes"] if x["pid"] == pids[victim]]
    t.equal("how it ended", [(True, 128 + 9)], [(x["exited"], x["exit_code"]) for x in proc])
    t.equal("nobody is blocked now", [], [b for b in r.report["blocked_now"]
                                         if b["pid"] == pids[victim]])
    moved = [ep["bytes"] for _, ep in endpoints(r.report, pids[victim], mechanism="pipe")]
    t.equal("bytes of the call that never returned", 0, sum(moved))


REUSE = """
import os, sys
def spawn(n, pid):
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write(str(pid - 1))
    r, w = os.pipe()
    kid = os.fork()
    if not kid:
        os.close(r)
        for i in range(n): os.write(w, b"x" * n)
        os._exit(n)
    os.close(w)
    while os.read(r, 1000): pass
    os.waitpid(kid, 0)
    return kid
pid = int(sys.argv[1])
got = [spawn(n, pid) for n in (11, 12, 13)]
print(*got)
"""


def free_pid():
    pid = int(open("/proc/sys/kernel/pid_max").read()) - 100
    while os.path.exists(f"/proc/{pid}"):
        pid -= 1
    return pid


@case(root="it chooses pids")
def pid_reused(t):
    """Three processes with one pid, one after another, are three processes."""
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        raise Skip("/proc/sys/kernel/ns_last_pid cannot be written")
    for _ in range(5):  # somebody else may get the pid first
        r = t.trace(command=[PYTHON, "-c", REUSE, str(free_pid())])
        got = set(r.out.split())
        if len(got) == 1:
            break
    if not t.equal("pids in use", 1, len(got)):
        return
    pid = int(got.pop())
    procs = [p for p in r.report["processes"] if p["pid"] == pid]
    t.equal("exit codes of the processes with this pid", [11, 12, 13],
            sorted(p["exit_code"] for p in procs))
    t.equal("start times", 3, len({p["start_ns"] for p in procs}))
    t.equal("messages of their flows", [11, 12, 13],
            sorted(f["messages"] for f in r.report["flows"] if f["src"]["pid"] == pid))
    t.equal("bytes of their flows", [121, 144, 169],
            sorted(f["bytes"] for f in r.report["flows"] if f["src"]["pid"] == pid))


def nobody(caps, argv):
    """argv as user nobody with these capabilities only."""
    for program in ("setpriv", "capsh"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    ambient = ",".join("+" + c for c in caps) or "-all"
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"
            if not caps else "--bounding-set=-all," + ambient, "--inh-caps=-all"
            if not caps else "--inh-caps=-all," + ambient, "--ambient-caps=-all"
            if not caps else "--ambient-caps=-all," + ambient, *argv]


@case(root="it sets capabilities itself")
def two_capabilities(t):
    """CAP_BPF and CAP_PERFMON are enough, for processes of the same user and others."""
    os.chmod(t.dir, 0o777)
    path, truth = t.path("r.json"), t.path("truth")
    argv = [t.ipcspy, "--format", "json", "-o", path, "--", t.demo, "pipe", "-n", "500",
            "--truth", truth]
    r = t.run(nobody(["bpf", "perfmon"], argv), report_file=path)
    check_report(t, r.report)
    flow = load_truth(truth)["flows"][0]
    t.equal("messages", [500], [f["messages"] for f in
                                flow_between(r.report, flow["src_pid"], flow["dst_pid"])])
    p = t.start(nobody([], [t.demo, "fifo", "--rate", "1000", "-n", "100000"]))
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    path = t.path("r2.json")
    r = t.run(nobody(["bpf", "perfmon"], [t.ipcspy, "--format", "json", "-o", path, "-d", "0.5",
                                          "-p", ",".join(map(str, kids))]), report_file=path)
    check_report(t, r.report)
    t.ok("messages of a running process", r.report["flows"]
         and r.report["flows"][0]["messages"] > 100, str(r.report["flows"]))


@case(params=[((), ("CAP_BPF", "CAP_PERFMON")), (("bpf",), ("CAP_PERFMON",)),
              (("perfmon",), ("CAP_BPF",))], root="it sets capabilities itself")
def missing_capabilities(t, have, missing):
    """One line says which; the doctor, too; and the command is not run."""
    os.chmod(t.dir, 0o777)
    ran = t.path("ran")
    r = t.run(nobody(have, [t.ipcspy, "--", "touch", ran]), expect=1)
    t.ok("one line on stderr", r.err.count(b"\n") == 1, repr(r.err))
    for cap in ("CAP_BPF", "CAP_PERFMON"):
        t.equal(f"it names {cap}", cap in missing, cap.encode() in r.err, repr(r.err))
    t.ok("the command was not run", not os.path.exists(ran))
    r = t.run(nobody(have, [t.ipcspy, "doctor"]), expect=1)
    for cap in missing:
        line = [x for x in r.text.splitlines() if x.startswith(cap)]
        t.ok(f"the doctor says that {cap} is missing", line and " ok " not in line[0], r.text)


@case()
def many_descriptors(t):
    """A target with a thousand pipes: all are listed, with what is in them."""
    program = ("import os, sys, time\n"
               "for i in range(1000):\n"
               "    r, w = os.pipe(); os.write(w, b'x' * (i + 1))\n"
               "print('ready', flush=True); time.sleep(60)")
    p = t.start(["sh", "-c", f"ulimit -n 4096; exec {PYTHON} -c \"$0\"", program])
    wait_for("the pipes", lambda: os.path.getsize(p.files[0].name) > 0)
    r = t.trace("-p", str(p.pid), "-d", "0.3")
    inside = sorted(c["backlog"]["now"] for c in r.report["channels"] if c["mechanism"] == "pipe")
    t.equal("bytes in the pipes", list(range(1, 1001)), inside)


LONG_FORGOTTEN = """
import os, socket
a, b = socket.socketpair()
a.send(b"early"); b.recv(9)
os.close(os.dup(a.fileno())); os.close(os.dup(b.fileno()))  # looks as if it were over
for i in range(3000):
    c, d = socket.socketpair()
    c.send(b"x"); d.recv(9); c.close(); d.close()
import time; time.sleep(0.2)
for i in range(10):
    a.send(b"late again"); b.recv(99)
print(os.fstat(a.fileno()).st_ino)
"""


@case()
def used_after_it_was_forgotten(t):
    """A socket pair that seemed closed for long is described anew when it is used again."""
    out = t.path("out")
    with open(out, "wb") as f:
        r = t.trace(command=[PYTHON, "-c", LONG_FORGOTTEN], stdout=f)
    with open(out) as f:
        ino = f.read().strip()
    late = [c for c in r.report["channels"] if c["open"] or not c["folded"]]
    sent = [ep["bytes"] for c in late if ino in c["name"] for ep in c["endpoints"]
            if ep["role"] == "send"]
    t.equal("sent at last on the pair", [100], sent)
    t.equal("channels without a name", [], [c["name"] for c in late if "?" in c["name"]])
    t.equal("folded", 1, len([c for c in r.report["channels"] if c["folded"]]))


# What a call was given lies in memory that is gone by the time it sleeps, and nobody gives it
# back: userfaultfd(2). An epoll instance whose events nobody takes is locked for as long.
UNGIVEN = """
import ctypes, os, select, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
def word(v): return ctypes.c_void_p(v)
def call(nr, *args): return libc.syscall(nr, *args)
def check(v):
    if v < 0: sys.exit(os.strerror(ctypes.get_errno()))
    return v
uffd_nr, ppoll, futex = {"x86_64": (323, 271, 202), "aarch64": (282, 73, 98)}[os.uname().machine]
uffd = check(call(uffd_nr, os.O_CLOEXEC))
check(libc.ioctl(uffd, word(0xc018aa3f), struct.pack("QQQ", 0xaa, 0, 0)))  # UFFDIO_API
at = libc.mmap(None, word(4096), 3, 0x22, -1, word(0))
r, w = os.pipe()
polled, ep = struct.pack("ihh", r, 1, 0), select.epoll()
if sys.argv[1] == "poll":
    ctypes.memmove(at, polled, 8)
    sleep = lambda: call(ppoll, word(at), 1, None, None, word(8))
elif sys.argv[1] == "timeout":
    ctypes.memmove(at, struct.pack("qq", 1000, 0), 16)
    sleep = lambda: call(ppoll, polled, 1, word(at), None, word(8))
elif sys.argv[1] == "futex":
    sleep = lambda: call(futex, word(at), 0, 0, None)
else:
    os.write(w, b"x")
    ep.register(r, select.EPOLLIN)
    sleep = lambda: libc.epoll_wait(ep.fileno(), word(at), 1, -1)
t = threading.Thread(target=sleep)
if sys.argv[1] != "epoll":
    t.start()
    time.sleep(1.1)  # who sleeps shorter is not looked at closely
check(libc.ioctl(uffd, word(0xc020aa00), struct.pack("QQQQ", at, 4096, 1, 0)))  # _REGISTER
check(libc.madvise(word(at), word(4096), 4))  # MADV_DONTNEED
if sys.argv[1] == "epoll":
    t.start()
    time.sleep(0.2)
print(t.native_id, flush=True)
time.sleep(1000)
"""


@case(params=[("poll",), ("timeout",), ("futex",), ("epoll",)],
      root="who may let others wait for memory")
def memory_that_nobody_gives(t, how):
    """It is looked at, and traced, in time; what cannot be read is unknown."""
    p = t.start([PYTHON, t.script(UNGIVEN), how])
    said = wait_for("its sleep", lambda: open(p.files[0].name).read() or
                    p.poll() is not None and open(p.files[1].name).read())
    if p.poll() is not None:
        raise Skip(f"userfaultfd: {said}")
    r = t.run([t.ipcspy, "why", said.strip()], timeout=20)
    t.ok("it says of the task what it knows", r.text.startswith("python3[") and said.strip() in
         r.text, r.text)
    path = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "-p", str(p.pid), "-d", "0.5"])
    r = t.end(spy, timeout=20, report_file=path)
    t.equal("exit status", 0, r.status, repr(r.err))
    check_report(t, r.report)
    t.equal("ipcspy itself", [], [q for q in r.report["processes"]
                                  if spy.pid in (q["pid"], q["ppid"])])
