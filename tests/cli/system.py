# SPDX-License-Identifier: Apache-2.0
"""/proc and /sys as the usual tools read them: each tool runs natively and in the sandbox, and what it prints must have the
same form; and the limits of the sandbox, which every source must agree on."""
import os
import re
import shutil
import subprocess

from box import Failure, check

# A command, and what of its output must be the same: "status" (how it ended, nothing on stderr), "head" (the first line,
# too), "words" (the first word of each line as a set; a subset inside is enough).
TOOLS = (
    ("ps", "head"),
    ("ps aux", "head"),
    ("ps -eLf", "head"),
    ("ps -eo pid,ppid,pgid,sid,tty,stat,wchan,rss,vsz,etime,time,ni,pri,psr,nlwp,user,group,cgroup,ns,comm,args", "head"),
    ("top -b -n1", "status"),
    ("free", "words"),
    ("free -h -w -t", "words"),
    ("vmstat", "head"),
    ("vmstat -s", "status"),
    ("vmstat -d", "status"),
    ("vmstat -D", "status"),
    ("vmstat 1 2", "head"),
    ("uptime", "status"),
    ("uptime -p", "status"),
    ("lscpu", "words"),
    ("lscpu -e", "head"),
    ("lscpu -C", "head"),
    ("nproc", "status"),
    ("nproc --all", "status"),
    ("df", "head"),
    ("df -i", "head"),
    ("df -aT", "head"),
    ("mount", "status"),
    ("findmnt", "head"),
    ("findmnt -D", "head"),
    ("lsof -p $$", "head"),
    ("lsblk", "status"),
    ("lslocks", "status"),
    ("lsipc", "status"),
    ("pgrep -l sh", "status"),
    ("pidof sh", "status"),
    ("pmap $$", "status"),
    ("pmap -x $$", "status"),
    ("pmap -X $$", "status"),
    ("pwdx $$", "status"),
    ("pstree", "status"),
    ("w", "status"),
    ("who", "status"),
    ("prlimit", "head"),
    ("chrt -p $$", "status"),
    ("taskset -p $$", "status"),
    ("ionice -p $$", "status"),
    ("swapon -s", "status"),
    ("mountpoint /proc", "status"),
    ("getconf _NPROCESSORS_ONLN", "status"),
    ("getconf _PHYS_PAGES", "status"),
    ("getconf LEVEL1_DCACHE_SIZE", "status"),
    ("sysctl kernel.ostype vm.overcommit_memory fs.file-max net.core.somaxconn dev.tty.legacy_tiocsti", "words"),
    ("node -e 'const o=require(\"os\");if(!o.cpus().length||!o.totalmem()||!o.uptime()||!process.memoryUsage().rss)throw 1'", "status"),
)


def run_all(run):
    """{command: (status, lines of stdout, stderr)} of one shell that runs them all."""
    script = "exec 2>&1\n" + "".join("echo '#### %d'; (%s) </dev/null 2>/tmp/system-err; echo \"#### = $?\"; sed 's/^/#### ! /' /tmp/system-err\n"
                                     % (i, command) for i, (command, _) in enumerate(TOOLS))
    found, now = {}, None
    for line in run(script).splitlines():
        if line.startswith("#### = "):
            found[now][0] = int(line[7:])
        elif line.startswith("#### ! "):
            found[now][2].append(line[7:])
        elif line.startswith("#### "):
            now = TOOLS[int(line[5:])][0]
            found[now] = [None, [], []]
        elif now:
            found[now][1].append(line)
    return found


def first_words(lines):
    return {re.split(r"[:\s]", line.strip())[0] for line in lines if line.strip()}


def difference(compare, native, inside):
    if inside[0] != native[0]:
        return "ended with %s, natively with %s: %s" % (inside[0], native[0], inside[2][:3])
    if inside[2] and not native[2]:
        return "complained: %s" % inside[2][:3]
    if bool(inside[1]) != bool(native[1]) and compare != "status":
        return "%d lines, natively %d" % (len(inside[1]), len(native[1]))
    if compare == "head" and inside[1][0].split() != native[1][0].split():
        return "first line %r, natively %r" % (inside[1][0], native[1][0])
    if compare == "words" and not first_words(inside[1]) <= first_words(native[1]):
        return "lines of %s, which are not there natively" % sorted(first_words(inside[1]) - first_words(native[1]))
    return None


