# SPDX-License-Identifier: BSD-2-Clause
"""Latency and blocked time against the stamps of the workloads.

Only distributions of the same run are compared: how long anything takes on this
machine is no matter of these cases.
"""
from lib import MECHANISMS, MS, US, case, channel_named, endpoints

LATENCY_SHARE, LATENCY_LEAST = 0.10, 20 * US
BLOCKED_SHARE, BLOCKED_LEAST = 0.02, 1 * MS
SWITCH_NS = 5 * US


def flow_like(report, true):
    """The flow of the report with the same ends on the same mechanism."""
    found = [f for f in report["flows"] if f["mechanism"] == true["mechanism"]
             and f["src"].get("pid") == true["src_pid"] and f["dst"].get("pid") == true["dst_pid"]]
    return found[0] if len(found) == 1 else None


def latency_misses(t, report, truth):
    """The quantiles that are out of bounds; notes those that are not."""
    misses, notes = [], []
    for true in truth["flows"]:
        flow = flow_like(report, true)
        where = f"{true['src_comm']} -> {true['dst_comm']}"
        if not t.ok(f"{where}: there is one flow", flow) or not true["latency_exact"]:
            continue
        for q in ("p50", "p99"):
            want, got = true["latency_ns"][q], flow["latency_ns"][q]
            room = max(want * LATENCY_SHARE, LATENCY_LEAST)
            text = f"{(got - want) / US:+.1f} us of {want / US:.1f} us"
            if abs(got - want) > room:
                misses.append(f"{where}: {q} of latency is off by {text}")
            notes.append((f"{q} of latency, worst", abs(got - want) / room, f"{text} ({t.name})"))
    if not misses:
        for note in notes:
            t.accuracy.note(*note)
    return misses


RATES = [(m, o) for m in MECHANISMS
         for o in ("--rate 4000 -n 1500", "--rate 2000 -n 700 --size 4096 --senders 2",
                   "-n 4000", "-n 2000 --size 4096 --senders 2 --receivers 2")]
RATES += [("unix-stream", "--size 65536 -n 1000"), ("tcp", "--size 65536 -n 1000"),
          ("pipe", "--size 65536 -n 1000"), ("pipe", "--rate 2000 -n 500 --chunk 50")]
ATTEMPTS = 4


def agree(t, misses_of, mechanism, *options, attempts=ATTEMPTS):
    """Runs the workload until misses_of(t, report, truth) finds nothing. Stamps
    are taken outside of the calls: when the workload loses its processor just
    there, the time is in the truth and in no call. That happens to few
    messages; so a deviation counts when every attempt has one."""
    for _ in range(attempts):
        report, truth = t.trace_demo(mechanism, *options)
        misses = misses_of(t, report, truth)
        if not misses:
            break
    t.equal(f"out of bounds, {attempts} times", [], misses)
    return report, truth


@case(params=RATES)
def latency(t, mechanism, options):
    agree(t, latency_misses, mechanism, *options.split())


def blocked_misses(t, report, truth):
    """Time asleep in calls, by process. The truth has the switch to and from
    another task in it, some microseconds a sleep."""
    misses, notes = [], []
    for key, role in (("senders", "send"), ("receivers", "recv")):
        for proc in truth[key]:
            got = sum(ep["blocked"]["total_ns"] for _, ep in
                      endpoints(report, proc["pid"], role, truth["channels"][0]["mechanism"]))
            want = proc["blocked_ns"]
            room = max(want * BLOCKED_SHARE, BLOCKED_LEAST, SWITCH_NS * proc["blocked_calls"])
            text = f"{(got - want) / US:+.0f} us of {want / MS:.1f} ms"
            if abs(got - want) > room:
                misses.append(f"{proc['comm']}: blocked in {role} is off by {text}")
            notes.append(("blocked time, worst", abs(got - want) / room, f"{text} ({t.name})"))
    if not misses:
        for note in notes:
            t.accuracy.note(*note)
    return misses


