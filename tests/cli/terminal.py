# SPDX-License-Identifier: Apache-2.0
"""-t: the virtual terminal, driven through a terminal of the host as a user would."""
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

from box import check

PROMPT = b"ready> "


class Screen:
    """A terminal with `sentry run -t` on it."""

    def __init__(self, box, argv, rows=24, columns=80):
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = box.start(argv, ["-t", "-e", "TERM=dumb", "-e", "PS1=" + PROMPT.decode()], stdin=slave, stdout=slave,
                                 stderr=subprocess.DEVNULL, start_new_session=True,
                                 preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text)

    def expect(self, pattern, timeout=10):
        """Waits until the screen has shown @pattern; gives what came before it and drops both."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.seen, re.S)
            if found:
                before, self.seen = self.seen[:found.start()], self.seen[found.end():]
                return before
            check(time.monotonic() < end, "no %r on the screen: %r" % (pattern, self.seen[-500:]))
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)

    def run(self, command):
        """One shell command; what it printed."""
        self.type(command + b"\n")
        self.expect(re.escape(command) + rb"\r\n")
        return self.expect(PROMPT)

    def end(self, code):
        check(self.process.wait(10) == code, "exit", self.process.returncode, "not", code)
        check(termios.tcgetattr(self.slave) == self.before, "the host's terminal was not restored")
        os.close(self.master)
        os.close(self.slave)


def shell(box, **more):
    screen = Screen(box, ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"], **more)
    screen.expect(PROMPT)
    return screen


def test_terminal_is_there(box):
    screen = shell(box, rows=31, columns=97)
    check(screen.run(b"tty") == b"/dev/pts/0\r\n")
    check(screen.run(b"stty size </dev/tty") == b"31 97\r\n")
    check(screen.run(b"test -t 0 && test -t 1 && test -t 2 && echo all") == b"all\r\n")
    screen.type(b"exit 3\n")
    screen.end(3)


def test_terminal_job_control(box):
    screen = shell(box)
    screen.type(b"sleep 100\n")
    screen.expect(rb"sleep 100\r\n")
    time.sleep(0.3)
    screen.type(b"\x1a")
    screen.expect(rb"Stopped +sleep 100\r\n" + PROMPT)
    check(b"Stopped" in screen.run(b"jobs"))
    check(b"sleep 100 &" in screen.run(b"bg"))
    check(b"Running" in screen.run(b"jobs"))
    screen.type(b"fg\n")
    screen.expect(rb"fg\r\nsleep 100\r\n")
    time.sleep(0.3)
    screen.type(b"\x03")
    screen.expect(PROMPT)
    check(screen.run(b"echo $?") == b"130\r\n")
    # A background reader is stopped.
    screen.run(b"cat & sleep 0.3")
    check(b"Stopped" in screen.run(b"jobs"))
    screen.run(b"kill %1; wait")
    screen.type(b"\x04")
    screen.end(0)


def test_terminal_line_editing(box):
    screen = shell(box)
    screen.type(b"cat\n")
    screen.expect(rb"cat\r\n")
    time.sleep(0.3)
    screen.type(b"one two\x17three\x7f\n")
    screen.expect(rb"\r\none thre\r\n")
    screen.type(b"\x04")
    screen.expect(PROMPT)
    check(screen.run(b"stty -echo; read -r x <<< hidden; stty echo; echo $x") == b"hidden\r\n")
    screen.type(b"exit\n")
    screen.end(0)


def test_terminal_resize(box):
    screen = shell(box)
    screen.run(b"trap 'echo changed' WINCH")
    screen.resize(40, 120)
    # The shell runs a trap when it gets its next line, and the signal takes its time to arrive.
    for _ in range(20):
        time.sleep(0.3)
        if b"changed\r\n" in screen.run(b":"):
            break
    else:
        check(False, "no SIGWINCH")
    check(b"40 120\r\n" in screen.run(b"stty size"))
    screen.type(b"exit\n")
    screen.end(0)


def test_terminal_much_output(box):
    screen = Screen(box, ["/usr/bin/seq", "100000"])
    numbers = screen.expect(rb"100000\r\n", 20) + b"100000\r\n"
    check(numbers == b"".join(b"%d\r\n" % n for n in range(1, 100001)), "%d bytes" % len(numbers))
    screen.end(0)


def test_terminal_without_a_terminal(box):
    box.run("/bin/cat", options=["-t"], input=b"one\ntwo").expect(0, b"one\r\ntwoone\r\ntwo")
    box.sh("seq 30000", options=["-t"]).expect(0, b"".join(b"%d\r\n" % n for n in range(1, 30001)))


def test_terminal_reader_goes_away(box):
    process = box.start(["/usr/bin/yes"], ["-t"], stdin=subprocess.DEVNULL)
    process.stdout.read(10)
    process.stdout.close()
    check(process.wait(10) == 129, "exit", process.returncode)
