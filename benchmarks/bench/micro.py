# SPDX-License-Identifier: Apache-2.0
"""Micro benchmarks: nanoseconds for one operation, measured by the program itself inside of the system."""
import subprocess

from . import stats
from .systems import environment

GROUP = "micro"


def names(stage):
    return subprocess.run(["./micro", "--list"], cwd=stage.path, capture_output=True, text=True, check=True).stdout.split()


def once(stage, prefix, name, seconds):
    """A round: the median of the batches that one run of the program reports."""
    done = subprocess.run(prefix + ["./micro", name, str(seconds)], cwd=stage.path, capture_output=True, text=True,
                          timeout=30 + 100 * seconds, env=environment(), stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:] or "exit %d" % done.returncode)
    return stats.median([float(word) for word in done.stdout.split()])
