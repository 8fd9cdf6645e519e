# SPDX-License-Identifier: Apache-2.0
"""Signals to the launcher, limits, and that nothing is left behind."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from box import Failure, Skip, check, expect_gone, family, finish, kernel_of, living, read_line

HANDLER = """
import os, signal, sys, time
def handler(number, frame):
    os.write(1, ("got %s\\n" % signal.Signals(number).name).encode())
    if number != signal.SIGCONT: sys.exit(number)
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
    signal.signal(s, handler)
print("ready", flush=True)
while True: time.sleep(60)
"""


def test_signals_reach_the_handler(box):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        process = box.start(["/usr/bin/python3", "-c", HANDLER])
        check(read_line(process) == b"ready\n", "start")
        process.send_signal(number)
        finish(process).expect(int(number), b"got %s\n" % number.name.encode(), b"")


def test_signals_kill(box):
    """The program's own status, as if the signal had been sent to it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        process = box.start(["/bin/sh", "-c", "echo ready; exec sleep 60"])
        read_line(process)
        time.sleep(0.05)
        process.send_signal(number)
        finish(process).expect(128 + number, b"", b"")


def test_ignored_signal(box):
    process = box.start(["/bin/sh", "-c", "trap '' TERM; echo ready; read x; echo got $x"])
    read_line(process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    process.stdin.write(b"on\n")
    process.stdin.flush()
    finish(process).expect(0, b"got on\n", b"")


def state_of(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_stop_and_continue(box):
    """Ctrl-Z and fg, as a shell does them."""
    process = box.start(["/usr/bin/python3", "-c", "import time\nprint('ready', flush=True)\nfor i in range(1000): print(i, flush=True); time.sleep(0.01)"])
    read_line(process)
    process.send_signal(signal.SIGTSTP)
    end = time.monotonic() + 3
    while state_of(process.pid) != "T":
        check(time.monotonic() < end, "the launcher does not stop")
        time.sleep(0.01)
    time.sleep(0.1)
    os.set_blocking(process.stdout.fileno(), False)
    process.stdout.read()
    time.sleep(0.2)
    late = process.stdout.read()
    check(not late, "the program ran on while stopped: %r" % late)
    process.send_signal(signal.SIGCONT)
    end = time.monotonic() + 3
    while not process.stdout.read():
        check(time.monotonic() < end, "the program does not continue")
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    check(process.wait(5) == 128 + 15, "exit", process.returncode)


def test_timeout(box):
    result = box.run("/bin/sleep", "60", options=["--timeout", "0.3"]).expect(124, b"")
    check(0.25 < result.seconds < 3, "took", result.seconds)
    check(result.err.count(b"\n") <= 1, result.err)
    box.sh("exit 3", options=["--timeout", "10"]).expect(3, b"", b"")


def test_timeout_asks_first(box):
    box.sh("trap 'echo asked; exit 5' TERM; while :; do sleep 0.05; done", options=["--timeout", "500ms"]).expect(124, b"asked\n")


def test_timeout_ends_those_who_ignore(box):
    script = "trap '' TERM HUP INT; (trap '' TERM; while :; do :; done) & setsid sleep 70 & (sleep 71 &) ; echo ready; while :; do sleep 72; done"
    process = box.start(["/bin/sh", "-c", script], options=["--timeout", "1"])
    read_line(process)
    pids = list(family(process.pid))
    result = finish(process, 12)
    result.expect(124, b"")
    check(result.seconds < 9, "took", result.seconds)
    expect_gone(pids, 2)


def test_timeout_of_stopped(box):
    box.sh("kill -STOP $$", options=["--timeout", "0.4"]).expect(124, b"")


def test_program_kills_around(box):
    """Its own group and its init: nothing of ours."""
    box.run("/usr/bin/python3", "-c", "import os; os.kill(0, 15)").expect(143, b"", b"")
    box.run("/usr/bin/python3", "-c", "import os; os.kill(1, 9); print('alive')").expect(0, b"alive\n", b"")
    box.run("/usr/bin/python3", "-c", "import os, signal\nif os.fork() == 0:\n  os.kill(-1, 9)\n  signal.pause()\nos.wait()").expect(137, b"", b"")


def test_smallest_limits(box):
    options = ["-m", "64m", "--pids-limit", "1", "--ulimit", "nofile=16"]
    box.run("/usr/bin/python3", "-c", "print(1)", options=options).expect(0, b"1\n", b"")
    box.sh("/bin/true; echo no", options=["--pids-limit", "1"]).expect(2, b"")


def test_start_beside_descriptors_in_flight(box):
    """The host bounds what a user's processes have sent over sockets and not received, by the sender's RLIMIT_NOFILE."""
    ends = socket.socketpair()
    for _ in range(20):
        socket.send_fds(ends[0], [b"x"], [0, 1, 2])
    box.run("/bin/echo", "here").expect(0, b"here\n", b"")


def test_end_takes_background_tasks(box):
    process = box.start(["/bin/sh", "-c", "setsid sleep 70 & (trap '' TERM; sleep 71) & echo ready; read x; exit 4"])
    read_line(process)
    pids = list(family(process.pid))
    process.stdin.write(b"\n")
    finish(process).expect(4, b"", None)
    expect_gone(pids, 2)


def test_cpu_time(box):
    result = box.sh("while :; do :; done", options=["--cpu-time", "0.5"]).expect(124, b"")
    check(0.4 < result.seconds < 6, "took", result.seconds)
    box.run("/bin/sleep", "0.8", options=["--cpu-time", "0.5"]).expect(0, b"", b"")


def test_memory(box):
    """Over the limit: either the allocation fails or the sandbox ends; the host keeps its memory."""
    script = "b = []\nfor i in range(64):\n    x = bytearray(16 << 20)\n    for j in range(0, len(x), 4096): x[j] = 1\n    b.append(x)\nprint('all')"
    result = box.run("/usr/bin/python3", "-c", script, options=["-m", "256m", "--status-json", box.path("status")], timeout=60)
    check(result.out == b"", "1 GiB fits into 256 MiB")
    check(result.code in (1, 137), "exit", result.code, result.err[-300:])
    if result.code == 137:
        check(json.loads(box.read("status"))["reason"] == "memory", box.read("status"))
    box.run("/usr/bin/python3", "-c", "x = bytearray(64 << 20); print(len(x))", options=["-m", "256m"]).expect(0, b"67108864\n", b"")


def own_groups():
    """Control groups that sentry made where we may make some."""
    return {os.path.join(top, name) for top, names, _ in os.walk("/sys/fs/cgroup") for name in names if re.fullmatch(r"sentry-\d+-\d+", name)}


def group_of(pid):
    with open("/proc/%d/cgroup" % pid) as file:
        return "/".join(line for line in file if re.search(r"/sentry-\d+-\d+$", line))


def test_memory_by_group(box):
    """Processes and files together, where the host's control groups keep the limit; sampled elsewhere. Either says so."""
    options = ["-m", "96m", "--status-json", box.path("status")]
    script = "import sys\nopen('/tmp/file', 'wb').write(bytes(64 << 20)); x = bytearray(64 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('both')"
    result = box.run("/usr/bin/python3", "-c", script, options=options, timeout=30)
    told = json.loads(box.read("status"))
    hard = b"ok   memory limit" in box.raw("doctor").out
    check(told["memory_limit_by"] == ("control-group" if hard else "sampling"), told)
    if not hard:
        result.expect(0, b"both\n", b"")
        return
    result.one_line(137, "memory limit of 96 MiB")
    check(told["reason"] == "memory" and 96 << 20 <= told["memory_peak_bytes"] <= 118 << 20, told)


def test_groups_go(box):
    """The control group of a launcher that is killed goes with the last process; so does what a killed sweeper left, at the next run."""
    if b"ok   memory limit" not in box.raw("doctor").out:
        raise Skip("the host grants no control groups")
    for sweeper_too in (False, True):
        process = box.start(["/bin/sh", "-c", "echo ready; sleep 60"])
        read_line(process)
        check(group_of(kernel_of(process.pid)), "the kernel process is in no group")
        check(not group_of(process.pid), "the launcher is in it")
        mine = {group for group in own_groups() if group.endswith("-%d" % process.pid)}
        check(mine, "no group")
        pids = list(family(process.pid))
        victims = [pid for pid in pids if parent_of(pid) == process.pid and pid != kernel_of(process.pid)] if sweeper_too else []
        for pid in victims + [process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        expect_gone(pids, 2)
        if sweeper_too:
            box.run("/bin/true").expect(0)
        end = time.monotonic() + 5
        while mine & own_groups():
            check(time.monotonic() < end, "left:", mine & own_groups())
            time.sleep(0.01)


def test_memory_of_many(box):
    script = "import os\nfor i in range(8):\n    if os.fork() == 0:\n        x = bytearray(64 << 20)\n        for j in range(0, len(x), 4096): x[j] = 1\n        os.read(0, 1)\n        os._exit(0)\n" \
             "os.read(0, 1)\nfor i in range(8): os.wait()\nprint('all')"
    process = box.start(["/usr/bin/python3", "-c", script], options=["-m", "256m"])
    result = finish_or_feed(process, 3)
    check(b"all" not in result.out or result.code != 0 or b"memory limit" in result.err, "8 times 64 MiB fit into 256 MiB")


def test_memory_who_dies(box):
    """A process that offers itself (oom_score_adj) dies before a larger one; the larger one lives on."""
    script = """import os, sys
def fill(size):
    x = bytearray(size << 20)
    for j in range(0, len(x), 4096): x[j] = 1
    return x
r, w = os.pipe()
r2, w2 = os.pipe()
pid = os.fork()
if pid == 0:
    open('/proc/self/oom_score_adj', 'w').write('1000')
    os.write(w2, b'x')
    os.read(r, 1)
    keep = fill(50)
    os.read(r, 1)
    os._exit(0)
os.read(r2, 1)
keep = fill(100)
os.write(w, b'x')
status = os.waitpid(pid, 0)[1]
print('child ended by', status & 127)
"""
    result = box.run("/usr/bin/python3", "-c", script, options=["-m", "150m"], timeout=30)
    check(result.code == 0 and result.out == b"child ended by 9\n", result.code, result.out, result.err[-300:])


def finish_or_feed(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    try:
        return finish(process)
    except BrokenPipeError:
        raise Failure("stdin")


def test_socket_memory(box):
    """What lies in sockets is the kernel's memory, and bounded."""
    script = """
import socket, sys, os
keep, data, sent, stop = [], bytes(1 << 16), 0, None
try:
    for i in range(480):
        a, b = socket.socketpair()
        a.setblocking(False)
        keep.append((a, b))
        try:
            while True: sent += a.send(data)
        except BlockingIOError: pass
except OSError as error: stop = error.errno
print(stop, sent < 70 << 20)
for a, b in keep: a.close(); b.close()
keep, stop = [], None
try:
    for i in range(30):
        l = socket.socket(socket.AF_UNIX)
        l.bind("\\0%d" % i); l.listen(4096); keep.append(l)
        for j in range(4000):
            s = socket.socket(socket.AF_UNIX)
            s.connect("\\0%d" % i)
            s.close()
except OSError as error: stop = error.errno
print(stop)
for l in keep: l.close()
print(len(socket.socketpair()))
"""
    process = box.start(["/usr/bin/python3", "-c", script], options=["--ulimit", "nofile=1024"])
    largest = 0
    while process.poll() is None:
        time.sleep(0.05)
        for pid in family(process.pid):
            try:
                if parent_of(pid) == process.pid:
                    with open("/proc/%d/statm" % pid) as file:
                        largest = max(largest, int(file.read().split()[1]) * 4096)
            except OSError:
                pass
    finish(process).expect(0, b"105 True\n23\n2\n", b"")
    check(largest < 250 << 20, "the kernel grew to %d MiB" % (largest >> 20))


def test_pids_limit(box):
    script = "import os, time\nn = 0\ntry:\n    while n < 60:\n        if os.fork() == 0: time.sleep(60); os._exit(0)\n        n += 1\nexcept BlockingIOError: print('EAGAIN', n)\n"
    box.run("/usr/bin/python3", "-c", script, options=["--pids-limit", "20"]).expect(0, b"EAGAIN 19\n", b"")


def test_nofile(box):
    box.sh("ulimit -n; ulimit -Hn", options=["--ulimit", "nofile=64"]).expect(0, b"64\n64\n", b"")
    box.run("/usr/bin/python3", "-c", "import os\nn = 0\ntry:\n    while True: os.dup(0); n += 1\nexcept OSError as e: print(e.errno, n)",
            options=["--ulimit", "nofile=64"]).expect(0, b"24 61\n", b"")


def test_kill_launcher(box):
    process = box.start(["/bin/sh", "-c", "sleep 60 & setsid sleep 61 & (trap '' TERM; while :; do :; done) & echo ready; wait"])
    read_line(process)
    pids = list(family(process.pid))
    check(len(pids) >= 4, "the family is", pids)
    process.kill()
    expect_gone(pids, 2)
    process.wait(5)


def test_kill_kernel(box):
    process = box.start(["/bin/sh", "-c", "sleep 60 & echo ready; wait"])
    read_line(process)
    pids = list(family(process.pid))
    os.kill(kernel_of(process.pid), signal.SIGKILL)
    result = finish(process)
    result.one_line(125, "signal 9")
    expect_gone(pids, 2)


def parent_of(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def test_idle(box):
    """Waiting costs nothing: under 0.5 % of a core."""
    process = box.start(["/bin/sh", "-c", "sleep 60 & echo ready; read x"])
    read_line(process)
    time.sleep(0.5)
    before = sum(ticks for state, ticks in family(process.pid).values())
    time.sleep(5)
    after = family(process.pid)
    check(len(after) >= 3, "processes", after)
    used = (sum(ticks for state, ticks in after.values()) - before) / os.sysconf("SC_CLK_TCK")
    check(used <= 0.025, "used %.3f s of CPU in 5 s" % used)
    process.kill()


def test_twice_at_once(box):
    one = box.start(["/bin/cat"])
    two = box.start(["/bin/cat"])
    for process, word in ((one, b"one"), (two, b"two")):
        process.stdin.write(word)
        process.stdin.close()
        process.stdin = None
    finish(one).expect(0, b"one", b"")
    finish(two).expect(0, b"two", b"")


def test_twenty_at_once(box):
    boxes = [box.start(["/bin/sh", "-c", "read x; echo $x $(echo %d)" % i]) for i in range(20)]
    pids = []
    for i, process in enumerate(boxes):
        process.stdin.write(b"hello\n")
        process.stdin.flush()
    for i, process in enumerate(boxes):
        finish(process, 30).expect(0, b"hello %d\n" % i, b"")
    check(not living(pids), "left")


def test_sandboxes_do_not_see_each_other(box):
    process = box.start(["/bin/sh", "-c", "echo ready > /tmp/mark; echo ready; read x"])
    read_line(process)
    box.sh("ls /tmp; ls -d /proc/[0-9]* | wc -l; cat /proc/sys/kernel/hostname").expect(0, None, b"")
    result = box.sh("ls /tmp; kill -0 %d 2>/dev/null && echo visible" % process.pid)
    check(result.out == b"", result.out)
    process.kill()


def test_launcher_in_a_closed_session(box):
    """nohup, cron, systemd: no terminal, SIGHUP ignored."""
    done = subprocess.run(["setsid", "nohup"] + box.command(["/bin/echo", "x"]), cwd=box.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10)
    check(done.returncode == 0 and done.stdout == b"x\n", done)


def test_no_zombies_of_ours(box):
    """A program that does not reap its children's orphans: somebody does."""
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do (true &) ; done; sleep 0.3; ls -d /proc/[0-9]* | wc -l"
    result = box.sh(script)
    check(int(result.out) <= 4, "processes left:", result.out)
