# SPDX-License-Identifier: Apache-2.0
"""Exit codes, and what is said about arguments that make no sense."""
import csv
import io
import json
import os

from box import Failure, Skip, check


def test_exit_codes(box):
    for code in (0, 1, 7, 42, 124, 125, 126, 127, 128, 255):
        box.sh("exit %d" % code).expect(code, b"", b"")


def test_exit_by_signal(box):
    for name, number in (("TERM", 15), ("KILL", 9), ("SEGV", 11), ("ABRT", 6), ("PIPE", 13), ("USR1", 10)):
        box.sh("kill -%s $$" % name).expect(128 + number, b"", b"")


def test_not_found(box):
    box.run("no-such-program").one_line(127, "no-such-program", "not found")
    box.run("./missing").one_line(127, "./missing")
    box.run("/nowhere/x").one_line(127, "/nowhere/x")


def test_not_executable(box):
    box.write("plain", "#!/bin/sh\necho no\n", 0o644)
    os.mkdir(box.path("dir"))
    box.run("./plain").one_line(126, "./plain")
    box.run("./dir").one_line(126, "./dir")
    box.run("/usr").one_line(126, "/usr")


def test_bad_programs(box):
    box.write("empty", "", 0o755)
    box.write("garbage", b"\x00\x01\x02garbage" * 10, 0o755)
    box.write("short-elf", b"\x7fELF", 0o755)
    with open("/bin/true", "rb") as file:
        image = bytearray(file.read())
    box.write("truncated", bytes(image[:100]), 0o755)
    image[18] = 40  # another machine
    box.write("arm", bytes(image), 0o755)
    image[18] = 62
    image[54:56] = b"\xff\xff"  # the size of a program header
    box.write("headers", bytes(image), 0o755)
    box.write("interpreter", "#!/no/such/interpreter\n", 0o755)
    for name in ("garbage", "short-elf", "truncated", "arm", "headers"):
        box.run("./" + name).one_line(126, "./" + name)
    box.run("./empty").one_line(126, "./empty")
    box.run("./interpreter").one_line(127, "./interpreter")


def test_script(box):
    box.write("script", "#!/bin/sh\necho \"$0 $1 $#\"\nexit 3\n", 0o755)
    box.run("./script", "a b", "c").expect(3, b"./script a b 2\n", b"")


def test_arguments_pass_through(box):
    words = ["-v", "--help", "", "--", "a b", "é", "$HOME", "*"]
    box.run("/usr/bin/printf", "[%s]", *words).expect(0, "".join("[%s]" % w for w in words).encode(), b"")
    # no `--`: options end at the command
    box.raw("run", "--platform", box.platform, "/bin/echo", "-e", "x", "--timeout").expect(0, b"x --timeout\n", b"")


def test_workdir(box):
    os.mkdir(box.path("sub"))
    box.run("/bin/pwd", options=["-w", box.path("sub")]).expect(0, (box.path("sub") + "\n").encode())
    box.run("/bin/pwd", options=["-w", "/tmp"]).expect(0, b"/tmp\n")
    box.run("/bin/pwd", options=["-w", "/no/such"]).one_line(125, "/no/such")


# ---- the same on every platform ----

