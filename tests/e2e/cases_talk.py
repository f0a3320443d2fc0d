# SPDX-License-Identifier: BSD-2-Clause
"""Conversations: how long one side takes to answer, and connections that come and go."""
import sys

from lib import Broken, case, load_truth, wait_for

SERVER = """
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    while c.recv(100):
        c.send(b"answer")
    c.close()
"""

CLIENT = """
import socket, sys
for i in range(int(sys.argv[2])):
    c = socket.socket(socket.AF_UNIX)
    c.connect(sys.argv[1])
    c.send(b"question")
    c.recv(100)
    c.close()
"""


@case()
def talk_short_connections(t):
    """A stranger accepts connections whose memory had been that of earlier ones: it is followed
    from its first message on, each time."""
    path, cnt = t.new_path(".sock"), 400
    server = t.start([sys.executable, "-c", SERVER, path])
    wait_for("the server", lambda: open(server.files[0].name).read())
    report = t.trace(command=[sys.executable, "-c", CLIENT, path, str(cnt)]).report
    there = [f for f in report["flows"] if f["dst"].get("pid") == server.pid]
    back = [f for f in report["flows"] if f["src"].get("pid") == server.pid]
    t.equal("questions", (cnt, 8 * cnt),
            (sum(f["messages"] for f in there), sum(f["bytes"] for f in there)))
    t.equal("answers", (cnt, 6 * cnt),
            (sum(f["messages"] for f in back), sum(f["bytes"] for f in back)))

TALK = """
import json, os, socket, sys, time
kind, cnt, delay_us, truth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if kind == "pipes":
    (there_r, there_w), (back_r, back_w) = os.pipe(), os.pipe()
elif kind == "socketpair":
    keep = socket.socketpair()
    there_w = back_r = keep[0].fileno()
    there_r = back_w = keep[1].fileno()
else:
    listener = socket.create_server(("127.0.0.1", 0))
    keep = [socket.create_connection(listener.getsockname())]
    keep.append(listener.accept()[0])
    there_w = back_r = keep[0].fileno()
    there_r = back_w = keep[1].fileno()
clock = time.monotonic_ns
server = os.fork()
spans = []
for i in range(cnt):
    if server:
        begin = clock()
        os.write(there_w, b"question")
        os.read(back_r, 100)
    else:
        os.read(there_r, 100)
        begin = clock()
        time.sleep(delay_us / 1e6)
    spans.append(clock() - begin)
    if not server:
        os.write(back_w, b"answer")
with open(truth + (".client" if server else ".server"), "w") as f:
    json.dump({"pid": os.getpid(), "spans": sorted(spans)}, f)
if server:
    os.waitpid(server, 0)
"""


def of_flow(report, src, dst):
    f = [f for f in report["flows"] if (f["src"].get("pid"), f["dst"].get("pid")) == (src, dst)
         and f["messages"] > 1]
    if len(f) != 1:
        raise Broken(f"{len(f)} flows from {src} to {dst}")
    return f[0]["latency_ns"]


@case(params=[("socketpair", "0"), ("socketpair", "2000"), ("pipes", "0"), ("pipes", "2000"),
              ("tcp", "2000")])
def talk_turnaround(t, kind, delay_us):
    """How long a server takes to answer, by its own clock; with both ways it is what its client
    waits, by the client's clock, and never more."""
    cnt, path = 300, t.new_path(".spans")
    report = t.trace(command=[sys.executable, "-c", TALK, kind, str(cnt), delay_us, path]).report
    client, server = load_truth(path + ".client"), load_truth(path + ".server")
    found = [(c, end) for c in report["conversations"] for end, other in ("ab", "ba")
             if (c[end]["pid"], c[other]["pid"]) == (server["pid"], client["pid"])]
    if not t.equal("conversations", 1, len(found)):
        return
    turn = found[0][0]["turnaround_ns"][found[0][1]]
    there = of_flow(report, client["pid"], server["pid"])
    back = of_flow(report, server["pid"], client["pid"])
    t.equal("channels", 2 if kind == "pipes" else 1, len(found[0][0]["channels"]))
    t.equal("answers", cnt, turn["count"])
    t.near("turnaround p50", server["spans"][cnt // 2], turn["p50"], 0.1, 20000)
    t.near("turnaround p50 and both ways", client["spans"][cnt // 2],
           sum(h["p50"] for h in (turn, there, back)), 0.1, 20000)
    total, waited = sum(h["mean"] for h in (turn, there, back)), sum(client["spans"]) // cnt
    t.ok("no more than the client waited", total <= waited + 3, f"{total} ns of {waited} ns")
