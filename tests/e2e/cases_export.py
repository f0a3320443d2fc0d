# SPDX-License-Identifier: BSD-2-Clause
"""Exports of recordings, read by other programs: they agree with the report."""
import collections
import contextlib
import csv
import json
import os
import pty
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import xml.dom.minidom

from cases_cmdline import CALL_32
from lib import Broken, Skip, case, children, strict_json, wait_for
from timeline import Timeline, packets_of

WORKLOADS = {
    "pipe": ("pipe", "--messages", "3000", "--senders", "2", "--receivers", "2"),
    "mixed": ("mixed",),
    "deadlock": ("deadlock", "--hold", "300ms"),
}


def record(t, *workload, options=()):
    """A recording of a workload and its report."""
    path = t.new_path(".rec")
    t.run([t.ipcspy, "record", *options, "-o", path, "--", t.demo, *map(str, workload)])
    return path, report_of(t, path)


def report_of(t, path):
    return strict_json(t.run([t.ipcspy, "report", "--format", "json", path]).out)


def export(t, fmt, recording, *options, expect=0):
    """What the format's file holds, and where it is."""
    path = t.new_path("." + fmt)
    r = t.run([t.ipcspy, "export", "--to", fmt, "-o", path, *options, recording], expect=expect)
    t.equal("stderr", b"", r.err)
    t.equal("mode", 0o600, os.stat(path).st_mode & 0o777)
    with open(path, "rb") as f:
        return f.read(), path


Sums = collections.namedtuple("Sums", "messages bytes latencies")


def sums_of_report(report):
    flows = report["flows"]
    return Sums(sum(f["messages"] for f in flows), sum(f["bytes"] for f in flows),
                sum(f["latency_ns"]["count"] for f in flows))


def sums_of_jsonl(data):
    head, *lines = [strict_json(line) for line in data.splitlines()]
    assert set(head) == {"ipcspy", "schema", "epoch", "host", "filter"}, head
    latencies = [x["latency_ns"] for x in lines if x["latency_ns"] is not None]
    return Sums(len(lines), sum(x["bytes"] for x in lines), len(latencies)), sum(latencies)


def rows_of_csv(data):
    rows = list(csv.DictReader(data.decode("utf-8").splitlines(keepends=True), strict=True))
    for row in rows:
        assert None not in row and None not in row.values(), row
    return rows


def sums_of_csv(data):
    rows = rows_of_csv(data)
    latencies = [int(r["latency_ns"]) for r in rows if r["latency_ns"]]
    return Sums(len(rows), sum(int(r["bytes"]) for r in rows), len(latencies)), sum(latencies)


def query(path, sql):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def sums_of_sqlite(path):
    *sums, total = query(path, "SELECT count(*), sum(bytes), count(latency_ns),"
                               " sum(latency_ns) FROM messages")[0]
    return Sums(*sums), total


def timeline(t, recording):
    """A recording as Perfetto would show it, without anything that it would drop."""
    tl = Timeline(packets_of(export(t, "perfetto", recording)[1]))
    t.equal("dropped events", 0, tl.dropped)
    t.equal("overlapping slices", 0, tl.overlaps)
    t.equal("slices without an end that are not blocked", [],
            [s.name for s in tl.slices if s.end is None and not s.args.get("still_blocked")])
    return tl


def near_means(t, what, report, total):
    """The report tells means, rounded down: times the count they are a little less."""
    low = sum(f["latency_ns"]["mean"] * f["latency_ns"]["count"] for f in report["flows"])
    count = sum(f["latency_ns"]["count"] for f in report["flows"])
    t.between(what, low, low + count, total)


