# SPDX-License-Identifier: Apache-2.0
"""Standard input, output and error: byte for byte, and what happens when one of them goes away."""
import os
import random
import signal
import subprocess
import threading
import time

from box import check, expect_gone, family, finish, read_line

BYTES = random.Random(7).randbytes(10 << 20)


def test_pipe_both_ways(box):
    box.run("/bin/cat", input=BYTES, timeout=30).expect(0, BYTES, b"")


def test_all_byte_values(box):
    data = bytes(range(256)) * 3
    box.run("/bin/cat", input=data).expect(0, data, b"")


def test_stderr_is_its_own(box):
    box.sh("echo out; echo err >&2; printf '\\000\\377' >&2").expect(0, b"out\n", b"err\n\x00\xff")


def test_large_stderr(box):
    box.sh("cat >&2", input=BYTES[:3 << 20], timeout=30).expect(0, b"", BYTES[:3 << 20])


def test_stdin_end(box):
    box.run("/bin/cat", input=b"").expect(0, b"", b"")
    box.run("/usr/bin/wc", "-c", input=b"no newline").expect(0, b"10\n", b"")


def test_stdin_comes_slowly(box):
    process = box.start(["/bin/cat"])
    for piece in (b"a", b"bc\n", b"d"):
        process.stdin.write(piece)
        process.stdin.flush()
        check(os.read(process.stdout.fileno(), 100) == piece, "piece", piece)
    process.stdin.close()
    process.stdin = None
    finish(process).expect(0, b"", b"")


def test_stdin_left_for_others(box):
    """What the program did not read is still there for the next one."""
    script = "{ %s run --platform %s -- /bin/sh -c 'read a; echo got $a'; cat; }" % (box.sentry, box.platform)
    done = subprocess.run(["/bin/sh", "-c", script], cwd=box.dir, input=b"one\ntwo\nthree\n", stdout=subprocess.PIPE, timeout=20)
    check(done.stdout == b"got one\ntwo\nthree\n", done.stdout)


def test_stdin_not_attached(box):
    box.run("/bin/cat", options=["--interactive=false"], input=b"not for you").expect(0, b"", b"")


def test_file_input(box):
    path = box.write("in", "0123456789\n" * 1000)
    with open(path, "rb") as file:
        file.seek(5)
        box.run("/usr/bin/python3", "-c", "import os; print(os.fstat(0).st_size, os.lseek(0, 0, 1), os.read(0, 3), os.lseek(0, 9, 0), os.read(0, 3))",
                stdin=file).expect(0, b"11000 5 b'567' 9 b'9\\n0'\n", b"")
        check(os.lseek(file.fileno(), 0, os.SEEK_CUR) == 12, "the position is not shared")


def test_file_output(box):
    with open(box.path("out"), "wb") as file:
        box.sh("echo one; echo two", stdout=file).expect(0, None, b"")
        box.run("/usr/bin/python3", "-c",
                "import os; print(os.fstat(1).st_size, os.lseek(1, 0, 1)); import sys; sys.stdout.flush(); os.lseek(1, 0, 0); os.write(1, b'ONE')",
                stdout=file).expect(0, None, b"")
    check(box.read("out") == b"ONE\ntwo\n8 8\n", box.read("out"))


def test_file_append(box):
    box.write("log", "before\n")
    with open(box.path("log"), "ab") as file:
        box.sh("echo after; echo more >&1", stdout=file).expect(0, None, b"")
    check(box.read("log") == b"before\nafter\nmore\n", box.read("log"))


def test_file_truncated_by_program(box):
    box.write("out", "x" * 100)
    with open(box.path("out"), "r+b") as file:
        box.run("/usr/bin/python3", "-c", "import os; os.ftruncate(1, 10)", stdout=file).expect(0, None, b"")
    check(len(box.read("out")) == 10, "size", len(box.read("out")))


def test_same_file_for_both(box):
    with open(box.path("out"), "wb") as file:
        box.sh("echo 1; echo 2 >&2; echo 3", stdout=file, stderr=subprocess.STDOUT).expect(0)
    check(box.read("out") == b"1\n2\n3\n", box.read("out"))


def test_read_only_output(box):
    path = box.write("in", "x")
    with open(path, "rb") as file:
        result = box.run("/usr/bin/python3", "-c", "import os\ntry: os.write(1, b'y')\nexcept OSError as e: os.write(2, str(e.errno).encode())", stdout=file)
    result.expect(0, None, b"9")