def only_flow(t, report, truth):
    flow = flow_like(report, truth["flows"][0])
    t.ok("there is one flow", flow)
    return flow or {"verdict": None}


HELD = [m for m in MECHANISMS if m != "udp"]  # whose senders wait inside the call
HOLD_NS = 300 * MS


@case(params=[(m, size) for m in HELD for size in (4096, 8000)])
def blocked_hold(t, mechanism, size):
    """Nobody receives for a while, so the channel fills and its sender sleeps."""
    report, truth = agree(t, blocked_misses, mechanism, "--hold", "300ms",
                          "-n", 12_000_000 // size, "--size", size)
    planned, left = truth["planned"]["send_blocked_ns"], truth["elapsed_ns"] - HOLD_NS
    t.ok("the hold was long enough to block", planned > HOLD_NS // 2, str(planned))
    chan, ep = endpoints(report, truth["senders"][0]["pid"], "send", mechanism)[0]
    room = max(planned * BLOCKED_SHARE, BLOCKED_LEAST)
    t.between("longest blocked", planned - room, planned + left + room, ep["blocked"]["max_ns"])
    t.between("time without room", planned - room, planned + left + room,
              chan["backlog"]["full_ns"])
    if "capacity" in truth["channels"][0]:
        t.equal("capacity", 65536, chan["capacity"])
        # 8000 bytes are two pages, the second not full, and no other write is put into it
        t.equal("backlog at its most", 65536 if size == 4096 else 64000, chan["backlog"]["max"])
    elif chan["capacity"] and mechanism != "tcp":  # whose receive buffer comes on top
        t.between("backlog at its most", 1, chan["capacity"], chan["backlog"]["max"])
    t.equal("backlog in the end", 0, chan["backlog"]["now"])
    t.equal("verdict", "consumer-bound", only_flow(t, report, truth)["verdict"])


@case(params=[(m,) for m in HELD])
def blocked_slow_receiver(t, mechanism):
    """A receiver that sleeps after each message: the sender is blocked again and again."""
    size = 16384 if mechanism in ("unix-stream", "tcp") else 4096
    n = {"tcp": 600, "unix-stream": 150, "unix-seqpacket": 150}.get(mechanism, 100)
    report, truth = agree(t, blocked_misses, mechanism, "--receiver-delay", "1ms", "-n", n,
                          "--size", size)
    t.ok("the sender was blocked", truth["senders"][0]["blocked_ns"] > 20 * MS,
         str(truth["senders"]))
    t.equal("verdict", "consumer-bound", only_flow(t, report, truth)["verdict"])


@case(params=[(m, n) for m in MECHANISMS for n in (1, 2)])
def blocked_late_sender(t, mechanism, receivers):
    """Nothing to read for a while: the receivers sleep."""
    report, truth = agree(t, blocked_misses, mechanism, "--sender-delay", "300ms", "-n", 10,
                          "--receivers", receivers)
    if receivers > 1:
        return
    planned = truth["planned"]["recv_blocked_ns"]
    t.ok("the delay was long enough", planned > 250 * MS, str(planned))
    _, ep = endpoints(report, truth["receivers"][0]["pid"], "recv", mechanism)[0]
    t.near("blocked in recv against the stamps", planned, ep["blocked"]["total_ns"],
           BLOCKED_SHARE, BLOCKED_LEAST)
    t.equal("verdict", "producer-bound", only_flow(t, report, truth)["verdict"])


@case()
def blocked_capacity_changes(t):
    """F_SETPIPE_SZ: the report has the capacity of the end."""
    program = ("import fcntl,os; r, w = os.pipe(); fcntl.fcntl(w, 1031, 8192); os.write(w, b'x'); "
               "os.read(r, 1); print(os.fstat(r).st_ino, fcntl.fcntl(w, 1032))")
    r = t.trace(command=["/usr/bin/python3", "-c", program])
    ino, capacity = map(int, r.out.split())
    t.equal("capacity", capacity, channel_named(t, r.report, f"pipe:[{ino}]")["capacity"])
