# SPDX-License-Identifier: BSD-2-Clause
"""Calls and bytes against strace, which watches the same processes at once.

ipcspy runs strace, strace runs the program; so both see the very same calls and
every count must be equal, by process, channel and direction.
"""
import os
import re
import shutil

from lib import MECHANISMS, Skip, case, endpoints

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
RECV = {"read", "readv", "preadv2", "recvfrom", "recvmsg", "recvmmsg"}
SEND = {"write", "writev", "pwritev2", "sendto", "sendmsg", "sendmmsg"}
TWO_FDS = {"splice": (0, 1), "tee": (0, 1), "sendfile": (1, 0), "copy_file_range": (0, 1)}
CALLS = RECV | SEND | set(TWO_FDS) | {"vmsplice"}
SOCKETS = {"UNIX-STREAM": "unix-stream", "UNIX": "unix", "TCP": "tcp", "TCPv6": "tcp",
           "UDP": "udp", "UDPv6": "udp"}

LINE = re.compile(r"(\d+) +(.*)")
BEGIN = re.compile(r"(.*) <unfinished \.\.\.>$")
RESUME = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)")
FD = re.compile(r"\b(\d+)<((?:[\w-]+:\[.*?\])(?=>)|[^<>]*)>")


def strace_argv(log, command):
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    return ["strace", "-f", "-yy", "-qq", "-s", "0", "-v", "-e", "signal=none", "-e",
            "trace=" + ",".join(sorted(CALLS)), "-o", log, "--", *command]