def link_errors(true):
    """--network and what goes with it: (arguments, words of the line)."""
    tap = ["--network", "tap:sentry-test"]
    return tuple((args + true, words) for args, words in (
        (["--network", "host"], ["host", "tap:IF"]), (["--network", ""], ["--network"]), (["--network", "tap:"], ["tap:"]),
        (["--network", "tap:a/b"], ["tap:a/b"]), (["--network", "packet:" + "a" * 16], ["a" * 16]), (["--network", "packet:a%d"], ["a%d"]),
        (["--network", "packet:no-such-if"], ["no-such-if"]),
        (tap + ["--ip", "192.0.2.2"], ["192.0.2.2", "/24"]), (tap + ["--ip", "192.0.2.2/33"], ["192.0.2.2/33"]), (tap + ["--ip", "192.0.2/24"], ["192.0.2/24"]),
        (tap + ["--ip", "2001:db8::2/64"], ["IPv4"]), (tap + ["--ip", "127.0.0.2/8"], ["127.0.0.2/8"]), (tap + ["--ip", "224.0.0.1/24"], ["224.0.0.1"]),
        (tap + ["--ip", "192.0.2.2/"], ["192.0.2.2/"]), (tap + ["--ip", "192.0.2.2/+4"], ["/+4"]),
        (tap + ["--ip6", "192.0.2.2/24"], ["IPv6"]), (tap + ["--ip6", "2001:db8::2"], ["/64"]), (tap + ["--ip6", "::1/128"], ["::1"]),
        (tap + ["--ip6", "ff02::1/64"], ["ff02::1"]), (tap + ["--ip6", "2001:db8::2/129"], ["129"]), (tap + ["--gateway", "router"], ["router"]),
        (tap + ["--gateway", "192.0.2.1"], ["--gateway", "--ip"]), (tap + ["--ip", "192.0.2.2/24", "--gateway", "192.0.3.1"], ["--gateway"]),
        (tap + ["--gateway", "2001:db8::1"], ["--gateway"]), (tap + ["--mac-address", "02:00:00:00:00"], ["02:00:00:00:00"]),
        (tap + ["--mac-address", "03:00:00:00:00:01"], ["03:"]), (tap + ["--mac-address", "00:00:00:00:00:00"], ["00:00"]),
        (tap + ["--mac-address", "02-00-00-00-00-01"], ["02-00"]), (tap + ["--dns", "example.com"], ["example.com"]),
        (tap + ["--dns", "192.0.2.1"] * 4, ["--dns"]), (tap + ["--dns", "192.0.2.1:54"], ["port"]),
        (["--ip", "192.0.2.2/24"], ["--ip"]), (["--network", "none", "--mac-address", "02:00:00:00:00:01"], ["--mac-address"])))


def test_usage_errors(box):
    true = ["--", "/bin/true"]
    rows = (
            (["--nonsense"] + true, ["--nonsense"]), (["-Z"] + true, ["-Z"]), (["--timeou"] + ["x"] + true, ["x"]),
            ([], ["command"]), (["--"], ["command"]), (["--", ""], ["command"]), (["--timeout"], ["--timeout"]), (["-v"], ["-v"]),
            (["--commit=yes"] + true, ["--commit"]),
            (["--timeout", "0"] + true, ["0"]), (["--timeout", "soon"] + true, ["soon"]), (["--timeout", "-1"] + true, ["-1"]),
            (["--timeout", "1e400"] + true, ["1e400"]), (["--timeout", "nan"] + true, ["nan"]), (["--cpu-time", "x"] + true, ["x"]),
            (["-m", "x"] + true, ["x"]), (["-m", "1k"] + true, ["16m"]), (["-m", "-5"] + true, ["-5"]),
            (["-m", "99999999999g"] + true, ["99999999999g"]), (["-m", "1gx"] + true, ["1gx"]),
            (["--pids-limit", "0"] + true, ["0"]), (["--pids-limit", "x"] + true, ["x"]),
            (["--pids-limit", "99999999999999999999"] + true, ["99999999999999999999"]),
            (["--ulimit", "nofile=1"] + true, ["1"]), (["--ulimit", "core=5"] + true, ["core"]), (["--ulimit", "nofile="] + true, ["nofile"]),
            (["-u", "root"] + true, ["root"]), (["-u", "1:x"] + true, ["1:x"]), (["-u", "5000000000"] + true, ["5000000000"]), (["-u", "1:2:3"] + true, ["1:2:3"]),
            (["-e", "=x"] + true, ["=x"]), (["-e", ""] + true, ["--env"]), (["--hostname", "a b"] + true, ["a b"]), (["--hostname", ""] + true, ["--hostname"]),
            (["-v", "nocolon"] + true, ["nocolon"]), (["-v", "/usr:rel"] + true, ["/usr:rel"]), (["-v", "/usr:/x:rx"] + true, ["/usr:/x:rx"]),
            (["-v", ":/x"] + true, [":/x"]), (["-v", "/no/such/source:/x"] + true, ["/no/such/source"]),
            (["-v", "/usr:/"] + true, ["/usr:/"]), (["-v", "/usr://../."] + true, ["/usr"]), (["--tmpfs", "/"] + true, ["root"]),
            (["--tmpfs", "rel"] + true, ["rel"]), (["--tmpfs", "/x:size=y"] + true, ["/x:size=y"]), (["--tmpfs", "/x:mode=1"] + true, ["/x:mode=1"]),
            (["--rootfs", "/no/such/root"] + true, ["/no/such/root"]), (["--rootfs", "/etc/passwd"] + true, ["/etc/passwd"]),
            (["--platform", "kvm"] + true, ["kvm"]), (["--interactive=maybe"] + true, ["maybe"]),
            (["--strace=/no/such/dir/f"] + true, ["/no/such/dir/f"]), (["--audit", "/no/such/dir/f"] + true, ["/no/such/dir/f"]),
            (["--status-json", "/no/such/dir/f"] + true, ["/no/such/dir/f"]), (["-w", "relative"] + true, ["relative"])) + link_errors(true)
    for args, words in rows:
        try:
            box.raw("run", *args).one_line(125, *words)
        except Failure as failure:
            raise Failure("run %s: %s" % (" ".join(args), failure))


