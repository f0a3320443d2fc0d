# SPDX-License-Identifier: BSD-2-Clause
"""What every live case needs: to run ipcspy, to read reports, to compare.

A case is a function with one argument, a T, and maybe parameters; @case
registers it. T.equal() and its kin note a failure and go on, so that one run
shows all that is wrong. Standard library only.
"""
import json
import os
import shlex
import signal
import subprocess
import time

import privileges

TIMEOUT_S = 60
DETAIL = 700  # characters of one failure
MS = 1_000_000
US = 1_000
STREAMS = ("pipe", "fifo", "unix-stream", "tcp")
MECHANISMS = STREAMS + ("unix-seqpacket", "unix-dgram", "udp")

CASES = []  # (name, function, parameters, live, root)


class Skip(Exception):
    """This machine lacks what the case needs; the text names it."""


class Broken(Exception):
    """The case cannot go on: what it compares is not there."""


def case(params=None, live=True, root=None):
    """Registers a case, or one for each tuple of params. live: needs BPF. root: why it is
    nothing for an ordinary user who may run ipcspy, or {first parameter: why}."""

    def register(func):
        for p in params or [()]:
            words = [str(w).lstrip("-").replace(" --", ",").replace(" ", "=") for w in p]
            name = func.__name__ + ("[" + " ".join(words) + "]" if p else "")
            reason = root.get(p[0]) if isinstance(root, dict) else root
            CASES.append((name, func, p, live, reason))
        return func

    return register


class Accuracy:
    """The worst deviations of all cases, as the project prints them at the end."""

    def __init__(self):
        self.worst = {}

    def note(self, what, badness, text):
        """Of each what, the text with the largest badness is kept."""
        if what not in self.worst or badness > self.worst[what][0]:
            self.worst[what] = (badness, text)

    def lines(self):
        return [f"accuracy: {what}: {text}" for what, (_, text) in sorted(self.worst.items())]


class Result:
    """A command that ended: its status, output, and how to run it again."""

    def __init__(self, argv, status, out, err, report_file=None):
        self.argv, self.status, self.out, self.err = argv, status, out, err
        self.report_file = report_file
        self._report = None

    @property
    def shell(self):
        return shlex.join(map(os.fsdecode, self.argv))

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def report(self):
        """The JSON report that T.trace() asked for."""
        if self._report is None:
            try:
                with open(self.report_file, "rb") as f:
                    self._report = strict_json(f.read())
            except (OSError, ValueError) as e:
                raise Broken(f"no report: {e}; status {self.status}; stderr: {self.err!r}")
        return self._report


def strict_json(data):
    """Decodes JSON that must be UTF-8, without floats, without a key given twice."""

    def unique(pairs):
        keys = [k for k, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError(f"a key is given twice in {keys}")
        return dict(pairs)

    def no_float(text):
        raise ValueError(f"{text} is no integer")

    return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_float=no_float,
                      parse_constant=no_float)


