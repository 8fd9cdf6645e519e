# SPDX-License-Identifier: Apache-2.0
"""--trace, --coverage, --inject; sentry trace, sentry coverage."""
import ctypes
import json
import os
import re
import resource
import shutil
import subprocess
import time
import xml.dom.minidom

from box import Skip, check, finish, read_line
from browser import Browser

PROGRAM = r"""
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static void handler(int signo) { }
static void *thread(void *arg) { write(1, "thread\n", 7); return NULL; }
int main(int argc, char **argv)
{
	int fds[2], status;
	char buffer[64];
	pthread_t id;
	signal(SIGUSR1, handler);
	int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0640);
	write(fd, "some text\n", 10);
	lseek(fd, 5, SEEK_SET);
	read(fd, buffer, sizeof(buffer));
	unlink("nowhere");
	mkdir("dir", 0700);
	rmdir("dir");
	pipe(fds);
	if (fork() == 0) {
		getpid();
		write(fds[1], "child", 5);
		_exit(3);
	}
	wait(&status);
	read(fds[0], buffer, 5);
	raise(SIGUSR1);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	getuid();
	umask(022);
	return argc;
}
"""


def traced(box, *argv, options=(), name="trace"):
    result = box.run(*argv, options=["--trace", box.path(name)] + list(options))
    return result, [json.loads(line) for line in box.read(name).decode("ascii").splitlines()]


def calls_of(records):
    return [record for record in records if record["type"] == "call"]


def test_trace(box):
    box.write("hello", "content")
    result, records = traced(box, "/bin/cat", "hello", "nowhere")
    result.expect(1, b"content")
    check(records[0]["type"] == "begin" and records[0]["command"] == "/bin/cat hello nowhere", records[0])
    check(records[-1]["type"] == "end", records[-1])
    first = calls_of(records)[0]
    check(first["call"] == "execve" and first["args"]["pathname"] == '"/bin/cat"' and first["args"]["argv"] == '["/bin/cat", "hello", "nowhere"]' and
          first["result"] == 0, first)
    opened = [call for call in calls_of(records) if call["args"].get("pathname") == '"hello"']
    check(len(opened) == 1 and opened[0]["call"] == "openat" and opened[0]["result"] == 3 and opened[0]["verdict"] == "allowed", opened)
    missing = [call for call in calls_of(records) if call["args"].get("pathname") == '"nowhere"'][0]
    check(missing["error"] == "ENOENT" and missing["result"] == -2 and missing["latency"] >= 0, missing)
    check(any(record["type"] == "exit" and record["status"] == 256 for record in records), records[-3:])
    check(all(a["time"] <= b["time"] + 1 for a, b in zip(records, records[1:])), "times")


def test_trace_formats(box):
    box.run("/bin/sh", "-c", "echo x | cat; exit 4", options=["--trace-all", "--trace-format", "binary", "--trace", box.path("t.bin")]).expect(4, b"x\n")
    lines = box.raw("trace", "cat", "--format", "json", box.path("t.bin")).expect(0, None, b"").out.splitlines()
    records = [json.loads(line) for line in lines]
    check(len({record["pid"] for record in calls_of(records)}) == 2 or len({record["pid"] for record in calls_of(records)}) == 3, "processes")
    text = box.raw("trace", "cat", box.path("t.bin")).expect(0, None, b"").out.decode("ascii")
    check(len([line for line in text.splitlines() if ") = " in line]) == len(calls_of(records)), "as many calls in either form")
    check("+++ exited with 4 +++" in text, text[-200:])
    box.run("/bin/true", options=["--trace-format", "text", "--trace", box.path("t.txt")]).expect(0)
    check("exit_group(0) = ?" in box.read("t.txt").decode(), "text")


def test_trace_of_foreign_files(box):
    box.run("/bin/true", options=["--trace-format", "binary", "--trace", box.path("t.bin")]).expect(0)
    whole = box.read("t.bin")
    for name, content, words in (("empty", b"", "empty"), ("foreign", b"x" * 1000, "not a trace"), ("cut", whole[:-40], "cut off"),
                                 ("short", whole[:100], "cut off"), ("version", whole[:28] + b"\xff" + whole[29:], "version"),
                                 ("damaged", whole[:312] + b"\xff" * 4 + whole[316:], "damaged")):
        box.write(name, content)
        result = box.raw("trace", "cat", box.path(name)).expect(1)
        check(words in result.err.decode() and result.err.count(b"\n") == 1, name, result.err)
    box.raw("trace", "cat", box.path("missing")).one_line(125, "missing", "No such file")
    box.raw("trace", "cat").expect(125, b"")
    box.raw("trace", "cat", "--format", "xml", "x").expect(125, b"")


