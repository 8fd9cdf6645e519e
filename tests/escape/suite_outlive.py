# SPDX-License-Identifier: Apache-2.0
"""Who wants to outlive the sandbox, in each way, ended in each way: nobody is left, and nothing takes long."""
import os
import signal
import time

from host import Failure, is_sweeper, state_of

OPTIONS = ["--pids-limit", "32", "-m", "256m", "--tmpfs", "/tmp"]
# What SIGTERM to `sentry run` ends by itself; others have asked for it not to.
OBEDIENT = ("daemon", "vfork", "stopped", "init")
WAYS = ("timeout", "launcher", "sentry", "term", "stub", "zygote")


def wait_ready(sandbox):
    line = sandbox.process.stdout.readline()
    if line != b"ready\n":
        raise Failure("did not start: %r %r" % (line, sandbox.process.stderr.read()[-300:]))


def finish(sandbox, within, codes, what):
    begin = time.monotonic()
    code = sandbox.wait(within)[0]
    sandbox.expect_nobody(2)
    if codes and code not in codes:
        raise Failure("%s: exit %d, not one of %s" % (what, code, codes))
    return time.monotonic() - begin


def stubs(sandbox):
    """Host processes of guests, the zygote first."""
    known = {sandbox.launcher(), sandbox.sentry()}
    return [pid for pid in sorted(sandbox.processes()) if pid not in known and state_of(pid) != "X" and not is_sweeper(pid)]


def outlive(runner, kind, way):
    what = "%s, %s" % (kind, way)
    options = OPTIONS + (["--timeout", "0.5"] if way == "timeout" else [])
    sandbox = runner.start(["outlive", kind], options)
    wait_ready(sandbox)
    if kind == "leave":
        finish(sandbox, 10, (7, 124), what)
        return
    time.sleep(0.05)
    if way == "timeout":
        finish(sandbox, 12, (124,), what)
    elif way in ("launcher", "sentry"):
        os.kill(sandbox.launcher() if way == "launcher" else sandbox.sentry(), signal.SIGKILL)
        sandbox.expect_nobody(2)
        sandbox.process.communicate()
    elif way == "term":
        sandbox.process.send_signal(signal.SIGTERM)
        if kind not in OBEDIENT:
            time.sleep(0.1)
            sandbox.process.kill()
        finish(sandbox, 10, None, what)
    else:
        found = stubs(sandbox)
        if found:
            os.kill(found[0] if way == "zygote" else found[-1], signal.SIGKILL)
        time.sleep(0.1)
        if sandbox.process.poll() is None:
            sandbox.process.kill()
        finish(sandbox, 10, None, what)


def test_outlive(runner):
    kinds = runner.selected or runner.run("outlive", OPTIONS)[1].split()
    failures = []
    for number, kind in enumerate(kinds):
        for index, way in enumerate(WAYS):
            # Without --all each kind is ended in two ways, others for others.
            if not runner.all and not runner.selected and index not in (number % len(WAYS), (number + 2) % len(WAYS)):
                continue
            try:
                outlive(runner, kind, way)
            except Failure as failure:
                failures.append("%s, %s: %s" % (kind, way, failure))
    if failures:
        raise Failure("; ".join(failures))
