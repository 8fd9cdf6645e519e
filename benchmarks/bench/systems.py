# SPDX-License-Identifier: Apache-2.0
"""What is measured: native Linux, sentry's platforms, peers. A system is the prefix of a command."""
import os
import shlex
import shutil
import tempfile

from .results import NATIVE

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment():
    """The same for all: temporary files lie in memory, natively as in a sandbox."""
    return {"PATH": GUEST_PATH, "HOME": "/nonexistent", "LANG": "C.UTF-8", "TMPDIR": "/dev/shm", "PYTHONDONTWRITEBYTECODE": "1"}


def choose(build, platforms, peers, options=()):
    """{name: prefix} in the order in which they take turns."""
    systems = {NATIVE: []}
    for platform in platforms:
        prefix = [os.path.join(build, "sentry"), "run", "--platform", platform]
        for name in ("TMPDIR", "PYTHONDONTWRITEBYTECODE"):
            prefix += ["-e", name]
        systems[platform] = prefix + list(options) + ["--"]
    for peer in peers:
        name, equals, prefix = peer.partition("=")
        if not equals or name in systems:
            raise ValueError("--peer wants NAME='COMMAND PREFIX' with a new name: %s" % peer)
        systems[name] = shlex.split(prefix)
    return systems


def is_ours(prefix):
    return bool(prefix) and os.path.basename(prefix[0]) == "sentry"


class Stage:
    """A folder with the programs to run, which is the current directory of every run: a sandbox shows that one."""

    PROGRAMS = ("cpu", "floor", "link", "meter", "micro")

    def __init__(self, build, source):
        self.path = tempfile.mkdtemp(prefix="stage-", dir=os.path.join(build, "benchmarks"))
        for name in self.PROGRAMS:
            shutil.copy2(os.path.join(build, "benchmarks", name), self.path)
        for name in os.listdir(os.path.join(source, "macro")):
            shutil.copy2(os.path.join(source, "macro", name), self.path)
        shutil.copy2(os.path.join(source, "floor.c"), self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