def test_trace_selection(box):
    _, records = traced(box, "/bin/ls", "/", options=["--trace", "file,!execve,!access"])
    names = {call["call"] for call in calls_of(records)}
    check("openat" in names and not names & {"access", "execve", "mmap", "write", "close"}, names)
    box.run("/bin/true", options=["--trace", "file,nocall"]).one_line(125, "--trace", "nocall")
    box.run("/bin/true", options=["--trace", "/no/such/dir/f"]).one_line(125, "/no/such/dir/f")
    box.run("/bin/true", options=["--trace-format", "xml"]).one_line(125, "xml")
    result = box.run("/bin/true", options=["--trace", "exit_group"]).expect(0, b"")
    check(b'"call":"exit_group"' in result.err, "without a file it goes to stderr")


def test_trace_counts_what_is_answered_in_the_guest(box):
    if box.platform != "systrap":
        raise Skip("this platform answers nothing in the guest")
    script = "import os\nfor i in range(500): os.getppid()"
    _, records = traced(box, "/usr/bin/python3", "-c", script)
    counts = {record["call"]: record["count"] for record in records if record["type"] == "answered-in-guest"}
    check(counts.get("getppid", 0) + sum(call["call"] == "getppid" for call in calls_of(records)) == 500, counts.get("getppid"))
    _, records = traced(box, "/usr/bin/python3", "-c", script, options=["--trace-all"])
    check(sum(call["call"] == "getppid" for call in calls_of(records)) == 500, "each call")
    check(not any(record["type"] == "answered-in-guest" for record in records), "nothing was answered in the guest")



def test_trace_of_unknown_numbers(box):
    """Calls that Linux does not have are calls, too."""
    script = "import ctypes\nfor n in (469, 470, 471, 511, 512, 100000): ctypes.CDLL(None).syscall(ctypes.c_long(n), 1, 2)"
    _, records = traced(box, "/usr/bin/python3", "-c", script, options=["--coverage", box.path("c")])
    names = [call["call"] for call in calls_of(records)]
    for number in (470, 471, 511, 512, 100000):
        check(names.count("syscall_%#x" % number) == 1, "%#x" % number, names[-20:])
    told = [call for call in calls_of(records) if call["nr"] == 100000][0]
    check(told["error"] == "ENOSYS" and told["verdict"] == "unsupported" and told["args"]["arg1"] == "0x2", told)
    check(json.loads(box.read("c"))["items"]["syscall_0x186a0"]["errors"] == {"ENOSYS": 1}, "coverage")


def test_trace_of_hostile_names(box):
    """Whatever a program names or writes, lines stay lines and ASCII stays ASCII."""
    script = "import os, ctypes\nfor n in (b'a\"},{\"type\":\"end\"}\\n', b'\\x1b[2J\\x07', b'\\xff\\xfe\\xc0', b'</script><b>', b'\\xe2\\x80\\xae'):\n" \
             "  try: os.open(n, 0)\n  except OSError: pass\n" \
             "ctypes.CDLL(None).prctl(15, b'\\x1b]0;x\\n\"', 0, 0, 0)\nif os.fork() == 0: os._exit(0)\nos.wait()"
    result, records = traced(box, "/usr/bin/python3", "-c", script)
    result.expect(0)
    check(sum(record["type"] == "end" for record in records) == 1 and records[-1]["type"] == "end", "one end")
    text = box.read("trace")
    check(all(byte == 10 or 32 <= byte < 127 for byte in text), "something does not print")


def shape(name, result):
    """Values that differ from run to run, and waiting for others, do not count."""
    if name in ("futex", "restart_syscall", "rt_sigreturn") or name.startswith("sched_"):
        return None
    number = re.match(r"-?\d+", result)
    return (name, "-1" if number and number.group().startswith("-") else "+")


def test_trace_is_what_strace_sees(box):
    """Task by task and call by call, as natively; restarts and vDSO calls aside."""
    if not shutil.which("strace") or not shutil.which("gcc"):
        raise Skip("strace or gcc is not installed")
    box.write("p.c", PROGRAM)
    subprocess.run(["gcc", "-w", "-O1", "-pthread", "-o", box.path("p"), box.path("p.c")], check=True)
    subprocess.run(["strace", "-f", "-o", box.path("native"), "./p"], cwd=box.dir, stdout=subprocess.DEVNULL, check=False)
    os.unlink(box.path("file"))
    native, unfinished = {}, {}
    for line in box.read("native").decode().splitlines():
        tid, rest = line.split(None, 1)
        match = re.match(r"(\w+)\(.*<unfinished \.\.\.>$", rest)
        resumed = re.match(r"<\.\.\. (\w+) resumed>.* = (\S+)", rest)
        whole = re.match(r"(\w+)\(.* = (\S+)", rest)
        if match:
            unfinished[tid] = match.group(1)
        elif resumed or whole:
            native.setdefault(tid, []).append(shape(*(resumed or whole).groups()))
    _, records = traced(box, "./p", options=["--trace-all"])
    ours = {}
    for call in calls_of(records):
        ours.setdefault(call["tid"], []).append(shape(call["call"], str(call["result"])) if call["result"] is not None else (call["call"], "+"))
    # How rseq ends is a matter of support.
    clean = lambda tasks: sorted([call for call in task if call and call[0] not in ("exit", "rseq")] for task in tasks.values())
    a, b = clean(native), clean(ours)
    check(len(a) == len(b), "%d tasks natively, %d here" % (len(a), len(b)))
    for theirs, mine in zip(a, b):
        check(theirs == mine, "natively %s\nhere %s" % (theirs, mine))


