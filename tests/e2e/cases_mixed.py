# SPDX-License-Identifier: BSD-2-Clause
"""Every mechanism at once: each as exact as alone."""
from cases_time import ATTEMPTS, latency_misses
from lib import case, part_of

ALL = {"pipe", "fifo", "unix-stream", "unix-dgram", "unix-seqpacket", "tcp", "udp", "posix-mq",
       "sysv-msg", "sysv-sem", "sysv-shm", "shm", "futex", "eventfd", "signal", "pty", "process-vm"}
MEMORY = {"shm", "sysv-shm"}  # whose wake-ups are another mechanism's


def by_pair(flows, src, dst, key):
    """The sum of key for each pair of processes."""
    sums = {}
    for f in flows:
        pair = src(f), dst(f)
        sums[pair] = sums.get(pair, 0) + f[key]
    return sums


def compare_part(t, report, truth):
    for mechanism in {f["mechanism"] for f in truth["flows"]}:
        true = [f for f in truth["flows"] if f["mechanism"] == mechanism]
        senders = {f["src_pid"] for f in true}
        seen = [f for f in report["flows"]
                if f["mechanism"] == mechanism and f["src"].get("pid") in senders]
        for key in ("messages", "bytes"):
            t.equal(f"{truth['workload']}: {key} by sender and receiver over {mechanism}",
                    by_pair(true, lambda f: f["src_pid"], lambda f: f["dst_pid"], key),
                    by_pair(seen, lambda f: f["src"]["pid"], lambda f: f["dst"].get("pid"), key))


def compare_memory(t, report, truth):
    """Who maps it, as many pages as the workload says."""
    pids = {p["pid"] for p in truth["senders"] + truth["receivers"]}
    sharers = [{m["pid"] for m in c["maps"]} for c in report["channels"]
               if c["mechanism"] == truth["workload"] and c.get("maps")]
    t.ok(f"{truth['workload']}: its processes share a segment",
         any(pids <= s for s in sharers), f"{pids} in {sharers}")


@case()
def mixed(t):
    """So many processes on few processors: each latency needs one attempt in which nothing
    came between the call and the stamp, not all of them the same one."""
    off = {}
    for attempt in range(ATTEMPTS):
        report, truth = t.trace_demo("mixed")
        now = {}
        for part in truth["parts"]:
            compare_part(t, report, part)
            if part["workload"] in MEMORY:
                compare_memory(t, report, part)
            # nothing is queued in another process's memory
            if part["workload"] != "process-vm":
                now[part["workload"]] = latency_misses(t, part_of(report, part), part)
        t.equal("mechanisms in the report", ALL, {c["mechanism"] for c in report["channels"]})
        off = {w: m for w, m in now.items() if m and (attempt == 0 or w in off)}
        if not off:
            break
    t.equal(f"latencies out of bounds, {ATTEMPTS} times", {}, off)
