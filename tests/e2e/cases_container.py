# SPDX-License-Identifier: BSD-2-Clause
"""A whole container: pid, mount, network, IPC, host name and control groups of its own, with
file systems that nobody outside sees. From outside, by command and by pid, and from inside."""
import os
import shlex

from cases_mixed import MEMORY, compare_memory, compare_part
from cases_ns import need_unshare
from lib import case, check_report, load_truth, same_name, strict_json, wait_for

ROOT = "it makes namespaces"
OPTIONS = ["-mnipuCf", "--mount-proc"]
PYTHON = "/usr/bin/python3"
LO_UP = ("import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, "
         "struct.pack('16sh', b'lo', 0x41))")  # SIOCSIFFLAGS: up, running
# of these a name is the same for everybody who is inside
NAMED = ("fifo", "unix-stream", "unix-seqpacket", "unix-dgram", "tcp", "udp", "posix-mq",
         "sysv-msg", "sysv-sem")


def container(t, *argv):
    """What runs argv in a container, with file systems of its own in the case's directory."""
    need_unshare(*OPTIONS)
    place = t.path("inside")
    os.makedirs(place, exist_ok=True)
    script = (f"{PYTHON} -c {shlex.quote(LO_UP)} && mount -t tmpfs none {place} && "
              f"mount -t tmpfs none /dev/shm && cd {place} && TMPDIR={place} exec "
              + shlex.join(map(str, argv)))
    return ["unshare", *OPTIONS, "sh", "-c", script]


def as_inside(report):
    """The report by the pids that its processes have inside, where they have some."""
    inner = {p["pid"]: p.get("ns_pid", p["pid"]) for p in report["processes"]}

    def end(e):
        return dict(e, pid=inner[e["pid"]]) if e.get("pid") in inner else e

    return dict(report, flows=[dict(f, src=end(f["src"]), dst=end(f["dst"]))
                               for f in report["flows"]],
                channels=[dict(c, maps=[dict(m, pid=inner.get(m["pid"])) for m in c["maps"]])
                          if c.get("maps") else c for c in report["channels"]])


def compare_names(t, report, part):
    names = [c["name"] for c in report["channels"] if c["mechanism"] == part["workload"]]
    for chan in part["channels"]:
        if part["workload"] in NAMED:
            t.ok(f"{chan['name']}: under its name", any(same_name(n, chan["name"]) for n in names),
                 str(names))


def compare_all(t, report, truth):
    for part in truth["parts"]:
        compare_part(t, report, part)
        compare_names(t, report, part)
        if part["workload"] in MEMORY:
            compare_memory(t, report, part)


@case(root=ROOT)
def container_from_outside(t):
    """Every mechanism, started from outside."""
    path = t.path("truth")
    r = t.trace(command=container(t, t.demo, "mixed", "--truth", path)).report
    t.equal("status", 0, r["trace"]["command"]["exit"])
    # whoever looks at the machine meanwhile reads the memory of all
    spies = {p["pid"] for p in r["processes"] if not p["target"]}
    r["flows"] = [f for f in r["flows"] if f["dst"].get("pid") not in spies]
    compare_all(t, as_inside(r), load_truth(path))


@case(root=ROOT)
def container_inside(t):
    """Every mechanism, and ipcspy inside with it."""
    path, out = t.path("truth"), t.path("report")
    r = t.run(container(t, t.ipcspy, "--format", "json", "-o", out, "--", t.demo, "mixed",
                        "--truth", path))
    with open(out, "rb") as f:
        report = strict_json(f.read())
    check_report(t, report)
    t.equal("status", 0, report["trace"]["command"]["exit"], repr(r.err))
    t.equal("second pids", [], [p for p in report["processes"] if "ns_pid" in p])
    # whoever looks at the machine meanwhile reads the memory of all, from outside
    report["flows"] = [f for f in report["flows"] if not f["dst"].get("pid", 0) & 1 << 23]
    compare_all(t, report, load_truth(path))


def inside_of(pid):
    """{comm: pid outside} of all that descend from a process."""
    found, todo = {}, [pid]
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/comm") as f:
                found[f.read().strip()] = pid
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                todo += map(int, f.read().split())
        except OSError:
            continue
    return found


@case(params=[("fifo",), ("unix-stream",), ("tcp",), ("posix-mq",), ("sysv-msg",), ("shm",)],
      root=ROOT)
def container_by_pid(t, mechanism):
    """One of its processes, by the pid that it has outside: its peer, and the channel's name."""
    argv = [t.demo, mechanism, "--rate", "1000", "-n", "1000000"]
    p = t.start(container(t, *argv))
    kids = wait_for("its processes", lambda: {"send-0", "recv-0"} <= set(inside_of(p.pid))
                    and inside_of(p.pid), 30)
    r = t.trace("-p", str(kids["send-0"]), "-d", "1").report
    notify = "futex" if mechanism == "shm" else mechanism
    flows = [f for f in r["flows"] if f["mechanism"] == notify and
             f["src"].get("pid") == kids["send-0"]]
    t.equal("receivers", {kids["recv-0"]}, {f["dst"].get("pid") for f in flows})
    t.ok("messages", sum(f["messages"] for f in flows) > 20, str(flows))
    names = {c["name"] for c in r["channels"] if c["mechanism"] == mechanism}
    begins = {"fifo": t.path("inside") + "/", "unix-stream": f"unix:{t.path('inside')}/",
              "tcp": "tcp:127.0.0.1:", "posix-mq": "/ipcspy-demo", "sysv-msg": "msg:",
              "shm": "/dev/shm/ipcspy-demo"}[mechanism]
    t.ok(f"a name that begins with {begins}", any(n.startswith(begins) for n in names),
         str(names))
    inner = {q["comm"]: q.get("ns_pid") for q in r["processes"]}
    t.ok("pids inside", all(inner[c] and inner[c] != kids[c] for c in ("send-0", "recv-0")),
         str(inner))
