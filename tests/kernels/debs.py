# SPDX-License-Identifier: BSD-2-Clause
"""Packages of other releases and architectures, unpacked in a cache and never installed.

apt runs with a configuration of its own there; the mirrors are those that this
machine has. Needs no privileges.
"""
import glob
import os
import re
import shutil
import subprocess

SUITES = [("bookworm", "bookworm"), ("bookworm-security", "bookworm-security"),
          ("trixie-backports", "bookworm")]  # and whose mirror has it
IMAGES = "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"
CONF = """Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "{0}/empty";
Dir::State "{0}/state";
Dir::State::status "{0}/state/status";
Dir::Cache "{0}/apt";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; "arm64"; }};
APT::Sandbox::User "root";
"""


class Unavailable(Exception):
    """What was asked for cannot be had; the text says why, in one line."""


class Debs:
    def __init__(self, cache):
        self.cache = cache
        for d in ("state/lists/partial", "apt/archives/partial", "empty", "debs", "unpacked"):
            os.makedirs(os.path.join(cache, d), exist_ok=True)
        open(os.path.join(cache, "state/status"), "a").close()
        with open(self.path("sources.list"), "w") as f:
            for suite, like in SUITES:
                f.write(f"deb {mirror(like)} {suite} main\n")
        with open(self.path("apt.conf"), "w") as f:
            f.write(CONF.format(cache))
        self.env = dict(os.environ, APT_CONFIG=self.path("apt.conf"))
        self.apt("apt-get", "-q", "update")
        self.names = self.apt("apt-cache", "pkgnames", "linux-").split()

    def path(self, *parts):
        return os.path.join(self.cache, *parts)

    def apt(self, *argv):
        r = subprocess.run(argv, env=self.env, cwd=self.path("debs"), capture_output=True,
                           text=True)
        if r.returncode:
            said = (r.stderr or r.stdout).strip().splitlines()
            raise Unavailable(f"{' '.join(argv[:2])}: {said[-1] if said else r.returncode}")
        return r.stdout

    def unpacked(self, package, arch):
        """The directory with the contents of a package."""
        path = self.path("unpacked", f"{package}_{arch}")
        if not os.path.isdir(path):
            pattern = self.path("debs", f"{glob.escape(package)}_*_{arch}.deb")
            if not glob.glob(pattern):
                self.apt("apt-get", "-q", "download", f"{package}:{arch}")
            part = path + ".part"
            shutil.rmtree(part, ignore_errors=True)
            subprocess.run(["dpkg", "-x", glob.glob(pattern)[-1], part], check=True)
            os.rename(part, path)
        return path

    def kernel(self, series, arch):
        """(version, vmlinuz) of the newest kernel of a series that can still be fetched."""
        pattern = re.compile(rf"linux-(?:image|binary)-({re.escape(series)}\.[^-]+(?:-\d+)?)"
                             rf"-cloud-{arch}$")
        found = sorted(((numbers(m.group(1)), m.group(1), n) for n in self.names
                        if (m := pattern.match(n))), reverse=True)
        why = "no such package"
        for _, version, name in found[:3]:
            try:
                where = self.unpacked(name, arch)
            except Unavailable as e:
                why = str(e)
                continue
            images = [f for at in IMAGES for f in glob.glob(os.path.join(where, at))]
            if images:
                return version, images[0]
            why = f"{name} has no image"
        raise Unavailable(f"Linux {series} for {arch}: {why}")


def numbers(version):
    return [int(n) for n in re.findall(r"\d+", version)]


def mirror(suite):
    """Where this machine has that suite from."""
    r = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)",
                        "Created-By: Packages"], capture_output=True, text=True)
    for line in r.stdout.splitlines():
        site, release = line.split()
        if release == suite:
            return site
    raise Unavailable(f"this machine's apt has no {suite}")
