# SPDX-License-Identifier: Apache-2.0
"""What the machine allows (floor.c): {mechanism: nanoseconds}."""
import subprocess


def measure(stage, seconds):
    done = subprocess.run(["./floor", str(seconds)], cwd=stage.path, capture_output=True, text=True, timeout=120)
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
