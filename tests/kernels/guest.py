# SPDX-License-Identifier: BSD-2-Clause
"""A kernel in QEMU: what it boots with, and what came back."""
import os
import shutil
import subprocess

BUSYBOX = ("sh mount mkdir ip cat ls sleep poweroff grep head tail dmesg kill killall echo rm tr "
           "seq unshare id cp").split()
MACHINES = {
    "amd64": ["qemu-system-x86_64", "-M", "pc", "-cpu", "qemu64"],
    "arm64": ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57"],
}
CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


def initramfs(path, programs, busybox, files):
    """programs: paths of executables; files: {name in the root: (contents, mode)}."""
    root = path + ".root"
    shutil.rmtree(root, ignore_errors=True)
    for d in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.makedirs(os.path.join(root, d))
    os.chmod(root, 0o755)
    shutil.copy(busybox, os.path.join(root, "bin/busybox"))
    for name in BUSYBOX:
        os.symlink("busybox", os.path.join(root, "bin", name))
    for p in programs:
        shutil.copy(p, os.path.join(root, "bin"))
    for name, (contents, mode) in files.items():
        target = os.path.join(root, name)
        with open(target, "w") as f:
            f.write(contents)
        os.chmod(target, mode)
    names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
    with open(path, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=root, check=True,
                       input=names, stdout=out)
    shutil.rmtree(root)


def boot(arch, kernel, initrd, console, timeout, append=""):
    """Runs it to its end or the timeout. The console's output goes to a file. Returns why
    it did not end by itself, or None: what it did is for the file to say."""
    argv = MACHINES[arch] + [
        # in one thread: else a processor may run int3 for ever that another has taken out again,
        # as the kernel does where tracepoints are (text_poke_bp())
        "-accel", "tcg,thread=single", "-smp", "2", "-m", "768M", "-nodefaults", "-nographic",
        "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append",
        f"console={CONSOLES[arch]} quiet loglevel=4 panic=-1 oops=panic mitigations=off {append}"]
    with open(console, "wb") as out:
        try:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                           timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return f"did not end within {timeout} s"
    return None


def results(console):
    """{name: (status, text)} of what the guest's init told."""
    told, name = {}, None
    with open(console, encoding="utf-8", errors="replace") as f:
        for line in f:
            line = line.rstrip("\r\n")
            words = line.split()
            if line.startswith("@@ ") and len(words) == 3 and words[2].isdigit():
                name, status, lines = words[1], int(words[2]), []
            elif line == "@@" and name:
                told[name] = status, "\n".join(lines).strip()
                name = None
            elif name:
                lines.append(line)
    return told