@case(params=[(name,) for name in WORKLOADS])
def exports_agree(t, name):
    """Messages, bytes and latencies of one recording, in every format."""
    path, report = record(t, *WORKLOADS[name])
    expected = sums_of_report(report)
    t.ok("there are messages", expected.messages > 0)
    jsonl, total = sums_of_jsonl(export(t, "jsonl", path)[0])
    t.equal("jsonl", expected, jsonl)
    near_means(t, "latencies in jsonl", report, total)
    t.equal("csv", (expected, total), sums_of_csv(export(t, "csv", path)[0]))
    t.equal("sqlite", (expected, total), sums_of_sqlite(export(t, "sqlite", path)[1]))
    tl = timeline(t, path)
    messages = tl.messages
    # what process_vm_writev(2) moved has an arrow, but was received by nobody's call
    t.between("arrows", sum({"latency_ns", "peer_pid"} <= set(m.args) for m in messages),
              sum("peer_pid" in m.args for m in messages), len(tl.arrows))
    latencies = [m.args["latency_ns"] for m in messages if "latency_ns" in m.args]
    t.equal("perfetto", (expected, total),
            (Sums(len(messages), sum(m.args["bytes"] for m in messages), len(latencies)),
             sum(latencies)))


@case(params=[("pipe", "--senders", 2, "--receivers", 2), ("unix-stream",), ("posix-mq",)])
def timeline_of_calls(t, *workload):
    """A slice for each call, blocked as long as the report says, an arrow for each message."""
    path, report = record(t, *workload, "--messages", 2000, options=["-m", workload[0]])
    tl = timeline(t, path)
    endpoints = [e for c in report["channels"] for e in c["endpoints"]]
    calls = [s for s in tl.slices if "bytes" in s.args or "errno" in s.args]
    t.equal("slices", sum(e["calls"] for e in endpoints),
            sum(s.name not in ("connect", "accept4", "accept") for s in calls))
    t.equal("blocked", sum(e["blocked"]["total_ns"] for e in endpoints),
            sum(s.args.get("blocked_ns", 0) for s in calls))
    waits = [s for s in tl.slices if s.name == "blocked"]
    t.equal("slices of blocked time", sum(s.args.get("blocked_ns", 0) for s in tl.slices),
            sum(s.ns for s in waits))
    t.equal("arrows", sums_of_report(report).messages, len(tl.arrows))
    for sent, message in tl.arrows:
        assert sent.ts <= message.ts and sent.args["channel"] == message.args["channel"]
        assert tl.thread(sent)[0] == message.args["peer_pid"], (sent.args, message.args)
    ends = {(s.track, s.end) for s in calls}
    t.ok("messages are where the calls end that took them",
         all((m.track, m.ts) in ends for m in tl.messages))
    t.between("messages within these calls", len(tl.messages) * 0.5, len(tl.messages),
              sum(m.depth for m in tl.messages))
    names = {p["pid"]: p["comm"] for p in report["processes"]}
    t.equal("names", set(), {tl.thread(s)[::2] for s in calls} - set(names.items()))
    backlogs = {tl.tracks[track]["name"].split(" backlog")[0]: max(v for _, v in values)
                for track, values in tl.counters.items()}
    t.equal("backlogs", {c["name"]: c["backlog"]["max"] for c in report["channels"]
                         if c["backlog"]["max"]}, backlogs)
    t.equal("clocks", report["trace"]["start_realtime_ns"], tl.clocks[1])


@case()
def timeline_of_a_deadlock(t):
    """Who is still blocked at the end has a slice without one; the findings are there."""
    path = t.new_path(".rec")
    p = t.start([t.demo, "deadlock", "--hold", "30s"])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    t.run([t.ipcspy, "record", "-o", path, "-p", ",".join(map(str, [p.pid, *kids])), "-d", "0.5"])
    report = report_of(t, path)
    tl = timeline(t, path)
    blocked = sorted((b["pid"], b["syscall"], b["for_ns"]) for b in report["blocked_now"])
    t.ok("somebody is blocked", len(blocked) >= 2, repr(blocked))
    t.equal("still blocked", blocked,
            sorted((tl.thread(s)[0], s.name, s.args["blocked_ns"]) for s in tl.slices
                   if s.end is None))
    t.equal("findings", [(f["kind"], f["severity"], f["text"],
                          ",".join(map(str, f["pids"]))) for f in report["findings"]],
            [(i.name, i.args["severity"], i.args["text"], i.args["pids"])
             for i in tl.instants if "severity" in i.args])
    t.ok("a deadlock among them", any(i.name == "deadlock" for i in tl.instants))


