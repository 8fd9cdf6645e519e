# SPDX-License-Identifier: Apache-2.0
"""sentry ps, top, logs, metrics; --name, --log, --otlp."""
import json
import os
import shutil
import signal
import time

from box import Skip, check, finish, read_line

HOSTILE = "x\x1b[31m\n\"q'\\\x9b\u202e"


def runtime(box):
    """A runtime directory of this test's own."""
    path = box.path("runtime")
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
    return dict(os.environ, XDG_RUNTIME_DIR=path)


def begin(box, script, options=(), *arguments):
    """A program that runs until it is told to end by a line."""
    process = box.start(["/bin/sh", "-c", script + "\necho ready; read line", "sh"] + list(arguments), options=options, env=runtime(box))
    read_line(process)
    return process


def end(process):
    process.stdin.write(b"\n")
    process.stdin.flush()
    return finish(process)


def listed(box, count, sampled=False):
    """What ps says as soon as it says @count sandboxes (an entry is written some milliseconds after the start)."""
    limit = time.monotonic() + 10
    while True:
        found = json.loads(box.raw("ps", "--format", "json", env=runtime(box)).expect(0, None, b"").out)
        if len(found) == count and (not sampled or all("memory" in one for one in found)):
            return found
        check(time.monotonic() < limit, "not", count, "sandboxes:", found)
        time.sleep(0.02)


def test_ps(box):
    box.raw("ps", "-q", env=runtime(box)).expect(0, b"", b"")
    one = begin(box, "for i in 1 2 3; do (exit 0); done", ["--name", "one.x", "-m", "256m"], HOSTILE)
    two = begin(box, ":")
    found = listed(box, 2, sampled=True)
    first, second = found
    check(first["name"] == "one.x" and first["command"][-1] == HOSTILE, first)
    check(first["pid"] == one.pid and first["platform"] == box.platform and first["memory_limit"] == 256 << 20, first)
    check(first["calls"] > 20 and first["memory"] > 0 and first["tasks"] == 1 and first["network"] == "none", first)
    check(second["pid"] == two.pid and second["name"] == "" and second["id"] != first["id"], second)
    table = box.raw("ps", "--no-trunc", env=runtime(box)).expect(0, None, b"").out
    lines = table.splitlines()
    check(len(lines) == 3 and lines[0].startswith(b"ID ") and all(b == 10 or 0x20 <= b < 0x7f for b in table), table)
    check(b"one.x" in lines[1] and b"\\x1b[31m\\x0a" in lines[1], lines)
    box.raw("ps", "-q", env=runtime(box)).expect(0, b"%s\n%s\n" % (first["id"].encode(), second["id"].encode()), b"")
    end(one).expect(0, None, b"")
    end(two).expect(0, None, b"")
    box.raw("ps", "-q", env=runtime(box)).expect(0, b"", b"")
    check(os.listdir(box.path("runtime/sentry")) == [], "left:", os.listdir(box.path("runtime/sentry")))


def test_ps_denied(box):
    box.write(".env", "secret")
    process = begin(box, "cat .env; uname -a > /dev/null", ["--audit", box.path("log")])
    check(listed(box, 1)[0]["denied"] == 1, "denials")
    end(process).expect(0)


def test_ps_stale(box):
    """A launcher that was killed leaves its file, which goes with the next look; another process may have its number by then."""
    process = begin(box, ":")
    entry = listed(box, 1)[0]
    path = box.path("runtime/sentry/%s.json" % entry["id"])
    state = json.loads(open(path).read())
    process.kill()
    process.wait()
    check(os.path.exists(path), "no file was left")
    state.update(pid=os.getpid())
    with open(path, "w") as file:
        json.dump(state, file)
    box.raw("ps", "-q", env=runtime(box)).expect(0, b"", b"")
    check(not os.path.exists(path), "the stale file is still there")


def test_ps_foreign(box):
    env = runtime(box)
    box.raw("ps", "-q", env=env).expect(0, b"", b"")
    for text in ("", "{", "[]", "null", "{}", '{"version":1}', '{"version":2,"id":"0123456789ab"}', "\0" * 100, "[" * 100000):
        path = box.write("runtime/sentry/0123456789ab.json", text)
        box.raw("ps", "-q", env=env).one_line(0, "0123456789ab.json", "is not the state of a sandbox")
        os.unlink(path)
    os.symlink("/etc/passwd", box.path("runtime/sentry/0123456789ab.json"))
    box.raw("ps", "-q", env=env).one_line(0, "is not the state")
    os.unlink(box.path("runtime/sentry/0123456789ab.json"))
    os.mkfifo(box.path("runtime/sentry/0123456789ab.json"))
    box.raw("ps", "-q", env=env).one_line(0, "is not the state")


def test_ps_without_a_place(box):
    """Runs go on as ever, and ps says why nothing is there."""
    env = runtime(box)
    os.mkdir(box.path("other"), 0o700)
    os.symlink(box.path("other"), box.path("runtime/sentry"))
    box.sh("sleep 0.1; exit 3", env=env).expect(3, b"", b"")
    check(os.listdir(box.path("other")) == [], "written through a link")
    if os.getuid() == 0 or os.path.isdir("/run/user/%d" % os.getuid()):
        return
    box.raw("ps", "-q", env=env).one_line(125, "runtime/sentry", "cannot be used")
    os.unlink(box.path("runtime/sentry"))
    os.mkdir(box.path("runtime/sentry"), 0o700)
    os.chmod(box.path("runtime/sentry"), 0o755)
    box.sh("sleep 0.1; exit 3", env=env).expect(3, b"", b"")
    box.raw("ps", "-q", env=env).one_line(125, "runtime/sentry", "open to others")
    shutil.rmtree(box.path("runtime"))
    box.sh("sleep 0.1; exit 3", env=env).expect(3, b"", b"")
    box.raw("ps", "-q", env=env).one_line(0, "none can be listed")


def test_name_errors(box):
    for name in ("", "-x", "a b", "a/b", "x" * 64, "a\t"):
        box.raw("run", "--name", name, "--", "/bin/true").one_line(125, "--name")
