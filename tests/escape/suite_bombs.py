# SPDX-License-Identifier: Apache-2.0
"""Bombs: what the host has to give stays within what docs/security.md says, and it has all of it back at the end."""
import json
import os
import subprocess
import tempfile

from host import MIB, Failure

LIMIT = 192 * MIB
OPTIONS = ["-w", "/", "-m", "192m", "--pids-limit", "48", "--ulimit", "nofile=4096", "--tmpfs", "/tmp", "--timeout", "20"]
# Processes and files may have the limit each; the rest is the kernel process, page tables and other memory of the host's
# kernel, and what two processors fill between two looks.
PEAK = 2 * LIMIT + 448 * MIB
# With a control group (cmd/cgroup.c) nothing of that is above its limit; beside it there are the launcher and the tools of the test.
HARD_PEAK = LIMIT + LIMIT // 16 + 16 * MIB + 16 * MIB
# Without --all: those that found something, or that everybody tries first.
FEW = ("fork", "leaderless", "raw_leaderless", "raw_tables", "pipes")


def kinds(runner):
    """Their names, from the program itself."""
    listed = runner.run("bombs", OPTIONS)
    if listed[0] != 2:
        raise Failure("no list of bombs: %s" % (listed,))
    return listed[1].split()


def last_words(kind, text):
    said = [line for line in text.split("\n") if line.startswith(kind + ":") or "memory limit" in line]
    return said[-1][:60] if said else ""


def bomb(runner, kind, report):
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as status:
        os.chmod(status.name, 0o666)
        sandbox = runner.start(["bombs", kind], OPTIONS + ["--status-json", status.name], measure=True, stdout=subprocess.DEVNULL)
        code, _, err = sandbox.wait(45)
        hard = json.load(status)["memory_limit_by"] == "control-group"
    peak, most = sandbox.peak(), HARD_PEAK if hard else PEAK
    sandbox.expect_nobody(1)
    text = err.decode(errors="replace")
    if len(text) > 2000:
        text = text[-2000:]
    report("%-16s exit %3d  host memory at most %4d MiB%s  %s" % (kind, code, peak // MIB, " (group)" if hard else "", last_words(kind, text)))
    if code not in (0, 124, 137):
        raise Failure("%s: exit %d, %s" % (kind, code, text[-300:]))
    if peak > most:
        raise Failure("%s: the host gave %d MiB, not %d" % (kind, peak // MIB, most // MIB))


def test_bombs(runner):
    failures = []
    for kind in runner.selected or (kinds(runner) if runner.all else FEW):
        try:
            bomb(runner, kind, runner.report)
        except Failure as failure:
            failures.append(str(failure))
    if failures:
        raise Failure("; ".join(failures))