def test_coverage(box):
    box.run("/bin/cat", "/proc/self/maps", options=["--coverage", box.path("c")]).expect(0)
    one = json.loads(box.read("c"))
    check(one["runs"] == 1 and one["items"]["openat"]["support"] == "full", one["runs"])
    check("openat flags O_CLOEXEC" in one["items"] and "file /proc/self/maps" in one["items"], list(one["items"])[:9])
    check(sum(one["items"]["read"]["latencies"]) == one["items"]["read"]["count"], "latencies")
    box.run("/bin/ls", "/nowhere", options=["--coverage", box.path("c")]).expect(2)
    two = json.loads(box.read("c"))
    check(two["runs"] == 2 and two["items"]["openat"]["count"] > one["items"]["openat"]["count"], "it adds up")
    table = box.raw("coverage", "show", box.path("c")).expect(0, None, b"").out.decode()
    check(re.search(r"(?m)^openat +full +\d+", table), table[:300])
    check("O_CLOEXEC" in box.raw("coverage", "show", "--all", box.path("c")).expect(0).out.decode(), "--all")
    check(json.loads(box.raw("coverage", "show", "--format", "json", box.path("c")).expect(0).out) == two, "json")
    box.raw("coverage", "merge", "-o", box.path("m"), box.path("c"), box.path("c")).expect(0, b"", b"")
    check(json.loads(box.read("m"))["runs"] == 4, "merge")


def test_coverage_of_many_things(box):
    """More than a sort does on the stack: the process that counts must be allowed to."""
    box.run("/bin/sh", "-c", "ls -la /proc/self /dev /etc >/dev/null; seq 100 | sort -r | tail -1; cp /etc/passwd x; date; ps >/dev/null", options=["--coverage", box.path("c")]).expect(0)
    check(len(json.loads(box.read("c"))["items"]) > 130, "items")


def test_coverage_diff(box):
    box.run("/bin/true", options=["--coverage", box.path("old")]).expect(0)
    script = "import ctypes\nctypes.CDLL(None).syscall(425, 1, 0)"
    box.run("/usr/bin/python3", "-c", script, options=["--coverage", box.path("new")]).expect(0)
    result = box.raw("coverage", "diff", box.path("old"), box.path("new"), "--fail-on", "new-enosys,lost-support", "--junit", box.path("j.xml"),
                     "--sarif", box.path("s.json")).expect(1)
    check(b"FAIL new-enosys: io_uring_setup" in result.out and b"note new-syscall" in result.out, result.out[:300])
    suite = xml.dom.minidom.parse(box.path("j.xml")).documentElement
    check(suite.getAttribute("failures") == str(len([case for case in suite.getElementsByTagName("testcase")
                                                     if case.getElementsByTagName("failure")])) != "0", "failures")
    sarif = json.loads(box.read("s.json"))
    check(any(found["ruleId"] == "new-enosys" and found["level"] == "error" for found in sarif["runs"][0]["results"]), "sarif")
    box.raw("coverage", "diff", box.path("old"), box.path("new")).expect(0)
    box.raw("coverage", "diff", box.path("new"), box.path("new"), "--fail-on", "new-syscall,new-value,new-enosys,lost-support").expect(0, b"nothing is new\n")
    box.raw("coverage", "diff", box.path("old"), box.path("new"), "--fail-on", "everything").expect(125, b"")
    box.write("bad", "{\"sentry_coverage\": 7}")
    box.raw("coverage", "show", box.path("bad")).one_line(125, "not a coverage file")
    box.run("/bin/true", options=["--coverage", box.path("bad")]).expect(125)
    check(box.read("bad") == b"{\"sentry_coverage\": 7}", "a foreign file stays as it is")


