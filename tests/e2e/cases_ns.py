# SPDX-License-Identifier: BSD-2-Clause
"""Containers: what has the same name or number in two namespaces is two things."""
import shlex
import subprocess

import privileges
from lib import Skip, case, load_truth

PYTHON = "/usr/bin/python3"


def need_unshare(*options):
    try:
        r = subprocess.run(["unshare", *options, "true"], capture_output=True, timeout=20,
                           **privileges.of_user())
    except FileNotFoundError:
        raise Skip("no unshare(1)")
    if r.returncode:
        raise Skip(f"unshare {' '.join(options)}: {r.stderr.decode(errors='replace').strip()}")


def both(t, options, argvs):
    """Two commands, each in namespaces of its own, at the same time in one trace."""
    need_unshare(*options)
    script = " & ".join(shlex.join(["unshare", *options, *a]) for a in argvs) + " & wait"
    return t.trace(command=["sh", "-c", script]).report


@case()
def ns_pids(t):
    """Pids are those that the caller of ipcspy sees; the inner one stands beside it."""
    options = ["-Urpf", "--mount-proc"]
    need_unshare(*options)
    path = t.new_path(".truth")
    r = t.trace(command=["unshare", *options, t.demo, "pipe", "-S", "2", "--truth", path]).report
    t.equal("status", 0, r["trace"]["command"]["exit"])
    truth = load_truth(path)
    inner = {p["comm"]: p["pid"] for p in truth["senders"] + truth["receivers"]}
    procs = {p["comm"]: p for p in r["processes"] if p["comm"] in inner}
    t.equal("pids inside", inner, {c: p.get("ns_pid") for c, p in procs.items()})
    for c, p in procs.items():
        t.ok(f"{c}: another pid outside", p["pid"] > inner[c], str(p))
    outer = {p["pid"]: p["comm"] for p in procs.values()}
    flows = {(outer.get(f["src"].get("pid")), outer.get(f["dst"].get("pid"))): f["messages"]
             for f in r["flows"] if f["mechanism"] == "pipe"}
    name = {pid: comm for comm, pid in inner.items()}
    t.equal("messages by sender and receiver",
            {(name[f["src_pid"]], name[f["dst_pid"]]): f["messages"] for f in truth["flows"]},
            flows)


@case()
def ns_pid_only_where_it_differs(t):
    """A process of the machine's own namespace has one pid."""
    r = t.trace(command=[t.demo, "pipe", "-n", "10"]).report
    t.equal("processes with a second pid", [], [p for p in r["processes"] if "ns_pid" in p])


@case(params=[("sysv-msg",), ("sysv-sem",), ("sysv-shm",), ("posix-mq",)],
      root="it makes namespaces")
def ns_ipc(t, mechanism):
    """The same id or name in two IPC namespaces: two channels, told apart by ipc_ns."""
    n, paths = 300, [t.new_path(".truth") for _ in range(2)]
    r = both(t, ["-ipf", "--mount-proc"],
             [[t.demo, mechanism, "-n", str(n), "--truth", p] for p in paths])
    for path in paths:
        t.equal("the workload went well", n, load_truth(path)["options"]["messages"])
    found = [c for c in r["channels"] if c["mechanism"] == mechanism]
    t.equal("channels", 2, len(found))
    t.equal("names", 1, len({c["name"] for c in found}), str([c["name"] for c in found]))
    spaces = [c["info"]["ipc_ns"] for c in found]
    t.equal("IPC namespaces", 2, len(set(spaces)), str(spaces))
    for c in found:
        flows = [f for f in r["flows"] if f["channel"] == c["id"]]
        if mechanism != "sysv-shm":  # whose messages are those of its semaphores
            t.equal(f"messages of {c['name']} in {c['info']['ipc_ns']}", n,
                    sum(f["messages"] for f in flows))


NET = """
import fcntl, os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
n = int(sys.argv[1])
if sys.argv[2] == "tcp":
    server = socket.create_server(("127.0.0.1", 7777))
    if not os.fork():
        c = socket.socket()
        c.bind(("127.0.0.1", 8888))
        c.connect(("127.0.0.1", 7777))
        for _ in range(n):
            c.sendall(b"x" * 100)
        os._exit(0)
    c = server.accept()[0]
    got = 0
    while True:
        data = c.recv(100)
        if not data:
            break
        got += len(data)
    assert got == 100 * n
else:
    s.bind(("127.0.0.1", 7777))
    if not os.fork():
        c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        c.bind(("127.0.0.1", 8888))
        for _ in range(n):
            c.sendto(b"x" * 100, ("127.0.0.1", 7777))
        os._exit(0)
    for _ in range(n):
        assert len(s.recv(200)) == 100
os.wait()
with open(sys.argv[3], "w") as f:
    f.write("done")
"""


@case(params=[("tcp",), ("udp",)], root="it makes namespaces")
def ns_net(t, mechanism):
    """The same addresses and ports in two network namespaces: nobody hears the other's."""
    script, counts = t.script(NET), (50, 80)
    out = [t.new_path(".done") for _ in counts]
    r = both(t, ["-n"], [[PYTHON, script, str(n), mechanism, o] for n, o in zip(counts, out)])
    for o in out:
        with open(o) as f:
            t.equal("the exchange went well", "done", f.read())
    flows = [f for f in r["flows"] if f["mechanism"] == mechanism]
    t.equal("messages of the flows", sorted(counts), sorted(f["messages"] for f in flows))
    t.equal("bytes of the flows", sorted(100 * n for n in counts),
            sorted(f["bytes"] for f in flows))
    t.equal("channels", 2, len({f["channel"] for f in flows}))
    for f in flows:
        parent = {p["pid"]: p["ppid"] for p in r["processes"]}
        t.equal(f"sender {f['src']} is the child of its receiver", f["dst"].get("pid"),
                parent.get(f["src"].get("pid")))