@case()
def broken_timeline(t):
    """What the checks of the timeline rest on does see what is wrong."""
    path, _ = record(t, "pipe", "--messages", 50, options=["-m", "pipe"])
    data, file = export(t, "perfetto", path)
    t.ok("slices", Timeline(packets_of(file)).slices)
    stateless = Timeline([{k: v for k, v in p.items() if k != "sequence_flags"}
                          for p in packets_of(file)])
    t.ok("without flags nothing is left", not stateless.slices and stateless.dropped > 100)
    late = packets_of(file)
    for p in late:
        if p.get("track_event", {}).get("type") == "TYPE_SLICE_END":
            p["timestamp"] += 10**9
    t.ok("slices that end later overlap", Timeline(late).overlaps)
    with open(file, "wb") as f:
        f.write(data[:-1])
    try:
        packets_of(file)
        t.ok("protoc refuses half a packet", False)
    except ValueError as e:
        t.ok("protoc says why", "Failed to parse" in str(e), str(e))


@case()
def timeline_is_not_for_a_terminal(t):
    path, _ = record(t, "pipe", "--messages", 5)
    mine, its = pty.openpty()
    refused(t, [t.ipcspy, "export", path], "nothing for a terminal", stdout=its)
    os.close(mine)
    os.close(its)
    gz, plain = t.path("x.gz"), export(t, "perfetto", path)[1]
    t.run([t.ipcspy, "export", "-o", gz, path])
    t.equal("compressed", packets_of(plain), packets_of(gz))


@case()
def jsonl_for_jq(t):
    """The rows of jsonl are those of -t, and another reader's sums are ours."""
    path, report = record(t, "pipe", "--messages", 500)
    data, file = export(t, "jsonl", path)
    lines = t.run([t.ipcspy, "report", "--format", "jsonl", path]).out.splitlines()
    t.equal("lines", lines[:-1], data.splitlines()[1:])
    program = "[inputs | .bytes] | length, add"
    r = t.run(["jq", program, file])  # without -n the first line is not among the inputs
    t.equal("jq", list(sums_of_report(report)[:2]), [int(x) for x in r.text.split()])
    epoch = int(report["trace"]["start_realtime_ns"])
    t.equal("epoch", f"{epoch // 10**9}.{epoch % 10**9:09}", json.loads(data.splitlines()[0])["epoch"])


@case()
def jq_sees_a_broken_line(t):
    path, _ = record(t, "pipe", "--messages", 5)
    data, file = export(t, "jsonl", path)
    with open(file, "wb") as f:
        f.write(data[:-3])
    t.ok("jq refuses half a line", t.run(["jq", ".", file], expect=None).status != 0)


DUCKDB = """
import { createRequire } from 'module';
const { DuckDBInstance } = createRequire(process.argv[2] + '/')('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:')).connect();
for (const file of process.argv.slice(3)) {
  const read = file.endsWith('csv') ? `read_csv('${file}')` : `read_json('${file}')`;
  const r = await db.runAndReadAll('SELECT count(*), sum(bytes), sum(latency_ns), ' +
                                   'max(src_comm), max(name) FROM ' + read);
  console.log(JSON.stringify(r.getRows()[0].map(v => typeof v === 'string' ? v : Number(v))));
}
"""


def duckdb(t):
    """Where DuckDB is; npm fetches it once."""
    place = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                         "ipcspy-duckdb")
    if not os.path.isdir(os.path.join(place, "node_modules", "@duckdb", "node-api")):
        if not shutil.which("npm"):
            raise Skip("there is no npm to fetch DuckDB with")
        os.makedirs(place, exist_ok=True)
        try:
            r = t.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place,
                       "@duckdb/node-api"], expect=None, timeout=50)
        except Broken as e:
            raise Skip(f"npm does not fetch DuckDB: {e}") from e
        if r.status:
            raise Skip("npm does not fetch DuckDB")
    return place