def finished_calls(log):
    """(pid, name, arguments, result) of each call that returned, in the order they did."""
    begun = {}
    with open(log, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            pid, text = LINE.match(line).groups()
            part = BEGIN.match(text)
            if part:
                begun[pid] = part.group(1)
                continue
            rest = RESUME.match(text)
            if rest:
                text = begun.pop(pid) + rest.group(2)
            call = CALL.match(text)
            if call:
                yield int(pid), call.group(1), call.group(2), call.group(3)


def channel_of(text):
    """What strace prints behind a descriptor -> (mechanism, name), None when no channel."""
    kind, _, rest = text.partition(":[")
    rest = rest[:-1]
    if kind == "pipe":
        return "pipe", f"pipe:[{rest}]"
    if kind == "UNIX-STREAM":
        return "unix-stream", frozenset(int(n) for n in re.findall(r"\d+", rest.split(",")[0]))
    if kind in ("TCP", "TCPv6"):
        return "tcp", frozenset(rest.split("->"))
    if kind in SOCKETS:
        return SOCKETS[kind], ""
    return ("fifo", text) if "fifo" in text else None


def moved(name, args, result):
    """(calls, messages or None, bytes) of one line."""
    if not result.isdigit():
        return 1, 0
    if name in ("sendmmsg", "recvmmsg"):
        lens = [int(n) for n in re.findall(r"msg_len=(\d+)", args)]
        return 1, sum(lens[:int(result)])
    return 1, 0 if "MSG_PEEK" in args.rpartition('"')[2] else int(result)


def sides(name, args):
    """The descriptors of a call: (what it is, "send" or "recv", whether bytes leave it)."""
    fds = [m.group(2) for m in FD.finditer(args)]
    if name in TWO_FDS:
        # a descriptor that strace cannot annotate would shift the others
        assert len(fds) == 2, args
        source, sink = (fds[i] for i in TWO_FDS[name])
        return [(source, "recv", name != "tee"), (sink, "send", True)]
    if name == "vmsplice":
        return [(fds[0], None, True)]
    return [(fds[0], "recv" if name in RECV else "send", True)] if fds else []


def counts_of_strace(log, write_ends):
    """{(pid, mechanism, name, role): [calls, bytes]}, and the pairs of keys of which
    one had a call that failed: that side without data or room."""
    counts, either = {}, []
    for pid, name, args, result in finished_calls(log):
        calls, size = moved(name, args, result)
        keys = []
        for fd, role, leaves in sides(name, args):
            chan = channel_of(fd)
            if not chan:
                continue
            if not role:  # vmsplice: the direction is that of the pipe's end
                role = "send" if re.match(r"(\d+)", args).group(1) in write_ends else "recv"
            keys.append((pid, *chan, role))
            count = counts.setdefault(keys[-1], [0, 0])
            count[0] += calls
            count[1] += size if leaves else 0
        if len(keys) == 2 and not result.isdigit():
            either.append(keys)
            for key in keys:
                counts[key][0] -= 1
    return counts, either


def settle(want, either, got):
    """Gives each call that failed to the side that ipcspy has it on."""
    for one, other in either:
        key = one if got.get(one, [0])[0] > want[one][0] else other
        want[key][0] += 1


def name_in_report(chan):
    if chan["mechanism"] == "tcp":
        return "tcp", frozenset(chan["name"][len("tcp:"):].split("<->"))
    if chan["mechanism"].startswith("unix-") and chan["mechanism"] != "unix-stream":
        return "unix", ""
    return chan["mechanism"], "" if chan["mechanism"] == "udp" else chan["name"]


def counts_of_report(report, pids, known):
    """The same from ipcspy. A unix stream is named by a path or by one of its inodes."""
    counts = {}
    for chan, ep in endpoints(report):
        if ep["pid"] not in pids or ep["role"] == "attach":
            continue
        mechanism, name = name_in_report(chan)
        if mechanism == "unix-stream":
            name = next((k[2] for k in known if k[1] == mechanism and
                         any(chan["name"] == f"unix:[{ino}]" for ino in k[2])), chan["name"])
        count = counts.setdefault((ep["pid"], mechanism, name, ep["role"]), [0, 0])
        count[0] += ep["calls"]
        count[1] += ep["bytes"]
    return counts


def merge_named(counts):
    """Unix streams with a path: strace knows their inodes, ipcspy their path. One
    at a time is open in these programs, so their sum by process will do."""
    merged = {}
    for (pid, mechanism, name, role), (calls, size) in counts.items():
        if mechanism == "unix-stream":
            name = ""
        count = merged.setdefault((pid, mechanism, name, role), [0, 0])
        count[0] += calls
        count[1] += size
    return merged


def compare_flows(t, report, pids):
    """What was received is in flows, to the byte, since all was seen from the start."""
    for chan, ep in endpoints(report, role="recv"):
        if ep["pid"] not in pids:
            continue
        flows = [f for f in report["flows"]
                 if f["channel"] == chan["id"] and f["dst"].get("pid") == ep["pid"]]
        where = f"{chan['mechanism']} {chan['name']} to {ep['pid']}"
        t.equal(f"{where}: bytes in flows", ep["bytes"], sum(f["bytes"] for f in flows))
        t.ok(f"{where}: every sender is known", all(f["src"].get("pid") for f in flows),
             str(flows))
        if chan["unit"] == "messages":
            t.equal(f"{where}: messages in flows", ep["messages"],
                    sum(f["messages"] for f in flows))


def compare(t, command, write_ends=()):
    log = t.new_path(".strace")
    r = t.trace("-m", ",".join(MECHANISMS), command=strace_argv(log, command))
    t.equal("status of the command", 0, r.report["trace"]["command"]["exit"], str(r.err[-300:]))
    want, either = counts_of_strace(log, write_ends)
    got = counts_of_report(r.report, {k[0] for k in want}, want)
    settle(want, either, got)
    if any(isinstance(k[2], str) and k[1] == "unix-stream" for k in got):
        want, got = merge_named(want), merge_named(got)
    t.ok("strace saw something", want)
    t.equal("[calls, bytes] by (pid, mechanism, channel, role)", want, got)
    compare_flows(t, r.report, {k[0] for k in want})


SECTIONS = ("plain", "fifo", "splices", "unix_stream", "unix_seqpacket", "unix_dgram", "tcp",
            "udp", "interrupted", "polled")


@case(params=[(s,) for s in SECTIONS])
def strace_calls(t, section):
    """Each system call that moves data, in one process and its children."""
    compare(t, [PYTHON, os.path.join(HERE, "calls.py"), section, t.dir], write_ends={"4"})


def make_tree(t):
    """A small directory that is always the same."""
    top = t.path("tree")
    os.mkdir(top)
    for i in range(40):
        with open(os.path.join(top, f"file-{i:02}"), "w") as f:
            f.write("".join(f"{i * k % 9973} {k}\n" for k in range(2000)))
    return top


def pipelines(t):
    tree = make_tree(t)
    return {
        "head-cat-wc": "head -c 1000000 /dev/zero | cat | wc -c >/dev/null",
        "tar-gzip-cat": f"tar cf - -C {tree} . | gzip -1 | cat >/dev/null",
        "dd-small": "dd if=/dev/zero bs=100 count=3000 status=none | dd of=/dev/null bs=64 "
                    "status=none",
        "reader-gone": "yes | head -n 1000 >/dev/null",
        "nested": "(echo a; (echo b; seq 5000) | sort -n) | while read -r x; do :; done",
    }


NAMES = ("head-cat-wc", "tar-gzip-cat", "dd-small", "reader-gone", "nested")


@case(params=[(n,) for n in NAMES])
def strace_pipeline(t, name):
    """Ordinary programs in a shell's pipes."""
    compare(t, ["sh", "-c", pipelines(t)[name]])


@case(params=[("head-cat-wc",), ("tar-gzip-cat",), ("dd-small",)])
def strace_apart(t, name):
    """One run each: how a pipe's bytes are cut into calls differs, their sum does not."""
    command = ["sh", "-c", pipelines(t)[name]]
    log = t.new_path(".strace")
    t.run(strace_argv(log, command))
    want, _ = counts_of_strace(log, ())
    report = t.trace("-m", ",".join(MECHANISMS), command=command).report
    got = [[c["mechanism"], ep["role"], ep["bytes"]] for c, ep in endpoints(report)
           if ep["role"] != "attach"]
    t.equal("bytes by process and direction", sorted([k[1], k[3], n[1]] for k, n in want.items()),
            sorted(got))
    flows = sorted(f["bytes"] for f in report["flows"])
    t.equal("bytes of the flows", sorted(n[1] for k, n in want.items() if k[3] == "recv"), flows)


EVENTFDS = """
import os, select
fd = os.eventfd(3, os.EFD_NONBLOCK)
if os.fork() == 0:
    for value in (1, 7, 2**64 - 2, 5):
        attempt(os.eventfd_write, fd, value)
    attempt(os.write, fd, b"short")
    attempt(os.writev, fd, [bytes(8), bytes(8)])
    os._exit(0)
select.select([fd], [], [])
attempt(os.eventfd_read, fd)
os.wait()
attempt(os.eventfd_read, fd)
attempt(os.read, fd, 4)
attempt(os.readv, fd, [bytearray(100)])
"""
TERMINAL = ["script", "-qc", "seq 2000; stty -a; sh -c 'read x; echo $x'", "/dev/null"]
FILES = {"eventfd": r"\d+<anon_inode:\[eventfd\]", "pty": r"\d+</dev/(ptmx|pts/\d+)"}


@case(params=[("eventfd",), ("pty",)])
def strace_files(t, mechanism):
    """What strace knows by its file only: calls and bytes by process and direction."""
    log = t.new_path(".strace")
    helper = "def attempt(call, *args):\n    try:\n        call(*args)\n" \
             "    except OSError:\n        pass\n"
    command = TERMINAL if mechanism == "pty" else [PYTHON, t.script(helper + EVENTFDS)]
    r = t.trace(command=strace_argv(log, command))
    want = {}
    for pid, name, args, result in finished_calls(log):
        if name not in RECV | SEND or not re.match(FILES[mechanism], args):
            continue
        calls, size = moved(name, args, result)
        count = want.setdefault((pid, "recv" if name in RECV else "send"), [0, 0])
        count[0] += calls
        count[1] += size
    got = {}
    for _, ep in endpoints(r.report, mechanism=mechanism):
        if ep["role"] != "attach":
            got[ep["pid"], ep["role"]] = [ep["calls"], ep["bytes"]]
    t.ok("strace saw both directions", {role for _, role in want} == {"send", "recv"}, str(want))
    t.equal("[calls, bytes] by (pid, role)", want, got)