def test_null(box):
    box.sh("cat; echo x; [ -c /dev/stdin ] && echo y >&2", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).expect(0, None, b"y\n")


def test_closed_descriptors(box):
    def run(close):
        script = "exec %s run --platform %s -- /usr/bin/python3 -c 'import os\nfor fd in 0, 1, 2:\n  try: os.fstat(fd); print(fd)\n  except OSError: pass' %s" % (
            box.sentry, box.platform, close)
        return subprocess.run(["/bin/sh", "-c", script], cwd=box.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
    for close in ("<&-", "2>&-", "<&- 2>&-"):
        done = run(close)
        check(done.returncode == 0 and done.stdout.startswith((b"0\n", b"1\n")), close, done)
    done = run(">&-")
    check(done.returncode in (0, 1, 120), ">&-", done)


def test_reader_goes_away(box):
    begin = time.monotonic()
    process = box.start(["/usr/bin/yes"])
    check(read_line(process) == b"y\n", "first line")
    pids = list(family(process.pid))
    process.stdout.close()
    code = process.wait(5)
    check(code == 128 + signal.SIGPIPE, "exit", code)
    check(time.monotonic() - begin < 5, "took", time.monotonic() - begin)
    expect_gone(pids, 2)


def test_pipeline_with_head(box):
    script = "%s run --platform %s -- /usr/bin/yes | head -1" % (box.sentry, box.platform)
    done = subprocess.run(["/bin/bash", "-c", script], cwd=box.dir, stdout=subprocess.PIPE, timeout=10)
    check(done.returncode == 0 and done.stdout == b"y\n", done)


def test_writer_sees_epipe(box):
    script = "import os,signal\nsignal.signal(signal.SIGPIPE, signal.SIG_IGN)\ntry:\n  while True: os.write(1, b'x'*65536)\nexcept BrokenPipeError: os.write(2, b'EPIPE')"
    process = box.start(["/usr/bin/python3", "-c", script])
    check(process.stdout.read(1) == b"x", "first byte")
    process.stdout.close()
    process.stdout = None
    finish(process).expect(0, None, b"EPIPE")


def test_large_both_ways_at_once(box):
    """The program answers while it is still being fed."""
    process = box.start(["/usr/bin/python3", "-c", "import sys\nwhile True:\n  b = sys.stdin.buffer.read(70001)\n  if not b: break\n  sys.stdout.buffer.write(bytes(reversed(b)))"])
    got = []
    reader = threading.Thread(target=lambda: got.append(process.stdout.read()))
    reader.start()
    process.stdin.write(BYTES)
    process.stdin.close()
    reader.join(30)
    check(got and len(got[0]) == len(BYTES), "bytes", len(got[0]) if got else None)
    want = b"".join(BYTES[i:i + 70001][::-1] for i in range(0, len(BYTES), 70001))
    check(got[0] == want, "other bytes")
    check(process.wait(5) == 0, "exit", process.returncode)


def test_nonblocking_from_outside(box):
    """A descriptor that the caller made non-blocking is so inside."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    box.run("/usr/bin/python3", "-c", "import os, sys\ntry:\n  while True: os.write(1, b'x' * 4096)\nexcept BlockingIOError: os.write(2, b'EAGAIN %d' % os.get_blocking(1))",
            stdout=write_end).expect(0, None, b"EAGAIN 0")
    os.close(write_end)
    check(len(os.read(read_end, 1 << 20)) == 65536, "bytes in the pipe")
    os.close(read_end)


def test_socket_as_stdio(box):
    import socket
    ours, theirs = socket.socketpair()
    process = box.start(["/bin/cat"], stdin=theirs, stdout=theirs)
    theirs.close()
    ours.sendall(b"over a socket")
    check(ours.recv(100) == b"over a socket", "echo")
    ours.shutdown(socket.SHUT_WR)
    check(ours.recv(100) == b"", "end")
    check(process.wait(5) == 0, "exit", process.returncode)
    ours.close()


def test_other_descriptors_stay_outside(box):
    fd = os.open(box.write("secret", "x"), os.O_RDONLY)
    os.set_inheritable(fd, True)
    result = box.sh("ls /proc/self/fd", close_fds=False)
    os.close(fd)
    check(result.out.split() == [b"0", b"1", b"2", b"3"], result.out)


def test_stdio_through_proc(box):
    box.sh("cat /dev/stdin > /dev/stdout; echo e > /dev/stderr", input=b"through").expect(0, b"through", b"e\n")