def test_unreadable_source(box):
    if os.getuid() == 0:
        raise Skip("root reads everything; run-cli repeats this as another user")
    os.mkdir(box.path("secret"), 0o000)
    try:
        box.raw("run", "-v", box.path("secret/below") + ":/secret", "--", "/bin/true").one_line(125, "secret")
        box.raw("run", "-v", box.path("secret") + ":/secret", "--", "/bin/true").one_line(125, "secret")
    finally:
        os.chmod(box.path("secret"), 0o700)


def test_usage_of_commands(box):
    box.raw().expect(125, b"")
    box.raw("frobnicate").one_line(125, "frobnicate")
    for args in (["help"], ["--help"], ["-h"], ["run", "--help"], ["run", "-h"]):
        result = box.raw(*args).expect(0, None, b"")
        check(b"usage: sentry" in result.out, args, "prints no usage:", result.out[:100])


def test_version(box):
    result = box.raw("version").expect(0, None, b"")
    check(result.out.startswith(b"sentry ") and result.out.count(b"\n") == 1, result.out)
    check(box.raw("--version").expect(0, None, b"").out == result.out, "--version differs")


def test_doctor(box):
    result = box.raw("doctor").expect(0, None, b"")
    for word in (b"systrap", b"ptrace", b"seccomp", b"privileges", b"landlock", b"pid namespace", b"mount namespace", b"Sandboxes run here"):
        check(word in result.out, word, "is not in", result.out)
    # What lacks says what would change it; --strict makes an error of it.
    lacking = any(line.startswith((b"part", b"no ")) for line in result.out.splitlines())
    check(lacking == (b"change:" in result.out), "lacks without a remedy:", result.out)
    box.raw("doctor", "--strict").expect(1 if lacking else 0, None, b"")
    box.raw("doctor", "x").one_line(125, "doctor")


def test_syscalls(box):
    rows = json.loads(box.raw("syscalls", "--format", "json").expect(0, None, b"").out)
    rows = rows if isinstance(rows, list) else rows["syscalls"]
    names = {row["name"] for row in rows}
    check(len(rows) > 350 and {"read", "openat2", "futex", "io_uring_setup"} <= names, len(rows), "rows")
    table = list(csv.reader(io.StringIO(box.raw("syscalls", "--format=csv").expect(0, None, b"").out.decode())))
    check(len(table) == len(rows) + 1, "csv: %d lines for %d calls" % (len(table), len(rows)))
    check(len({len(line) for line in table}) == 1, "csv: lines of different length")
    text = box.raw("syscalls").expect(0, None, b"").out
    check(text == box.raw("syscalls", "--format", "table").out and text.count(b"\n") >= len(rows), "table is short")
    box.raw("syscalls", "--format", "xml").one_line(125, "xml")
    box.raw("syscalls", "--format").one_line(125, "--format")
    box.raw("syscalls", "nonsense").one_line(125, "nonsense")


def test_output_of_ours_to_a_full_disk(box):
    with open("/dev/full", "wb") as full:
        result = box.raw("version", stdout=full)
    check(result.code != 0, "a lost version line is a success")
