# SPDX-License-Identifier: Apache-2.0
"""--strace, --audit, --status-json."""
import json

from box import check


def test_strace_file(box):
    box.write("hello", "content")
    result = box.sh("cat hello; exit 3", options=["--strace=" + box.path("trace")])
    result.expect(3, b"content", b"")
    text = box.read("trace").decode()
    lines = text.splitlines()
    check(len(lines) > 20, len(lines), "lines")
    for word in ("execve(", "openat(", '"hello"', "O_RDONLY", "= -1 ENOENT", "exit_group(3)", "mmap(", "PROT_READ", '"content"'):
        check(word in text, "%r is not in the trace: %s" % (word, text[-600:]))
    check(not any("\x00" in line for line in lines), "NUL bytes")


def test_strace_stderr(box):
    result = box.run("/bin/true", options=["--strace"]).expect(0, b"")
    check(b"exit_group(0)" in result.err, result.err[-300:])


def test_strace_of_hostile_arguments(box):
    script = "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nfor n in (0, 1, 2, 16, 59, 72, 157, 202, 257, 318, 435, 999, 2**31, -1):\n" \
             "  if n == 59: l.syscall(59, 16, 16, 16)\n  else: l.syscall(n, -1, 16, -1, 2**63, -1, -1)\nprint('ok')"
    result = box.run("/usr/bin/python3", "-c", script, options=["--strace=" + box.path("trace")])
    result.expect(0, b"ok\n")


def test_audit(box):
    script = "import socket, os\ntry: socket.socket(socket.AF_VSOCK)\nexcept OSError as e: print(e.errno)\n" \
             "import ctypes\nprint(ctypes.CDLL(None).syscall(425, 1, 0))\n"
    box.run("/usr/bin/python3", "-c", script, options=["--audit", box.path("audit")]).expect(0)
    lines = box.read("audit").decode().splitlines()
    events = [json.loads(line) for line in lines]
    check(events and all(isinstance(event, dict) for event in events), "no events")
    check(any("io_uring_setup" in json.dumps(event) for event in events), lines)


def test_audit_of_unknown_values(box):
    """Flags, commands, requests, options that nobody knows: each once, whoever asks how often."""
    script = "import ctypes, fcntl, os, socket\nc = ctypes.CDLL(None)\ns = socket.socket(socket.AF_UNIX)\n" \
             "for i in range(3):\n  c.memfd_create(b'm', 0x4000)\n  c.syscall(316, -100, b'a', -100, b'b', 64)\n" \
             "  c.prctl(4711, 0, 0, 0, 0)\n  c.fcntl(0, 4712, 0)\n  c.ioctl(0, 0x5699, 0)\n  c.ioctl(0, 0x5401, 0)\n" \
             "  c.setsockopt(s.fileno(), 1, 4713, b'1234', 4)\n  c.setsockopt(s.fileno(), 77, 1, b'1234', 4)\n" \
             "for i in range(3000): c.ioctl(0, 0x10000 + i, 0)\n"
    box.run("/usr/bin/python3", "-c", script, options=["--audit", box.path("audit")]).expect(0)
    lines = [line for line in box.read("audit").decode().splitlines() if "unknown-value" in line]
    told = [(event.get("call"), event.get("argument"), event.get("value")) for event in map(json.loads, lines)]
    for wanted in (("memfd_create", "flags", "0x4000"), ("renameat2", "flags", "0x40"), ("prctl", "option", "0x1267"),
                   ("fcntl", "cmd", "0x1268"), ("ioctl", "request", "0x5699"), ("setsockopt", "level, option", "0x100001269"),
                   ("setsockopt", "level, option", "0x4d00000001")):
        check(told.count(wanted) == 1, "%s: %d times" % (wanted, told.count(wanted)))
    check(len(set(told)) == len(told), "something was told twice")
    check(("ioctl", "request", "0x5401") not in told, "isatty() is no news")
    check(len(told) == 1024 and sum("more" in line for line in lines) == 1, "%d lines" % len(told))


def test_audit_cannot_be_forged(box):
    """What the guest says ends up inside JSON strings."""
    script = "import os\nfor name in ('a\"b', 'x\\ny', '\\x1b[31m', 'z\\\\'):\n  try: os.mkdir('/usr/' + name)\n  except OSError: pass\n"
    box.run("/usr/bin/python3", "-c", script, options=["--audit", box.path("audit")]).expect(0)
    for line in box.read("audit").decode().splitlines():
        check(isinstance(json.loads(line), dict), line)


def status(box, *argv, options=(), code=None, **more):
    result = box.run(*argv, options=list(options) + ["--status-json", box.path("status")], **more)
    if code is not None:
        result.expect(code)
    return json.loads(box.read("status"))


