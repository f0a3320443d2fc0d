# SPDX-License-Identifier: BSD-2-Clause
"""The command line: what is refused, what each option does, how a trace ends."""
import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from cases_attach import start_demo, traces
from cases_stuck import children
from lib import Skip, case, check_report, endpoints, load_truth, strict_json, wait_for

USAGE = {"no filter": [], "unknown option": ["--nonesuch"], "unknown letter": ["-Q"],
         "bad pid": ["-p", "12x"], "pid 0": ["-p", "0"], "pid below 0": ["-p", "-5"],
         "huge pid": ["-p", "99999999999999999999"], "empty pid": ["-p", "1,,2"],
         "missing pid": ["-p"], "bad mechanism": ["-a", "-m", "pipe,carrier-pigeon"],
         "bad seconds": ["-a", "-d", "soon"], "bad format": ["-a", "--format", "xml"],
         "no option": ["nonesuch"], "no command": ["--"], "command and -a": ["-a", "--", "true"],
         "escape sequence": ["--\033[31mred\n"], "all and pid": ["-a", "-p", "1"],
         "interval of json": ["-a", "-i", "1", "--format", "json"],
         "name that cannot be": ["-n", "systemd-journald"], "empty name": ["-n", ""],
         "ambiguous option": ["--f", "-a"], "lines of doctor": ["doctor", "--format", "jsonl"],
         "recording over the report": ["-a", "-o", "x", "--record", "x"],
         "recording to stdout": ["-a", "--record", "-"], "nothing to force": ["-a", "--force"],
         "help of nothing": ["help", "nonesuch"]}


@case(params=[(name,) for name in USAGE], live=False)
def usage(t, name):
    """Status 2, one line on stderr that any terminal can take, nothing on stdout."""
    r = t.run([t.ipcspy, *USAGE[name]], expect=2)
    t.equal("stdout", b"", r.out)
    t.ok("one line on stderr", r.err.count(b"\n") == 1 and r.err.endswith(b"\n"), repr(r.err))
    t.ok("it says who speaks", r.err.startswith(b"ipcspy: "), repr(r.err))
    t.ok("no control characters", not any(c < 32 for c in r.err[:-1]), repr(r.err))


def one_error(t, argv, word, **kw):
    r = t.run(argv, expect=1, **kw)
    t.ok("one line on stderr", r.err.count(b"\n") == 1, repr(r.err))
    t.ok(f"it says {word!r}", word.encode() in r.err, repr(r.err))
    return r


@case(live=False)
def no_such_pid(t):
    gone = subprocess.Popen(["true"])
    gone.wait()
    one_error(t, [t.ipcspy, "-p", str(gone.pid), "-d", "1"], f"no process with pid {gone.pid}")


@case()
def a_thread_is_no_pid(t):
    p = t.start(["/usr/bin/python3", "-c", "import threading, time\n"
                 "threading.Thread(target=time.sleep, args=(60,)).start()"])
    tasks = wait_for("two threads", lambda: len(os.listdir(f"/proc/{p.pid}/task")) == 2
                     and os.listdir(f"/proc/{p.pid}/task"))
    tid = next(x for x in tasks if x != str(p.pid))
    one_error(t, [t.ipcspy, "-p", tid, "-d", "1"], "is a thread")


@case()
def unwritable_output(t):
    """Said before the command is run."""
    ran = t.path("ran")
    one_error(t, [t.ipcspy, "-o", t.path("none/report"), "--", "touch", ran], "cannot write to")
    t.ok("the command was not run", not os.path.exists(ran))


@case()
def output_through_symlink(t):
    target, link = t.path("target"), t.path("link")
    with open(target, "w") as f:
        f.write("precious")
    os.symlink(target, link)
    one_error(t, [t.ipcspy, "-o", link, "--", "true"], "symbolic link")
    with open(target) as f:
        t.equal("the file behind the link", "precious", f.read())