def test_tools(box):
    native = run_all(lambda script: subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=60, cwd=box.dir,
                                                   env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}).stdout.decode(errors="replace"))
    inside = run_all(lambda script: box.run("/bin/sh", "-c", script, options=["-e", "LC_ALL=C.UTF-8"], timeout=60).out.decode(errors="replace"))
    problems = []
    for command, compare in TOOLS:
        if not shutil.which(command.split()[0]) or native[command][0] != 0:
            continue
        problem = difference(compare, native[command], inside.get(command, [None, [], []]))
        if problem:
            problems.append("%s: %s" % (command, problem))
    if problems:
        raise Failure("\n".join(problems))


# What ps, top, free, vmstat, uptime, lscpu, nproc, df, findmnt, lsof, lsblk, lsipc, pgrep, pmap, w, java, node, Go, numpy with
# OpenBLAS, numactl, hwloc and systemd-detect-virt open natively (strace -e trace=openat) and a sandbox has as well. Not there,
# for there is none: block devices, blocks of memory that come and go, groups of version 1, PCI and USB, namespaces of others.
FILES = """/proc/cgroups /proc/cpuinfo /proc/diskstats /proc/filesystems /proc/interrupts /proc/loadavg /proc/locks /proc/meminfo
/proc/mounts /proc/partitions /proc/stat /proc/swaps /proc/tty/drivers /proc/uptime /proc/version /proc/vmstat /proc/net/unix
/proc/self/auxv /proc/self/cgroup /proc/self/cmdline /proc/self/comm /proc/self/coredump_filter /proc/self/cpuset /proc/self/environ
/proc/self/fdinfo/0 /proc/self/limits /proc/self/maps /proc/self/mountinfo /proc/self/mounts /proc/self/oom_score_adj
/proc/self/personality /proc/self/smaps /proc/self/smaps_rollup /proc/self/stat /proc/self/statm /proc/self/status /proc/self/wchan
/proc/thread-self/stat /proc/thread-self/status
/proc/sys/fs/file-max /proc/sys/fs/file-nr /proc/sys/fs/inotify/max_user_watches /proc/sys/kernel/cap_last_cap /proc/sys/kernel/msgmax
/proc/sys/kernel/msgmnb /proc/sys/kernel/msgmni /proc/sys/kernel/ngroups_max /proc/sys/kernel/osrelease /proc/sys/kernel/pid_max
/proc/sys/kernel/random/boot_id /proc/sys/kernel/sem /proc/sys/kernel/shmall /proc/sys/kernel/shmmax /proc/sys/kernel/shmmni
/proc/sys/kernel/threads-max /proc/sys/net/core/somaxconn /proc/sys/vm/max_map_count /proc/sys/vm/overcommit_memory /proc/sysvipc/msg
/proc/sysvipc/sem /proc/sysvipc/shm /sys/devices/system/cpu/cpu0/topology/core_id /sys/devices/system/cpu/cpu0/topology/thread_siblings
/sys/devices/system/cpu/online /sys/devices/system/cpu/possible /sys/devices/system/cpu/present /sys/devices/system/cpu/kernel_max
/sys/devices/system/node/online /sys/devices/system/node/node0/cpumap /sys/devices/system/node/node0/meminfo
/sys/devices/system/node/node0/distance /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/hpage_pmd_size
/sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.current
/sys/fs/cgroup/memory.stat /sys/fs/cgroup/pids.max"""
DIRECTORIES = "/proc/self/fd /proc/self/task /proc/self/ns /sys/block /sys/class/block /sys/class/net /sys/class/power_supply /sys/dev/block " \
              "/sys/devices/system/cpu/vulnerabilities /sys/kernel/mm/hugepages"


def test_files_of_tools(box):
    script = "for f in %s; do cat $f >/dev/null || echo $f; done; for d in %s; do ls $d >/dev/null || echo $d; done" % (FILES.replace("\n", " "), DIRECTORIES)
    box.run("/bin/sh", "-c", script).expect(0, b"", b"")


