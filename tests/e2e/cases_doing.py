# SPDX-License-Identifier: BSD-2-Clause
"""What a task is doing at the end of a chain: the functions it is in."""
import ctypes
import json
import os
import subprocess

from lib import case, task_state, wait_for

PYTHON = "/usr/bin/python3"
LOOKS = 40  # who does not get a processor in the time of one look has no stack in it


def spin(t):
    return os.path.join(os.path.dirname(t.ipcspy), "tests", "e2e", "spin")


def why(t, pid, **kw):
    r = t.run([t.ipcspy, "why", "--format", "json", str(pid)], **kw)
    return json.loads(r.out)["why"][0]


def start_pipe(t, *argv):
    """argv | cat; returns the pids of both."""
    read, write = os.pipe()
    runs = t.start([*map(str, argv)], stdout=write)
    reads = t.start(["cat"], stdin=read, stdout=subprocess.DEVNULL)
    os.close(read)
    os.close(write)
    wait_for("the reader", lambda: task_state(reads.pid) == "S")
    wait_for("the program", lambda: os.readlink(f"/proc/{runs.pid}/exe") ==
             os.path.realpath(argv[0]))
    return runs.pid, reads.pid


def stack_of(t, pid, root):
    """The verdict on pid, and the stack of the root of its chain."""
    for _ in range(LOOKS):
        one = why(t, pid)
        t.equal("root", (root, "running"), (one["root"]["pid"], one["root"]["state"]))
        stack = [row["stack"] for row in one["chain"] if row["pid"] == root][0]
        if stack:
            break
    t.ok("a stack", stack)
    return one["verdict"], stack or {"samples": 0, "seen": 0, "frames": []}


def of_program(stack):
    return [f for f in stack["frames"] if not f["kernel"]]


@case()
def doing_crunch(t):
    """A reader waits for a stage that computes: in which function, and called by whom."""
    runs, reads = start_pipe(t, spin(t))
    verdict, stack = stack_of(t, reads, runs)
    frames = of_program(stack)
    t.equal("functions", ["crunch", "stage", "main"], [f["symbol"] for f in frames[:3]])
    t.equal("files", ["spin"] * 3, [f["module"] for f in frames[:3]])
    t.ok("samples", 0 < stack["seen"] <= stack["samples"] <= 64, str(stack))
    t.ok("verdict", verdict.endswith(" is running in crunch()."), verdict)

    def text():
        out = t.run([t.ipcspy, "why", str(reads)]).text
        return out if "samples\n" in out else None
    lines = wait_for("a stack", text).splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("    in: ")]
    t.equal("below the root", [2], at)
    t.ok("the function", any(" crunch+0x" in line and "(spin)" in line for line in lines[2:]),
         str(lines))


@case()
def doing_stripped(t):
    """Without names: where in which file, as it was linked."""
    path = t.path("stripped")
    t.run(["strip", "-o", path, spin(t)])
    runs, reads = start_pipe(t, path)
    verdict, stack = stack_of(t, reads, runs)
    nm = t.run(["nm", "-S", spin(t)]).text.splitlines()
    start, size = [[int(x, 16) for x in line.split()[:2]] for line in nm
                   if line.endswith(" T crunch")][0]
    frames = of_program(stack)
    t.equal("what is known", (None, "stripped"),
            (frames[0]["symbol"], frames[0]["module"]) if frames else None)
    t.ok("in the function", frames and start <= frames[0]["offset"] < start + size,
         f"{frames[:1]}, {start} + {size}")
    t.ok("verdict", verdict.endswith(" is running."), verdict)


@case()
def doing_python(t):
    """An interpreter that nobody compiled for us."""
    runs, reads = start_pipe(t, PYTHON, "-c", "while 1: pass")
    _, stack = stack_of(t, reads, runs)
    name = os.path.basename(os.path.realpath(PYTHON))
    t.ok("its file", name in [f["module"] for f in of_program(stack)], str(stack))


INOTIFY = """
import ctypes, os
os.read(ctypes.CDLL(None).inotify_init(), 100)
"""


@case(root="whom the kernel shows stacks of its own")
def doing_sleeps(t):
    """In a call that no channel stands for: where in the kernel."""
    p = t.start([PYTHON, "-c", INOTIFY])
    wait_for("sleep", lambda: "inotify" in "".join(
        os.readlink(f"/proc/{p.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{p.pid}/fd")) and
        task_state(p.pid) == "S")
    stack = why(t, p.pid)["chain"][0]["stack"]
    t.ok("a stack", stack and all(f["kernel"] for f in stack["frames"]), str(stack))
    t.ok("what it waits in", stack and "inotify_read" in [f["symbol"] for f in stack["frames"]],
         str(stack))
    t.equal("one look", (1, 1), (stack["samples"], stack["seen"]) if stack else None)


class Filter(ctypes.Structure):
    """struct sock_filter"""
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
                ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """struct sock_fprog"""
    _fields_ = [("len", ctypes.c_uint16), ("filter", ctypes.POINTER(Filter))]


def deny_perf_event_open():
    """seccomp(2), as container runtimes do it."""
    nr = {"x86_64": 298, "aarch64": 241}[os.uname().machine]
    rows = (Filter * 4)(Filter(0x20, 0, 0, 0),              # the number of the call
                        Filter(0x15, 0, 1, nr),             # is it that?
                        Filter(0x06, 0, 0, 0x00050001),     # EPERM
                        Filter(0x06, 0, 0, 0x7fff0000))     # else: go on
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(4, rows)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp")


@case(root="who keeps capabilities with no_new_privs")
def doing_denied(t):
    """perf_event_open(2) is not permitted: the chain is as before, and doctor says so."""
    runs, reads = start_pipe(t, spin(t))
    one = why(t, reads, preexec_fn=deny_perf_event_open)
    t.equal("root", (runs, "running"), (one["root"]["pid"], one["root"]["state"]))
    t.equal("stacks", [None] * len(one["chain"]), [row["stack"] for row in one["chain"]])
    r = t.run([t.ipcspy, "doctor", "--format", "json"], preexec_fn=deny_perf_event_open)
    found = [(f["required"], f["ok"]) for f in json.loads(r.out)["features"]
             if f["name"] == "perf_event_open"]
    t.equal("doctor", [(False, False)], found)
    r = t.run([t.ipcspy, "doctor", "--format", "json"])
    found = [f["ok"] for f in json.loads(r.out)["features"] if f["name"] == "perf_event_open"]
    t.equal("doctor, else", [True], found)