@case()
def output_keeps_what_it_has(t):
    """A file is emptied when there is something to put in it, and keeps its mode."""
    path = t.path("keep")
    with open(path, "w") as f:
        f.write("precious" * 10000)
    os.chmod(path, 0o640)
    one_error(t, [t.ipcspy, "-o", path, "--", t.path("none")], "cannot run")
    t.equal("size after a command that is not there", 80000, os.path.getsize(path))
    t.run([t.ipcspy, "-o", path, "--", "true"])
    with open(path) as f:
        text = f.read()
    t.ok("a report and nothing else", text.startswith("ipcspy ") and "precious" not in text, text)
    t.equal("mode", 0o640, os.stat(path).st_mode & 0o777)


def on_terminal(t, argv, env, until, then):
    """Runs argv on a terminal of 24 x 90 until it has said so, and acts; all that was said."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    p = t.start(argv, stdout=its, stderr=its, stdin=its, env=env)
    os.close(its)
    said, acted, deadline = b"", False, time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if select.select([mine], [], [], 0.1)[0]:
                said += os.read(mine, 65536)
        except OSError:  # nobody has the terminal open any more
            break
        if until in said and not acted:
            acted = True
            then(p)
    os.close(mine)
    return t.end(p, timeout=10), said


ENTER, LEAVE, TRACING = b"\033[?1049h", b"\033[?1049l", b"ipcspy: tracing, Ctrl-C ends"


@case(params=[("INT",), ("TERM",), ("QUIT",), ("dumb",)])
def live_screen(t, how):
    """The live report has a screen of its own, which is left however it ends."""
    _, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 1000000)
    sig = getattr(signal, "SIG" + how, signal.SIGINT)
    argv = [t.ipcspy, "-i", "0.2", "-p", str(pids["send-0"]), *(["-d", "1"] if how == "dumb" else
                                                                [])]
    r, said = on_terminal(t, argv, {"TERM": how if how == "dumb" else "xterm", "NO_COLOR": "1"},
                          LEAVE if how == "dumb" else ENTER,
                          lambda p: (time.sleep(0.5), p.send_signal(sig)))
    t.equal("exit status", -signal.SIGQUIT if how == "QUIT" else 0, r.status, repr(said[-500:]))
    t.equal("that it traces", 1, said.count(TRACING))
    if how == "dumb":
        t.ok("no escape sequences", b"\033" not in said, repr(said[:500]))
        return
    t.equal("the screen is entered and left", (1, 1), (said.count(ENTER), said.count(LEAVE)))
    last = said.split(LEAVE)[-1]
    t.ok("nothing is painted behind it", b"\033" not in last, repr(last))
    t.equal("reports behind it", 0 if how == "QUIT" else 1, last.count(b"Lost: 0 events."))


@case()
def message_lines_fit_the_terminal(t):
    _, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 1000000)
    r, said = on_terminal(t, [t.ipcspy, "-t", "-p", str(pids["send-0"]), "-d", "0.5"],
                          {"TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}, b"none", None)
    lines = said.decode().replace("\r", "").split("\n\n")[0].splitlines()[1:]
    t.ok("there are lines", len(lines) > 100, str(lines[:3]))
    t.equal("widths", {90}, {len(line) for line in lines})


@case()
def nothing_to_see(t):
    """An empty report says why: no such name, or no time to see anything."""
    r = t.run([t.ipcspy, "-n", "no\033such", "-d", "0.2"])
    t.equal("stderr", b"ipcspy: no process named 'no\\x1bsuch' was seen\n", r.err)
    t.ok("the heading counts them", "-n no\\x1bsuch: 0 processes" in r.text, r.text)
    p, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 1000000)
    r = t.run([t.ipcspy, "-n", "recv-0", "-d", "0.2"])
    t.ok("the heading counts one or more", "-n recv-0: " in r.text and ": 0 process" not in r.text, r.text)
    t.equal("stderr of one that is there", b"", r.err)
    spy = t.start([t.ipcspy, "-n", "nobody-here"])
    wait_for("ipcspy caught signals", lambda: caught(spy.pid, signal.SIGINT))
    spy.send_signal(signal.SIGINT)
    r = t.end(spy, timeout=20)
    t.ok("it was too short", b"ms after tracing began: nothing was seen" in r.err, repr(r.err))


def caught(pid, sig):
    with open(f"/proc/{pid}/status") as f:
        mask = next(line for line in f if line.startswith("SigCgt")).split()[1]
    return int(mask, 16) >> (sig - 1) & 1


@case()
def output_full(t):
    """A device without room: an error, after the trace."""
    r = t.run([t.ipcspy, "-o", "/dev/full", "--", "true"], expect=1)
    t.ok("one line on stderr", r.err.count(b"\n") == 1, repr(r.err))


@case(params=[(8,), (40,)])
def too_few_files(t, limit):
    """It says that, and not what it could not find out for want of files."""
    def shrink():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    ran = t.path("ran")
    one_error(t, [t.ipcspy, "--", "touch", ran], "ulimit -n", preexec_fn=shrink)
    t.ok("the command was not run", not os.path.exists(ran))


@case()
def no_such_command(t):
    one_error(t, [t.ipcspy, "--", t.path("none")], "cannot run")


@case(params=[("text",), ("json",), ("lines",)])
def closed_stdout(t, what):
    """`ipcspy ... | head -1`: an end without noise, soon."""
    p, pids, _ = start_demo(t, "pipe", "--rate", 2000, "-n", 1000000)
    options = {"text": ["-i", "0.1"], "json": ["--format", "json", "-d", "0.3"],
               "lines": ["-t"]}[what]
    spy = t.start([t.ipcspy, *options, "-p", str(pids["send-0"])], stdout=subprocess.PIPE)
    line = spy.stdout.readline()
    spy.stdout.close()
    r = t.end(spy, timeout=15)
    t.equal("exit status", 0, r.status, repr(r.err))
    t.ok("there was a line", line)
    t.equal("stderr", b"", r.err)
    os.killpg(p.pid, signal.SIGKILL)


@case(params=[("INT",), ("TERM",), ("HUP",)])
def ended_by_signal(t, name):
    """The whole report, after a signal in the middle of a trace."""
    p, pids, _ = start_demo(t, "pipe", "--rate", 2000, "-n", 1000000)
    path = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "-p",
                   f"{pids['send-0']},{pids['recv-0']}"])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    time.sleep(0.3)
    spy.send_signal(getattr(signal, "SIG" + name))
    r = t.end(spy, timeout=10, report_file=path)
    os.killpg(p.pid, signal.SIGKILL)
    t.equal("exit status", 0, r.status, repr(r.err))
    check_report(t, r.report)
    t.ok("there is a flow", r.report["flows"] and r.report["flows"][0]["messages"] > 100)


@case()
def term_is_passed_to_command(t):
    path = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "--", "sleep", "60"])
    kid = wait_for("the command", lambda: named_child(spy.pid, "sleep"))
    spy.terminate()
    r = t.end(spy, timeout=10, report_file=path)
    t.equal("exit status", 0, r.status, repr(r.err))
    t.equal("pid of the command", kid, r.report["trace"]["command"]["pid"])
    t.equal("its status", 128 + signal.SIGTERM, r.report["trace"]["command"]["exit"])


def named_child(pid, comm):
    for kid in children(pid):
        with open(f"/proc/{kid}/comm") as f:
            if f.read().strip() == comm:
                return kid
    return None


@case()
def duration(t):
    """-d ends the trace; what is traced goes on."""
    p, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 1000000)
    r = t.trace("-p", str(pids["send-0"]), "-d", "0.5")
    t.between("duration_ns", 500_000_000, 800_000_000, r.report["trace"]["duration_ns"])
    t.equal("the target runs on", None, p.poll())
    os.killpg(p.pid, signal.SIGKILL)


@case()
def interval(t):
    """-i prints the text report again and again, and once at the end."""
    p, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 1000000)
    r = t.run([t.ipcspy, "-p", str(pids["send-0"]), "-d", "1", "-i", "0.3"])
    os.killpg(p.pid, signal.SIGKILL)
    t.between("reports", 3, 5, r.text.count("Lost: 0 events."))
    t.ok("no escape sequences in a file", b"\033" not in r.out)


@case(params=[("pipe", 1), ("tcp", 2), ("udp", 1)])
def message_lines_json(t, mechanism, senders):
    """One line for each message, and the report as the last one."""
    path, truth = t.new_path(".jsonl"), t.new_path(".truth")
    r = t.run([t.ipcspy, "--format", "jsonl", "-o", path, "-m", mechanism, "--", t.demo, mechanism,
               "-n", "500", "-S", str(senders), "--truth", truth])
    with open(path, "rb") as f:
        lines = [strict_json(line) for line in f]
    report = lines.pop()["report"]
    r.report_file = path
    check_report(t, report)
    want = load_truth(truth)
    t.equal("lines", want["messages"], len(lines))
    t.equal("bytes", want["bytes"], sum(m["bytes"] for m in lines))
    times = [m["t_ns"] for m in lines]
    t.ok("within the trace", 0 <= min(times) and max(times) <= report["trace"]["duration_ns"])
    for f in want["flows"]:
        mine = [m for m in lines if (m["src_pid"], m["dst_pid"]) == (f["src_pid"], f["dst_pid"])]
        t.equal("messages of a pair", f["messages"], len(mine))
        t.equal("who", {(f["src_comm"], f["dst_comm"], mechanism)},
                {(m["src_comm"], m["dst_comm"], m["mechanism"]) for m in mine})
        worst = max((m["latency_ns"] for m in mine), default=None)
        flow = [x for x in report["flows"] if x["src"].get("pid") == f["src_pid"]
                and x["dst"].get("pid") == f["dst_pid"]]
        t.equal("longest latency of lines and report", [worst],
                [x["latency_ns"]["max"] for x in flow])


@case()
def message_lines_text(t):
    truth = t.new_path(".truth")
    path = t.new_path(".txt")
    t.run([t.ipcspy, "-t", "-o", path, "-m", "pipe", "--", t.demo, "pipe", "-n", "300", "--truth",
           truth])
    want = load_truth(truth)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    pids = [f"[{want[key][0]['pid']}]" for key in ("senders", "receivers")]
    lines = [line for line in text.split("\n\n")[0].splitlines()[1:]]
    t.equal("lines", 300, len(lines))
    t.ok("each names both ends", all(pids[0] in line and pids[1] in line for line in lines),
         repr(lines[:2]))
    t.ok("the report follows", "Lost: 0 events." in text)


@case()
def only_some_mechanisms(t):
    """-m: nothing of the others, everything of these."""
    script = f"{t.demo} pipe -n 100 >/dev/null; {t.demo} tcp -n 100; {t.demo} unix-dgram -n 100"
    report = t.trace("-m", "tcp,unix-dgram", command=["sh", "-c", script]).report
    t.equal("mechanisms", {"tcp", "unix-dgram"},
            {c["mechanism"] for c, ep in endpoints(report) if ep["role"] != "attach"})
    t.equal("messages", 200, sum(f["messages"] for f in report["flows"]))


@case()
def follow(t):
    """-f: the children that a target forks later, else only itself (and, as users of
    a pipe that it made, its children as peers)."""
    for options, want in ((["--no-peers"], False), (["-f"], True)):
        go = t.new_path(".go")
        p = t.start(["sh", "-c", f"while ! test -e {go}; do read -t 0.1 x </dev/null; sleep 0.05; "
                     "done; head -c 50000 /dev/zero | cat >/dev/null; :"])
        path = t.new_path(".json")
        spy = t.start([t.ipcspy, "--format", "json", "-o", path, *options, "-p", str(p.pid)])
        wait_for("ipcspy traces", lambda: traces(spy.pid))
        open(go, "w").close()
        report = t.end(spy, report_file=path).report
        t.equal(f"{options}: bytes from head to cat", [50000] if want else [],
                [f["bytes"] for f in report["flows"] if f["dst"].get("comm") == "cat"])
        t.equal(f"{options}: targets", {"sh", "head", "cat"} if want else {"sh"},
                {x["comm"] for x in report["processes"] if x["target"]} - {"sleep"})


@case(params=[("recv-0",), ("recv*",), ("?ecv-[0]",), ("nobody",)])
def by_name(t, pattern):
    """-n: processes of this name that run already and that start later."""
    known = pattern in ("recv-0", "recv*")
    path, truth = t.new_path(".json"), t.new_path(".truth")
    _, pids, _ = start_demo(t, "pipe", "--rate", 1000, "-n", 100000)
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "-n", pattern])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    t.run([t.demo, "unix-stream", "-n", "200", "--truth", truth])
    spy.terminate()
    report = t.end(spy, report_file=path).report
    mine = {pids["recv-0"], load_truth(truth)["receivers"][0]["pid"]}
    targets = [p for p in report["processes"] if p["target"]]
    t.equal("targets of ours", mine if known else set(), mine & {p["pid"] for p in targets})
    t.ok("no other names", all(p["comm"].startswith("recv-") for p in targets), str(targets))
    t.equal("mechanisms of flows", {"pipe", "unix-stream"} if known else set(),
            {f["mechanism"] for f in report["flows"] if f["dst"].get("pid") in mine})


@case()
def everything(t):
    """-a: whoever talks, targets all."""
    path, truth = t.new_path(".json"), t.new_path(".truth")
    spy = t.start([t.ipcspy, "--format", "json", "-o", path, "-a"])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    t.run([t.demo, "pipe", "-n", "500", "--truth", truth])
    spy.terminate()
    r = t.end(spy, report_file=path)
    check_report(t, r.report, whole=False)  # the machine may be busier than the buffer is large
    flow = load_truth(truth)["flows"][0]
    t.equal("messages of the flow", [500],
            [f["messages"] for f in r.report["flows"] if f["src"].get("pid") == flow["src_pid"]])
    t.equal("everybody is a target", [],
            [p for p in r.report["processes"] if not p["target"] and p["pid"] > 2])
    t.ok("but ipcspy is not seen", all(p["pid"] != spy.pid for p in r.report["processes"]))


@case()
def command_keeps_its_streams(t):
    """stdin, stdout and stderr are the command's; options behind -- are, too."""
    with open(t.path("in"), "w") as f:
        f.write("hello\n")
    with open(t.path("in")) as f:
        r = t.run([t.ipcspy, "-o", t.path("r"), "--", "sh", "-c", "cat; echo oops >&2; exit 7",
                   "-t", "--format", "json"], stdin=f)
    t.equal("stdout", b"hello\n", r.out)
    t.equal("stderr", b"oops\n", r.err)
    with open(t.path("r")) as f:
        t.ok("the report is text and has the status", "exit 7" in f.read())
    r = t.run([t.ipcspy, "--", "echo", "hi"])
    t.equal("stdout", b"hi\n", r.out)
    t.ok("the report is on stderr", b"Lost: 0 events." in r.err, repr(r.err))