LIMITS = r"""
import os, re
def read(name):
    return open(name).read()
def number(name, key):
    return int(re.search(r"(?m)^%s\s*(\d+)" % key, read(name)).group(1))
page = os.sysconf("SC_PAGE_SIZE")
print(number("/proc/meminfo", "MemTotal:") * 1024, os.sysconf("SC_PHYS_PAGES") * page, read("/sys/fs/cgroup/memory.max").strip(),
      number("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:") * 1024)
free = [number("/proc/meminfo", "MemFree:") * 1024, os.sysconf("SC_AVPHYS_PAGES") * page, number("/proc/vmstat", "nr_free_pages") * page]
print(max(free) - min(free) < 4 << 20)
print(len(os.sched_getaffinity(0)), os.cpu_count(), os.sysconf("SC_NPROCESSORS_CONF"), len(re.findall(r"(?m)^processor\s*:", read("/proc/cpuinfo"))),
      len([n for n in os.listdir("/sys/devices/system/cpu") if re.match(r"cpu\d+$", n)]), len(re.findall(r"(?m)^cpu\d", read("/proc/stat"))))
print(read("/sys/devices/system/cpu/online").strip(), read("/sys/fs/cgroup/cpuset.cpus.effective").strip(),
      re.search(r"Cpus_allowed_list:\s*(\S+)", read("/proc/self/status")).group(1), read("/sys/fs/cgroup/cpu.max").strip())
print(read("/sys/fs/cgroup/pids.max").strip(), read("/proc/sys/kernel/threads-max").strip(), read("/proc/self/cgroup").strip())
print(str(os.getpid()) in read("/sys/fs/cgroup/cgroup.procs").split(), re.search(r" /sys/fs/cgroup \S+.* - (\S+)", read("/proc/self/mountinfo")).group(1))
x = os.open("/dev/shm/x", os.O_CREAT | os.O_RDWR)
os.write(x, bytes(32 << 20))
print(number("/proc/meminfo", "Shmem:") >= 32 << 10)
y = bytearray(48 << 20)
for i in range(0, len(y), page): y[i] = 1
print(number("/proc/meminfo", "AnonPages:") >= 48 << 10, number("/proc/self/status", "RssAnon:") >= 48 << 10,
      int(read("/proc/self/statm").split()[1]) * page >= 48 << 20, number("/proc/self/smaps_rollup", "Anonymous:") >= 48 << 10,
      int(read("/sys/fs/cgroup/memory.current")) >= 80 << 20)
total = sum(int(n) for n in re.findall(r"(?m)^Rss:\s*(\d+)", read("/proc/self/smaps")))
print(abs(total - number("/proc/self/smaps_rollup", "Rss:")) < 4096)
"""


def test_limits_are_seen(box):
    size = 1 << 30
    one = box.run("/usr/bin/python3", "-c", LIMITS, options=["-m", "1g", "--cpus", "1", "--pids-limit", "77"]).expect(0, err=b"")
    check(one.out.decode() == "%d %d %d %d\nTrue\n1 1 1 1 1 1\n0 0 0 100000 100000\n77 77 0::/\nTrue cgroup2\nTrue\nTrue True True True True\nTrue\n"
          % (size, size, size, size), one.out.decode())
    count = len(os.sched_getaffinity(0))
    cpus = "0-%d" % (count - 1) if count > 1 else "0"
    everything = box.run("/usr/bin/python3", "-c", LIMITS, options=["-m", "512m"]).expect(0, err=b"").out.decode().splitlines()
    check(everything[0].split() == ["%d" % (512 << 20)] * 4, everything[0])
    check(everything[2].split() == [str(count)] * 6, everything[2])
    check(everything[3] == "%s %s %s max 100000" % (cpus, cpus, cpus), everything[3])


def test_cpus(box):
    """--cpus holds: as many busy processes as one likes get no more than that."""
    script = "import os, time\nfor i in range(3):\n    if os.fork() == 0:\n        while True: pass\ntime.sleep(1)\nt = sum(float(x) for x in " \
             "open('/proc/stat').readline().split()[1:4])\nprint(t, flush=True)\nos.kill(0, 9)"
    result = box.run("/usr/bin/python3", "-c", script, options=["--cpus", "1"], timeout=30)
    check(0 < float(result.out) < 160, "ticks of one processor in a second:", result.out)
    for wrong in ("0", "1.5", "x", "100000"):
        box.run("/bin/true", options=["--cpus", wrong]).one_line(125, "--cpus")


def test_load_average(box):
    """A second of work shows in the averages."""
    script = "import os, time\nwhile time.process_time() < 1.5: pass\nprint(os.getloadavg()[0] > 0, open('/proc/loadavg').read().split()[0] > '0.00')"
    box.run("/usr/bin/python3", "-c", script, timeout=60).expect(0, out=b"True True\n", err=b"")
