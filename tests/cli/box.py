# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: a sandbox to run things in, and checks that say what was wrong."""
import os
import shutil
import signal
import subprocess
import tempfile
import time


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, *words):
    if not condition:
        raise Failure(" ".join(str(w) for w in words))


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def expect(self, code=None, out=None, err=None):
        """@out, @err: bytes that must be equal; None: whatever."""
        if code is not None and self.code != code:
            raise Failure("exit %s, not %s; stdout %r; stderr %r" % (self.code, code, self.out[-300:], self.err[-500:]))
        if out is not None and self.out != out:
            raise Failure("stdout %r, not %r; stderr %r" % (self.out[-500:], out[-500:], self.err[-300:]))
        if err is not None and self.err != err:
            raise Failure("stderr %r, not %r" % (self.err[-500:], err[-500:]))
        return self

    def one_line(self, code, *words):
        """A refusal: one line on stderr that has all @words, nothing on stdout."""
        self.expect(code, b"")
        text = self.err.decode(errors="replace")
        check(text.endswith("\n") and text.count("\n") == 1, "not one line on stderr: %r" % text)
        for word in words:
            check(word in text, "%r is not in %r" % (word, text))
        return self


class Box:
    """One test's view: a scratch directory, which is the working directory too, and the command under test."""

    def __init__(self, sentry, platform):
        self.sentry, self.platform = sentry, platform
        self.dir = tempfile.mkdtemp(prefix="cli-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.started = []

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    try:
                        stream.close()
                    except OSError:
                        pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text="", mode=0o644):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def command(self, argv, options=()):
        return [self.sentry, "run", "--platform", self.platform] + list(options) + ["--"] + list(argv)

    def raw(self, *argv, timeout=20, **more):
        """sentry with exactly these arguments."""
        begin = time.monotonic()
        more.setdefault("stdin", subprocess.DEVNULL if "input" not in more else None)
        if "input" in more:
            del more["stdin"]
        try:
            done = subprocess.run([self.sentry] + list(argv), cwd=more.pop("cwd", self.dir), stdout=more.pop("stdout", subprocess.PIPE),
                                  stderr=more.pop("stderr", subprocess.PIPE), timeout=timeout, **more)
        except subprocess.TimeoutExpired as late:
            raise Failure("not over after %s s; stdout %r, stderr %r" % (timeout, (late.stdout or b"")[-300:], (late.stderr or b"")[-300:]))
        return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def run(self, *argv, options=(), **more):
        return self.raw(*self.command(argv, options)[1:], **more)

    def sh(self, script, options=(), **more):
        return self.run("/bin/sh", "-c", script, options=options, **more)

    def start(self, argv, options=(), wrap=(), **more):
        more.setdefault("cwd", self.dir)
        for stream in ("stdin", "stdout", "stderr"):
            more.setdefault(stream, subprocess.PIPE)
        process = subprocess.Popen(list(wrap) + self.command(argv, options), **more)
        self.started.append(process)
        return process


def read_line(process):
    line = process.stdout.readline()
    if not line:
        raise Failure("ended early: exit %s, stderr %r" % (process.wait(10), process.stderr.read()[-500:]))
    return line


def finish(process, timeout=10):
    """Exit code, stdout, stderr of a started sandbox."""
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failure("not over after %s s" % timeout)
    return Result(process.returncode, out, err, time.monotonic() - begin)


def family(pid):
    """@pid and all its descendants that live: {pid: (state, CPU ticks)}."""
    children, info = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        info[int(name)] = (fields[0], int(fields[11]) + int(fields[12]))
        children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = {}, [pid]
    while todo:
        one = todo.pop()
        if one in info:
            found[one] = info[one]
        todo += children.get(one, [])
    return found


def kernel_of(launcher):
    """The kernel process, a child of @launcher; the other child is the one that sweeps the control group."""
    found = []
    for pid in family(launcher):
        try:
            with open("/proc/%d/stat" % pid) as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == launcher and not name.endswith("(sentry-sweeper"):
            found.append(pid)
    check(len(found) == 1, "children of the launcher:", found)
    return found[0]


def living(pids):
    left = []
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid) as file:
                if file.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                    left.append(pid)
        except OSError:
            pass
    return left


def expect_gone(pids, within):
    end = time.monotonic() + within
    while living(pids):
        if time.monotonic() > end:
            left = living(pids)
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            raise Failure("%d processes were left after %d ms" % (len(left), within * 1000))
        time.sleep(0.005)


def busybox():
    path = shutil.which("busybox")
    if not path:
        raise Skip("no busybox")
    with open(path, "rb") as file:
        if b"/lib64/ld-linux" in file.read(4096):
            raise Skip("busybox is not static")
    return path


def make_rootfs(box, name="root"):
    """A root file system of one static program."""
    program = busybox()
    root = box.path(name)
    os.makedirs(root + "/bin")
    os.makedirs(root + "/etc")
    os.makedirs(root + "/data")
    shutil.copy(program, root + "/bin/busybox")
    for applet in ("sh", "cat", "ls", "echo", "id", "touch", "pwd", "env", "true"):
        os.symlink("busybox", root + "/bin/" + applet)
    with open(root + "/etc/marker", "w") as file:
        file.write("of the rootfs\n")
    os.chmod(root, 0o755)
    return root
