# SPDX-License-Identifier: BSD-2-Clause
"""--payload: the bytes of messages, as the programs sent them, in every form of output."""
import base64
import collections
import os
import socket
import sqlite3
import struct
import sys

from cases_attach import traces
from cases_hostile import nobody
from cases_priv import USER, with_capabilities
from lib import case, strict_json, wait_for

ROOT = "it needs privileges of its own for --payload"

# Sends on one channel after the other, receives what it sent, and writes what that was to a file.
TALK = r"""
import ctypes, json, os, socket, struct, sys, tty
sent = []

def note(mechanism, data):
    sent.append([mechanism, data.hex()])

def pair(mechanism, kind):
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    for parts in ([b"one ", b"", b"two\0", b"three\x1b[31m"], [b"\xff" * 7, b"y" * 300], [b"z"]):
        a.sendmsg(parts)
        note(mechanism, b"".join(parts))
        b.recv(1000)
    a.send(b"back"); note(mechanism, b"back"); b.recv(100)
    b.send(b"and forth"); note(mechanism, b"and forth"); a.recv(100)

r, w = os.pipe()
for parts in ([b"pipe ", b"of ", b"parts"], [bytes([i]) for i in range(256)], [b"one"]):
    os.writev(w, parts)
    note("pipe", b"".join(parts))
os.write(w, b"q" * 64); note("pipe", b"q" * 64)
os.read(r, 1000)
os.mkfifo(sys.argv[2])
f = os.open(sys.argv[2], os.O_RDWR)
os.write(f, b"through a FIFO"); note("fifo", b"through a FIFO")
os.read(f, 100)
pair("unix-stream", socket.SOCK_STREAM)
pair("unix-dgram", socket.SOCK_DGRAM)
pair("unix-seqpacket", socket.SOCK_SEQPACKET)

u, v = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
u.bind(("127.0.0.1", 0))
for data in (b"datagram", b"", b"D" * 2000):
    v.sendto(data, u.getsockname())
    note("udp", data)
    u.recv(3000)
v.connect(u.getsockname())
libc = ctypes.CDLL(None, use_errno=True)
bufs = [ctypes.create_string_buffer(s, len(s)) for s in (b"first ", b"of many", b"second of many")]
iov = (ctypes.c_uint64 * 6)(*[x for b in bufs for x in (ctypes.addressof(b), len(b))])
head = struct.Struct("QIIQQQQIIII")  # struct mmsghdr
msgs = ctypes.create_string_buffer(
    head.pack(0, 0, 0, ctypes.addressof(iov), 2, 0, 0, 0, 0, 0, 0) +
    head.pack(0, 0, 0, ctypes.addressof(iov) + 32, 1, 0, 0, 0, 0, 0, 0))
assert libc.sendmmsg(v.fileno(), msgs, 2, 0) == 2
for data in (b"first of many", b"second of many"):
    note("udp", data)
    u.recv(100)

with socket.create_server(("127.0.0.1", 0)) as s:
    c = socket.create_connection(s.getsockname())
    d, _ = s.accept()
for data in (b"GET / HTTP/1.0\r\n\r\n", b"T" * 5000):
    c.sendall(data); note("tcp", data)
    d.recv(len(data), socket.MSG_WAITALL)
d.sendmsg([b"200 ", b"OK"]); note("tcp", b"200 OK")
c.recv(100)

name = b"/" + os.path.basename(sys.argv[2]).encode() + str(os.getpid()).encode()
buf = ctypes.create_string_buffer(10000)
attr = (ctypes.c_long * 8)(0, 4, 256)
q = libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, attr)
assert q >= 0
libc.mq_unlink(name)
for data, prio in ((b"of low priority", 1), (b"urgent" * 20, 9)):
    assert libc.mq_send(q, data, len(data), prio) == 0
note("posix-mq", b"urgent" * 20)
note("posix-mq", b"of low priority")
for _ in range(2):
    assert libc.mq_receive(q, buf, 256, None) > 0
m = libc.msgget(0, 0o600)
for data, kind in ((b"sysv text", 7), (b"more" * 30, 3)):
    assert libc.msgsnd(m, struct.pack("l", kind) + data, len(data), 0) == 0
for data, kind in ((b"more" * 30, 3), (b"sysv text", 7)):
    note("sysv-msg", data)
    assert libc.msgrcv(m, buf, 1000, ctypes.c_long(kind), 0) == len(data)
libc.msgctl(m, 0, None)

master, slave = os.openpty()
tty.setraw(slave)
os.write(master, b"typed\r\x03"); note("pty", b"typed\r\x03")
os.read(slave, 100)
with open(sys.argv[1], "w") as f:
    json.dump(sent, f)
"""

MECHANISMS = ("pipe", "fifo", "unix-stream", "unix-dgram", "unix-seqpacket", "tcp", "udp",
              "posix-mq", "sysv-msg", "pty")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def talk(t):
    """The command that sends, and what tells what it sent: {mechanism: [bytes]}, in the order of
    the receives."""
    truth = t.path("sent")

    def sent():
        by = collections.defaultdict(list)
        with open(truth, "rb") as f:
            for mechanism, data in strict_json(f.read()):
                by[mechanism].append(bytes.fromhex(data))
        return by

    return [sys.executable, t.script(TALK), truth, t.path("fifo")], sent