@case()
def colours(t):
    """Only on a terminal, and not with NO_COLOR."""
    for env, want in (({"TERM": "xterm", "NO_COLOR": ""}, True),
                      ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        out = t.new_path(".tty")
        t.run(["script", "-qec", f"{t.ipcspy} -- {t.demo} pipeline -n 60", out], env=env)
        with open(out, "rb") as f:
            t.equal(f"{env}: colours", want, b"\033[" in f.read())
    r = t.run([t.ipcspy, "--", t.demo, "pipeline", "-n", "60"], env={"TERM": "xterm"})
    t.ok("none in a file", b"\033" not in r.err)


SHORT_CONNECTIONS = """
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
for k in range(3):
    if os.fork() == 0:
        for i in range(20):
            c = socket.create_connection(s.getsockname())
            c.send(b"x" * 100); c.recv(500); c.close()
        os._exit(0)
for i in range(60):
    c, _ = s.accept()
    c.recv(100); c.send(b"y" * 300); c.close()
for k in range(3): os.wait()
"""


@case()
def short_connections_are_one_row(t):
    """A row for each direction; with -v and in JSON each of them."""
    argv = ["-m", "tcp", "--", sys.executable, t.script(SHORT_CONNECTIONS)]
    r = t.run([t.ipcspy, *argv])
    rows = [x for x in r.err.decode().splitlines() if x.startswith("tcp ")]
    t.equal("rows", 2, len(rows), r.err.decode())
    t.ok("they count connections and processes", all("(60 connections)" in x and "[3 processes]"
         in x for x in rows), str(rows))
    r = t.run([t.ipcspy, "-v", *argv])
    rows = [x for x in r.err.decode().splitlines() if x.startswith("tcp ")]
    t.ok("all rows with -v", len(rows) >= 120, str(len(rows)))


@case(params=[("doctor",), ("--help",), ("--version",), ("help",), ("doctor --help",)])
def says(t, words):
    r = t.run([t.ipcspy, *words.split()])
    t.ok("something is said", len(r.out) > 5)
    t.equal("stderr", b"", r.err)
    with open("/dev/full", "w") as full:
        t.run([t.ipcspy, *words.split()], stdout=full, expect=1)


@case()
def doctor_does_not_warn(t):
    """What is there is not described by what would be lost without it."""
    rows = strict_json(t.run([t.ipcspy, "doctor", "--format", "json"]).out)["features"]
    for row in rows:
        words = row["detail"].replace(":", " ").split()
        t.ok(f"{row['name']}: what it gives", not row["ok"] or not {"no", "not", "without",
             "missing", "cannot"} & set(words), row["detail"])


COMPLETE = {("-m", "pi"): "pipe", ("--mechanism", "=", "pi"): "pipe", ("-m", "tcp,ud"): "tcp,udp",
            ("-m", "pipe,pip"): "", ("--format", "=", "j"): "json jsonl", ("--format", "="):
            "text json jsonl", ("doctor", "--format", "j"): "json", ("doc",): "doctor",
            ("--fo",): "--follow --force --format", ("report", "--f"): "--format",
            ("record", "--fo"): "--follow --force"}


@case(live=False)
def completion(t):
    """What bash offers for the last word; "=" is a word of its own there."""
    script = os.path.join(os.path.dirname(__file__), "../../src/completion/ipcspy.bash")
    for words, want in COMPLETE.items():
        r = t.run(["bash", "-c", 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ipcspy; '
                   'echo "${COMPREPLY[@]}"', script, "ipcspy", *words])
        t.equal(f"offered for {' '.join(words)}", want.split(), r.text.split())
    r = t.run(["bash", "-c", 'source "$0"; COMP_WORDS=(ipcspy -n ""); COMP_CWORD=2; _ipcspy; '
               'printf "%s\\n" "${COMPREPLY[@]}"', script])
    names = r.text.split()
    t.ok("names are offered", names)
    t.equal("each once", sorted(set(names)), sorted(names))


@case()
def verbose(t):
    """-v: what the tracing took, on stderr."""
    r = t.run([t.ipcspy, "-v", "-o", t.path("r"), "--", t.demo, "pipe", "-n", "100"])
    t.ok("records are counted", b" records, " in r.err and b" 0 lost" in r.err, repr(r.err))


CALL_32 = r"""
import ctypes, mmap
code = b"\xb8\x14\0\0\0\xcd\x80\xc3"  # mov $20, %eax; int $0x80; ret: getpid of a 32-bit program
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
for _ in range(5):
    call()
"""


@case()
def calls_of_32_bits(t):
    """They are not decoded: the report says so, and so does the exit status."""
    script = t.script(CALL_32)
    if t.run([sys.executable, script], expect=None).status:
        raise Skip("no 32-bit system calls here")
    r = t.trace(command=[sys.executable, script], whole=False, expect=3)
    t.equal("skipped", {"compat_syscalls": 5, "io_uring": 0}, r.report["loss"]["skipped"])
    r = t.run([t.ipcspy, "--", sys.executable, script], expect=3)
    t.ok("a line in the report", "not decoded: 5." in r.err.decode())


@case(params=[(">&-",), ("2>&-",), ("<&- >&- 2>&-",)])
def closed_streams(t, redirection):
    """Without the usual descriptors, no file of ours takes their place."""
    path = t.path("r.json")
    r = t.run(["sh", "-c", f"exec {t.ipcspy} --format json -o {path} -- {t.demo} pipe -n 50 "
               f"{redirection}"], report_file=path)
    check_report(t, r.report)
    t.equal("messages", [50], [f["messages"] for f in r.report["flows"]
                               if f["mechanism"] == "pipe"])
