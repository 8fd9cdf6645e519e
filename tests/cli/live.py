# SPDX-License-Identifier: Apache-2.0
"""sentry ps, top, logs, metrics; --name, --log, --otlp."""
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from box import check, finish, read_line

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


# ---- metrics ----

METRIC = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([0-9.e+]+)')


def parse_metrics(text):
    """The text format, strictly: {(name, labels): value}; each metric once, with HELP and TYPE, its samples together."""
    samples, types, current = {}, {}, None
    check(text.endswith("\n"), "no newline at the end")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current = line.split()[2]
            check(current not in types, current, "twice")
        elif line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            check(name == current and kind in ("counter", "gauge", "histogram"), line)
            check((kind == "counter") == name.endswith("_total"), line)
            types[name] = kind
        else:
            match = METRIC.fullmatch(line)
            check(match, "not a sample: %r" % line)
            name = match.group(1)
            base = re.sub("_(bucket|sum|count)$", "", name) if types[current] == "histogram" else name
            check(base == current and (name, match.group(2)) not in samples, line)
            samples[name, match.group(2) or ""] = float(match.group(3))
    return samples


def value_of(samples, name, *words):
    found = [value for (metric, labels), value in samples.items() if metric == "sentry_" + name and all(word in labels for word in words)]
    check(len(found) == 1, name, words, found)
    return found[0]


def test_metrics(box):
    box.write(".env", "secret")
    process = begin(box, "cat .env; for i in $(seq 100); do : > /dev/null; done", ["--name", "hostile", "-m", "128m"], HOSTILE)
    listed(box, 1, sampled=True)
    text = box.raw("metrics", env=runtime(box)).expect(0, None, b"").out
    check(all(b == 10 or 0x20 <= b < 0x7f for b in text), "not printable")
    samples = parse_metrics(text.decode())
    check(value_of(samples, "sandboxes") == 1, "sandboxes")
    check(value_of(samples, "sandbox_info", 'name="hostile"', "\\\\x1b[31m", 'platform="%s"' % box.platform) == 1, "info")
    check(value_of(samples, "sandbox_memory_limit_bytes") == 128 << 20, "limit")
    check(value_of(samples, "sandbox_syscalls_total", 'call="openat"') >= 100, "calls")
    check(value_of(samples, "sandbox_syscall_errors_total", 'call="openat"') >= 1, "errors")
    check(value_of(samples, "sandbox_events_total", 'kind="denied"') == 1, "denied")
    buckets = [value for (name, labels), value in samples.items() if name.endswith("_bucket")]
    check(buckets == sorted(buckets) and buckets[-1] == value_of(samples, "sandbox_syscall_seconds_count") >= 1, buckets)
    box.raw("metrics", "--output", box.path("x.prom"), env=runtime(box)).expect(0, b"", b"")
    check(parse_metrics(box.read("x.prom").decode()).keys() >= {("sentry_sandboxes", "")}, "file")
    check(not [name for name in os.listdir(box.dir) if name.startswith("x.prom.")], "temporary files are left")
    end(process).expect(0)


def ask(where, request):
    family, address = where
    with socket.socket(family) as client:
        client.settimeout(10)
        client.connect(address)
        client.sendall(request)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def serve(box, address):
    server = subprocess.Popen([box.sentry, "metrics", "--listen", address], env=runtime(box), stderr=subprocess.PIPE, cwd=box.dir)
    box.started.append(server)
    return server, server.stderr.readline().decode()


