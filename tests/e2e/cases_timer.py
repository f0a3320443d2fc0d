# SPDX-License-Identifier: BSD-2-Clause
"""Timers go off in interrupts, upon whatever program of ours runs just then."""
import json
import os
import re

from cases_signal import row_of
from cases_wake import at, flows_at
from lib import Skip, case, endpoints

WORD, OTHER_WORD = 0x20, 0x1000  # in alarm.c
WAYS = ("pipe", "unix-stream", "tcp")


def alarm(t):
    return os.path.join(os.path.dirname(t.ipcspy), "tests", "e2e", "alarm")


def traced(t, *args):
    """(report, what alarm counted itself)"""
    r = t.trace(command=[alarm(t), *map(str, args)])
    return r.report, json.loads(r.out)


@case()
def timer_while_channels_begin(t):
    """The first signal of a process is told of while pipes and sockets are: neither becomes the
    other."""
    path, lines = t.new_path(".ipc"), t.new_path(".jsonl")
    r = t.run([t.ipcspy, "record", "-o", path, "--", alarm(t), "births", "1500"])
    truth = json.loads(r.out)
    t.run([t.ipcspy, "export", "--to", "jsonl", "-o", lines, path])
    with open(lines) as f:
        messages = [m for m in map(json.loads, f) if "mechanism" in m]
    data = [m for m in messages if m["mechanism"] in WAYS]
    t.equal("messages", truth["messages"], len(data))
    t.equal("bytes", truth["bytes"], sum(m["bytes"] for m in data))
    t.equal("with both ends", [], [m for m in data if "src_pid" not in m or "dst_pid" not in m][:3])
    t.equal("without a name", [],
            [m["name"] for m in data if not re.search(r"\[[0-9]+\]", m["name"])][:3])
    t.equal("signals of timers", truth["signals"],
            sum(m["mechanism"] == "signal" and m.get("src_kind") == "timer" for m in messages))


@case()
def timer_storm(t):
    """Three timers at 10 kHz beside writes on three channels."""
    report, truth = traced(t, "storm", 2)
    for mechanism in WAYS:
        flows = [f for f in report["flows"] if f["mechanism"] == mechanism]
        t.equal(f"{mechanism}: messages, bytes", [truth["messages"] // 3, truth["bytes"] // 3],
                [sum(f[what] for f in flows) for what in ("messages", "bytes")])
    rows = [row_of(t, report, truth["pid"], name) for name in ("SIGALRM", "SIGPROF", "SIGRTMIN")]
    t.equal("signals", truth["signals"], sum(row.get("handled", 0) for row in rows))
    t.ok("there are many", truth["signals"] > 2000, str(rows))


@case()
def timer_is_no_waker(t):
    """A wait that times out while its processor wakes another word takes nothing from that."""
    if os.cpu_count() < 2:
        raise Skip("it takes two processors")
    report, truth = traced(t, "wakes", 1)
    word, other = at(report, WORD), at(report, OTHER_WORD)
    woken = sum(f["messages"] for f in report["flows"] if f["channel"] == word["id"])
    t.equal("woken", truth["waited"], woken)
    # a task that was taken off the queue before it slept is woken in its next wait: one more then
    t.near("told by who woke", truth["messages"],
           sum(ep["messages"] for chan, ep in endpoints(report, truth["pid"], "send")
               if chan["id"] == word["id"]), 0.001, 3)
    t.equal("of the word that nobody wakes", {}, flows_at(report, other))
    t.ok("there are many", truth["messages"] >= 1000, str(truth))
