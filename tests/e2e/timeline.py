# SPDX-License-Identifier: BSD-2-Clause
"""What Perfetto would make of a trace: the packets as protoc decodes them, put in order of
time and taken as its trace processor takes them. Standard library only.

What the trace processor drops without a word is dropped here too, and counted: packets that
need a state which nobody began, events on tracks that nobody described, ends without a begin.
"""
import collections
import gzip
import os
import re
import subprocess

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "export")
REPEATED = {"packet", "clocks", "event_categories", "event_names", "debug_annotation_names",
            "debug_annotation_string_values", "category_iids", "debug_annotations", "flow_ids",
            "terminating_flow_ids"}
STATE_CLEARED, NEEDS_STATE = 1, 2
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t"}


def text_of(word):
    """A string as text format quotes it."""
    out = b""
    for octal, char, plain in re.findall(r"\\([0-7]{3})|\\(.)|([^\\]+)", word[1:-1]):
        if octal:
            out += bytes([int(octal, 8)])
        elif char:
            out += ESCAPES.get(char, char.encode())
        else:
            out += plain.encode()
    return out.decode("utf-8")


def value_of(word):
    if word.startswith('"'):
        return text_of(word)
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.lstrip("-").isdigit() else word


def parse(lines):
    """Protobuf's text format as dictionaries; what is repeated is a list."""
    stack = [{}]
    for line in lines:
        line = line.strip()
        if line == "}":
            stack.pop()
            continue
        if line.endswith(" {"):
            key, value = line[:-2], {}
        else:
            key, _, word = line.partition(": ")
            value = value_of(word)
        if key in REPEATED:
            stack[-1].setdefault(key, []).append(value)
        else:
            assert key not in stack[-1], f"{key} is given twice"
            stack[-1][key] = value
        if line.endswith(" {"):
            stack.append(value)
    assert len(stack) == 1
    return stack[0]


def packets_of(path):
    """The packets of a trace. Raises ValueError where protoc takes it for none."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        data = f.read()
    r = subprocess.run(["protoc", "--proto_path", PROTO, "--decode", "perfetto.Trace",
                        "perfetto.proto"], input=data, capture_output=True, check=False)
    if r.returncode:
        raise ValueError(r.stderr.decode())
    text = r.stdout.decode("ascii")
    if re.search(r"^\s*\d+: ", text, re.MULTILINE):
        raise ValueError("a field that is not in the .proto")
    return parse(text.splitlines())["packet"]


class Slice:
    """An event that lasts, or an instant, whose end is its begin."""

    def __init__(self, ts, name, category, track, args, depth):
        self.ts, self.name, self.category, self.track = ts, name, category, track
        self.args, self.depth, self.end = args, depth, None

    @property
    def ns(self):
        return self.end - self.ts


class Timeline:
    def __init__(self, packets):
        self.tracks, self.slices, self.instants = {}, [], []
        self.counters = collections.defaultdict(list)  # track -> [(ts, value)]
        self.clocks, self.dropped, self.overlaps, self.arrows = {}, 0, 0, []
        self.names = collections.defaultdict(dict)
        self.begun = False
        events = [(p["timestamp"], p) for p in packets if self._first_pass(p)]
        self.stacks, self.flows = collections.defaultdict(list), {}
        for ts, p in sorted(events, key=lambda x: x[0]):  # stable, as the trace processor's is
            self._event(ts, p["track_event"])

    def _first_pass(self, p):
        flags = p.get("sequence_flags", 0)
        self.begun |= bool(flags & STATE_CLEARED)
        if not self.begun or not flags & NEEDS_STATE:
            self.dropped += "track_event" in p
            return False
        for clock in p.get("clock_snapshot", {}).get("clocks", []):
            self.clocks[clock["clock_id"]] = clock["timestamp"]
        for index, entries in p.get("interned_data", {}).items():
            for entry in entries:
                assert entry["iid"] not in self.names[index], f"{index} {entry} anew"
                self.names[index][entry["iid"]] = entry.get("name", entry.get("str"))
        if "track_descriptor" in p:
            d = p["track_descriptor"]
            old = self.tracks.setdefault(d["uuid"], {})
            for key, value in d.items():
                if isinstance(value, dict):
                    old.setdefault(key, {}).update(value)
                else:
                    assert old.setdefault(key, value) == value, f"track {d} is two"
        return "track_event" in p

    def _args(self, e):
        args = {}
        for a in e.get("debug_annotations", []):
            name = self.names["debug_annotation_names"][a.pop("name_iid")]
            assert name not in args and len(a) == 1, f"{name} in {e}"
            (kind, value), = a.items()
            if kind == "string_value_iid":
                value = self.names["debug_annotation_string_values"][value]
            args[name] = value
        return args

    def _event(self, ts, e):
        track = e["track_uuid"]
        if track not in self.tracks:
            self.dropped += 1
            return
        stack = self.stacks[track]
        if e["type"] == "TYPE_COUNTER":
            assert "counter" in self.tracks[track]
            self.counters[track].append((ts, e["counter_value"]))
        elif e["type"] == "TYPE_SLICE_END":
            if stack:
                stack.pop().end = ts
            else:
                self.dropped += 1
        else:
            name = e.get("name") or self.names["event_names"][e["name_iid"]]
            category = "".join(self.names["event_categories"][c]
                               for c in e.get("category_iids", []))
            s = Slice(ts, name, category, track, self._args(e), len(stack))
            if e["type"] == "TYPE_INSTANT":
                s.end = ts
                self.instants.append(s)
            else:
                # only what was blocked is inside of something
                self.overlaps += bool(stack) != (name == "blocked")
                stack.append(s)
                self.slices.append(s)
            self._flows(s, e)

    def _flows(self, s, e):
        for flow in e.get("flow_ids", []):
            if flow in self.flows:
                self.arrows.append((self.flows[flow], s))
            self.flows[flow] = s
        for flow in e.get("terminating_flow_ids", []):
            if flow in self.flows:
                self.arrows.append((self.flows.pop(flow), s))

    @property
    def messages(self):
        return [i for i in self.instants if i.name == "message"]

    def thread(self, s):
        """(pid, tid, name) of the thread that a slice belongs to, None: of none."""
        track = self.tracks[s.track]
        while "thread" not in track and "parent_uuid" in track:
            track = self.tracks[track["parent_uuid"]]
        t = track.get("thread")
        return (t["pid"], t["tid"], t["thread_name"]) if t else None
