# SPDX-License-Identifier: Apache-2.0
"""Servers under load over loopback, server and client in one sandbox; and what 10,000 connections take.

A script in benchmarks/macro/ starts both and prints requests per second; the figure is the time that one request takes.
"""
import shutil
import subprocess

from . import sandbox
from .systems import environment, is_ours

GROUP = "servers"
CONNECTIONS = ["python3", "connections.py"]

# The command, with its number of requests, and the programs that it needs.
LOADS = {
    "redis-set": (["sh", "redis_load.sh", "set", "1", "50000"], ("redis-server", "redis-benchmark")),
    "redis-get": (["sh", "redis_load.sh", "get", "1", "50000"], ("redis-server", "redis-benchmark")),
    "redis-set-pipelined": (["sh", "redis_load.sh", "set", "16", "500000"], ("redis-server", "redis-benchmark")),
    "redis-get-pipelined": (["sh", "redis_load.sh", "get", "16", "500000"], ("redis-server", "redis-benchmark")),
    "nginx-ab": (["sh", "nginx_load.sh", "ab", "50000"], ("nginx", "ab")),
    "nginx-wrk": (["sh", "nginx_load.sh", "wrk", "0"], ("nginx", "ab", "wrk")),
    "python-http": (["python3", "http_server.py", "3000"], ("python3",)),
}


def once(stage, prefix, command):
    """Microseconds that a request takes."""
    done = subprocess.run(prefix + command, cwd=stage.path, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, env=environment(),
                          check=False)
    try:
        return 1e6 / float(done.stdout.decode().strip())
    except (ValueError, ZeroDivisionError):
        raise RuntimeError("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.decode(errors="replace").strip()[-200:])) from None


def missing(programs):
    return [name for name in programs if not shutil.which(name, path=environment()["PATH"])]


def measure(results, stage, systems, rounds):
    for name, (command, programs) in LOADS.items():
        if missing(programs):
            print("%s is skipped: not installed: %s" % (name, ", ".join(missing(programs))), flush=True)
            continue
        figure = results.figure(name, GROUP, "us")
        for number in range(rounds):
            order = list(systems.items())
            for system, prefix in order if number % 2 == 0 else reversed(order):
                figure.add(system, once(stage, prefix, command))


def measure_connections(results, stage, systems):
    """PSS of the Sentry with 10,080 TCP connections over loopback."""
    figure = results.figure("pss-10000-connections", sandbox.GROUP, "MiB")
    for name, prefix in systems.items():
        if not is_ours(prefix):
            continue
        guest = sandbox.Guest(stage, prefix, CONNECTIONS)
        try:
            guest.await_ready()
            figure.add(name, sum(sandbox.kernel_pss(guest)))
        finally:
            guest.end()
