# SPDX-License-Identifier: Apache-2.0
"""The doors: jumps to host calls, and reaching for files, descriptors, sockets, processes and terminals of the host."""
import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading
import time

from host import Failure, state_of

TOKEN = b"THE-SECRET-OF-THE-HOST"


class Decoy:
    """A process of the host, of the same user as the sandbox, that must not notice anything."""

    def __init__(self, runner):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + runner.as_user() + ["sleep", "900"], start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 5
        while (open("/proc/%d/comm" % self.pid()).read() != "sleep\n" or state_of(self.pid()) != "S") and time.monotonic() < end:
            time.sleep(0.005)
        self.before = self.look()

    def pid(self):
        return self.process.pid

    def look(self):
        """What others could have changed of it."""
        status = open("/proc/%d/status" % self.pid()).read()
        fields = [line for line in status.split("\n") if line.split(":")[0] in ("State", "TracerPid", "SigPnd", "ShdPnd", "Cpus_allowed")]
        more = [open("/proc/%d/%s" % (self.pid(), name)).read() for name in ("limits", "oom_score_adj", "comm")]
        return fields + more + [os.getpriority(os.PRIO_PROCESS, self.pid()), os.getpgid(self.pid())]

    def check(self):
        alive = state_of(self.pid()) == "S"
        same = alive and self.look() == self.before
        self.process.kill()
        self.process.wait()
        if not same:
            raise Failure("a process of the host was " + ("changed" if alive else "ended"))


def expect_over(result, word="over\n"):
    code, out, err = result
    if code != 0 or not out.endswith(word):
        raise Failure("exit %s, %r, %s" % (code, out[-300:], err[-300:]))
    return out


def jumps(runner, what, *more):
    """With --all most attempts are a process of their own, tens of thousands in all: minutes on a machine that does something else too."""
    timeout = 600 if runner.all else 60
    decoy = Decoy(runner)
    out = expect_over(runner.run(["jumps", what, str(decoy.pid())] + [str(word) for word in more], ["--tmpfs", "/tmp", "--pids-limit", "64", "-m", "512m"],
                                 timeout=timeout), "alive\n")
    decoy.check()
    for line in out.split("\n")[:-2]:
        runner.report("  " + line)
    for name in ("escaped-by-jump",):
        if os.path.exists("/tmp/" + name):
            os.unlink("/tmp/" + name)
            raise Failure("a file on the host")


def test_jump_pairs(runner):
    """With every call's number, to every pair in the platform's own pages."""
    jumps(runner, "pairs", 1 if runner.all else 37)


def test_jump_offsets(runner):
    """To every offset of the platform's pages; a part of them without --all."""
    jumps(runner, "offsets", 1 if runner.all else 23)


def test_jump_own_code(runner):
    """Code of the guest's own at the stub's addresses: syscall, int 0x80, sysenter with every number, x32 too."""
    jumps(runner, "own", 1 if runner.all else 37)


def test_untie(runner):
    """Who tried to leave the sandbox's group, session and kill pipe dies with the Sentry all the same."""
    for who in ("sentry", "launcher"):
        sandbox = runner.start("jumps untie", ["--pids-limit", "64"])
        if not sandbox.process.stdout.readline().endswith(b"ready\n"):
            raise Failure("did not start: %r" % sandbox.process.stderr.read()[-300:])
        os.kill(sandbox.sentry() if who == "sentry" else sandbox.launcher(), signal.SIGKILL)
        sandbox.expect_nobody(2)
        sandbox.process.communicate()


# ---- files ----

class Place:
    """A folder of the host with a secret, a writable and a read-only mount beside it, and hostile links in both."""

    def __init__(self, runner):
        self.top = tempfile.mkdtemp(prefix="escape-", dir="/var/tmp")
        self.secret = os.path.join(self.top, "secret")
        self.vol, self.ro = os.path.join(self.top, "vol"), os.path.join(self.top, "ro")
        with open(self.secret, "wb") as file:
            file.write(TOKEN)
        for folder in (self.vol, self.ro, self.vol + "/moved", self.vol + "/moved/deep"):
            os.mkdir(folder)
        for folder in (self.vol, self.ro):
            os.symlink(self.secret, folder + "/evil")
            os.symlink("../secret", folder + "/evil-up")
            os.symlink("..", folder + "/evil-dir")
        for folder, _, files in os.walk(self.top):
            os.chmod(folder, 0o777)
            os.chown(folder, runner.uid(), -1)
        os.chmod(self.secret, 0o666)
        os.chown(self.secret, runner.uid(), -1)
        self.before = self.look()

    def look(self):
        st = os.stat(self.secret)
        return sorted(os.listdir(self.top)), sorted(os.listdir(self.ro)), st.st_mtime_ns, st.st_mode, st.st_nlink, open(self.secret, "rb").read()

    def options(self):
        return ["-v", self.vol + ":/vol:rw", "-v", self.ro + ":/ro:ro", "--tmpfs", "/tmp"]

    def check(self):
        after = self.look() if os.path.exists(self.secret) else "gone"
        odd = []
        for folder, folders, files in os.walk(self.vol):
            for name in folders + files:
                st = os.lstat(os.path.join(folder, name))
                if not (stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode) or stat.S_ISLNK(st.st_mode)) or (
                        not stat.S_ISLNK(st.st_mode) and st.st_mode & 0o6000):
                    odd.append("%s %o" % (name, st.st_mode))
        shutil.rmtree(self.top)
        if after != self.before:
            raise Failure("the host's files changed: %s, not %s" % (after, self.before))
        if odd:
            raise Failure("devices or set-id files on the volume: %s" % odd)