class T:
    """What a running case is given: programs, a directory, and the means to compare."""

    def __init__(self, build, name, directory, accuracy):
        self.name, self.dir, self.accuracy = name, directory, accuracy
        self.ipcspy = os.path.join(build, "ipcspy")
        self.demo = os.path.join(build, "ipcspy-demo")
        self.failures, self.checks = [], 0
        self.last = self.last_told = None  # the last command, for the message of a failure
        self.background = []
        self.prefix = ""  # of what is compared, where a case does so in a loop
        self.files = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def new_path(self, suffix):
        self.files += 1
        return self.path(f"{self.files}{suffix}")

    def script(self, text):
        """A file with a Python program, so that failures show a short command."""
        path = self.new_path(".py")
        with open(path, "w") as f:
            f.write(text)
        return path

    # Running programs. Output goes to files: a pipe would be one more channel to trace.

    def start(self, argv, stdout=None, stderr=None, **kw):
        """Starts a program in a group of its own; it is killed when the case ends."""
        self.last = argv
        files = [open(self.new_path(".out"), "w+b"), open(self.new_path(".err"), "w+b")]
        env = dict(os.environ, TMPDIR=self.dir, **kw.pop("env", {}))
        if privileges.user:
            kw = {**privileges.of_user(), "cwd": self.dir, **kw}
        p = subprocess.Popen(argv, stdin=kw.pop("stdin", subprocess.DEVNULL),
                             stdout=stdout or files[0], stderr=stderr or files[1], env=env,
                             start_new_session=True, **kw)
        p.files, p.argv = files, argv
        self.background.append(p)
        return p

    def end(self, p, timeout=TIMEOUT_S, report_file=None):
        """Waits for a program that start() started."""
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_group(p)
            raise Broken(f"still running after {timeout} s")
        out = []
        for f in p.files:
            f.seek(0)
            out.append(f.read())
            f.close()
        self.background.remove(p)
        return Result(p.argv, status, *out, report_file)

    def run(self, argv, expect=0, timeout=TIMEOUT_S, report_file=None, **kw):
        """Runs a program to its end. expect: the status it shall have, None: any."""
        r = self.end(self.start(argv, **kw), timeout, report_file)
        if expect is not None:
            self.equal("exit status", expect, r.status, f"stderr: {r.err[-500:]!r}")
        return r

    def trace(self, *args, command=None, whole=True, under=(), **kw):
        """ipcspy with a JSON report in a file, which is checked for sense. under: what starts it."""
        path = self.new_path(".json")
        argv = [*under, self.ipcspy, "--format", "json", "-o", path, *args]
        if command is not None:
            argv += ["--", *command]
        r = self.run(argv, report_file=path, **kw)
        check_report(self, r.report, whole)
        return r

    def trace_demo(self, *args, options=(), **kw):
        """Runs a workload under ipcspy. Returns (report, truth)."""
        truth = self.new_path(".truth")
        argv = [self.demo, *map(str, args), "--truth", truth]
        r = self.trace(*options, command=argv, **kw)
        self.equal("status of the workload", 0, r.report["trace"]["command"]["exit"],
                   f"stderr: {r.err[-500:]!r}")
        return r.report, load_truth(truth)

    def trace_demos(self, runs):
        """Several workloads, one after the other, in one trace: loading the programs
        takes longer than most of them. Yields (its part of the report, truth)."""
        truths = [self.new_path(".truth") for _ in runs]
        script = " && ".join(shlex.join([self.demo, *map(str, args), "--truth", path])
                             for args, path in zip(runs, truths))
        r = self.trace(command=["sh", "-c", script])
        self.equal("status of the workloads", 0, r.report["trace"]["command"]["exit"],
                   f"stderr: {r.err[-500:]!r}")
        for args, path in zip(runs, truths):
            self.prefix = " ".join(map(str, args)) + ": "
            truth = load_truth(path)
            yield part_of(r.report, truth), truth
        self.prefix = ""

    def cleanup(self):
        for p in self.background:
            if p.argv[0] == self.demo:
                end_demo(p)
            kill_group(p)
            for f in p.files:
                f.close()

    # Comparing. what: a sentence that says which number of which thing.

    def _failed(self, what, text):
        if self.last is not self.last_told:
            self.last_told = self.last
            self.failures.append("ran: " + shlex.join(map(os.fsdecode, self.last)))
        what = self.prefix + what
        self.failures.append(f"{what}: {text if len(text) < DETAIL else text[:DETAIL] + ' ...'}")

    def ok(self, what, condition, detail=""):
        self.checks += 1
        if not condition:
            self._failed(what, f"expected to hold, does not{': ' + detail if detail else ''}")
        return bool(condition)

    def equal(self, what, expected, got, detail=""):
        self.checks += 1
        if expected != got:
            if isinstance(expected, dict) and isinstance(got, dict):
                expected, got = difference(expected, got), difference(got, expected)
            self._failed(what, f"expected {expected!r}, got {got!r}"
                               f"{'; ' + detail if detail else ''}")
            return False
        return True

    def near(self, what, expected, got, share, least):
        """|got - expected| is at most that share of expected or least, the larger."""
        self.checks += 1
        room = max(expected * share, least)
        if abs(got - expected) > room:
            self._failed(what, f"expected {expected} +- {room:.0f}, got {got}, "
                               f"off by {got - expected}")
        return abs(got - expected) / room if room else 0.0

    def between(self, what, low, high, got):
        self.checks += 1
        if not low <= got <= high:
            self._failed(what, f"expected {low} ... {high}, got {got}")


def difference(a, b):
    """What of the dictionary a is not so in b."""
    return {k: v for k, v in a.items() if k not in b or b[k] != v}


def end_demo(p):
    """A workload that is asked to end removes its queues and semaphores, which later cases
    would find left behind."""
    try:
        os.killpg(p.pid, signal.SIGTERM)
        p.wait(2)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass


def kill_group(p):
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.wait()


def load_truth(path):
    try:
        with open(path, "rb") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        raise Broken(f"no truth: {e}")


def wait_for(what, condition, timeout=10):
    """Polls until condition() is true, and returns its value."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise Broken(f"waited {timeout} s in vain: {what}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(k) for k in f.read().split()]


def task_state(pid):
    """The letter of proc(5): R, S, D, Z ...; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()[0].decode()
    except (OSError, IndexError):
        return None


# Sense: what holds for every report whatever was traced.


COUNTS = (".capacity", ".backlog.now", ".backlog.max")  # of an eventfd: up to 2^64 - 2