def lines_of(data):
    """Message lines that have an end on a channel that TALK uses."""
    lines = [strict_json(line) for line in data.splitlines()]
    return [x for x in lines if x.get("mechanism") in MECHANISMS]


def by_mechanism(lines, value):
    by = collections.defaultdict(list)
    for x in lines:
        by[x["mechanism"]].append(value(x))
    return by


def compare(t, what, sent, lines, keep):
    """The first bytes of every message, and how long it was."""
    got = by_mechanism(lines, lambda x: (base64.b64decode(x["payload"], validate=True),
                                         x["payload_len"], x["bytes"]))
    for mechanism in MECHANISMS:
        t.equal(f"{what}: {mechanism}",
                [(d[:keep], len(d[:keep]), len(d)) for d in sent[mechanism]], got[mechanism])


@case(params=[(1,), (20,), (300,), (4096,)], root=ROOT)
def payload_is_what_was_sent(t, keep):
    """By each mechanism, all parts of a message together, and no more than was asked for."""
    command, sent = talk(t)
    out = t.path("lines")
    t.run([t.ipcspy, "--format", "jsonl", "--payload", str(keep), "-m", ",".join(MECHANISMS),
           "-o", out, "--", *command])
    with open(out, "rb") as f:
        compare(t, "lines", sent(), lines_of(f.read()), keep)


@case()
def no_payload_unless_asked_for(t):
    command, sent = talk(t)
    out = t.path("lines")
    t.run([t.ipcspy, "--format", "jsonl", "-m", ",".join(MECHANISMS), "-o", out, "--", *command])
    with open(out, "rb") as f:
        data = f.read()
    t.equal("messages", {m: len(d) for m, d in sent().items()},
            {m: len(v) for m, v in by_mechanism(lines_of(data), dict).items()})
    t.ok("there is no payload in it", b"payload" not in data)


@case(root=ROOT)
def payload_is_in_text_without_orders(t):
    command, _ = talk(t)
    out = t.path("lines")
    t.run([t.ipcspy, "-t", "--payload", "30", "-m", "unix-stream,pipe", "-o", out, "--", *command])
    with open(out, "rb") as f:
        data = f.read()
    for line in (rb'  13: "pipe of parts"', rb'  18: "one two\x00three\x1b[31m"', b'  9: "and forth"',
                 b'  30 of 64: "' + b"q" * 30 + b'"'):
        t.ok(f"there is a line {line!r}", b"\n" + line + b"\n" in data, repr(data[:500]))
    t.ok("nothing in it is for a terminal", b"\x1b" not in data and b"\0" not in data)


def recorded(t, keep=20):
    """A recording of TALK, and what it sent."""
    command, sent = talk(t)
    path = t.path("rec")
    t.run([t.ipcspy, "record", "--payload", str(keep), "-m", ",".join(MECHANISMS), "-o", path,
           "--", *command])
    t.equal("mode of the recording", 0o600, os.stat(path).st_mode & 0o777)
    return path, sent()


def export(t, fmt, recording):
    path = t.new_path("." + fmt)
    r = t.run([t.ipcspy, "export", "--to", fmt, "-o", path, recording])
    t.equal("mode of what is exported", 0o600, os.stat(path).st_mode & 0o777)
    return path, r.err


@case(root=ROOT)
def payload_is_in_a_recording(t):
    """... and comes out of it in each format that has messages."""
    path, sent = recorded(t)
    jsonl, err = export(t, "jsonl", path)
    t.equal("stderr", b"", err)
    with open(jsonl, "rb") as f:
        lines = lines_of(f.read())
    compare(t, "jsonl", sent, lines, 20)
    db, _ = export(t, "sqlite", path)
    rows = sqlite3.connect(db).execute("SELECT mechanism, bytes, payload FROM lines").fetchall()
    t.equal("sqlite", [(x["mechanism"], x["bytes"], base64.b64decode(x["payload"]))
                       for x in lines], rows)
    csv, _ = export(t, "csv", path)
    with open(csv, "rb") as f:
        head, *rows = [line.split(b",") for line in f.read().splitlines()]
    at = head.index(b"payload")
    t.equal("csv", [x["payload"].encode() for x in lines], [row[at] for row in rows])


def tshark(t, path, *fields, expect=0):
    r = t.run(["tshark", "-n", "-r", path, "-T", "fields", *(w for f in fields for w in ("-e", f))],
              expect=expect)
    return [line.split("\t") for line in r.text.splitlines()]


