# SPDX-License-Identifier: Apache-2.0
"""Whole programs: milliseconds from start to end, the sandbox's own start included, and the CPU time that all processes
burnt meanwhile (meter.c)."""
import json
import os
import subprocess

from .systems import environment

GROUP, GROUP_START, CPU = "macro", "start", "-cpu"

PYTHON_IMPORTS = "import json, asyncio, subprocess, sqlite3, email, http.client"

COMMANDS = {
    "true": ["/bin/true"],
    "python-start": ["python3", "-c", "print(1)"],
    "python-imports": ["python3", "-c", PYTHON_IMPORTS],
    "python-cpu": ["python3", "python_cpu.py"],
    "c-cpu": ["./cpu"],
    "python-json": ["python3", "python_json.py"],
    "python-threads": ["python3", "python_threads.py"],
    "python-sqlite": ["python3", "python_sqlite.py"],
    "files": ["python3", "python_files.py"],
    "walk": ["python3", "python_walk.py"],
    "subprocess": ["python3", "python_subprocess.py"],
    "small-io-threads": ["python3", "python_small_io.py"],
    "asyncio-unix": ["python3", "asyncio_echo.py"],
    "asyncio-pipes": ["python3", "asyncio_pipes.py"],
    "pipeline": ["sh", "pipeline.sh"],
    "gcc": ["sh", "gcc.sh"],
    "git": ["sh", "git.sh"],
    "make": ["sh", "make.sh"],
    "tar-gzip": ["sh", "tar_gzip.sh"],
}

# Nothing but the start of a sandbox: its ratio to native says little, its time does.
START = ("true",)

# What hardly asks the kernel for anything once it runs.
CPU_BOUND = ("python-cpu", "c-cpu", "python-json", "python-threads")


def group(name):
    return GROUP_START if name in START else GROUP


def once(stage, prefix, name):
    """(wall, CPU) milliseconds of a run."""
    report = os.path.join(stage.path, "meter-report")
    done = subprocess.run(["./meter", report] + prefix + COMMANDS[name], cwd=stage.path, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, env=environment())
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip()[-200:] or "exit %d" % done.returncode)
    with open(report, encoding="utf-8") as file:
        times = json.load(file)
    return times["wall_ns"] / 1e6, times["cpu_ns"] / 1e6