def test_status_json(box):
    told = status(box, "/bin/sh", "-c", "exit 7", code=7)
    check(told["exit_code"] == 7 and told["reason"] == "exit" and told["program_exit_code"] == 7 and told["wall_seconds"] >= 0, told)
    told = status(box, "/bin/sh", "-c", "kill -9 $$", code=137)
    check(told["reason"] == "signal" and told["signal"] == 9 and told["exit_code"] == 137, told)
    told = status(box, "/bin/sh", "-c", "exit 124", code=124)
    check(told["reason"] == "exit" and told["program_exit_code"] == 124, told)
    told = status(box, "/bin/sleep", "60", options=["--timeout", "0.2"], code=124)
    check(told["reason"] == "timeout" and told["exit_code"] == 124, told)
    told = status(box, "/bin/sh", "-c", "while :; do :; done", options=["--cpu-time", "0.2"], code=124)
    check(told["reason"] == "cpu-time", told)
    told = status(box, "no-such-program", code=127)
    check(told["reason"] == "not-started" and told["exit_code"] == 127 and "no-such-program" in told["message"], told)
    # Names are bytes, JSON is UTF-8: what is none becomes U+FFFD, what is some stays (a bad byte, e acute, an overlong slash, a surrogate).
    told = status(box, b'./\xff\xc3\xa9\xc0\xaf\xed\xa0\x80"', code=127)
    check('./\ufffd\u00e9' + 5 * '\ufffd' + '"' in told["message"], told)
    told = status(box, "/bin/sh", "-c", "echo x > a; echo y > b", code=0)
    check(told["changed_files"] == 2, told)


def test_status_times(box):
    told = status(box, "/usr/bin/python3", "-c", "import time\nt = time.process_time()\nwhile time.process_time() < t + 0.4: pass", code=0)
    used = told["user_seconds"] + told["system_seconds"]
    check(0.3 < used < 2.5, told)
    told = status(box, "/bin/sleep", "0.5", code=0)
    check(told["wall_seconds"] >= 0.5 and told["user_seconds"] + told["system_seconds"] < 0.4, told)


def test_outputs_are_not_the_guests(box):
    """The files of --strace and --audit are no descriptors of the program."""
    options = ["--strace=" + box.path("trace"), "--audit", box.path("audit"), "--status-json", box.path("status")]
    box.sh("ls /proc/self/fd", options=options).expect(0, b"0\n1\n2\n3\n", b"")


def stats_of(text):
    return {line[:52].strip(): int(line[52:]) for line in text.splitlines() if line.startswith(("call", "request", "hot ", "mappings"))}


HOT = "import os\nf = os.open('/dev/zero', os.O_RDONLY)\nfor i in range(3000): os.read(f, 1); os.getppid()\n"


def test_stats(box):
    """Hot sites are patched, libc's short one for read() among them, and nearly all calls come without a trap."""
    box.run("/usr/bin/python3", "-c", HOT, options=["--platform=systrap", "--stats=" + box.path("stats")]).expect(0, b"", b"")
    stats = stats_of(box.read("stats").decode())
    check(stats["calls answered in the guest, by patched site"] > 2500, stats)
    asked = stats["calls to the kernel, by patched site, hot"] + stats["calls to the kernel, by patched site, cold"]
    check(asked + stats["calls answered in the guest, by patched site"] > 5500, stats)
    check(stats["call sites patched"] >= 2 and stats["call sites refused: writing failed"] == 0, stats)


def test_stats_of_short_programs(box):
    """After a few programs the calls of libc do not trap any more, though no site is used often."""
    box.sh("for i in 1 2 3 4 5 6 7 8 9 10; do ls /usr >/dev/null; done", options=["--platform=systrap", "--stats=" + box.path("stats")]).expect(0, b"", b"")
    stats = stats_of(box.read("stats").decode())
    check(stats["mappings of libraries' code that were prepared"] >= 8, stats)
    asked = stats["calls to the kernel, by patched site, hot"] + stats["calls to the kernel, by patched site, cold"]
    check(asked > stats["calls to the kernel, by trap"], stats)


def test_stats_without_patches(box):
    result = box.run("/usr/bin/python3", "-c", HOT, options=["--platform=systrap", "--no-patch", "--stats"]).expect(0, b"")
    stats = stats_of(result.err.decode())
    check(stats["call sites patched"] == 0 and stats["calls answered in the guest, by patched site"] == 0, stats)
    check(stats["mappings of libraries' code that were prepared"] == 0, stats)
    check(stats["calls answered in the guest, by trap"] + stats["calls to the kernel, by trap"] > 6000, stats)


def test_stats_of_ptrace(box):
    result = box.run("/bin/true", options=["--platform=ptrace", "--stats"]).expect(0, b"")
    check(b"no statistics" in result.err, result.err)
    check(b"start: us to be born into namespaces" in result.err and b"start: us to leave the host's files and calls" in result.err, result.err)