def test_inject(box):
    box.write("f", "text")
    script = "import os\nfor i in range(8):\n  try: os.close(os.open('f', 0)); print('ok')\n  except OSError as e: print(e.errno)"
    result, records = traced(box, "/usr/bin/python3", "-c", script, options=["--inject", "open:error=EIO"])
    result.expect(0, b"ok\n" * 8)
    script = "import os, ctypes\nc = ctypes.CDLL(None, use_errno=True)\nfor i in range(8): print(c.umask(18))\nprint(os.getppid())"
    result, records = traced(box, "/usr/bin/python3", "-c", script, options=["--inject", "umask:retval=5:when=3+2", "--inject", "getppid:retval=77"])
    lines = result.expect(0).out.decode().split()
    check(lines == ["18", "18", "5", "18", "5", "18", "5", "18", "77"], lines)
    check([call["verdict"] for call in calls_of(records) if call["call"] == "umask"] == ["allowed"] * 2 + ["injected", "allowed"] * 3, "verdicts")
    result = box.run("/bin/sh", "-c", "kill -0 $$; echo no", options=["--inject", "kill:signal=SIGTERM"])
    result.expect(143)
    result = box.run("/bin/sh", "-c", "umask 1; umask 2; umask 3", options=["--inject", "umask:delay_enter=200ms:when=1..2"])
    check(result.expect(0).seconds >= 0.4, result.seconds)
    for rule, words in (("nocall:error=EIO", "character 1"), ("read:error=ENOTHING", "no such error"), ("read", "nothing is to be done"),
                        ("read:when=0:error=EIO", "FIRST")):
        box.run("/bin/true", options=["--inject", rule]).one_line(125, "--inject", words)


HOSTILE = "import os\nfor n in (b'</script><script>alert(1)</script>', b'<!--<script>', b'\\xe2\\x80\\xa8', b'\\\\\"}}]'):\n  try: os.open(n, 0)\n  except OSError: pass"


def test_report_page(box):
    traced(box, "/usr/bin/python3", "-c", HOSTILE, name="trace")
    box.run("/bin/ls", "/", options=["--trace", box.path("other"), "--trace-format", "binary"]).expect(0)
    box.raw("report", box.path("trace"), "--compare", box.path("other"), "-o", box.path("page.html")).expect(0, b"", b"")
    page = box.read("page.html").decode("utf-8")
    check(page.count("<script") == 2 and page.count("</script>") == 2 and "<!--" not in page, "something got out of the data")
    check(not re.search(r"""(src|href)=["']?(https?:)?//""", page), "the page asks for something")
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.S).group(1))
    check(data["other"]["command"] == "/bin/ls /" and any(call["name"] == "openat" for call in data["run"]["calls"]), "data")
    check(any("</script>" in row["name"] for row in data["run"]["files"]), "the hostile name is there, as text")


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202eevil\u2066\u001b[31m\u001b]0;x\u0007;\u0000\"'&amp;" + "w" * 300