@case(live=False, root="npm fetches it into the home of root")
def duckdb_reads_the_lines(t):
    """Its idea of what the lines and tables of the golden scenes hold is ours."""
    place, script = duckdb(t), t.path("query.mjs")
    with open(script, "w") as f:
        f.write(DUCKDB)
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
    scenes = ("pipeline", "hostile", "queues", "tcp")
    files = [os.path.join(golden, scene + suffix) for scene in scenes
             for suffix in (".csv", ".jsonl")]
    r = t.run(["node", script, place, *files])
    for path, got in zip(files, r.text.splitlines(), strict=True):
        with open(path, "rb") as f:
            data = f.read()
        rows = (rows_of_csv(data) if path.endswith("csv")
                else [strict_json(x) for x in data.splitlines()])
        t.equal(os.path.basename(path),
                [len(rows), sum(int(x["bytes"]) for x in rows),
                 sum(int(x["latency_ns"] or 0) for x in rows),
                 max(x.get("src_comm") or "" for x in rows), max(x["name"] for x in rows)],
                json.loads(got))
    broken = t.path("broken.csv")
    with open(files[0], "rb") as f, open(broken, "wb") as g:
        g.write(f.read().replace(b",", b',"', 30))
    t.ok("DuckDB refuses a table that is none",
         t.run(["node", script, place, broken], expect=None).status != 0)


HOSTILE = 'a,"b"\n\r;\\'


@case(params=[(name,) for name in WORKLOADS])
def database_is_the_report(t, name):
    """Its tables have the rows and the numbers of the report, and hang together."""
    path, report = record(t, *WORKLOADS[name])
    _, db = export(t, "sqlite", path)
    r = t.run(["sqlite3", db, "PRAGMA integrity_check; PRAGMA foreign_key_check;"])
    t.equal("checks of sqlite3", "ok\n", r.text)
    t.equal("channels", [(c["id"], c["mechanism"], c["name"], c["backlog"]["max"])
                         for c in report["channels"]],
            query(db, "SELECT id, mechanism, name, backlog_max FROM channels ORDER BY id"))
    processes = {(p["pid"], p["comm"], int(p["target"])) for p in report["processes"]}
    t.equal("processes of the report that are not there", set(),
            processes - set(query(db, "SELECT pid, comm, target FROM processes")))
    t.equal("endpoints", sorted((c["id"], e["pid"], e["role"], e["calls"], e["bytes"],
                                 e["blocked"]["total_ns"])
                                for c in report["channels"] for e in c["endpoints"]),
            sorted(query(db, "SELECT channel, pid, role, calls, bytes, blocked_ns FROM endpoints"
                             " JOIN processes ON id = process")))
    t.equal("flows", sorted((f["channel"], f["messages"], f["bytes"], f["latency_ns"]["p99"],
                             f["verdict"]) for f in report["flows"]),
            sorted(query(db, "SELECT channel, messages, bytes, latency_p99_ns, verdict"
                             " FROM flows")))
    t.equal("messages by channel are those of the flows", [],
            query(db, "SELECT channel, sum(n) FROM (SELECT channel, messages AS n FROM flows"
                      " UNION ALL SELECT channel, -1 FROM messages) GROUP BY 1 HAVING sum(n)"))
    t.equal("findings", [(f["kind"], f["severity"], f["text"], len(f["pids"]))
                         for f in report["findings"]],
            query(db, "SELECT kind, severity, text, (SELECT count(DISTINCT process) FROM"
                      " finding_processes WHERE finding = id) FROM findings ORDER BY id"))
    t.equal("who is blocked", sorted((b["pid"], b["operation"]) for b in report["blocked_now"]),
            sorted(query(db, "SELECT pid, operation FROM blocked JOIN processes"
                             " ON id = process WHERE now")))
    lines = rows_of_csv(export(t, "csv", path)[0])
    columns = [c for c in lines[0] if c != "src_kind" and not c.startswith("epoch=")]
    t.equal("rows of the view", len(lines), query(db, "SELECT count(*) FROM lines")[0][0])
    t.equal("columns of the view", set(columns),
            {x[0] for x in query(db, "SELECT name FROM pragma_table_info('lines')")})