def check_numbers(t, where, value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, dict):
        for k, v in value.items():
            if k not in ("start_ns", "exit_code", "capacity"):  # an eventfd counts to 2^64
                check_numbers(t, f"{where}.{k}", v)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            check_numbers(t, f"{where}[{i}]", v)
    else:
        t.ok(f"report{where} is an integer from 0 to 2^62", 0 <= value < 1 << 62 or
             where.endswith(COUNTS) and value < 1 << 64, str(value))


def check_histogram(t, where, h):
    order = [h[k] for k in ("min", "p50", "p90", "p99", "p999", "max")]
    t.equal(f"{where}: quantiles rise", sorted(order), order)
    t.ok(f"{where}: the mean is between min and max", h["min"] <= h["mean"] <= h["max"], str(h))


def check_flow(t, report, f):
    where = f"flow {f['src']} -> {f['dst']} on channel {f['channel']}"
    pids = {p["pid"] for p in report["processes"]}
    t.ok(f"{where}: has a channel", any(c["id"] == f["channel"] for c in report["channels"]))
    for end in ("src", "dst"):
        pid = f[end].get("pid", 0)
        t.ok(f"{where}: {end} is among the processes", not pid or pid in pids)
    t.equal(f"{where}: messages by pairing", f["messages"], sum(f["pairing"].values()))
    t.ok(f"{where}: no more latencies than messages",
         f["latency_ns"]["count"] <= f["messages"], str(f))
    check_histogram(t, where, f["latency_ns"])
    for share, permille in f["shares"].items():
        t.between(f"{where}: share {share}", 0, 1000, permille)


def check_channel(t, report, c):
    where = f"channel {c['name']!r}"
    t.ok(f"{where}: backlog now <= max", c["backlog"]["now"] <= c["backlog"]["max"], str(c))
    t.ok(f"{where}: full no longer than the trace",
         c["backlog"]["full_ns"] <= report["trace"]["duration_ns"], str(c["backlog"]))
    for ep in c["endpoints"]:
        who = f"{where}: {ep['comm']} {ep['role']}"
        t.ok(f"{who}: longest blocked <= total", ep["blocked"]["max_ns"] <= ep["blocked"]["total_ns"],
             str(ep))
        t.ok(f"{who}: no more errors than calls",
             ep["errors"] + ep["would_block"] <= ep["calls"] or c["unit"] == "messages", str(ep))


def check_report(t, report, whole=True):
    t.equal("schema", 1, report["schema"])
    check_numbers(t, "", report)
    for f in report["flows"]:
        check_flow(t, report, f)
    for c in report["channels"]:
        check_channel(t, report, c)
    ids = [c["id"] for c in report["channels"]]
    t.equal("channel ids are unique", len(ids), len(set(ids)))
    if whole:
        t.equal("loss", {"events": 0, "by_mechanism": {}, "untracked_calls": 0,
                         "channels_incomplete": 0, "skipped": {"compat_syscalls": 0, "io_uring": 0}},
                report["loss"])


# Finding things in a report.


def endpoints(report, pid=None, role=None, mechanism=None):
    """(channel, endpoint) of every endpoint that fits."""
    return [(c, ep) for c in report["channels"] for ep in c["endpoints"]
            if pid in (None, ep["pid"]) and role in (None, ep["role"])
            and mechanism in (None, c["mechanism"])]


def channel_named(t, report, name):
    """The one channel of that name."""
    found = [c for c in report["channels"] if same_name(c["name"], name)]
    if not t.equal(f"channels named {name!r}", 1, len(found),
                   f"names: {[c['name'] for c in report['channels']]}"):
        raise Broken("no such channel")
    return found[0]


def same_name(a, b):
    """TCP connections may be named from either end."""
    if a.startswith("tcp:") and b.startswith("tcp:"):
        return sorted(a[4:].split("<->")) == sorted(b[4:].split("<->"))
    return a == b


def part_of(report, truth):
    """The report with only what the processes of one workload used, over its mechanisms:
    others may look into their memory, or send them signals."""
    pids = {p["pid"] for p in truth["senders"] + truth["receivers"]}
    mechanisms = {c["mechanism"] for c in truth["channels"]}
    channels = [c for c in report["channels"] if c["mechanism"] in mechanisms and
                any(ep["pid"] in pids and ep["role"] != "attach" for ep in c["endpoints"])]
    ids = {c["id"] for c in channels}
    return dict(report, channels=channels,
                flows=[f for f in report["flows"] if f["channel"] in ids])


def flow_between(report, src, dst):
    """The flows of one pid to another."""
    return [f for f in report["flows"]
            if f["src"].get("pid") == src and f["dst"].get("pid") == dst]