def climb(runner, kind, meanwhile=None, count=False):
    place = Place(runner)
    decoy = Decoy(runner)
    # The Sentry's own number is the launcher's and a little more; all that is near is tried.
    sandbox = runner.start(["climb", kind, place.secret, str(decoy.pid()), str(os.getpid())] + [str(decoy.pid() + i) for i in range(1, 6)], place.options())
    stop = threading.Event()
    thread = threading.Thread(target=meanwhile, args=(place, stop)) if meanwhile else None
    if thread:
        thread.start()
    code, out, err = sandbox.wait(60)
    stop.set()
    if thread:
        thread.join()
    sandbox.expect_nobody(2)
    decoy.check()
    place.check()
    text = out.decode(errors="replace")
    if "LEAK" in text or "WROTE" in text:
        raise Failure(text[:400])
    if kind != "words" or code != 139:  # its vectors may lead a read into its own stack
        expect_over((code, text, err.decode(errors="replace")))


def test_climb_names(runner):
    climb(runner, "names")


def test_climb_races(runner):
    def move_on_the_host(place, stop):
        """Somebody takes a folder out of the volume, and back, under the guest's feet."""
        while not stop.is_set():
            os.rename(place.vol + "/moved", place.top + "/moved")
            time.sleep(0.002)
            os.rename(place.top + "/moved", place.vol + "/moved")
            time.sleep(0.002)
    climb(runner, "races", move_on_the_host)


def test_climb_words(runner):
    climb(runner, "words")


# ---- descriptors, sockets, processes, terminals ----

def test_inherited_descriptors(runner):
    """A pipe, a folder, a listener and a terminal that the launcher was started with, at many numbers."""
    reader, writer = os.pipe()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0sentry-escape-inherited")
    listener.listen()
    master, slave = pty.openpty()
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    numbers = []
    for fd, places in ((writer, (7, 20, 63, 300, 1000)), (slave, (8, 21, 64, 301)), (folder, (9, 22, 302)), (listener.fileno(), (10, 303))):
        for number in places:
            if number not in (reader, writer, master, slave, folder, listener.fileno()):
                os.dup2(fd, number)
                numbers.append(number)
    try:
        expect_over(runner.run("reach descriptors", ["--ulimit", "nofile=4096"], pass_fds=numbers, cwd="/"))
        os.set_blocking(reader, False)
        try:
            raise Failure("through an inherited pipe: %r" % os.read(reader, 100))
        except BlockingIOError:
            pass
        check_quiet(master, slave)
    finally:
        for fd in numbers + [reader, writer, master, slave, folder]:
            os.close(fd)
        listener.close()


def check_quiet(master, slave):
    """Nothing was typed into, or written to, a terminal."""
    typed = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, b"\0\0\0\0"))[0]
    if typed:
        raise Failure("%d bytes were typed into a terminal of the host" % typed)
    if select.select([master], [], [], 0)[0]:
        raise Failure("written to a terminal of the host: %r" % os.read(master, 100))


def test_host_sockets(runner):
    name = "sentry-escape-%d" % os.getpid()
    place = Place(runner)
    local = [socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM)]
    # The guest has a loopback device and ports of its own: it can name ours, and must not reach them.
    inet = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(inet.getsockname())
    for one in local:
        try:
            one.bind("\0" + name + str(len(name)) if one.type == socket.SOCK_SEQPACKET else "\0" + name)
        except OSError:
            one.bind("\0" + name + "-")  # the same name is one listener's alone
    file = socket.socket(socket.AF_UNIX)
    file.bind(place.vol + "/socket")
    os.chmod(place.vol + "/socket", 0o777)
    for one in local[:2] + [file]:
        one.listen()
    try:
        expect_over(runner.run(["reach", "sockets", name, str(inet.getsockname()[1])], place.options()))
        ready = select.select(local + [inet, datagrams, file], [], [], 0.2)[0]
        if ready:
            raise Failure("the host's sockets heard of the guest: %s" % ready)
    finally:
        for one in local + [inet, datagrams, file]:
            one.close()
        os.unlink(place.vol + "/socket")
        place.check()


def test_host_processes(runner):
    decoy = Decoy(runner)
    expect_over(runner.run(["reach", "processes", str(decoy.pid())]))
    decoy.check()


def test_host_terminal(runner):
    """The controlling terminal of a shell's job, shown as it is, and behind -t."""
    for options in ([], ["-i"], ["-t", "-i"]):
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        before = termios.tcgetattr(slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        wrap = ["setsid", "-w", "-c"]
        sandbox = runner.start("reach terminal", options, wrap=wrap, stdin=slave, stdout=slave, stderr=slave)
        seen, end = b"", time.monotonic() + 20
        while sandbox.process.poll() is None and time.monotonic() < end:
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 4096)
        while select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 4096)
        code = sandbox.wait(5)[0]
        sandbox.expect_nobody(2)
        after, size = termios.tcgetattr(slave), termios.tcgetwinsize(slave)
        typed = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, b"\0\0\0\0"))[0]
        os.close(master)
        os.close(slave)
        # With rights over its own terminal it hangs that up, and says nothing more.
        if code not in (0, 129) or (code == 0 and b"over" not in seen and "-t" not in options):
            raise Failure("%s: exit %d, %r" % (options, code, seen[-200:]))
        if typed or after != before or size != (24, 80):
            raise Failure("%s: the terminal changed: %d bytes typed, size %s" % (options, typed, size))