@case(root=ROOT)
def tshark_reads_packets(t):
    """A packet for each message, with its bytes, its time, and who sent it to whom."""
    path, _ = recorded(t)
    with open(export(t, "jsonl", path)[0], "rb") as f:
        head, *lines = [strict_json(line) for line in f.read().splitlines()]
    packets, err = export(t, "pcapng", path)
    t.equal("stderr", b"", err)
    rows = tshark(t, packets, "frame.interface_name", "data.data", "frame.time_epoch",
                  "exported_pdu.col_proto_str", "frame.len", "frame.cap_len", "frame.comment")
    s, ns = map(int, head["epoch"].split("."))
    t.equal("packets", len(lines), len(rows))
    for x, row in zip(lines, rows):
        at = divmod(s * 10**9 + ns + x["t_ns"], 10**9)
        t.equal("packet", [x["mechanism"], base64.b64decode(x["payload"]).hex(),
                           "%d.%09d" % at, x["mechanism"], x["bytes"] - x["payload_len"]],
                [*row[:4], int(row[4]) - int(row[5])])
        who = f"{x['src_comm']}[{x['src_pid']}] -> {x['dst_comm']}[{x['dst_pid']}] {x['name']} " \
              f"{x['bytes']} bytes, latency {x['latency_ns']} ns"
        t.ok("the comment says who", row[6].startswith(who), f"{who!r}, {row[6]!r}")
    with open(packets, "rb") as f:
        data = f.read()
    t.ok("the column Info says who (Wireshark 4.2)", struct.pack(">HH", 36, 40)[:2] in data)
    other = struct.pack("<I", struct.unpack("<I", data[-4:])[0] + 4)
    for what, broken in (("half a packet", data[:-30]),
                         ("two lengths of a block", data[:-4] + other)):
        with open(packets, "wb") as f:
            f.write(broken)
        r = t.run(["tshark", "-r", packets], expect=None)
        t.ok(f"tshark refuses {what}", r.status != 0, repr(r.err))


@case()
def packets_without_bytes(t):
    """Without --payload there is a packet for each message, as long as it, and a line says so."""
    path = t.path("rec")
    t.run([t.ipcspy, "record", "-m", "pipe", "-o", path, "--", t.demo, "pipe", "--messages", "50",
           "--size", "100"])
    packets, err = export(t, "pcapng", path)
    t.ok("stderr says that there are no bytes", b"has no bytes of messages" in err, repr(err))
    rows = tshark(t, packets, "frame.len", "frame.cap_len", "data.data")
    t.equal("lengths", [(100, "")] * 50, [(int(r[0]) - int(r[1]), r[2]) for r in rows])


LISTENER = r"""
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 0))
print(s.getsockname()[1], u.getsockname()[1], flush=True)
c, _ = s.accept()
c.recv(100)
c.send(b"reply")
u.recv(100)
c.send(b"ok")
c.recv(100)
"""


@case(root=ROOT)
def payload_of_a_sender_that_is_not_traced(t):
    """What a receiver got tells what was sent where nobody saw the sending."""
    p = t.start([sys.executable, t.script(LISTENER)])
    ports = wait_for("ports", lambda: read(p.files[0].name).split())
    out = t.path("lines")
    spy = t.start([t.ipcspy, "--no-peers", "--format", "jsonl", "--payload", "5", "-p", str(p.pid),
                   "-m", "tcp,udp", "-o", out])
    wait_for("attached", lambda: traces(spy.pid))
    with socket.create_connection(("127.0.0.1", int(ports[0]))) as c:
        c.send(b"request")
        c.recv(100)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.sendto(b"datagram", ("127.0.0.1", int(ports[1])))
        c.recv(100)
        c.send(b"end")
        p.wait(20)
    t.equal("status", 0, t.end(spy).status)
    t.equal("messages", sorted([("tcp", 7, b"reque"), ("tcp", 5, b"reply"), ("tcp", 2, b"ok"),
                                ("tcp", 3, b"end"), ("udp", 8, b"datag")]),
            sorted((x["mechanism"], x["bytes"], base64.b64decode(x["payload"]))
                   for x in lines_of(read(out))))


@case(root=ROOT)
def payload_needs_a_privilege(t):
    """Who may trace may not therefore read what others say."""
    os.chmod(t.dir, 0o777)
    ran = t.path("ran")
    argv = [t.ipcspy, "-t", "--payload", "5", "-o", t.path("out"), "--", "touch", ran]
    r = t.run(nobody(["bpf", "perfmon"], argv), expect=1)
    t.ok("one line on stderr", r.err.count(b"\n") == 1 and b"CAP_SYS_PTRACE" in r.err, repr(r.err))
    t.ok("the command was not run", not os.path.exists(ran))
    t.run(nobody(["bpf", "perfmon", "sys_ptrace"], argv))
    t.ok("the command was run", os.path.exists(ran))
    ran = t.path("ran by a user")
    argv = [with_capabilities(t, "cap_bpf,cap_perfmon,cap_sys_ptrace"), *argv[1:-1], ran]
    r = t.run(argv, expect=1, **USER)
    t.ok("one line on stderr", r.err.count(b"\n") == 1 and b"--payload" in r.err, repr(r.err))
    t.ok("the command was not run for a user", not os.path.exists(ran))
