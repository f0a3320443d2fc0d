# SPDX-License-Identifier: BSD-2-Clause
"""Pseudoterminals: every byte of a raw one, lines of a canonical one, a shell in one."""
import os
import re
import signal

from cases_attach import traces
from cases_stuck import attached, in_call
from cases_truth import compare_channels, compare_flows
from lib import case, endpoints, flow_between, wait_for

PYTHON = "/usr/bin/python3"


def compare_calls(t, report, truth):
    for key, role in (("senders", "send"), ("receivers", "recv")):
        for proc in truth[key]:
            found = [ep for _, ep in endpoints(report, proc["pid"], role, "pty")]
            for what in ("calls", "bytes"):
                t.equal(f"{proc['comm']} {role}: {what}", proc[what], sum(ep[what] for ep in found))
            t.equal(f"{proc['comm']} {role}: errors", 0, sum(ep["errors"] for ep in found))


@case(params=[(s, way) for s in (1, 2, 8) for way in ("", "--output")])
def pty_truth(t, senders, way):
    """Raw, to the byte: typed at the master, or written to the slave."""
    n = max(300, 2000 // senders)
    for report, truth in t.trace_demos([["pty", "-S", senders, "-R", r, "-n", n, *way.split()]
                                        for r in (1, 2, 8)]):
        compare_flows(t, report, truth)
        compare_channels(t, report, truth)
        compare_calls(t, report, truth)
        paired = {how: sum(f["pairing"][how] for f in report["flows"])
                  for how in ("exact", "settled", "assumed")}
        if senders == 1:
            t.equal("pairing", senders * n, paired["exact"])
        for c in report["channels"]:
            if c["mechanism"] == "pty":
                t.equal("canonical", False, c["info"]["canonical"])
                t.equal("bytes that nobody wrote", (0, 0), (c["info"]["added_to_slave_bytes"],
                                                            c["info"]["added_to_master_bytes"]))


@case(params=[("",), ("--output",)])
def pty_truth_sizes(t, way):
    """Sizes that differ, reads that are no messages, more than fits at once."""
    for report, truth in t.trace_demos([["pty", *v.split(), *way.split()] for v in (
            "-n 300 --vary --size 4000", "-n 300 --chunk 33 --size 300", "-n 50 --size 65536",
            "-n 300 --chunk 5000 --size 300 -S 2")]):
        compare_flows(t, report, truth)
        compare_calls(t, report, truth)


@case(params=[("",), ("--output",)])
def pty_canonical(t, way):
    """Lines: the same bytes and messages; how they belong together is assumed."""
    for report, truth in t.trace_demos([["pty", "--canonical", "-S", s, "-n", 500, *way.split()]
                                        for s in (1, 2, 8)]):
        compare_flows(t, report, truth)
        compare_calls(t, report, truth)
        flows = [f for f in report["flows"] if f["mechanism"] == "pty"]
        if not way:
            t.equal("none is more than assumed", sum(f["messages"] for f in flows),
                    sum(f["pairing"]["assumed"] for f in flows))
        infos = [c["info"] for c in report["channels"] if c["mechanism"] == "pty"]
        t.equal("canonical", [True], [i["canonical"] for i in infos])
        t.equal("bytes that nobody wrote", [0], [i["added_to_slave_bytes"] for i in infos])


TYPED = """
import os, sys, tty, time, termios
master, slave = os.openpty()
pid = os.fork()
if pid == 0:
    os.close(master)
    for i in range(3):
        line = os.read(slave, 1000)
        os.write(slave, b"got " + line)
    os._exit(0)
os.close(slave)
def expect(text):
    got = b""
    while not got.endswith(text):
        got += os.read(master, 1000)
for word in (b"one\\n", b"twx\\x7fo\\n", b"\\x15three\\n"):
    for c in word:
        os.write(master, bytes([c]))
    expect(b"got " + {111: b"one", 116: b"two", 21: b"three"}[word[0]] + b"\\r\\n")
os.waitpid(pid, 0)
"""


@case()
def pty_typed(t):
    """Keys, echo, an erased letter: a key is received with its line, an answer by itself."""
    report = t.trace(command=[PYTHON, "-c", TYPED]).report
    main = report["trace"]["command"]["pid"]
    chan = [c for c in report["channels"] if c["mechanism"] == "pty"]
    if not t.equal("terminals", 1, len(chan)):
        return
    kid = [ep["pid"] for ep in chan[0]["endpoints"] if ep["pid"] != main and ep["calls"]][0]
    keys = flow_between(report, main, kid)
    t.equal("keys: messages, bytes", [(17, 17)], [(f["messages"], f["bytes"]) for f in keys])
    answers = flow_between(report, kid, main)
    t.equal("answers: messages, bytes", [(3, 8 + 8 + 10)],
            [(f["messages"], f["bytes"]) for f in answers])
    for f in keys + answers:
        t.equal("pairing", f["messages"], f["pairing"]["assumed"])
    info = chan[0]["info"]
    t.equal("mode", (True, True, True, False), tuple(info[k] for k in (
        "canonical", "echo", "output_processing", "packet")))
    read = sum(ep["bytes"] for ep in chan[0]["endpoints"]
               if ep["pid"] == main and ep["role"] == "recv")
    t.equal("what nobody wrote: echo and carriage returns", read - 26,
            info["added_to_master_bytes"])
    t.ok("its name", re.fullmatch(r"pty:/dev/pts/\d+", chan[0]["name"]), chan[0]["name"])


SHELL = """
import os, pty, sys
script = [b"echo first\\n", b"seq 1000 | tail -n 1\\n", b"cat >/dev/null; echo third\\n",
          b"some input\\n", b"\\x04", b"exit\\n"]
pid, master = pty.fork()
if pid == 0:
    os.execv("/bin/sh", ["sh"])
seen, total = b"", 0
while True:
    try:
        got = os.read(master, 1000)
    except OSError:
        break
    total += len(got)
    seen += got
    if (seen.endswith(b"# ") or seen.endswith(b"$ ") or seen.endswith(b"third\\r\\n")
            or b"input" in seen) and script:
        os.write(master, script.pop(0))
        if script and script[0] == b"some input\\n":
            os.write(master, script.pop(0))
            os.write(master, script.pop(0))
        seen = b""
os.waitpid(pid, 0)
"""


@case()
def pty_shell(t):
    """A shell in a terminal: master and shell, and what the shell runs, both ways."""
    report = t.trace(command=[PYTHON, t.script(SHELL)], timeout=30).report
    main = report["trace"]["command"]["pid"]
    comm = {p["pid"]: p["comm"] for p in report["processes"]}
    flows = [f for f in report["flows"] if f["mechanism"] == "pty"]
    out = {comm[f["src"]["pid"]]: f for f in flows if f["dst"].get("pid") == main}
    into = {comm[f["dst"]["pid"]]: f for f in flows if f["src"].get("pid") == main}
    t.ok("the shell, tail and nobody else write", {"sh", "tail"} <= set(out), str(set(out)))
    t.ok("the shell and cat read", {"sh", "cat"} <= set(into), str(set(into)))
    if "tail" in out:
        t.equal("tail wrote its line", (1, 5), (out["tail"]["messages"], out["tail"]["bytes"]))
    for f in flows:
        t.equal(f"{f['src']} -> {f['dst']}: assumed", f["messages"], f["pairing"]["assumed"])
    sent = sum(ep["bytes"] for _, ep in endpoints(report, main, "send", "pty"))
    t.equal("all that was typed was received", sent, sum(f["bytes"] for f in into.values()))


WAITS = """
import os, sys, time, tty
master, slave = os.openpty()
tty.setraw(slave)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.read(slave, 100)
    os.write(slave, b"answer")
    os._exit(0)
os.close(slave)
open(sys.argv[1], "w").write(str(pid))
while not os.path.exists(sys.argv[1] + ".go"):
    time.sleep(0.01)
os.write(master, b"question")
os.read(master, 100)
os.waitpid(pid, 0)
"""


@case()
def pty_blocked_before(t):
    """A reader of the slave that waited before ipcspy came waits for the master."""
    path = t.path("pid")
    master = t.start([PYTHON, "-c", WAITS, path])
    reader = int(wait_for("the reader", lambda: os.path.exists(path) and open(path).read()))
    wait_for("the reader waits", lambda: in_call(reader))
    report = attached(t, [reader], "-d", "0.3")
    if t.equal("who is blocked", [reader], [b["pid"] for b in report["blocked_now"]]):
        b = report["blocked_now"][0]
        t.equal("in what", ("recv", "pty", True, "read"),
                (b["operation"], b["mechanism"], b["before_attach"], b["syscall"]))
        t.equal("waits for", [master.pid], [w["pid"] for w in b["waits_for"]])
    report_file = t.new_path(".json")
    spy = t.start([t.ipcspy, "--format", "json", "-o", report_file, "-p", str(reader)])
    wait_for("ipcspy traces", lambda: traces(spy.pid))
    open(path + ".go", "w").close()
    t.end(master)
    spy.send_signal(signal.SIGINT)
    report = t.end(spy, report_file=report_file).report
    for src, dst, size in ((master.pid, reader, 8), (reader, master.pid, 6)):
        t.equal(f"flow {src} -> {dst}", [(1, size)],
                [(f["messages"], f["bytes"]) for f in flow_between(report, src, dst)])
    t.equal("a conversation", 1, len(report["conversations"]))


REUSED = """
import os, tty
for i in range(20):
    master, slave = os.openpty()
    tty.setraw(slave)
    for k in range(i + 1):
        os.write(master, b"x")
        os.read(slave, 1)
    os.close(slave)
    os.close(master)
"""


@case()
def pty_reused(t):
    """The number of a closed terminal comes back at once; it is another."""
    report = t.trace(command=[PYTHON, "-c", REUSED]).report
    t.equal("messages of each", list(range(1, 21)),
            sorted(f["messages"] for f in report["flows"] if f["mechanism"] == "pty"))
    t.equal("terminals", 20, len([c for c in report["channels"] if c["mechanism"] == "pty"]))
