# SPDX-License-Identifier: Apache-2.0
"""--audit: what is recorded, the chain of hashes, and `sentry audit verify`."""
import hashlib
import json
import os
import signal
import subprocess

from box import Skip, check, finish, kernel_of, read_line


def record(box, script, options=(), code=0, name="audit", **more):
    box.sh(script, options=["--audit", box.path(name)] + list(options), **more).expect(code)
    return [json.loads(line) for line in box.read(name).decode("ascii").splitlines()]


def verify(box, *arguments):
    return box.raw("audit", "verify", *arguments)


def test_audit_chain(box):
    events = record(box, "ls >/dev/null; exit 3", options=["--status-json", box.path("s")], code=3)
    lines = box.read("audit").splitlines()
    before = "0" * 64
    for number, (event, line) in enumerate(zip(events, lines)):
        check(event["seq"] == number + 1 and event["prev"] == before, event)
        check(event["hash"] == hashlib.sha256(line[:line.rindex(b',"hash"')]).hexdigest(), event)
        before = event["hash"]
    lines = len(events)
    events = [event for event in events if not event["event"].startswith("unknown-")]
    check([event["event"] for event in events] == ["start", "exec", "exec", "end"], events)
    check(events[0]["command"][:2] == ["/bin/sh", "-c"] and events[-1]["exit_code"] == "3" and events[-1]["reason"] == "exit", events)
    check(events[2]["argv"] == ["ls"] and events[2]["path"].endswith("/ls"), events[2])
    told = json.loads(box.read("s"))
    check(told["audit_lines"] == lines and told["audit_hash"] == before, told)
    check(before.encode() in verify(box, box.path("audit")).expect(0, err=b"").out, "hash")
    verify(box, box.path("audit"), "--expect", before).expect(0)
    verify(box, box.path("audit"), "--expect", "0" * 64).one_line(1, "expected")


def test_audit_verify_finds(box):
    record(box, "true; ls /nothing 2>/dev/null; id >/dev/null; uname >/dev/null")
    lines = box.read("audit").splitlines(keepends=True)
    check(len(lines) >= 5, lines)
    sound = lines[1]
    cases = (
        ("edited", lines[:1] + [sound.replace(b'"task":"2"', b'"task":"9"')] + lines[2:], 2, "was changed"),
        ("rehashed", lines[:1] + [rehash(sound.replace(b'"task":"2"', b'"task":"9"'))] + lines[2:], 3, "does not follow"),
        ("removed", lines[:2] + lines[3:], 3, "does not follow"),
        ("first removed", lines[1:], 1, "does not follow"),
        ("swapped", lines[:1] + [lines[2], lines[1]] + lines[3:], 2, "does not follow"),
        ("doubled", lines[:2] + lines[1:], 3, "does not follow"),
        ("inserted", lines[:2] + [b'{"seq":3}\n'] + lines[2:], 3, "does not end with a hash"),
        ("truncated", lines[:-1], len(lines), "closing line"),
        ("cut", lines[:-1] + [lines[-1][:-20]], len(lines), "cut off"),
        ("no newline", lines[:-1] + [lines[-1][:-1]], len(lines), "cut off"),
        ("appended", lines + [lines[-1]], len(lines) + 1, "behind the closing line"),
        ("nul", lines[:1] + [b"\0" + sound] + lines[2:], 2, "NUL"),
        ("blank", lines[:1] + [b"\n"] + lines[1:], 2, "does not end"),
        ("empty", [], 1, "closing line"),
        ("binary", [os.urandom(4096).replace(b"\n", b"x") + b"\n"], 1, ""),
    )
    for name, content, line, word in cases:
        file = box.write("bad", b"".join(content))
        result = verify(box, file).one_line(1, word)
        check(result.err.decode().startswith("%s:%d: " % (file, line)), name, result.err)
    verify(box, box.path("none")).one_line(125, "No such file")
    check(box.raw("audit").code == 125 and box.raw("audit", "verify").code == 125, "usage")


def rehash(line):
    head = line[:line.rindex(b',"hash"')]
    return head + b',"hash":"' + hashlib.sha256(head).hexdigest().encode() + b'"}\n'


def test_audit_of_denials(box):
    os.mkdir(box.path("w"))
    box.write("w/.env", "x")
    script = "cat /w/.env; echo x > /w/.bashrc; python3 -c 'import ctypes; l = ctypes.CDLL(None); l.syscall(425, 1, 0)'; " \
             "python3 -c 'import socket; socket.socket(socket.AF_VSOCK)'"
    events = record(box, script, options=["-v", box.path("w") + ":/w:rw"], code=1)
    denied = [event for event in events if event["event"] in ("denied", "unknown-syscall")]
    found = {event.get("path", event.get("name", event.get("call"))): event for event in denied}
    check(found[box.path("w/.env")]["rule"] == "files.hidden: .env" and found[box.path("w/.env")]["allow"] == "--allow-path " + box.path("w/.env"), found)
    check(found[box.path("w/.bashrc")]["rule"] == "files.protected: .bashrc", found)
    check("io_uring_setup" in found, found)
    verify(box, box.path("audit")).expect(0)


