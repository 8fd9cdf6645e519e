# SPDX-License-Identifier: Apache-2.0
"""Storms, scribblers and fuzzers: the kernel lives on, the others notice nothing, and nobody is left at the end."""
import os
import statistics
import time

from host import Failure

FUZZ_SEEDS = (1, 2, 3, 11, 32)
FUZZ_SECONDS = 2


def kill_in_storm(runner, who):
    sandbox = runner.start("fork_storm", ["--pids-limit", "64"])
    if sandbox.process.stdout.readline() != b"storm\n":
        raise Failure("did not start: %r" % sandbox.process.stderr.read()[-300:])
    time.sleep(0.7)
    sentry, launcher = sandbox.sentry(), sandbox.launcher()
    for pid in {"both": [launcher, sentry], "launcher": [launcher], "sentry": [sentry]}[who]:
        os.kill(pid, 9)
    sandbox.expect_nobody(2)
    sandbox.process.communicate()


def test_kill_both(runner):
    for _ in range(3):
        kill_in_storm(runner, "both")


def test_kill_launcher(runner):
    kill_in_storm(runner, "launcher")


def test_kill_sentry(runner):
    kill_in_storm(runner, "sentry")


def test_storm_ends(runner):
    status, out, err = runner.run("fork_storm", ["--pids-limit", "64"])
    if status != 0:
        raise Failure("exit %s: %s" % (status, err[-300:]))


def test_timeout(runner):
    begin = time.monotonic()
    status, out, err = runner.run("fork_storm", ["--pids-limit", "64", "--timeout", "1"])
    if status != 124:
        raise Failure("exit %s, not 124: %s" % (status, err[-300:]))
    if time.monotonic() - begin > 6:
        raise Failure("took %.1f s" % (time.monotonic() - begin))


def test_scribble(runner):
    status, out, err = runner.run("scribble", timeout=100)
    if status != 0 or out != "alive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))


def test_words(runner):
    status, out, err = runner.run("words", timeout=100)
    if status != 0 or out != "alive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))


def test_trampolines(runner):
    status, out, err = runner.run("trampolines", ["--tmpfs", "/tmp"], timeout=100)
    if status != 0 or out != "alive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))


def test_raw_syscalls(runner):
    for name in ("int80-escaped", "jump-escaped"):
        if os.path.exists("/tmp/" + name):
            os.unlink("/tmp/" + name)
    status, out, err = runner.run("raw_syscalls", timeout=100)
    if status != 0 or not out.endswith("alive\n") or "jumped: yes" not in out:
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))
    if "int80: exit 1" in out or "x32: exit 1" in out:
        raise Failure(out)
    for name in ("int80-escaped", "jump-escaped"):
        if os.path.exists("/tmp/" + name):
            raise Failure("a file on the host: " + name)


def test_fd_chain(runner):
    status, out, err = runner.run("fd_chain")
    if status != 0 or out != "chain: long\nalive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))


def test_proc_race(runner):
    status, out, err = runner.run("proc_race")
    if status != 0 or out != "alive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))


def test_mount_storm(runner):
    for seed in FUZZ_SEEDS:
        code, out, err = runner.run("mount_storm %d %d" % (seed, FUZZ_SECONDS), ["--pids-limit", "64", "-m", "512m", "-u", "0:0" if seed % 2 else "1000:1000"],
                                    FUZZ_SECONDS + 20, within=2)
        if code != 0 or out != "alive\n":
            raise Failure("seed %d: exit %s, %r, %s" % (seed, code, out, err[-300:]))


def test_syscall_fuzz(runner):
    """What becomes of the guest does not matter: the kernel must survive and end in time."""
    for seed in FUZZ_SEEDS:
        begin = time.monotonic()
        code, out, err = runner.run("syscall_fuzz %d %d" % (seed, FUZZ_SECONDS), ["--pids-limit", "64", "-m", "512m"], FUZZ_SECONDS + 20)
        complaints = [line for line in err.split("\n") if "runtime error" in line or "AddressSanitizer" in line or "assertion" in line]
        if code in (99, 125, 126, 127) or complaints:
            raise Failure("seed %d: exit %s, %s" % (seed, code, complaints[:1] or err[-300:]))
        if time.monotonic() - begin > FUZZ_SECONDS + 5:
            raise Failure("seed %d: took %.1f s" % (seed, time.monotonic() - begin))


def test_neighbour_speed(runner):
    best = 0
    for _ in range(3):
        status, out, err = runner.run("spin")
        if status != 0:
            raise Failure("exit %s, %s" % (status, err[-300:]))
        pairs = [line.split() for line in out.split("\n") if line]
        best = max(best, statistics.median(int(beside) / int(alone) for alone, beside in pairs))
        if best >= 0.8:
            break
    if best < 0.8:
        raise Failure("%.0f%% of its speed beside a hostile process" % (100 * best))


def test_scribble_calls(runner):
    status, out, err = runner.run("scribble_calls %d" % (100 if runner.all else 20), ["--pids-limit", "64", "-m", "512m"], timeout=600 if runner.all else 120)
    if status != 0 or out != "alive\n":
        raise Failure("exit %s, %r, %s" % (status, out, err[-300:]))