def test_metrics_server(box):
    server, said = serve(box, "127.0.0.1:0")
    port = int(re.search(r"http://127.0.0.1:(\d+)/metrics", said).group(1))
    where = socket.AF_INET, ("127.0.0.1", port)
    head, body = ask(where, b"GET /metrics HTTP/1.1\r\nHost: localhost:1\r\n\r\n").split(b"\r\n\r\n", 1)
    check(head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Length: %d\r\n" % len(body) in head + b"\r\n" and b"version=0.0.4" in head, head)
    parse_metrics(body.decode())
    check(ask(where, b"HEAD /metrics HTTP/1.0\n\n").endswith(b"\r\n\r\n"), "HEAD has a body")
    for request, status in ((b"GET / HTTP/1.1\r\n\r\n", 404), (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", 200), (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
                            (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403), (b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1.example\r\n\r\n", 403),
                            (b"GET /metrics HTTP/1.1\r\nHost: localhostile\r\n\r\n", 403), (b"nonsense\r\n\r\n", 400), (b"\r\n\r\n", 400), (b"GET \r\n\r\n", 400),
                            (b"GET /metrics\r\n\r\n", 400), (b"GET /\0 HTTP/1.1\r\n\r\n", 400), (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10000, 431)):
        check(ask(where, request).startswith(b"HTTP/1.1 %d " % status), request[:60], ask(where, request)[:60])
    # One that says nothing, and one that hangs up, keep nobody waiting for ever.
    silent = socket.create_connection(("127.0.0.1", port))
    socket.create_connection(("127.0.0.1", port)).close()
    check(ask(where, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200"), "behind a silent client")
    silent.close()
    server.terminate()
    check(server.wait(5) == 0, "exit", server.returncode)


def test_metrics_socket(box):
    path = box.path("m.sock")
    for _ in range(2):
        server, _ = serve(box, "unix:" + path)
        check(os.stat(path).st_mode & 0o777 == 0o700, "mode", oct(os.stat(path).st_mode))
        check(ask((socket.AF_UNIX, path), b"GET /metrics HTTP/1.1\r\nHost: whoever\r\n\r\n").startswith(b"HTTP/1.1 200"), "answer")
        box.raw("metrics", "--listen", "unix:" + path, env=runtime(box)).one_line(125, "in use")
        server.kill()  # its socket stays, and is in nobody's way
        server.wait(5)
    box.write("file")
    box.raw("metrics", "--listen", "unix:" + box.path("file"), env=runtime(box)).one_line(125, "in use")


def test_metrics_addresses(box):
    for address in ("0.0.0.0:9100", "192.0.2.1:9100", "[::]:9100", "[2001:db8::1]:1"):
        box.raw("metrics", "--listen", address, env=runtime(box)).one_line(125, "not a loopback address")
    for address in ("9100", ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "example.com:80", "unix:", "unix:" + "x" * 200, "[::1]", "[:1"):
        box.raw("metrics", "--listen", address, env=runtime(box)).one_line(125, "--listen")
    box.raw("metrics", "--output", box.path("nowhere/x.prom"), env=runtime(box)).one_line(125, "cannot write")


# ---- top ----

def test_top_batch(box):
    one = begin(box, ":", ["--name", "first"], HOSTILE)
    two = begin(box, "for i in $(seq 3000); do : > /dev/null; done", ["--name", "second"])
    listed(box, 2, sampled=True)
    text = box.raw("top", "--once", "-s", "calls", env=runtime(box)).expect(0, None, b"").out.decode("ascii")
    lines = text.splitlines()
    check("2 sandboxes" in lines[0] and "by calls" in lines[0], lines[0])
    check(lines[1].startswith("ID ") and " second " in lines[2] and " first " in lines[3], lines[:4])
    check("\\x1b[31m" in lines[3] and "\x1b" not in text, lines[3])
    check(any(re.match(r"openat +[0-9]", line) for line in lines[5:]), lines[5:])
    box.raw("top", "-b", "-n", "2", "-d", "0.1", env=runtime(box)).expect(0, None, b"")
    end(one).expect(0)
    end(two).expect(0)
    text = box.raw("top", "--once", env=runtime(box)).expect(0, None, b"").out.decode()
    check("0 sandboxes" in text, text)
    for words in (("-s", "x"), ("-n", "0"), ("-d", "0.01"), ("x",)):
        box.raw("top", *words).expect(125, b"")


class Top:
    """`sentry top` on a terminal."""

    def __init__(self, box, rows, columns, **env):
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.slave, self.before, self.seen = slave, termios.tcgetattr(slave), b""
        self.process = subprocess.Popen([box.sentry, "top", "-d", "100ms"], stdin=slave, stdout=slave, stderr=slave, env=dict(runtime(box), **env))
        box.started.append(self.process)

    def expect(self, pattern):
        limit = time.monotonic() + 10
        while not (found := re.search(pattern, self.seen, re.S)):
            check(time.monotonic() < limit, "no %r in %r" % (pattern, self.seen[-300:]))
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)
        self.seen = self.seen[found.end():]

    def end(self):
        check(self.process.wait(10) == 0, "exit", self.process.returncode)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        check(self.seen.endswith(b"\x1b[?25h\x1b[?1049l"), "the screen was not restored: %r" % self.seen[-100:])
        check(termios.tcgetattr(self.slave) == self.before, "the terminal was not restored")


def test_top_screen(box):
    process = begin(box, ":", ["--name", "thing"], HOSTILE)
    listed(box, 1)
    top = Top(box, 24, 80)
    top.expect(rb"\x1b\[\?1049h.*by cpu  1 sandbox .*ID .*thing.*CALL ")
    os.write(top.master, b"m")
    top.expect(b"by memory")
    os.write(top.master, b"\x1b[Bj\x1b[Ac")
    top.expect(b"by cpu")
    fcntl.ioctl(top.master, termios.TIOCSWINSZ, struct.pack("HHHH", 2, 10, 0, 0))
    top.process.send_signal(signal.SIGWINCH)
    top.expect(rb"\x1b\[H[^\n]*?sentry [0-9:]{3}\x1b\[0m\x1b\[K\r+\n[^\n]*ID {8}\x1b\[0m\x1b\[K\x1b\[J")
    os.write(top.master, b"q")
    top.end()
    top = Top(box, 5, 200, NO_COLOR="1")
    top.expect(b"1 sandbox .*thing")
    check(b"\x1b[3" not in top.seen, "colour")
    top.process.terminate()
    top.end()
    end(process).expect(0)


# ---- logs ----

def logged(box, *words):
    return box.raw("logs", *words, env=runtime(box))


def test_logs(box):
    os.mkdir(box.path("logs"))
    process = begin(box, "echo err >&2; echo first; read go; echo out; printf 'no end'", ["--name", "talker", "--log", box.path("logs")])
    entry = listed(box, 1)[0]
    limit = time.monotonic() + 10
    while b"err" not in box.read("logs/%s.log" % entry["id"]):
        check(time.monotonic() < limit, "what was written to stderr is not in the log")
        time.sleep(0.01)
    process.stdin.write(b"\n")
    process.stdin.flush()
    check(read_line(process) + read_line(process) == b"out\nno endready\n", "output")
    check(entry["log"] == box.path("logs/%s.log" % entry["id"]), entry["log"])
    logged(box, "talker").expect(0, b"first\nout\nno endready\n", b"err\n")
    stamped = logged(box, "-t", entry["id"][:6]).expect(0).out
    check(re.fullmatch(rb"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z [a-z ]+\n){3}", stamped), stamped)
    follower = subprocess.Popen([box.sentry, "logs", "-f", "--tail", "1", "talker"], env=runtime(box), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    box.started.append(follower)
    check(follower.stdout.readline() == b"no endready\n", "follow")
    end(process).expect(0, b"", b"err\n")
    finish(follower).expect(0, b"", b"")
    logged(box, entry["log"]).expect(0, b"first\nout\nno endready\n", b"err\n")
    logged(box, "--tail", "1", entry["log"]).expect(0, b"no endready\n", b"")
    logged(box, "talker").one_line(125, "no sandbox 'talker' runs")


def test_log_passes_output(box):
    """Output, its end and its failures are what they are without a log."""
    data = os.urandom(300000)
    box.write("data", data)
    box.run("/bin/cat", "data", options=["--log", box.path("log")]).expect(0, data, b"")
    lines = [json.loads(line) for line in box.read("log").splitlines()]
    check(all(set(line) == {"log", "stream", "time"} for line in lines), lines[0])
    check("".join(line["log"] for line in lines).count("\n") == data.count(b"\n"), "lines")
    text = "caf\u00e9 \U0001f600 \u20ac\n" * 1000
    box.write("text", text)
    box.run("/bin/cat", "text", options=["--log", box.path("log")]).expect(0, text.encode(), b"")
    check("".join(json.loads(line)["log"] for line in box.read("log").splitlines()) == text, "text")
    # Nobody reads any more.
    process = box.start(["/bin/sh", "-c", "trap '' PIPE; while echo y; do :; done; exit 7"], options=["--log", box.path("log")], stderr=subprocess.DEVNULL)
    read_line(process)
    process.stdout.close()
    check(process.wait(20) == 7, "exit", process.returncode)
    box.sh("echo x; exit 3", options=["--log", "/dev/full"]).one_line(125, "--log")


def test_log_rotation(box):
    box.run("/usr/bin/seq", "1", "3000", options=["--log", box.path("log"), "--log-size", "16k"]).expect(0)
    names = sorted(name for name in os.listdir(box.dir) if name.startswith("log"))
    check(names == ["log", "log.1"] and all(os.path.getsize(box.path(name)) <= 16384 for name in names), names)
    numbers = [int(line) for line in logged(box, box.path("log")).expect(0).out.split()]
    check(numbers == list(range(numbers[0], 3001)) and len(numbers) > 150, numbers[:3], numbers[-3:])
    check(len(logged(box, "--tail", "200", box.path("log")).expect(0).out.split()) == 200, "tail over both")


def test_log_errors(box):
    os.mkdir(box.path("volume"))
    box.run("/bin/true", options=["-v", box.path("volume") + ":/v:rw", "--log", box.path("volume/log")]).one_line(125, "within the guest's reach")
    box.run("/bin/true", options=["--log", box.path("nowhere/log")]).one_line(125, "--log")
    os.symlink(box.path("elsewhere"), box.path("link"))
    box.run("/bin/true", options=["--log", box.path("link")]).one_line(125, "--log")
    check(not os.path.exists(box.path("elsewhere")), "written through a link")
    box.run("/bin/true", options=["--log", box.path("log"), "--log-size", "1k"]).one_line(125, "--log-size")
    for text in ("x\n", "{}\n", "[]\n", '{"log":1,"stream":"stdout","time":""}\n', "\0\n", "[" * 10000 + "\n"):
        logged(box, box.write("foreign", text)).one_line(125, "line 1", "is not one of a log of sentry")
    logged(box, box.path("missing")).one_line(125, "cannot read")
    process = begin(box, ":", ["--name", "silent"])
    listed(box, 1)
    logged(box, "silent").one_line(125, "was not started with --log")
    logged(box, "--audit", "silent").one_line(125, "was not started with --audit")
    end(process).expect(0)


def test_logs_on_a_terminal(box):
    """What a guest printed changes no terminal, unless asked for."""
    box.run("/usr/bin/printf", "a\\033[31mb\\302\\233c\\r\\n\\303\\251\\007\\n", options=["--log", box.path("log")]).expect(0)
    for options, expected in (((), "a\\x1b[31mb\\x9bc\r\n\u00e9\\x07\r\n"), (("--raw",), "a\x1b[31mb\u009bc\r\r\n\u00e9\x07\r\n")):
        master, slave = os.openpty()
        box.raw("logs", *options, box.path("log"), stdout=slave).expect(0)
        os.close(slave)
        seen = b""
        try:
            while chunk := os.read(master, 4096):
                seen += chunk
        except OSError:
            pass  # the end of a terminal
        os.close(master)
        check(seen.decode() == expected, repr(seen), "not", repr(expected))


def test_logs_audit(box):
    box.write(".env", "x")
    process = begin(box, "cat .env", ["--name", "a", "--audit", box.path("audit"), "--log", box.path("log")])
    listed(box, 1)
    lines = [json.loads(line) for line in logged(box, "--audit", "a").expect(0).out.splitlines()]
    check(lines[0]["event"] == "start" and [line["event"] for line in lines].count("denied") == 1, lines)
    end(process).expect(0)


def test_log_of_a_terminal(box):
    master, slave = os.openpty()
    process = box.start(["/bin/sh", "-c", "echo to a tty; test -t 1"], ["-t", "--log", box.path("log")], stdin=slave, stdout=slave, stderr=subprocess.DEVNULL)
    check(process.wait(10) == 0, "exit", process.returncode)
    os.close(master)
    os.close(slave)
    logged(box, box.path("log")).expect(0, b"to a tty\r\n", b"")


# ---- spans ----

SPANS = """
cat .env 2>/dev/null
python3 -c 'import ctypes; ctypes.CDLL(None).prctl(15, b"\\x1b\\"\\\\\\xff", 0, 0, 0); import os; os.execv("/bin/sh", ["sh", "-c", "exit 3"])'
exit 4
"""


def spans_of(lines):
    """{name: span}, after a look at what every line must have."""
    spans = {}
    for line in lines:
        (resource,) = json.loads(line)["resourceSpans"]
        check({"key": "service.name", "value": {"stringValue": "sentry"}} in resource["resource"]["attributes"], resource["resource"])
        for span in resource["scopeSpans"][0]["spans"]:
            check(re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"]), span)
            check(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span)
            check(abs(int(span["startTimeUnixNano"]) / 1e9 - time.time()) < 100, span)
            spans[span["name"]] = span
    return spans


def check_spans(spans):
    check({"sandbox", "sh", "cat", "denied"} <= set(spans), list(spans))
    root, cat, denied = spans["sandbox"], spans["cat"], spans["denied"]
    check("parentSpanId" not in root and root["status"]["message"] == "exit code 4", root)
    check(denied["parentSpanId"] == cat["spanId"] and len({span["traceId"] for span in spans.values()}) == 1, denied)
    check(any(".env" in attribute["value"].get("stringValue", "") for attribute in denied["attributes"]), denied)


def test_otlp_file(box):
    box.write(".env", "secret")
    box.sh(SPANS, options=["--name", "traced", "--otlp", box.path("spans")]).expect(4, b"")
    text = box.read("spans")
    check(b"\x1b" not in text and text.endswith(b"\n"), text[-100:])
    check_spans(spans_of(text.splitlines()))
    box.sh(":", options=["--otlp", box.path("both"), "--trace", box.path("trace")]).expect(0)
    check("sandbox" in spans_of(box.read("both").splitlines()) and b'"call":"execve"' in box.read("trace"), "with --trace")
    box.sh(":", options=["--otlp", box.path("nowhere/x")]).one_line(125, "--otlp")


class Collector(threading.Thread):
    def __init__(self, status):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/v1/traces" % self.listener.getsockname()[1]
        self.status, self.bodies = status, []
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as stream:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += stream.readline()
                size = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                self.bodies.append((head, stream.read(size)))
                stream.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % self.status)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_otlp_url(box):
    box.write(".env", "secret")
    collector = Collector(200)
    box.sh(SPANS, options=["--otlp", collector.url]).expect(4, b"")
    collector.close()
    check(all(head.startswith(b"POST /v1/traces HTTP/1.1\r\n") for head, body in collector.bodies), collector.bodies[0][0])
    lines = [json.dumps({"resourceSpans": [one]}) for head, body in collector.bodies for one in json.loads(body)["resourceSpans"]]
    check_spans(spans_of(lines))
    # Neither one that refuses nor one that is away is the run's concern.
    collector = Collector(503)
    result = box.sh("exit 6", options=["--otlp", collector.url]).expect(6, b"")
    collector.close()
    check(b"were not taken" in result.err and b"HTTP status 503" in result.err, result.err)
    result = box.sh("exit 6", options=["--otlp", collector.url]).expect(6, b"")
    check(b"were not taken" in result.err and b"refused" in result.err, result.err)
    for url, why in (("https://example.com/", "https is not spoken"), ("ftp://x", "http://"), ("http://", "no host"), ("http://h:x/", "port"),
                     ("http://u@h/", "no host"), ("http://[::1/", "no host"), ("http://h/a b", "characters")):
        box.sh(":", options=["--otlp", url]).one_line(125, "--otlp", why)