def test_audit_of_limits(box):
    events = record(box, "sleep 60", options=["--timeout", "0.2"], code=124)
    check(any(event["event"] == "limit" and event["allow"] == "--timeout" for event in events), events)
    check(events[-1]["reason"] == "timeout", events[-1])
    events = record(box, "yes", options=["--output-limit", "10k"], code=124)
    check(any(event["event"] == "limit" and event["allow"] == "--output-limit" for event in events), events)
    verify(box, box.path("audit")).expect(0)


def test_audit_of_hostile_words(box):
    """Programs' names and arguments, whatever is in them, stay within their line and their string."""
    script = r"""
import os
for word in (b'a"}\n{"seq":1', b'\x1b[2J', b'\xff\xfe', b'\\', b'","event":"end","x":"', b'","hash":"' + b'0' * 64 + b'"}', b'A' * 100000, b'\t\r\x7f'):
    if os.fork() == 0:
        os.execv('/bin/true', [b'true', word, word])
    os.wait()
for i in range(40):
    if os.fork() == 0:
        os.execv('/bin/true', [b'x'] * 20000)
    os.wait()
"""
    box.write("hostile.py", script)
    events = record(box, "python3 hostile.py")
    data = box.read("audit")
    check(all(byte == 10 or 32 <= byte < 127 for byte in data), "unprintable bytes")
    check(sum(event["event"] == "exec" for event in events) == 50 and max(map(len, data.splitlines())) < 17500, len(events))
    check(any('","event":"end","x":"' in event.get("argv", []) for event in events), events[:8])
    verify(box, box.path("audit")).expect(0)


def test_audit_place(box):
    """Not where the guest can write."""
    os.mkdir(box.path("w"))
    for options in (["-v", box.path("w") + ":/w:rw", "--audit", box.path("w/audit")], ["--commit", "--audit", box.path("audit")]):
        box.run("/bin/true", options=options).one_line(125, "--audit")
    box.write("w/file")
    os.link(box.path("w/file"), box.path("alias"))
    box.run("/bin/true", options=["-v", box.path("w/file") + ":/f:rw", "--audit", box.path("alias")]).one_line(125, "reach")
    box.run("/bin/true", options=["-v", box.path("w") + ":/w", "--audit", box.path("w/audit")]).expect(0)
    verify(box, box.path("w/audit")).expect(0)


def test_audit_full_disk(box):
    """What cannot be recorded does not happen: the sandbox ends."""
    box.run("/bin/true", options=["--audit", "/dev/full"]).one_line(125, "--audit", "No space left")
    if not os.path.exists("/dev/shm") or os.geteuid() != 0:
        raise Skip("needs root to make a small file system")
    top = box.path("small")
    os.mkdir(top)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", top], stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount")
    try:
        script = "import os\nfor i in range(3000):\n  if os.fork() == 0: os.execv('/bin/true', ['true', 'x' * 900])\n  os.wait()\nprint('survived')"
        box.write("many.py", script)
        result = box.run("/usr/bin/python3", "many.py", options=["--audit", top + "/audit"])
        check(result.code == 125 and b"survived" not in result.out and b"No space left" in result.err, result.code, result.out, result.err)
        lines = open(top + "/audit", "rb").read().splitlines(keepends=True)
        check(len(lines) > 10 and all(line.endswith(b"}\n") for line in lines), "a half line")
        verify(box, top + "/audit").one_line(1, "closing line")
    finally:
        subprocess.run(["umount", top], check=True)


def test_audit_after_kill(box):
    """A kernel process that dies leaves a record that ends properly."""
    process = box.start(["/bin/sh", "-c", "echo ready; sleep 60"], options=["--audit", box.path("audit")])
    read_line(process)
    os.kill(kernel_of(process.pid), signal.SIGKILL)
    check(finish(process).code == 125, "exit")
    verify(box, box.path("audit")).expect(0)
    check(json.loads(box.read("audit").splitlines()[-1])["reason"] == "sentry-failed", box.read("audit")[-400:])


VIOLATION = r"""
import ctypes, mmap, os, struct
text = ctypes.string_at(0x7ffb00000000, 0x1000)
at = text.find(b'\x0f\x05')
page = mmap.mmap(-1, 4096, prot=7)
# creat("/tmp/violated", 0777) with the stub's own syscall instruction
name = ctypes.create_string_buffer(b'/tmp/violated')
page.write(b'\x48\xbf' + struct.pack('<Q', ctypes.addressof(name)) + b'\xbe\xff\x01\x00\x00' + b'\xb8\x55\x00\x00\x00' +
           b'\x48\xb9' + struct.pack('<Q', 0x7ffb00000000 + at) + b'\xff\xe1')
entry = ctypes.addressof(ctypes.c_char.from_buffer(page))
pid = os.fork()
if pid == 0:
    ctypes.CFUNCTYPE(ctypes.c_long)(entry)()
    os._exit(0)
print(os.WTERMSIG(os.waitpid(pid, 0)[1]))
"""


def test_audit_of_violations(box):
    """A host call from the stub's text that is not on its list ends the task and is recorded with its arguments."""
    if box.platform != "systrap":
        raise Skip("the other platform's guests have no such text")
    box.write("violate.py", VIOLATION)
    events = record(box, "python3 violate.py")
    found = [event for event in events if event["event"] == "containment-violation"]
    check(len(found) == 1 and found[0]["call"] == "85" and len(found[0]["args"].split()) == 6 and found[0]["args"].split()[1] == "0x1ff", events)
    verify(box, box.path("audit")).expect(0)
