# SPDX-License-Identifier: BSD-2-Clause
"""ipcspy started inside a pid namespace: pids are those of its caller, whoever is outside has none."""
import json
import os

from cases_mixed import compare_part
from cases_ns import need_unshare
from lib import case, load_truth

INSIDE = ["unshare", "-ipf", "--mount-proc"]
NO_NUMBER = 1 << 23  # PID_OUTSIDE


@case(root="it makes namespaces")
def inside_command(t):
    """A command, every mechanism: all pids are those that the workload knows itself by."""
    need_unshare(*INSIDE)
    report, truth = t.trace_demo("mixed", under=INSIDE)
    # whoever looks at the machine meanwhile reads the memory of all, from outside
    report["flows"] = [f for f in report["flows"]
                       if not f["dst"].get("pid", 0) & NO_NUMBER]
    for part in truth["parts"]:
        compare_part(t, report, part)
    strange = [p for p in report["processes"] if p["target"] and p["pid"] & NO_NUMBER]
    t.equal("targets without a number", [], strange)
    t.equal("second pids", [], [p for p in report["processes"] if "ns_pid" in p])


@case(root="it makes namespaces")
def inside_attach(t):
    """By pid: the one that has it there, not the one that has it on the machine."""
    need_unshare(*INSIDE)
    out = t.new_path(".json")
    script = f"sleep 1000 | cat & {t.ipcspy} -p $! -d .3 --format json -o {out}; echo $!"
    r = t.run([*INSIDE, "bash", "-c", script])
    with open(out) as f:
        report = json.load(f)
    pid = int(r.out)
    t.equal("the target", [(pid, "cat")],
            [(p["pid"], p["comm"]) for p in report["processes"] if p["target"]])
    t.equal("who is blocked", [(pid, "cat")],
            [(b["pid"], b["comm"]) for b in report["blocked_now"]])


LOOK = """
{demo} deadlock --truth {outer} >/dev/null &
unshare -pf --mount-proc {demo} deadlock --truth {inner} >/dev/null &
while [ ! -e {outer} -o ! -e {inner} ]; do sleep .1; done
{ipcspy} why -a --format json
kill %1 %2
"""


@case(root="it makes namespaces")
def inside_why(t):
    """A deadlock, and one in a namespace below, by the pids of the caller."""
    need_unshare(*INSIDE)
    outer, inner = t.new_path(".truth"), t.new_path(".truth")
    r = t.run([*INSIDE, "bash", "-c", LOOK.format(demo=t.demo, ipcspy=t.ipcspy, outer=outer,
                                                  inner=inner)], expect=None)
    found = [f for f in json.loads(r.out)["findings"] if f["kind"] == "deadlock"]
    t.equal("deadlocks", 2, len(found), r.text)
    want = {s["pid"] for s in load_truth(outer)["stuck"]}
    own = [f for f in found if set(f["pids"]) == want]
    t.equal("the one beside it", 1, len(own), f"{want} in {[f['pids'] for f in found]}")
    below = {s["pid"] for s in load_truth(inner)["stuck"]}
    other = [f for f in found if set(f["pids"]) != want]
    t.ok("the one below: not by the pids it has there",
         other and not set(other[0]["pids"]) & (below | want) and max(other[0]["pids"]) < 1000,
         str(found))


@case(root="it makes namespaces")
def inside_and_outside(t):
    """A peer outside has no number there: it is told apart by the machine's."""
    need_unshare(*INSIDE)
    fifo, start = t.path("fifo"), t.path("start")
    os.mkfifo(fifo)
    writer = t.start(["bash", "-c", f"exec 3>{fifo}; until [ -e {start} ]; do sleep .05; done; "
                      "for i in {1..20}; do echo hello >&3; done; sleep 1000; true"])
    r = t.trace(under=INSIDE, command=["bash", "-c", f"exec <{fifo}; >{start}; "
                                       "for i in {1..20}; do read line; done"]).report
    flows = [f for f in r["flows"] if f["mechanism"] == "fifo"]
    t.equal("messages", [20], [f["messages"] for f in flows])
    src, dst = flows[0]["src"], flows[0]["dst"]
    t.equal("the sender", (writer.pid | NO_NUMBER, "bash"), (src.get("pid"), src.get("comm")))
    t.equal("the receiver", r["trace"]["command"]["pid"], dst.get("pid"))
    proc = [p for p in r["processes"] if p["pid"] == src.get("pid")]
    t.equal("its number on the machine", [(writer.pid, None)],
            [(p.get("machine_pid"), p["exe"]) for p in proc])


@case(root="it makes namespaces")
def inside_with_another_proc(t):
    """/proc of the machine would say of other processes what is asked there."""
    need_unshare("-pf")
    r = t.run(["unshare", "-pf", t.ipcspy, "why", "-a"], expect=1)
    t.ok("one line says what to do", b"mount" in r.err and r.err.count(b"\n") == 1, r.err.decode())
