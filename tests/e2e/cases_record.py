# SPDX-License-Identifier: BSD-2-Clause
"""Recordings: the same report as live, whatever happens to the recorder or to the file."""
import json
import os
import resource
import signal
import stat
import struct
import subprocess
import time

import privileges
from cases_cmdline import one_error
from lib import case, check_report, children, load_truth, strict_json, wait_for

HEADER = struct.Struct("<8sHHIII")  # struct rec_file_hdr
BLOCK = struct.Struct("<IHHIIIIQQQQII")  # struct rec_block_hdr


def blocks(data):
    """Offsets behind the whole blocks of a file, the first one behind its header."""
    at = HEADER.unpack_from(data)[3]
    ends = [at]
    while at + BLOCK.size <= len(data):
        fields = BLOCK.unpack_from(data, at)
        if at + fields[3] + fields[4] > len(data):
            break
        at += fields[3] + fields[4]
        ends.append(at)
    return ends


def read_report(t, path, *args, expect=0, **kw):
    r = t.run([t.ipcspy, "report", "--format", "json", *args, path], expect=expect, **kw)
    report = strict_json(r.out)
    check_report(t, report, whole=False)
    return report, r


def start_traffic(t, *args, at_least=2):
    """A workload that goes on for long; returns its pids, as -p takes them."""
    demo = t.start([t.demo, *args])
    wait_for("its processes", lambda: len(children(demo.pid)) >= at_least)
    return ",".join(map(str, [demo.pid, *children(demo.pid)]))


def sent(report, mechanism="pipe"):
    return sum(f["messages"] for f in report["flows"] if f["mechanism"] == mechanism)


SAME = {"mixed": ["mixed", "--messages", "200"], "deadlock": ["deadlock", "--hold", "300ms"],
        "pipeline": ["pipeline"], "shm": ["shm", "--hold", "100ms"],
        "fails": ["sh", "-c", "echo x | cat >/dev/null; kill -9 $$"]}


@case(params=[(name,) for name in SAME])
def same_as_live(t, name):
    """One run, reported live and recorded: equal in every field."""
    argv = SAME[name]
    command = argv if argv[0] == "sh" else [t.demo, *argv]
    path = t.path("rec")
    live = t.trace("--record", path, command=command).report
    report, _ = read_report(t, path)
    for key in live:
        t.equal(key, live[key], report.get(key))
    t.equal("all of it", json.dumps(live), json.dumps(report))
    t.ok("there was something to compare", live["flows"], json.dumps(live)[:300])


@case()
def same_lines(t):
    """The lines of messages, too, and the text with all its rows."""
    path = t.path("rec")
    r = t.run([t.ipcspy, "-t", "-v", "--record", path, "-o", t.path("live"), "--", t.demo, "mixed",
               "--messages", "50"])
    with open(t.path("live"), "rb") as f:
        live = f.read()
    got = t.run([t.ipcspy, "report", "-t", "-v", path])
    t.ok("messages and a report", live.count(b"\n") > 100, r.err)
    t.equal("the text", live, got.out)


@case()
def through_a_pipe(t):
    """record -o - | report -, while it runs."""
    pids = start_traffic(t, "pipe", "--rate", "200", "--messages", "100000")
    p = t.start([t.ipcspy, "record", "-p", pids, "-d", "1", "-o", "-"], stdout=subprocess.PIPE)
    report, r = read_report(t, "-", stdin=p.stdout)
    recorded = t.end(p)
    t.equal("status of record", 0, recorded.status)
    t.equal("stderr", b"", recorded.err + r.err)
    t.between("its duration", 900_000_000, 3_000_000_000, report["trace"]["duration_ns"])
    t.ok("messages were paired", sent(report) > 50, sent(report))


@case()
def a_pipe_that_closes(t):
    """Who went away had what he wanted: no error, and the trace ends."""
    pids = start_traffic(t, "pipe", "--rate", "1000", "--messages", "1000000")
    p = t.start([t.ipcspy, "record", "-p", pids, "-o", "-"], stdout=subprocess.PIPE)
    t.equal("it begins as a recording", b"\x89IPCSPY\n", p.stdout.read(8))
    p.stdout.close()
    r = t.end(p)
    t.equal("status", 0, r.status)
    t.equal("stderr", b"", r.err)


