# SPDX-License-Identifier: Apache-2.0
"""What a sandbox costs by being there: memory, CPU while it idles, many of them at once."""
import os
import signal
import subprocess
import time

from .systems import environment, is_ours

GROUP = "sandbox"
WAITING = ["sh", "-c", "echo ready; read line"]


class Guest:
    """A program that says that it is there and then waits for the end of its input."""

    def __init__(self, stage, prefix, command=tuple(WAITING)):
        self.process = subprocess.Popen(prefix + list(command), cwd=stage.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment())

    def await_ready(self):
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("a waiting program did not start")

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


def read_stat(pid):
    """(name, parent) of a process, None when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            head, _, tail = file.read().rpartition(")")
    except OSError:
        return None
    return head.partition("(")[2], int(tail.split()[1])


def trees(roots):
    """All processes below the given ones, themselves included: {pid: (name, parent)}."""
    everyone = {pid: read_stat(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    found, before = set(roots), 0
    while len(found) != before:
        before = len(found)
        found |= {pid for pid, stat in everyone.items() if stat and stat[1] in found}
    return {pid: everyone[pid] for pid in found if everyone.get(pid)}


def pss(pid):
    """Proportional set size in MiB."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="utf-8") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss of process %d" % pid)


def cpu_seconds(pids):
    """CPU time of processes so far, in the scheduler's nanoseconds and not in ticks."""
    total = 0
    for pid in pids:
        try:
            for thread in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="utf-8") as file:
                    total += int(file.read().split()[0])
        except OSError:
            continue
    return total / 1e9


def kernel_pss(guest):
    """Of the kernel of a sandbox, the launcher's child."""
    tree = trees([guest.process.pid])
    return [pss(pid) for pid, (_, parent) in tree.items() if parent == guest.process.pid]


def measure_memory(results, stage, systems, rounds):
    everything = results.figure("pss-all", GROUP, "MiB")
    kernel = results.figure("pss-sentry", GROUP, "MiB")
    for _ in range(rounds):
        for name, prefix in systems.items():
            guest = Guest(stage, prefix)
            try:
                guest.await_ready()
                time.sleep(0.3)
                everything.add(name, sum(pss(pid) for pid in trees([guest.process.pid])))
                if is_ours(prefix):
                    kernel.add(name, sum(kernel_pss(guest)))
            finally:
                guest.end()


def measure_idle(results, stage, systems, seconds):
    """Per cent of a core while nothing happens."""
    figure = results.figure("idle-cpu", GROUP, "% of a core")
    guests = {name: Guest(stage, prefix) for name, prefix in systems.items()}
    try:
        for guest in guests.values():
            guest.await_ready()
        time.sleep(1)
        before = {name: cpu_seconds(trees([guest.process.pid])) for name, guest in guests.items()}
        time.sleep(seconds)
        for name, guest in guests.items():
            used = cpu_seconds(trees([guest.process.pid])) - before[name]
            figure.add(name, 100 * used / seconds)
    finally:
        for guest in guests.values():
            guest.end()


def measure_many(results, stage, systems, rounds, count=50):
    """So many at once: the time until the last is ready, and what they take together."""
    times = results.figure("many-start-%d" % count, GROUP, "ms")
    memory = results.figure("many-pss-%d" % count, GROUP, "MiB")
    for _ in range(rounds):
        for name, prefix in systems.items():
            guests = []
            try:
                begin = time.monotonic()
                for _ in range(count):
                    guests.append(Guest(stage, prefix))
                for guest in guests:
                    guest.await_ready()
                times.add(name, (time.monotonic() - begin) * 1e3)
                memory.add(name, sum(pss(pid) for pid in trees([g.process.pid for g in guests])))
            finally:
                for guest in guests:
                    guest.end()
