# SPDX-License-Identifier: BSD-2-Clause
"""ipcspy with file capabilities: what an ordinary user may do with it, and may not; and what
each capability gives, by what happens without it."""
import json
import os
import shutil
import subprocess

import privileges
from lib import Skip, case, check_report, children, load_truth, task_state, wait_for

PYTHON = "/usr/bin/python3"
ROOT = "it sets capabilities itself"
TOO_MANY = "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_sys_nice,cap_dac_override,cap_dac_read_search"
USER = {"user": privileges.NOBODY, "group": privileges.NOBODY, "extra_groups": []}


def with_capabilities(t, caps):
    """A copy of ipcspy that has them, whoever starts it."""
    if not shutil.which("setcap"):
        raise Skip("setcap is not installed")
    path = t.new_path(".ipcspy")
    shutil.copy(t.ipcspy, path)
    os.chmod(t.dir, 0o777)
    if caps:
        subprocess.run(["setcap", f"{caps}+ep", path], check=True)
    return path


def private(t, name, content):
    """A file that is root's alone, in a directory of root's that everybody may look into."""
    os.mkdir(t.path("roots"), 0o755)
    path = t.path("roots/" + name)
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, 0o600)
    return path


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


COMMAND = """
import json, os, sys
caps = {line.split()[0]: int(line.split()[1], 16) for line in open("/proc/self/status")
        if line.startswith("Cap")}
print(json.dumps({"caps": caps, "nice": os.nice(0), "ids": os.getresuid() + os.getresgid(),
                  "fds": {fd: os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")
                          if os.path.exists("/proc/self/fd/" + fd)}}))
"""


@case(root=ROOT)
def priv_command_has_none(t):
    """The command is what it would be without ipcspy: no capability, no file, no priority."""
    argv = [PYTHON, t.script(COMMAND)]
    ipcspy = with_capabilities(t, TOO_MANY)
    alone = json.loads(t.run(argv, **USER).out)
    traced = json.loads(t.run([ipcspy, "--", *argv], **USER).out)
    for caps in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:"):
        t.equal(caps, 0, traced["caps"][caps])
    t.equal("the rest", dict(alone["caps"]), traced["caps"])
    for what in ("nice", "ids"):
        t.equal(what, alone[what], traced[what])
    t.equal("open files", sorted(alone["fds"]), sorted(traced["fds"]))


@case(params=[("-o",), ("--record",), ("record",), ("export",), ("symlink",)], root=ROOT)
def priv_writes_as_its_caller(t, how):
    """Nobody's file is overwritten but the caller's own, however many capabilities there are."""
    ipcspy, recording = with_capabilities(t, TOO_MANY), t.path("recording")
    t.run([ipcspy, "record", "-o", recording, "--", "true"], **USER)
    victim = private(t, "victim", b"precious")
    mine = t.path("link")
    os.symlink(victim, mine)
    argv = {"-o": ["-o", victim, "--", "true"],
            "--record": ["--record", victim, "--force", "--", "true"],
            "record": ["record", "--force", "-o", victim, "--", "true"],
            "export": ["export", "--force", "--to", "csv", "-o", victim, recording],
            "symlink": ["-o", mine, "--", "true"]}[how]
    r = t.run([ipcspy, *argv], expect=1, **USER)
    t.equal("the file", b"precious", content_of(victim))
    t.equal("its owner", 0, os.stat(victim).st_uid)
    t.ok("one line says why", r.err.count(b"\n") == 1 and b"ermitted" in r.err or
         b"denied" in r.err or b"symbolic" in r.err, repr(r.err))


@case(params=[("report",), ("export",), ("command",)], root=ROOT)
def priv_reads_as_its_caller(t, what):
    """What the caller may not read is not read for him; nor is he told whether it is there."""
    ipcspy = with_capabilities(t, TOO_MANY)
    os.mkdir(t.path("private"), 0o700)
    recording, program = t.path("private/recording"), t.path("private/program")
    t.run([t.ipcspy, "record", "-o", recording, "--", "true"])
    os.chmod(recording, 0o644)
    with open(program, "w") as f:
        f.write(f"#!/bin/sh\necho > {t.path('ran')}\n")
    os.chmod(program, 0o755)
    argv = {"report": ["report"], "export": ["export", "--to", "csv", "-o", t.path("out")],
            "command": ["--"]}[what]
    there = program if what == "command" else recording
    said = []
    for path in (there, there + "-not"):
        r = t.run([ipcspy, *argv, path], expect=None, **USER)
        t.ok("it fails", r.status == 1 or b'127' in r.err, f"{r.status} {r.err!r}")
        said.append(r.err.replace(b"-not", b""))
    t.ok("denied", b"ermission denied" in said[0], repr(said[0]))
    if what != "command":  # whose report has a time in it
        t.equal("said of a file that is not there", said[0], said[1])
    t.ok("the program was not run", not os.path.exists(t.path("ran")))


@case(root=ROOT)
def priv_no_setuid(t):
    """With the set-user-ID bit every file would be root's: it refuses, in one line."""
    path, victim = t.path("setuid"), private(t, "victim", b"precious")
    shutil.copy(t.ipcspy, path)
    os.chmod(t.dir, 0o777)
    for mode in (0o4755, 0o2755):
        os.chmod(path, mode)
        r = t.run([path, "-o", victim, "--", "true"], expect=1, **USER)
        t.ok("one line says what to do", r.err.count(b"\n") == 1 and b"PRIVILEGES" in r.err,
             repr(r.err))
    t.equal("the file", b"precious", content_of(victim))