@case()
def recording_is_a_new_file(t):
    """0600, never over what is there, never through a link, and nothing of a command that is
    not."""
    path = t.path("rec")
    run = [t.ipcspy, "record", "-o", path]
    os.umask(0)
    t.run([*run, "--", "true"])
    t.equal("its mode", 0o600, stat.S_IMODE(os.stat(path).st_mode))
    with open(path, "rb") as f:
        first = f.read()
    one_error(t, [*run, "--", "true"], "it exists; --force replaces it")
    one_error(t, [*run, "--force", "--", "/nonesuch"], "cannot run")
    with open(path, "rb") as f:
        t.ok("it is as it was", f.read() == first)
    t.run([*run, "--force", "--", "true"])
    with open(path, "rb") as f:
        t.ok("it was replaced", f.read() != first)
    link = t.path("link")
    os.symlink(path, link)
    for force in ([], ["--force"]):
        one_error(t, [t.ipcspy, "record", *force, "-o", link, "--", "true"], "symbolic link")
    one_error(t, [t.ipcspy, "record", "-o", t.path("new"), "--", "/nonesuch"], "cannot run")
    t.equal("what is left", ["link", "rec"],
            sorted(x for x in os.listdir(t.dir) if not x.endswith((".out", ".err"))))


@case(params=[(n,) for n in range(10)])
def killed_recorder(t, n):
    """kill -9 at some moment: all whole blocks can be read, and it is said how much that is."""
    path = t.path("rec")
    pids = start_traffic(t, "pipe", "--messages", "100000000", "--size", "100")
    p = t.start([t.ipcspy, "record", "-p", pids, "-o", path])
    wait_for("a block of events", lambda: os.path.exists(path) and os.path.getsize(path) > 65536)
    time.sleep(0.037 * n)
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    with open(path, "rb") as f:
        whole = blocks(f.read())[-1]
    report, r = read_report(t, path, expect=3)
    t.ok("it says how much was read", f"the first {whole} bytes".encode() in r.err, repr(r.err))
    t.equal("one line", 1, r.err.count(b"\n"))
    t.ok("messages were paired", sent(report) > 500, sent(report))
    t.equal("lost", 0, report["loss"]["events"])


def a_recording(t):
    path = t.path("good")
    t.run([t.ipcspy, "record", "-o", path, "--", t.demo, "pipe", "--messages", "100000"])
    with open(path, "rb") as f:
        return f.read()


def report_of(t, data, **kw):
    path = t.new_path(".rec")
    with open(path, "wb") as f:
        f.write(data)
    return t.run([t.ipcspy, "report", "--format", "json", path], **kw)


