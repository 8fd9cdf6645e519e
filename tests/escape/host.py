# SPDX-License-Identifier: Apache-2.0
"""The host's side of the hostile tests: runs a sandbox behind a fence, and finds what it left or took.

The fence is a pair of control groups (memory, processes) where we are root and there are any: it keeps a bomb that works
from taking the machine along, knows every process that came of the sandbox, and tells how much memory all of them had at
most, the kernel's included. Elsewhere processes are found by their user or their program, and memory is sampled.
"""
import os
import signal
import subprocess
import threading
import time

UID = 64321  # nobody's: every process of it is a test's
MIB = 1 << 20
FENCE_MEMORY = 5 << 30
FENCE_TASKS = 2500


class Failure(Exception):
    pass


def read(path):
    with open(path) as file:
        return file.read()


def state_of(pid):
    try:
        return read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def is_sweeper(pid):
    """The launcher's other child, which removes the control group should the launcher not live to do it."""
    try:
        return read("/proc/%d/comm" % pid).strip() == "sentry-sweeper"
    except OSError:
        return False


def children_of(parent):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if read("/proc/%s/stat" % name).rsplit(")", 1)[1].split()[1] == str(parent):
                    found.append(int(name))
            except OSError:
                pass
    return found


class Fence:
    """Control groups around one sandbox; `paths` is empty where there are none to be had."""
    V1 = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup/pids": "pids.max"}
    counter = 0

    def __init__(self):
        self.paths = []
        if os.getuid() != 0:
            return
        Fence.counter += 1
        name = "sentry-escape-%d-%d" % (os.getpid(), Fence.counter)
        try:
            if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
                self.make("/sys/fs/cgroup/" + name, {"memory.max": FENCE_MEMORY, "pids.max": FENCE_TASKS})
            else:
                for root, limit in Fence.V1.items():
                    self.make(root + "/" + name, {limit: FENCE_MEMORY if "memory" in limit else FENCE_TASKS})
        except OSError:
            self.remove()

    def make(self, path, limits):
        os.mkdir(path)
        self.paths.append(path)
        for name, value in limits.items():
            with open(os.path.join(path, name), "w") as file:
                file.write(str(value))

    def enter(self):
        for path in self.paths:
            with open(path + "/cgroup.procs", "w") as file:
                file.write("0")

    def processes(self):
        """Of the fence and of the groups that sentry made below it."""
        found = []
        for path in self.paths[-1:]:
            for folder, _, _ in os.walk(path):
                try:
                    found += [int(pid) for pid in read(folder + "/cgroup.procs").split()]
                except OSError:
                    pass
        return found

    def groups(self):
        """Those that sentry made below it."""
        return [path + "/" + name for path in self.paths for name in os.listdir(path) if name.startswith("sentry-")]

    def peak(self):
        for path in self.paths:
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                if os.path.exists(path + "/" + name):
                    return int(read(path + "/" + name))
        return None

    def remove(self):
        for path in self.paths:
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.01)
        self.paths = []