def hostile_trace(name, kilobytes=8):
    """Lines of a trace that never was: whatever can be a string is somebody's worst."""
    evil = EVIL.replace("\u0000", "") + "v" * 1024 * kilobytes
    frame = {"address": evil, "module": evil, "offset": evil, "symbol": evil, "symbol_offset": evil}
    lines = [{"type": "begin", "version": 2, "started": 1e300, "command": evil, "platform": evil},
             {"type": "volume", "time": 0, "source": evil, "target": evil, "mode": evil},
             {"type": "task", "time": 0, "pid": 2, "tid": 2, "parent": 1, "name": evil}]
    for i, call in enumerate(("openat", "connect", EVIL + ";" * 3000, "execve")):
        lines.append({"type": "call", "time": i, "pid": 2, "tid": 2, "call": call, "nr": 257, "result": -1, "returned": evil, "error": evil[:i * 7] or "ENOENT",
                      "latency": [0.001, 1e308, -5, 3][i], "answered": evil, "verdict": "refused", "support": evil, "ip": evil, "event": evil, "site": evil,
                      "args": {"pathname": '"%s"' % EVIL[:900].replace("\u0000", ""), evil: evil, "addr": "{sa_family=" + evil}, "stack": [frame, {"file": evil, "line": 3, "function": evil}]})
    lines += [{"type": "signal", "time": 1, "pid": 2, "tid": 2, "signal": evil, "signo": 9},
              {"type": "network", "time": 1, "event": "flow", "protocol": evil, "direction": evil, "from": evil, "to": "1.2.3.4:5", "domain": evil, "sent": 1 << 50, "received": -3},
              {"type": "network", "time": 2, "event": "denied", "protocol": evil, "to": evil, "domain": evil, "rule": evil, "allow": evil},
              {"type": "network", "time": 2, "event": "name", "name": evil},
              {"type": "answered-in-guest", "time": 3, "call": evil, "nr": -1, "count": 5, "support": evil},
              {"type": "exit", "time": 3, "pid": 2, "tid": 2, "status": -1, "process": True},
              {"type": "usage", "time": 3, "memory": 1 << 62, "tasks": 1 << 62, "cpu": 1e307, "output": -1}, {"type": "end", "time": 4}]
    with open(name, "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


# The worst contrast of letters on what is behind them (WCAG 2, 1.4.3), and where.
CONTRAST = """(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number), linear = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = at => { for (; at; at = at.parentElement) { const c = parts(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ""];
  for (const at of document.querySelectorAll("body *")) {
    if (!at.checkVisibility() || ![...at.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const a = light(parts(getComputedStyle(at).color)), b = light(behind(at)), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, at.tagName + "." + at.className + " " + at.textContent.slice(0, 30)];
  }
  for (let i = 0; i < 400; i++) {
    const t = tint("name" + i), a = light(parts(t.back)), b = t.text === "#000" ? 0 : 1, ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, "flame " + t.back];
  }
  return worst;
})()"""
HOLDER = "document.activeElement.closest('[id]')?.id + ' ' + document.activeElement.tagName"


def walk_the_page(browser, tables):
    """By keys alone: everything is reached by Tab, and each table, the timeline and the flame graph do what their keys say."""
    wanted = {name + "-table TH" for name in tables} | {"filter INPUT", "chart CANVAS", "flame CANVAS", "theme BUTTON", "in BUTTON", "flame-out BUTTON",
                                                        "calls-table TR"}
    for _ in range(150):
        browser.press("Tab")
        wanted.discard(browser.run(HOLDER))
        if not wanted:
            break
    check(not wanted, "not reached by Tab:", wanted)
    for name in tables:
        orders = set()
        for column in range(browser.run("document.querySelectorAll('#%s-table th').length" % name)):
            browser.run("document.querySelectorAll('#%s-table th')[%d].focus()" % (name, column))
            for key in ("Enter", " "):
                browser.press(key)
                orders.add(browser.run("document.activeElement.getAttribute('aria-sort')"))
        check(orders == {"ascending", "descending"}, name, orders)
    browser.run("document.querySelector('#calls-table tbody tr').focus()")
    browser.press("ArrowDown")
    browser.press("Enter")
    check(browser.run("document.getElementById('latency-name').textContent === document.querySelector('#calls-table tr[aria-selected] td').textContent"), "a row")
    label = "document.getElementById('range').textContent"
    browser.run("document.getElementById('chart').focus()")
    seen = [browser.run(label)]
    for key in ("+", "ArrowRight", "ArrowLeft", "-", "+", "Home"):
        browser.press(key)
        seen.append(browser.run(label))
    check(seen[0] != seen[1] != seen[2] != seen[3] and seen[-1] == seen[0], seen)
    path = "document.getElementById('flame-path').textContent"
    browser.run("document.getElementById('flame').focus()")
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft", "Enter"):
        browser.press(key)
    check(browser.run(path), "the flame graph stays where it is")
    browser.press("Backspace")
    check(not browser.run(path), "the flame graph stays where it is")


def test_report_page_in_a_browser(box):
    """It works by keys alone, in dark and light, on a narrow screen, with hostile names; and says, asks for and breaks nothing."""
    traced(box, "/bin/sh", "-c", "ls / | wc -l; cat /nowhere")
    hostile_trace(box.path("hostile"))
    box.raw("report", box.path("trace"), "--compare", box.path("hostile"), "-o", box.path("plain.html")).expect(0, b"", b"")
    box.raw("report", box.path("hostile"), "--compare", box.path("trace"), "-o", box.path("hostile.html")).expect(0, b"", b"")
    with Browser(box.path("profile")) as browser:
        for page, tables, screens in (("plain", ("calls", "files", "tasks", "compare"), ((390, True), (1280, False))),
                                      ("hostile", ("calls", "files", "addresses", "network", "denials", "tasks", "compare"), ((1280, False), (1280, True), (390, False)))):
            for width, dark in screens:
                browser.open(box.path(page + ".html"), width=width, dark=dark)
                wide = browser.run("document.documentElement.scrollWidth")
                check(wide <= width, page, "is %d wide on a screen of %d" % (wide, width))
                worst, where = browser.run(CONTRAST)
                check(worst >= 4.5, page, "dark" if dark else "light", worst, where)
            walk_the_page(browser, tables)
            check(browser.run("document.querySelectorAll('script').length") == 2 and browser.run("document.images.length") == 0, "something got out")
            check(not browser.run(r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText)"), "signs that turn text")
            back = "getComputedStyle(document.body).backgroundColor"
            first = browser.run(back)
            browser.run("document.getElementById('theme').focus()")
            browser.press("Enter")
            check(first != browser.run(back), "the theme stays")
            check(not browser.told, page, browser.told)
        # What the test would say of a page that does break something.
        box.write("bad.html", box.read("plain.html").decode().replace("</body>", "<script>console.warn('w')</script><img src='http://127.0.0.1:9/x'></body>"))
        browser.open(box.path("bad.html"))
        browser.run("new Promise(done => setTimeout(done, 50))")
        check(any("console.warn" in told for told in browser.told) and any("Content Security" in told for told in browser.told), browser.told)


def test_report_of_hostile_names(box):
    """No form of a report lets what was in the trace out of its strings."""
    hostile_trace(box.path("hostile"), 1)
    for form in ("perfetto", "otlp", "seccomp", "policy"):
        out = box.raw("report", "--format", form, box.path("hostile")).expect(0, None, b"").out
        check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", out), form, "control characters")
        json.loads(out[out.index(b"{"):] if form != "policy" else out[out.index(b"\n{"):])


def test_report_formats(box):
    _, records = traced(box, "/bin/sh", "-c", "ls / >/dev/null; kill -9 $$")
    box.run("/usr/bin/python3", "-c", "print(1)", options=["--trace", box.path("b"), "--trace-format", "binary"]).expect(0)
    chrome = json.loads(box.raw("report", "--format", "perfetto", box.path("trace")).expect(0, None, b"").out)["traceEvents"]
    check(sum(event["ph"] == "X" for event in chrome) == len(calls_of(records)), "calls")
    check({event["args"]["name"] for event in chrome if event["ph"] == "M"} >= {"sh", "ls"}, "names")
    spans = json.loads(box.raw("report", "--format", "otlp", box.path("trace")).expect(0, None, b"").out)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    ids = {span["spanId"] for span in spans}
    check(len(ids) == len(spans) and all(span.get("parentSpanId", "") in ids for span in spans if span["name"] != "sandbox"), "parents")
    profile = json.loads(box.raw("report", "--format", "seccomp", box.path("trace"), box.path("b")).expect(0, None, b"").out)
    names = profile["syscalls"][0]["names"]
    check(profile["defaultAction"] == "SCMP_ACT_ERRNO" and "getdents64" in names and "kill" in names and "2 runs" in profile["syscalls"][0]["comment"], profile)
    box.raw("report", "--format", "policy", box.path("trace"), "-o", box.path("p.json")).expect(0)
    box.raw("policy", "check", box.path("p.json")).expect(0)
    box.run("/bin/true", options=["--policy", box.path("p.json")]).expect(0)


WORK = r"""
import os, socket, subprocess, threading
server = socket.create_server(("127.0.0.1", 0))
def serve():
    peer, _ = server.accept()
    peer.sendall(open("/in/words").read().encode())
    peer.close()
thread = threading.Thread(target=serve)
thread.start()
with socket.create_connection(server.getsockname()) as client:
    print(client.recv(100).decode().strip())
thread.join()
os.chdir("/out")
with open("x.c", "w") as file:
    file.write("int main(void) { return 7; }")
if os.path.exists("/usr/bin/gcc"):
    print(subprocess.run(["gcc", "x.c", "-o", "x"]).returncode, subprocess.run(["./x"]).returncode)
if os.path.exists("/usr/bin/git"):
    for words in ("init -q .", "add x.c", "-c user.name=a -c user.email=b commit -q -m first", "log --format=%s"):
        subprocess.run(["git"] + words.split(), check=True)
"""


def test_policy_of_a_run(box):
    """A policy that was made of a run is enough for the next one, and says what more would take."""
    for name in ("empty", "data", "data/in", "data/out", "data/other"):
        os.mkdir(box.path(name))
        os.chmod(box.path(name), 0o777)
    box.write("data/in/words", "some words\n")
    box.write("data/other/secret", "no")
    more = {"cwd": box.path("empty"), "timeout": 60}
    volumes = ["-v", box.path("data/in") + ":/in:rw", "-v", box.path("data/out") + ":/out:rw", "-v", box.path("data/other") + ":/other",
               "--allow-path", ".git/hooks", "--allow-path", ".git/config"]

    def work(options):
        shutil.rmtree(box.path("data/out"))
        os.mkdir(box.path("data/out"))
        os.chmod(box.path("data/out"), 0o777)
        return box.run("/usr/bin/python3", "-c", WORK, options=options, **more)

    for form in ("json", "binary"):
        options = volumes + ["--trace", box.path("t." + form), "--trace-format", form]
        first = work(options).expect(0)
        text = box.raw("report", "--format", "policy", box.path("t." + form)).expect(0, None, b"").out
        box.write("policy", text.decode())
        policy = json.loads(text[text.index(b"{"):])
        # What was read alone is read only, and what was not used is not there.
        check(sorted(policy["files"]["volumes"]) == [box.path("data/in") + ":/in:ro", box.path("data/out") + ":/out:rw"], policy)
        check({"memory", "timeout", "cpu-time", "pids-limit", "nofile", "output-limit"} == set(policy["limits"]) and policy["network"] == "none", policy)
        work(["--policy", box.path("policy")]).expect(0, first.out)
    hold = ["--policy", box.path("policy")]
    script = "for p, m in (('/in/words', 'a'), ('/other/secret', 'r')):\n  try: open(p, m)\n  except OSError as e: print(e.errno)"
    box.run("/usr/bin/python3", "-c", script, options=hold, **more).expect(0, b"30\n2\n")
    result = box.run("/usr/bin/python3", "-c", "x = b'1' * (4 << 30)", options=hold, **more)
    check(result.code != 0 and b"--memory raises it" in result.err, result.code, result.err)


LOADER = r"""
import ctypes, json, os, sys
profile, argv = json.load(open(sys.argv[1])), sys.argv[2:]
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
assert profile["defaultAction"] == "SCMP_ACT_ERRNO" and profile["architectures"] == ["SCMP_ARCH_X86_64"]
context = lib.seccomp_init(0x00050000 | profile["defaultErrnoRet"])
for rule in profile["syscalls"]:
    assert rule["action"] == "SCMP_ACT_ALLOW"
    for name in rule["names"]:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        assert number >= 0, name
        assert lib.seccomp_rule_add_array(context, 0x7fff0000, number, 0, None) == 0, name
assert lib.seccomp_load(context) == 0
os.execv(argv[0], argv)
"""


def test_report_seccomp_profile_holds_natively(box):
    """What a run in the sandbox called is enough for a native one, and no more than that is allowed."""
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise Skip("libseccomp is not installed")
    box.write("load.py", LOADER)
    script = "cd /usr && ls | sort -r | head -3; echo $(expr 3 + 4) >/dev/null"
    result, _ = traced(box, "/bin/sh", "-c", script)
    box.raw("report", "--format", "seccomp", "-o", box.path("profile.json"), box.path("trace")).expect(0)

    def natively(*argv):
        return subprocess.run(["/usr/bin/python3", box.path("load.py"), box.path("profile.json")] + list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={"PATH": "/usr/bin:/bin"}, timeout=30, check=False)

    done = natively("/bin/sh", "-c", script)
    check(done.returncode == 0 and done.stdout == result.out, done)
    done = natively("/bin/sh", "-c", "kill -0 $$")
    check(b"not permitted" in done.stderr, "kill(2) was not in it", done)


def test_report_of_foreign_files(box):
    _, records = traced(box, "/bin/true")
    whole = box.read("trace")
    for name, content, words in (("empty", b"", "empty"), ("foreign", b"{\"a\": 1}\n", "not a trace"), ("first", whole[:40], "cut off in its first line"),
                                 ("damaged", whole.replace(b'\n{"type"', b'\n{{"type"', 1), "damaged"),
                                 ("text", b"hello\n" * 100, "not a trace"), ("nul", whole[:300] + b"\0" + whole[301:], "damaged")):
        box.write(name, content)
        for form in ("html", "otlp", "seccomp"):
            result = box.raw("report", "--format", form, "-o", box.path("out"), box.path(name)).expect(1, b"")
            check(words in result.err.decode() and result.err.count(b"\n") == 1, name, form, result.err)
    box.raw("report", box.path("missing")).one_line(125, "missing")
    # The trace of a run that was killed has no end: what it has is used, and that is said.
    for name, content in (("cut", whole[:-30]), ("lines", b"\n".join(whole.splitlines()[:-1]) + b"\n")):
        box.write(name, content)
        for form in ("html", "perfetto", "otlp", "seccomp", "policy"):
            result = box.raw("report", "--format", form, "-o", box.path("out"), box.path(name)).expect(0, b"")
            check(b"cut off" in result.err and result.err.count(b"\n") == 1, name, form, result.err)
            text = box.read("out").decode()
            check("execve" in text if form == "seccomp" else '"whole":false' in text if form == "html" else text, form)
            check(form not in ("perfetto", "otlp") or json.loads(text), form)
    box.raw("report").expect(125, b"")
    box.raw("report", "--format", "pdf", box.path("trace")).expect(125, b"")


def test_report_of_a_killed_run(box):
    """Nobody could write its end."""
    for form in ("json", "binary"):
        process = box.start(["/bin/sh", "-c", "for i in 1 2 3 4 5; do ls / >/dev/null; done; echo ready; read line"], options=["--trace", box.path(form), "--trace-format", form])
        check(process.stdout.readline() == b"ready\n", "it started")
        # What there is, is written after a tenth of a second.
        for _ in range(200):
            result = box.raw("report", "--format", "seccomp", box.path(form))
            if result.code == 0 and b"execve" in result.out:
                break
            time.sleep(0.05)
        process.kill()
        process.wait(20)
        result = box.raw("report", "--format", "seccomp", box.path(form)).expect(0)
        # The kernel process is killed, or, when it sees first that the launcher is gone, comes to an end of its own.
        check((b"cut off" in result.err or result.err == b"") and "execve" in json.loads(result.out)["syscalls"][0]["names"], result.err)


def test_inject_by_argument(box):
    box.write("a", "a")
    box.write("b", "b")
    box.run("/bin/cat", "a", "b", options=["--inject", "openat:pathname=*b:error=EIO"]).expect(1, b"a")
    script = "import os\nfor f in (0, os.O_CLOEXEC, os.O_DSYNC):\n  try: os.close(os.open('/', f)); print('ok')\n  except OSError as e: print(e.errno)"
    box.run("/usr/bin/python3", "-c", script, options=["--inject", "openat:flags=O_DSYNC:error=EMFILE", "--inject", "openat:flags=0x123456:error=EIO"]).expect(0, b"ok\nok\n24\n")


def test_needs(box):
    box.write("p.c", "#include <fcntl.h>\n#include <unistd.h>\nint main(void) { getppid(); int fd = open(\"f\", O_RDONLY | O_CLOEXEC); char b[4];\n"
              "if (fd < 0) return 3; read(fd, b, 4); write(1, b, 4); return 0; }\n")
    box.write("f", "text")
    if not shutil.which("gcc") or subprocess.run(["gcc", "-static", "-o", box.path("p"), box.path("p.c")], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("no static program can be made")
    platform = ["-O", "--platform", "-O", box.platform]
    found = json.loads(box.raw("needs", "--format", "json", "--values", *platform, "--", "./p", cwd=box.dir, timeout=120).expect(0, None, b"").out)
    needs = {need["what"]: need for need in found["needs"]}
    check(needs["getppid"]["verdict"] == "stub or fake" and needs["write"]["verdict"] == "required", needs["getppid"], needs["write"])
    check(needs["write"]["faked"]["evidence"] == "its output differs" and "exit code 3" in needs["openat"]["stubbed"]["evidence"], needs["openat"])
    check(needs["openat flags O_CLOEXEC"]["verdict"] == "required", needs["openat flags O_CLOEXEC"])
    lines = box.raw("needs", "--format", "csv", "--check", "grep -q text && test $STATUS = 0", *platform, "--", "./p", cwd=box.dir, timeout=120).expect(0).out.decode().splitlines()
    check(lines[0] == "# syscall, used, works faked, works stubbed, works both" and lines[2] == "1,Y,N,N,N" and "110,Y,Y,Y,Y" in lines, lines[:4])
    box.raw("needs", "--check", "false", *platform, "--", "./p", cwd=box.dir).one_line(125, "undisturbed")
    box.raw("needs", *platform, "--", "./nothing", cwd=box.dir).one_line(125, "./nothing")
    for args in (["needs"], ["needs", "--jobs", "0", "--", "x"], ["needs", "--format", "xml", "--", "x"], ["needs", "--timeout", "x", "--", "x"]):
        box.raw(*args).expect(125, b"")


def test_trace_places(box):
    """Where a trace may go, and what is said where it may not."""
    first = box.start(["/bin/sh", "-c", "echo ready; read x"], options=["--trace", box.path("t")])
    check(read_line(first) == b"ready\n", "it does not run")
    box.run("/bin/true", options=["--trace", box.path("t")]).one_line(125, "--trace", "another run writes it")
    first.stdin.write(b"x\n")
    finish(first)
    records = [json.loads(line) for line in box.read("t").splitlines()]
    check(records[0]["type"] == "begin" and records[-1]["type"] == "end", "the first one's trace")
    box.run("/bin/true", options=["--trace", box.path("t")]).expect(0, b"", b"")
    # Standard output, by the name that it has everywhere.
    out = box.run("/bin/echo", "hello", options=["--trace", "-", "--trace", "exit_group"]).expect(0, None, b"").out
    check(b"hello\n" in out and b'"type":"end"' in out and not os.path.exists(box.path("-")), out)
    full = box.run("/bin/echo", "hello", options=["--trace", "/dev/full"]).expect(125, b"hello\n")
    check(full.err.count(b"\n") == 1 and b"No space left" in full.err, full.err)
    box.run("/bin/true", options=["--trace", box.dir]).one_line(125, "--trace", "directory")
    # Lines without an end do not take all memory, whoever reads them.
    for words, code in ((("report", "/dev/zero"), 1), (("trace", "cat", "/dev/zero"), 1), (("logs", "/dev/zero"), 125), (("audit", "verify", "/dev/zero"), 1)):
        result = box.raw(*words).expect(code)
        check((result.out + result.err).count(b"\n") == 1 and len(result.out) < 300, words, result.out, result.err)
    with open(box.path("endless"), "wb") as file:
        file.write(b'{"type":"begin",')
        file.truncate(1 << 32)
    box.raw("report", box.path("endless"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))).one_line(1, "not a trace")
