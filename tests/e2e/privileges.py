# SPDX-License-Identifier: BSD-2-Clause
"""The suite as an ordinary user, whose ipcspy has file capabilities, as the README sets them up.

The runner's effective user is nobody from become_user() on, and what it starts is nobody's
entirely; its real user stays root, so that `with root():` can look into ipcspy, which the
kernel hides from its user because of its capabilities, proc(5).
"""
import contextlib
import os
import shutil
import subprocess
import sys

USUAL = "cap_bpf,cap_perfmon"
NOBODY = 65534
PROGRAMS = ("ipcspy", "ipcspy-demo", "tests/e2e/look", "tests/e2e/spin")
TRACERS = ("ipcspy", "tests/e2e/look")
SOURCES = ("tests/e2e", "tests/golden", "src/completion", "src/export")

# What --quick leaves of the suite: of every mechanism and way to look at it something.
QUICK = ("truth[[]* 1]", "eventfd_truth[[]2]", "queue_truth[[]* 2]", "shared_truth[[]* 1]",
         "signal_truth[[]* 1]", "wake_truth[[]* 1]", "process_vm_truth[[]1*", "pty_truth[[]1*",
         "uring[[]* 1]", "latency[[]* rate=4000*", "scen_trace[[][lc]*", "scen_deadlock*",
         "scen_blame[[]*", "why_[dlsu]*", "doing_crunch", "look_[celop]*", "same_as_live[[][md]*",
         "truth_through_a_recording", "peers[[]*", "follow")

user = None  # whose the processes are that a case starts; None: the runner's own


def copy(build, directory):
    """What that user runs and reads: a checkout need not be where he may look."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    for name in SOURCES:
        shutil.copytree(os.path.join(source, name), os.path.join(directory, "checkout", name),
                        ignore=shutil.ignore_patterns("__pycache__"))
    for name in PROGRAMS:
        to = os.path.join(directory, "build", name)
        if os.path.exists(os.path.join(build, name)):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.join(build, name), to)
    subprocess.run(["chmod", "-R", "a+rX,go-w", directory], check=True)


def become_user(build, directory, capabilities):
    """Returns where the programs and the cases are that this user may run and read."""
    global user
    if os.geteuid():
        sys.exit("--capabilities is for root, who can set them and be somebody else")
    copy(build, directory)
    build = os.path.join(directory, "build")
    for name in TRACERS:
        if os.path.exists(os.path.join(build, name)):
            subprocess.run(["setcap", f"{capabilities}+ep", os.path.join(build, name)], check=True)
    os.chown(directory, NOBODY, NOBODY)
    user = NOBODY
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    return build, os.path.join(directory, "checkout", "tests", "e2e")


def become_root_again():
    """To clean up. Groups stay those of nobody: root needs none."""
    if user:
        os.seteuid(0)


def of_user():
    """Arguments of subprocess that make it that user's."""
    return {"user": user} if user else {}


@contextlib.contextmanager
def root():
    """What is done meanwhile is done by the one who started the runner."""
    if not user:
        yield
        return
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(user)


def without_roots(cases):
    """Those that an ordinary user can do; says which are left out, and why."""
    reasons = {}
    for c in cases:
        if c[4]:
            reasons.setdefault(c[4], []).append(c[0])
    for reason, names in reasons.items():
        print(f"only as root, {reason}: {' '.join(names)}")
    return [c for c in cases if not c[4]]
