# SPDX-License-Identifier: BSD-2-Clause
"""Messages, bytes, calls and names against the truth of the workloads.

Equal to the byte; where several senders and several receivers share one byte
stream at once, at least 99.9 % of the messages are on the right flow.
"""
from lib import MECHANISMS, STREAMS, case, endpoints, same_name

RIGHT_SHARE = 0.999
DATAGRAMS = ("unix-dgram", "udp")


def truth_flows(truth, key):
    flows = {}
    for f in truth["flows"]:
        flows[f["src_pid"], f["dst_pid"]] = flows.get((f["src_pid"], f["dst_pid"]), 0) + f[key]
    return flows


def report_flows(report, mechanism, key):
    flows = {}
    for f in report["flows"]:
        if f["mechanism"] == mechanism:
            pair = f["src"].get("pid"), f["dst"].get("pid")
            flows[pair] = flows.get(pair, 0) + f[key]
    return flows


def is_shared(truth):
    """Several senders and several receivers at one end each of one byte stream."""
    o = truth["options"]
    return truth["workload"] in ("pipe", "fifo") and o["senders"] > 1 and o["receivers"] > 1


def compare_flows(t, report, truth):
    mechanism = truth["workload"]
    for key in ("messages", "bytes"):
        want, got = truth_flows(truth, key), report_flows(report, mechanism, key)
        t.equal(f"{key} of all flows", sum(want.values()), sum(got.values()))
        # a wake-up has no bytes
        right = sum(min(n, got.get(pair, 0)) for pair, n in want.items()) / \
            (sum(want.values()) or 1)
        if is_shared(truth):
            t.ok(f"{key} on the right flow", right >= RIGHT_SHARE, f"{right:.5f}")
            t.ok(f"{key}: only pairs that exist", set(got) <= set(want), f"{set(got) - set(want)}")
        else:
            t.equal(f"{key} by sender and receiver", want, got)
        if sum(want.values()):
            t.accuracy.note(f"{key} on the right flow, worst", -right,
                            f"{100 * right:.3f} % ({t.name})")


def names_match(name, chan):
    if chan["name"].startswith("unix:["):  # either end's inode names a socket pair
        return name in [f"unix:[{ino}]" for ino in chan["inodes"]]
    return same_name(name, chan["name"])


def compare_channels(t, report, truth):
    """Each channel under its name, as often as it exists, with its capacity."""
    mechanism = truth["workload"]
    used = [f["channel_index"] for f in truth["flows"]]
    carried = {f["channel"] for f in report["flows"]}
    for i, chan in enumerate(truth["channels"]):
        if i not in used:
            continue
        found = [c for c in report["channels"]
                 if c["mechanism"] == mechanism and c["id"] in carried
                 and names_match(c["name"], chan)]
        same = sum(names_match(c["name"], chan)
                   for k, c in enumerate(truth["channels"]) if k in used)
        if not t.equal(f"channels named {chan['name']}", same, len(found),
                       f"names: {[c['name'] for c in report['channels'] if c['id'] in carried]}"):
            continue
        t.equal(f"{chan['name']}: dropped", chan["dropped"], found[0]["dropped"])
        t.equal(f"{chan['name']}: unpaired", 0, sum(c["unpaired"] for c in found))
        t.equal(f"{chan['name']}: still open", False, any(c["open"] for c in found))
        t.equal(f"{chan['name']}: incomplete", False, any(c["incomplete"] for c in found))
        if "capacity" in chan:
            t.equal(f"{chan['name']}: capacity", chan["capacity"], found[0]["capacity"])
            t.ok(f"{chan['name']}: backlog within capacity",
                 found[0]["backlog"]["max"] <= chan["capacity"], str(found[0]["backlog"]))
    t.equal("channels with flows", len(set(used)),
            len({f["channel"] for f in report["flows"] if f["mechanism"] == mechanism}))


def compare_endpoints(t, report, truth):
    """Calls, the one that saw the end included, bytes and messages of each process."""
    for key, role in (("senders", "send"), ("receivers", "recv")):
        for proc in truth[key]:
            found = [ep for _, ep in endpoints(report, proc["pid"], role, truth["workload"])]
            who = f"{proc['comm']} {role}"
            for what in ("calls", "bytes"):
                t.equal(f"{who}: {what}", proc[what], sum(ep[what] for ep in found))
            t.equal(f"{who}: errors", 0, sum(ep["errors"] for ep in found))
            if role == "send" or truth["workload"] not in STREAMS:
                t.equal(f"{who}: messages", proc["messages"], sum(ep["messages"] for ep in found))
            for ep in found:
                t.equal(f"{who}: comm", proc["comm"], ep["comm"])


def compare(t, report, truth):
    compare_flows(t, report, truth)
    compare_channels(t, report, truth)
    compare_endpoints(t, report, truth)


@case(params=[(m, s) for m in MECHANISMS for s in (1, 2, 8)])
def truth(t, mechanism, senders):
    """Each number of senders with 1, 2 and 8 receivers."""
    n = max(300, 2000 // senders)
    for report, true in t.trace_demos([[mechanism, "-S", senders, "-R", r, "-n", n]
                                       for r in (1, 2, 8)]):
        compare(t, report, true)


FOR_ALL = ["-n 500 --vary --senders 2 --size 4000 --seed 7", "-n 500 --size 32",
           "-n 500 --size 4096"]
FOR_STREAMS = ["-n 500 --chunk 33 --size 300", "-n 500 --chunk 5000 --size 300 --senders 2",
               "-n 300 --size 65536", "-n 300 --vary --size 65536",
               "-n 100 --chunk 7 --vary --size 100"]
FOR_UNIX = [f"{option} -n 500 --senders {s} --receivers {r}"
            for option in ("--abstract", "--socketpair") for s, r in ((1, 1), (2, 8), (8, 2))]
FOR_PACKETS = ["-n 100 --size 60000"]


@case(params=[(m, "sizes") for m in MECHANISMS] + [(m, "pieces") for m in STREAMS]
      + [(m, "names") for m in MECHANISMS if m.startswith("unix")])
def truth_with(t, mechanism, what):
    """Sizes that differ, reads that are no messages, other ways to connect."""
    variations = {"sizes": FOR_ALL, "pieces": FOR_STREAMS, "names": FOR_UNIX}[what]
    if what == "sizes" and mechanism not in STREAMS:
        variations = variations + FOR_PACKETS
    if mechanism == "unix-dgram":  # is never connected
        variations = [v for v in variations if "--socketpair" not in v]
    for report, true in t.trace_demos([[mechanism, *v.split()] for v in variations]):
        compare(t, report, true)