@case()
def damaged_recordings(t):
    """What stands before the damage is reported, in order; nothing behind it."""
    good = a_recording(t)
    ends = blocks(good)
    full = sent(strict_json(report_of(t, good).out))
    t.ok("several blocks", len(ends) > 8, ends)
    part = (len(ends) - 1) // 2
    for what, data in {
            "cut between blocks": good[:ends[part]],
            "cut within a block": good[:ends[part] + 1000],
            "cut within a header": good[:ends[part] + 20],
            "a byte changed": good[:ends[part] + 500] + bytes([good[ends[part] + 500] ^ 1]) +
            good[ends[part] + 501:],
            "a block missing": good[:ends[part]] + good[ends[part + 1]:],
            "a block twice": good[:ends[part]] + good[ends[part - 1]:],
            "zeros": good[:ends[part]] + bytes(100000)}.items():
        t.prefix = what + ": "
        r = report_of(t, data, expect=3)
        t.ok("it says how much", f"first {ends[part]} bytes".encode() in r.err, repr(r.err))
        t.between("messages", full // 4, full * 3 // 4, sent(strict_json(r.out)))
    for what, behind in {"another behind it: ": good, "a byte behind it: ": b"x"}.items():
        t.prefix = what
        r = report_of(t, good + behind, expect=3)
        t.ok("it says how much", f"first {len(good)} bytes".encode() in r.err, repr(r.err))
        t.equal("messages", full, sent(strict_json(r.out)))
    t.prefix = ""


@case(live=False)
def no_recordings(t):
    """Foreign, empty and newer files, and what is no file: one line, status 1."""
    header = HEADER.pack(b"\x89IPCSPY\n", 9, 1, HEADER.size, 0, 0)
    for what, data, word in (("empty", b"", "it is empty"), ("text", b"x" * 5000, "no recording"),
                             ("newer", header + bytes(1000), "use a newer one"),
                             ("damaged", b"\x89IPCSPY\n\1\0\0\0" + bytes(90), "damaged")):
        path = t.path(what)
        with open(path, "wb") as f:
            f.write(data)
        r = one_error(t, [t.ipcspy, "report", path], word)
        t.equal("stdout", b"", r.out)
    one_error(t, [t.ipcspy, "report", t.path("none")], "No such file")
    one_error(t, [t.ipcspy, "report", t.dir], "directory")
    # what has capabilities hides its memory from its user, and so from itself
    one_error(t, [t.ipcspy, "report", "/proc/self/mem"], "denied" if privileges.user else "error")
    t.run([t.ipcspy, "report"], expect=2)
    t.run([t.ipcspy, "report", "a", "b"], expect=2)
    t.run([t.ipcspy, "record", "-a"], expect=2)
    t.run([t.ipcspy, "record", "-o", "-", "--", "true"], expect=2)


@case()
def a_full_disk(t):
    """What was written stays readable; status 1 and one line."""
    path = t.path("rec")
    limit = 300_000

    def shrink():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    pids = start_traffic(t, "pipe", "--messages", "100000000")
    r = t.run([t.ipcspy, "record", "-p", pids, "-o", path], expect=1,
              preexec_fn=shrink)
    t.equal("stderr", f"ipcspy: the trace broke off: cannot write to {path}: File too large\n",
            r.err.decode())
    t.equal("its length", limit, os.path.getsize(path))
    report, r = read_report(t, path, expect=3)
    t.ok("messages were paired", sent(report) > 1000, sent(report))


@case(params=[("record", "-o"), ("--record",)])
def no_room_at_all(t, *how):
    """Not even for the header: one line names the file, which is not made."""
    path, ran = t.path("rec"), t.path("ran")

    def shrink():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

    p = t.start([t.ipcspy, *how, path, "--", "touch", ran], stderr=subprocess.PIPE,
                preexec_fn=shrink)
    said = p.stderr.read().decode()
    t.equal("exit status", 1, t.end(p).status)
    t.equal("stderr", f"ipcspy: cannot write to {path}: File too large\n", said)
    t.equal("files", (False, False), (os.path.exists(path), os.path.exists(ran)))


@case()
def a_filter_is_in_the_report(t):
    """What the report says of the trace is what was asked for then."""
    pids = start_traffic(t, "pipe", "--rate", "100", "--messages", "100000")
    path = t.path("rec")
    t.run([t.ipcspy, "record", "-o", path, "-p", pids, "-f", "-m", "pipe", "-d", "300ms"])
    report, _ = read_report(t, path)
    t.equal("filter", f"-p {pids} -f -m pipe", report["trace"]["filter"])
    t.equal("mechanisms", {"pipe"}, {c["mechanism"] for c in report["channels"]})
    t.equal("duration is that of the trace", True,
            300_000_000 <= report["trace"]["duration_ns"] < 3_000_000_000)


@case()
def truth_through_a_recording(t):
    """Messages and bytes of the workload, from the file."""
    path, truth = t.path("rec"), t.path("truth")
    t.run([t.ipcspy, "record", "-o", path, "--", t.demo, "pipe", "--messages", "200000",
           "--truth", truth])
    report, _ = read_report(t, path)
    want = load_truth(truth)["flows"][0]
    t.equal("messages", want["messages"], sent(report))
    t.equal("bytes", want["bytes"], sum(f["bytes"] for f in report["flows"]
                                        if f["mechanism"] == "pipe"))


def files_of(t, name):
    return sorted(t.path(x) for x in os.listdir(t.dir) if x.startswith(name + "."))


@case()
def row_of_files(t):
    """Each is readable on its own, none of its messages lacks its other half, and all of them
    together have what the workload sent."""
    truth = t.path("truth")
    t.run([t.ipcspy, "record", "-o", t.path("rec"), "--max-size", "1M", "--", t.demo, "pipe",
           "--messages", "300000", "--truth", truth])
    files = files_of(t, "rec")
    t.between("files", 3, 20, len(files))
    messages = 0
    for path in files:
        report, _ = read_report(t, path)
        messages += sent(report)
        t.ok("none is longer than it may be", os.path.getsize(path) <= 1 << 20,
             os.path.getsize(path))
        t.equal("without its other half", 0, sum(c["unpaired"] for c in report["channels"]))
        names = {f["src"]["comm"]: f["dst"]["comm"] for f in report["flows"]
                 if f["mechanism"] == "pipe"}
        t.equal("who sends to whom", {"send-0": "recv-0"}, names)
        t.ok("the program's path", all(p["exe"] for p in report["processes"] if p["target"]))
        t.equal("the command", t.demo, report["trace"]["command"]["argv"][0])
    # what was in the pipe when a file began has its send in the one before
    t.between("messages", 300000 - 200 * len(files), 300000, messages)
    t.equal("mode", 0o600, stat.S_IMODE(os.stat(files[0]).st_mode))


@case()
def row_keeps_the_latest(t):
    """The numbers go on behind those of an earlier run, and the oldest go."""
    run = [t.ipcspy, "record", "-o", t.path("rec"), "--max-size", "1M", "--max-files", "2"]
    with open(t.path("rec.other"), "w") as f:
        f.write("not of the row")
    for first in (3, 5):
        t.run([*run, "--", t.demo, "pipe", "--messages", "300000"])
        files = files_of(t, "rec")
        t.equal("files", 3, len(files))
        t.ok("of numbers that go on", int(files[0][-6:]) >= first, files)
    t.equal("another file stays", t.path("rec.other"), files[-1])
    one_error(t, [*run, "--", "/nonesuch"], "cannot run")
    t.equal("nothing is left of what did not run", files, files_of(t, "rec"))


@case()
def ring_on_a_signal(t):
    """The last seconds, as often as it is asked for, and nothing at the end."""
    pids = start_traffic(t, "pipe", "--rate", "2000", "--messages", "1000000")
    p = t.start([t.ipcspy, "record", "-o", t.path("rec"), "-p", pids, "--ring", "2"])
    time.sleep(5)
    for n in (1, 2):
        os.kill(p.pid, signal.SIGUSR1)
        wait_for("a file", lambda n=n: len(files_of(t, "rec")) == n)
        time.sleep(0.5)
    os.kill(p.pid, signal.SIGINT)
    t.equal("status", 0, t.end(p).status)
    t.equal("files", 2, len(files_of(t, "rec")))
    for path in files_of(t, "rec"):
        report, _ = read_report(t, path)
        duration = report["trace"]["duration_ns"]
        # in whole blocks, of a second and as late as the recorder was
        t.between("its duration", 1_000_000_000, 4_500_000_000, duration)
        t.near("messages, by the rate", 2000 * duration / 1e9, sent(report), 0.2, 100)
        t.equal("without its other half", 0, sum(c["unpaired"] for c in report["channels"]))


@case()
def ring_on_a_finding(t):
    """A deadlock writes what led to it, once; what is harmless writes nothing."""
    run = [t.ipcspy, "record", "-o", t.path("rec"), "--ring", "30", "--on-finding", "critical",
           "-d", "4", "--"]
    r = t.run([*run, t.demo, "pipe", "--rate", "100", "--messages", "1000"])
    t.equal("files", [], files_of(t, "rec"))
    t.ok("it says so", b"no recording was written" in r.err, repr(r.err))
    t.run([*run, t.demo, "deadlock", "--hold", "6s"])  # the trace ends before it
    t.equal("files", 1, len(files_of(t, "rec")))
    report, _ = read_report(t, files_of(t, "rec")[0])
    t.ok("the finding is in it", "critical" in [f["severity"] for f in report["findings"]],
         report["findings"])


@case(params=[("--max-size 1K -o x -a",), ("--max-files 2 -o x -a",), ("--ring 0 -o x -a",),
              ("--on-finding critical -o x -a",), ("--on-finding bad --ring 5 -o x -a",),
              ("--ring 5 -o - -a",), ("--ring 5 --force -o x -a",), ("-o x ls",)], live=False)
def usage_of_record(t, words):
    r = t.run([t.ipcspy, "record", *words.split()], expect=2)
    t.equal("one line", 1, r.err.count(b"\n"))