class Sampler(threading.Thread):
    """Memory of processes that a fence does not count: private pages, page tables, and all of the host's shared memory."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self.processes, self.peak, self.stop = processes, 0, False
        self.shared = self.shmem()

    @staticmethod
    def shmem():
        return int(read("/proc/meminfo").split("Shmem:")[1].split()[0]) * 1024

    def run(self):
        while not self.stop:
            total = self.shmem() - self.shared
            for pid in self.processes():
                try:
                    for line in read("/proc/%d/status" % pid).split("\n"):
                        if line.split(":")[0] in ("RssAnon", "VmPTE", "VmSwap"):
                            total += int(line.split()[1]) * 1024
                except (OSError, IndexError):
                    pass
            self.peak = max(self.peak, total)
            time.sleep(0.02)


under_way = []


def sweep():
    """Ends what a test that failed has left."""
    while under_way:
        sandbox = under_way.pop()
        sandbox.kill()
        sandbox.fence.remove()


class Sandbox:
    """A `sentry run` that is under way."""

    def __init__(self, runner, argv, options=(), wrap=(), measure=False, **popen):
        self.runner, self.fence = runner, Fence()
        popen.setdefault("cwd", "/")
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        self.begin = time.monotonic()
        self.process = subprocess.Popen(list(wrap) + runner.command(argv, options), preexec_fn=self.fence.enter, **popen)
        under_way.append(self)
        self.sampler = None
        if measure and self.fence.peak() is None:
            self.sampler = Sampler(self.processes)
            self.sampler.start()

    def processes(self):
        """What lives of it."""
        if self.fence.paths:
            found = self.fence.processes()
        else:
            found = self.runner.strays()
        return [pid for pid in found if state_of(pid) not in "ZX"]

    def peak(self):
        if self.sampler:
            self.sampler.stop = True
            return self.sampler.peak
        return self.fence.peak()

    def launcher(self):
        return self.process.pid

    def sentry(self):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            found = [pid for pid in children_of(self.process.pid) if state_of(pid) not in "ZX" and not is_sweeper(pid)]
            if len(found) == 1:
                return found[0]
            time.sleep(0.01)
        raise Failure("no kernel process")

    def wait(self, timeout=60):
        """Exit code, stdout, stderr."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("hung for %d s" % timeout)
        return self.process.returncode, out or b"", err or b""

    def kill(self):
        for pid in [self.process.pid] + self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            self.process.communicate(timeout=5)
        except (subprocess.TimeoutExpired, ValueError):
            pass

    def expect_nobody(self, within):
        """Nothing of it lives any more; then the fence goes."""
        end = time.monotonic() + within
        left = self.processes() or self.fence.groups()
        while left and time.monotonic() < end:
            time.sleep(0.005)
            left = self.processes() or self.fence.groups()
        if left and isinstance(left[0], str):
            raise Failure("a control group is left after %d ms: %s" % (within * 1000, left))
        if left:
            names = [read("/proc/%d/comm" % pid).strip() for pid in left if os.path.exists("/proc/%d" % pid)]
            self.kill()
        self.fence.remove()
        if self in under_way:
            under_way.remove(self)
        if left:
            raise Failure("%d processes left after %d ms: %s" % (len(left), within * 1000, names[:5]))


class Runner:
    """How to start sandboxes of one platform as one user."""

    def __init__(self, sentry, build, platform, root):
        self.sentry, self.platform, self.root, self.build = sentry, platform, root, os.path.join(build, "tests", "escape")

    def uid(self):
        return 0 if self.root else UID if os.getuid() == 0 else os.getuid()

    def as_user(self):
        if os.getuid() != 0 or self.root:
            return []
        return ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]

    def command(self, argv, options=()):
        argv = argv.split() if isinstance(argv, str) else list(argv)
        return self.as_user() + [self.sentry, "run", "--platform", self.platform, "-e", "SENTRY_TEST_ARMED=1",
                                 "-v", self.build + ":/hostile:ro"] + list(options) + ["--", "/hostile/" + argv[0]] + argv[1:]

    def strays(self):
        """Host processes that a sandbox could have left, where no fence knows: those of our uid, or stubs by name."""
        found = []
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                if os.getuid() == 0 and not self.root:
                    mine = os.stat("/proc/" + pid).st_uid == UID or "Uid:\t%d\t" % UID in read("/proc/%s/status" % pid)
                else:
                    exe = os.readlink("/proc/%s/exe" % pid)
                    mine = "sentry-stub" in exe or exe == self.sentry
            except OSError:
                continue
            if mine:
                found.append(int(pid))
        return found

    def start(self, argv, options=(), **more):
        return Sandbox(self, argv, options, **more)

    def run(self, argv, options=(), timeout=60, within=2, **more):
        """Exit code, stdout and stderr as text; nobody may be left."""
        sandbox = self.start(argv, options, **more)
        code, out, err = sandbox.wait(timeout)
        sandbox.expect_nobody(within)
        return code, out.decode(errors="replace"), err.decode(errors="replace")