@case()
def damaged_database(t):
    path, _ = record(t, "pipe", "--messages", 500)
    _, db = export(t, "sqlite", path)
    with open(db, "r+b") as f:
        f.truncate(os.path.getsize(db) // 2)
    r = t.run(["sqlite3", db, "PRAGMA integrity_check"], expect=None)
    t.ok("sqlite3 refuses half a database", r.text != "ok\n", repr(r.out))


@case()
def database_goes_into_a_file(t):
    path, _ = record(t, "pipe", "--messages", 5)
    to_sqlite = [t.ipcspy, "export", "--to", "sqlite"]
    refused(t, [*to_sqlite, path], "give -o FILE", expect=2)
    refused(t, [*to_sqlite, "-o", "-", path], "give -o FILE", expect=2)
    refused(t, [*to_sqlite, "-o", "/dev/null", path], "must be a file")
    _, db = export(t, "sqlite", path)
    os.mkdir(t.path("there"))
    os.symlink("there", t.path("also"))
    t.run([*to_sqlite, "-o", t.path("also/x.db"), path])
    t.equal("through a directory that is a link", query(db, "SELECT count(*) FROM messages"),
            query(t.path("also/x.db"), "SELECT count(*) FROM messages"))


@case()
def hostile_names(t):
    """A comm and a path of all that means something somewhere, through each format."""
    program = ("import os, ctypes\n"
               f"ctypes.CDLL(None).prctl(15, {HOSTILE.encode()!r})\n"
               f"os.mkfifo({HOSTILE!r})\n"
               f"fd = os.open({HOSTILE!r}, os.O_RDWR)\n"
               "for i in range(3):\n"
               "    os.write(fd, b'x' * 7)\n"
               "    os.read(fd, 7)\n")
    recording = t.new_path(".rec")
    t.run([t.ipcspy, "record", "-m", "fifo", "-o", recording, "--", "python3", "-c", program],
          cwd=t.dir)
    name = os.path.join(t.dir, HOSTILE)
    rows = rows_of_csv(export(t, "csv", recording)[0])
    t.equal("csv", [(HOSTILE, HOSTILE, name, "7")] * 3,
            [(r["src_comm"], r["dst_comm"], r["name"], r["bytes"]) for r in rows])
    lines = [strict_json(x) for x in export(t, "jsonl", recording)[0].splitlines()[1:]]
    t.equal("jsonl", [(HOSTILE, name)] * 3, [(x["src_comm"], x["name"]) for x in lines])
    _, db = export(t, "sqlite", recording)
    t.equal("sqlite", [(HOSTILE, HOSTILE, name)] * 3,
            query(db, "SELECT src_comm, dst_comm, name FROM lines"))
    tl = timeline(t, recording)
    t.equal("perfetto", {(HOSTILE, name)}, {(tl.thread(m)[2], m.args["channel"])
                                            for m in tl.messages})
    labels = svg_texts(t, export(t, "dot", recording)[1])
    escaped = HOSTILE.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    t.ok("the process is in the graph", escaped in labels, repr(labels))
    t.ok("the channel is in the graph", any(x.endswith("/" + escaped) for x in labels),
         repr(labels))


def svg_texts(t, path):
    """What Graphviz makes of a graph: the texts in the picture."""
    r = t.run(["dot", "-Tsvg", path])
    t.equal("complaints of dot", b"", r.err)
    doc = xml.dom.minidom.parseString(r.out)
    return ["".join(n.data for n in x.childNodes) for x in doc.getElementsByTagName("text")]


@case()
def graph_of_a_deadlock(t):
    """Every process and channel is drawn, and what is blocked is red."""
    path, report = record(t, "deadlock", "--hold", "300ms", options=["-m", "pipe"])
    data, file = export(t, "dot", path)
    texts = svg_texts(t, file)
    for p in report["processes"]:
        t.ok(f"process {p['pid']} is drawn", str(p["pid"]) in texts, repr(texts))
    for c in report["channels"]:
        t.ok(f"{c['name']} is drawn", c["name"] in texts, repr(texts))
    edges = [line for line in data.decode().splitlines() if " -> " in line]
    t.equal("edges", sum(len(c["endpoints"]) for c in report["channels"]), len(edges))
    t.ok("something is red", any("color=red" in e for e in edges), repr(edges))
    with open(file, "wb") as f:
        f.write(data.replace(b"-> ", b"-> \"", 1))
    t.ok("dot refuses a graph that is none", t.run(["dot", "-Tsvg", file], expect=None).status)


@case(params=[(name,) for name in WORKLOADS])
def folded_is_the_blocked_time(t, name):
    path, report = record(t, *WORKLOADS[name])
    now = {(b["channel"], b["pid"], b["operation"]) for b in report["blocked_now"]}
    total = sum(e["blocked"]["total_ns"] +
                (e["blocked"]["now_ns"] if (c["id"], e["pid"], e["role"]) in now else 0)
                for c in report["channels"] for e in c["endpoints"])
    stacks = [line.rsplit(" ", 1) for line in export(t, "folded", path)[0].decode().splitlines()]
    t.equal("sum", total, sum(int(ns) for _, ns in stacks))
    t.ok("three frames each", all(s.count(";") == 2 for s, _ in stacks), repr(stacks))
    t.equal("no stack twice", len(stacks), len({s for s, _ in stacks}))


def refused(t, argv, word, expect=1, **kw):
    r = t.run(argv, expect=expect, **kw)
    t.ok("one line on stderr", r.err.count(b"\n") == 1, repr(r.err))
    t.ok(f"it says {word!r}", word.encode() in r.err, repr(r.err))


@case()
def what_is_there_stays(t):
    """A file that exists, a symbolic link, a directory; --force replaces a file, no link."""
    path, _ = record(t, "pipe", "--messages", 5, options=["-m", "pipe"])
    export_csv = [t.ipcspy, "export", "--to", "csv"]
    there, link = t.path("there"), t.path("link")
    with open(there, "w") as f:
        f.write("precious")
    os.symlink(there, link)
    refused(t, [*export_csv, "-o", there, path], "--force")
    refused(t, [*export_csv, "-o", link, path], "symbolic link")
    refused(t, [*export_csv, "--force", "-o", link, path], "symbolic link")
    refused(t, [*export_csv, "--force", "-o", t.dir, path], "directory")
    refused(t, [*export_csv, "-o", t.path("none/there"), path], "No such file")
    refused(t, [*export_csv, "--force", "-o", there, t.path("none")], "No such file")
    refused(t, [*export_csv, "--force", "-o", there, there], "there")
    with open(there) as f:
        t.equal("what was there", "precious", f.read())
    t.run([*export_csv, "--force", "-o", there, path])
    t.equal("rows", 5, len(rows_of_csv(open(there, "rb").read())))
    t.equal("mode", 0o600, os.stat(there).st_mode & 0o777)
    refused(t, [*export_csv, "-o", "/dev/full", path], "No space left")
    t.run([*export_csv, "-o", "/dev/null", path])
    t.equal("nothing else is left", {"there", "link"},
            {x for x in os.listdir(t.dir) if not x[0].isdigit()})


@case()
def through_pipes(t):
    """record | export | a reader that leaves early."""
    t.start([t.demo, "pipe", "--messages", "100000", "--rate", "5000"])
    record_it = shlex.join([t.ipcspy, "record", "-o", "-", "-m", "pipe", "-a", "-d", "2"])
    r = t.run(["bash", "-c", f"{record_it} | {shlex.quote(t.ipcspy)} export --to jsonl - | "
               "head -n 3; echo ${PIPESTATUS[@]}"])
    *lines, status = r.text.splitlines()
    t.equal("lines", 3, len([strict_json(x.encode()) for x in lines]))
    t.ok("export ends quietly", status.split()[1:] == ["0", "0"] and b"export" not in r.err,
         f"{status}, {r.err!r}")


def slowly(t, path, *argv, signum=None):
    """Exports a recording that comes in two parts, the second after a while; what the
    terminal that is standard error showed, and the status."""
    with open(path, "rb") as f:
        data = f.read()
    mine, its = pty.openpty()
    p = t.start([t.ipcspy, "export", "--to", "csv", *argv, "-"], stdin=subprocess.PIPE, stderr=its)
    os.close(its)
    with contextlib.suppress(BrokenPipeError), p.stdin:  # where the signal ends it
        for part in (data[:len(data) // 2], data[len(data) // 2:]):
            p.stdin.write(part)
            p.stdin.flush()
            time.sleep(1.2)
            if signum:
                os.killpg(p.pid, signum)
    said = b""
    with contextlib.suppress(OSError):  # nobody has the terminal open any more
        while chunk := os.read(mine, 65536):
            said += chunk
    os.close(mine)
    return said, t.end(p).status


@case()
def progress_and_signals(t):
    """Progress on a terminal; the SIGINT that ends who writes the recording loses nothing,
    SIGTERM leaves no half of a file."""
    path, report = record(t, "pipe", "--messages", 100000, "--size", 100, options=["-m", "pipe"])
    out = t.path("out.csv")
    said, status = slowly(t, path, "-o", out)
    t.equal("status", 0, status)
    t.ok("progress is shown, and taken away", said.startswith(b"\ripcspy: ")
         and said.endswith(b"\r\033[K"), repr(said))
    with open(out, "rb") as f:
        t.equal("rows", sums_of_report(report), sums_of_csv(f.read())[0])
    other = t.path("other.csv")
    said, status = slowly(t, path, "-o", other, signum=signal.SIGTERM)
    t.equal("status after SIGTERM", 1, status)
    t.ok("nothing is left", not os.path.exists(other))


@case()
def ctrl_c_ends_the_recording_alone(t):
    """Both get the SIGINT; what the recorder still writes is exported."""
    out = t.path("out.csv")
    t.start([t.demo, "pipe", "--messages", "60000", "--rate", "5000"])
    recorder = t.start([t.ipcspy, "record", "-o", "-", "-m", "pipe", "-a"], stdout=subprocess.PIPE)
    exporter = t.start([t.ipcspy, "export", "--to", "csv", "-o", out, "-"], stdin=recorder.stdout)
    recorder.stdout.close()
    wait_for("the recording to begin", lambda: os.path.exists(out))
    time.sleep(1.5)
    for p in (recorder, exporter):
        p.send_signal(signal.SIGINT)
    t.equal("status of record", 0, t.end(recorder).status)
    r = t.end(exporter)
    t.equal("status of export", 0, r.status, repr(r.err))
    with open(out, "rb") as f:
        t.ok("messages of all that time", len(rows_of_csv(f.read())) > 2000)


@case()
def compressed_by_name(t):
    path, _ = record(t, "pipe", "--messages", 500)
    plain, _ = export(t, "csv", path)
    gz = t.path("out.csv.gz")
    t.run([t.ipcspy, "export", "--to", "csv", "-o", gz, path])
    t.equal("what gzip makes of it", plain, t.run(["gzip", "-dc", gz]).out)
    t.ok("it is smaller", os.path.getsize(gz) < len(plain) / 2)
    with open(gz, "r+b") as f:
        f.truncate(os.path.getsize(gz) - 4)
    t.ok("gzip refuses half a file", subprocess.run(["gzip", "-t", gz], capture_output=True,
                                                    check=False).returncode != 0)


@case()
def half_a_recording(t):
    """What is whole of it is exported, and said to be not all."""
    path, _ = record(t, "pipe", "--messages", 30000, "--size", 100)
    half, out = t.path("half"), t.path("out")
    with open(path, "rb") as f, open(half, "wb") as g:
        g.write(f.read()[:os.path.getsize(path) * 2 // 3])
    r = t.run([t.ipcspy, "export", "--to", "csv", "-o", out, half], expect=3)
    t.ok("it says what it is", b"half: " in r.err and b"exported" in r.err, repr(r.err))
    report = strict_json(t.run([t.ipcspy, "report", "--format", "json", half], expect=3).out)
    got, _ = sums_of_csv(open(out, "rb").read())
    t.equal("messages", sums_of_report(report), got)
    t.between("messages", 1000, 29999, got.messages)


@case()
def what_was_not_understood(t):
    """An export does not say in itself that it is not whole: a line and the status do."""
    script, path = t.script(CALL_32), t.path("rec")
    if t.run([sys.executable, script], expect=None).status:
        raise Skip("no 32-bit system calls here")
    t.run([t.ipcspy, "record", "-o", path, "--", sys.executable, script], expect=None)
    refused(t, [t.ipcspy, "export", "--to", "csv", "-o", t.path("out"), path], "not whole", expect=3)
    t.ok("it is exported", os.path.getsize(t.path("out")))