@case(root=ROOT)
def priv_environment(t):
    """What its caller's environment says of libraries and of places for files is not heard."""
    ipcspy, log = with_capabilities(t, "cap_bpf,cap_perfmon"), t.path("log")
    env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": log, "LIBBPF_LOG_LEVEL": "debug",
           "LD_PRELOAD": t.path("none.so"), "LOCPATH": t.dir, "LD_LIBRARY_PATH": t.dir}
    r = t.run([ipcspy, "doctor"], env=env, **USER)
    t.equal("stderr", b"", r.err)
    t.equal("files", [], [n for n in os.listdir(t.dir) if n.startswith("log")])


POLLS = """
import os, select, sys, time
r, w = os.pipe()
if not os.fork():
    os.close(r)
    sys.stdout.write("ready")
    sys.stdout.flush()
    time.sleep(1000)
os.close(w)
select.select([r], [], [])
"""


def doctor_of(t, ipcspy):
    r = t.run([ipcspy, "doctor", "--format", "json"], expect=None, **USER)
    doc = json.loads(r.out)
    t.equal("exit status", 0 if doc["ok"] else 1, r.status)
    return {f["name"]: f for f in doc["features"]}


def seen_without(t, ipcspy, pid):
    """What a report and a look say of a process of root's: its program, what it polls."""
    path = t.new_path(".json")
    os.chmod(t.dir, 0o777)
    r = t.run([ipcspy, "--format", "json", "-o", path, "-d", ".2", "-p", str(pid)],
              report_file=path, **USER)
    check_report(t, r.report)
    exe = [p["exe"] for p in r.report["processes"] if p["pid"] == pid][0]
    doc = json.loads(t.run([ipcspy, "why", "--format", "json", str(pid)], expect=None, **USER).out)
    channel = doc["why"][0]["chain"][0]["channel"]
    return exe is not None, bool(channel) and channel["mechanism"] == "pipe"


ALL = ("cap_bpf", "cap_perfmon", "cap_sys_ptrace", "cap_sys_nice")


@case(params=[(c,) for c in ALL + ("nothing",)], root=ROOT)
def priv_each_alone_missing(t, cap):
    """doctor names it and nothing else, says what that costs, and that is what it costs."""
    ipcspy = with_capabilities(t, ",".join(c for c in ALL if c != cap))
    features = doctor_of(t, ipcspy)
    gone = {n for n, f in features.items() if not f["ok"]} - {"message queues"}
    required = cap in ("cap_bpf", "cap_perfmon")
    want = {cap.upper()} - {"NOTHING"} | ({"programs"} if required else set())
    if cap == "cap_perfmon":  # what it is needed for, too, unless perf_event_paranoid is low
        want |= {"perf_event_open"} & gone
    t.equal("what is missing", want, gone)
    if required:
        r = t.run([ipcspy, "--", "touch", t.path("ran")], expect=1, **USER)
        t.ok("one line names it", r.err.count(b"\n") == 1 and cap.upper().encode() in r.err,
             repr(r.err))
        t.ok("the command was not run", not os.path.exists(t.path("ran")))
        return
    p = t.start([PYTHON, t.script(POLLS)])
    wait_for("its child", lambda: "ready" in open(p.files[0].name).read())
    wait_for("its sleep", lambda: task_state(p.pid) == "S")
    has = cap != "cap_sys_ptrace"
    t.equal("program and what it polls are seen", (has, has), seen_without(t, ipcspy, p.pid))
    said = features["CAP_SYS_PTRACE"]["detail"]
    t.ok("the doctor says that of it", "names of programs" in said and "poll" in said, said)
    nice = features["CAP_SYS_NICE"]
    t.equal("priority", cap != "cap_sys_nice", nice["ok"], nice["detail"])


@case(params=[("cap_bpf,cap_perfmon",), ("cap_bpf,cap_perfmon,cap_sys_ptrace",)], root=ROOT)
def priv_hidden_proc(t, caps):
    """/proc shows a user his own processes only (hidepid=invisible): others' messages are
    seen all the same, and their programs by who has CAP_SYS_PTRACE."""
    ipcspy, truth, path = with_capabilities(t, caps), t.path("truth"), t.path("r.json")
    p = t.start([t.demo, "pipe", "--rate", "1000", "-n", "100000", "--truth", truth])
    kids = wait_for("two children", lambda: len(children(p.pid)) == 2 and children(p.pid))
    argv = [ipcspy, "--format", "json", "-o", path, "-d", "0.5", "-p", ",".join(map(str, kids))]
    hide = ("mount -t proc -o hidepid=invisible proc /proc && "
            f"exec setpriv --reuid={privileges.NOBODY} --regid={privileges.NOBODY} "
            '--clear-groups "$@"')
    r = t.run(["unshare", "-m", "sh", "-c", hide, "sh", *argv], report_file=path)
    check_report(t, r.report)
    flows = [f for f in r.report["flows"] if f["mechanism"] == "pipe"]
    t.equal("flows", [("send-0", "recv-0")], [(f["src"]["comm"], f["dst"]["comm"]) for f in flows])
    t.ok("messages", flows[0]["messages"] > 100, str(flows))
    exes = {q["exe"] for q in r.report["processes"] if q["pid"] in kids}
    t.equal("programs", {t.demo if "ptrace" in caps else None},
            {e and os.path.realpath(e) == os.path.realpath(t.demo) and t.demo for e in exes})
