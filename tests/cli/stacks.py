# SPDX-License-Identifier: Apache-2.0
"""--stacks: where traced calls come from."""
import json
import os
import random
import re
import shutil
import signal
import subprocess

from box import Skip, check, family, finish, read_line
from observe import calls_of, traced

PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#define NOT_INLINE __attribute__((noinline, noclone))
#define NOT_LAST __asm__ volatile("")
NOT_INLINE void c_calls(const char *name) { mkdir(name, 0700); NOT_LAST; }
NOT_INLINE void b_calls(const char *name) { char room[3000]; __asm__ volatile("" : : "r"(room) : "memory"); c_calls(name); NOT_LAST; }
NOT_INLINE void a_calls(const char *name) { b_calls(name); NOT_LAST; }
NOT_INLINE void handler(int signo) { a_calls("in-handler"); NOT_LAST; _exit(0); }
NOT_INLINE void interrupted(void) { __asm__ volatile("ud2"); }
NOT_INLINE void *thread(void *arg) { a_calls("in-thread"); NOT_LAST; return arg; }
int main(int argc, char **argv)
{
	pthread_t id;
	for (int i = 0; i < 20; i++) /* its call site is patched meanwhile */
		a_calls("in-main");
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	signal(SIGILL, handler);
	interrupted();
	return 1;
}
"""

SCRIPT = """import os, threading

class Thing:
    def method(self, name):
        return list(map(lambda n: os.mkdir(n), [name]))

def outer(name):
    Thing().method(
        name)

outer("one")
thread = threading.Thread(target=outer, args=("two",))
thread.start()
thread.join()
"""


def compiled(box, name, *options, program=PROGRAM):
    box.write(name + ".c", program)
    subprocess.run(["cc", "-O2", "-fomit-frame-pointer", "-pthread", "-o", box.path(name), box.path(name + ".c")] + list(options), check=True)


def stacks_of(records, call):
    return [record for record in calls_of(records) if record["call"] == call]


def symbols(record):
    return [frame.get("symbol") or frame.get("function") or "?" for frame in record["stack"]]


def in_order(names, found):
    rest = iter(found)
    return all(name in rest for name in names)


def test_stacks(box):
    compiled(box, "p")
    result, records = traced(box, "./p", options=["--stacks"])
    result.expect(0, b"")
    calls = [call for call in calls_of(records) if call["call"] != "execve"]  # the command's own: nothing ran before
    check(calls and all(call.get("stack") for call in calls), [call["call"] for call in calls if not call.get("stack")])
    made = stacks_of(records, "mkdir")
    check(len(made) == 22, len(made))
    for call in made:
        names = symbols(call)
        where = call["args"]["pathname"].strip('"')
        check(names[1:4] == ["c_calls", "b_calls", "a_calls"], where, names)
        check(call["stack"][0]["module"].endswith("libc.so.6") and call["stack"][0]["address"] == call["ip"], call["stack"][0])
        check(call["stack"][1]["module"].endswith("/p") and int(call["stack"][1]["offset"], 16) < 0x10000, call["stack"][1])
        check(call["site"].endswith("mov eax, 0x53; syscall"), call["site"])
        wanted = {"in-main": ["main", "_start"], "in-thread": ["thread"], "in-handler": ["handler", "interrupted", "main", "_start"]}[where]
        check(in_order(wanted, names), where, names)
    # In a file of records it is the same.
    box.run("./p", options=["--stacks", "--trace-format", "binary", "--trace", box.path("b")]).expect(0, b"")
    text = box.raw("trace", "cat", "--format", "json", box.path("b")).expect(0).out.decode()
    check(text.count('"symbol":"a_calls"') == 22, text.count('"symbol":"a_calls"'))
    text = box.raw("trace", "cat", box.path("b")).expect(0).out.decode()
    check(len(re.findall(r"(?m)^ > \S+/p\(a_calls\+0x[0-9a-f]+\) \[0x[0-9a-f]+\]$", text)) == 22, text[-500:])


def test_stacks_of_python(box):
    box.write("x.py", SCRIPT)
    result, records = traced(box, "/usr/bin/python3", "x.py", options=["--stacks", "--trace", "mkdir"])
    result.expect(0, b"")
    version = subprocess.run(["/usr/bin/python3", "-V"], stdout=subprocess.PIPE).stdout.decode()
    made = stacks_of(records, "mkdir")
    check(len(made) == 2 and all(made[i]["stack"] for i in (0, 1)), made)
    if not version.startswith("Python 3.11."):
        return  # others have native frames only
    ours = [[(f["function"], f["line"]) for f in call["stack"] if f.get("file", "").endswith("x.py")] for call in made]
    thing = [("Thing.method.<locals>.<lambda>", 5), ("Thing.method", 5), ("outer", 8)]
    check(ours == [thing + [("<module>", 11)], thing], ours)
    check(in_order(["Thread.run", "Thread._bootstrap"], symbols(made[1])), symbols(made[1]))


CPP = r"""
#include <string>
#include <sys/stat.h>
namespace shop { template <class T> struct Box { __attribute__((noinline)) void open(T, const std::string &name) { mkdir(name.c_str(), 0700); asm volatile(""); } }; }
/* Short, and longer than any memory when it is written out. */
extern "C" __attribute__((noinline)) void bomb() __asm__("_Z1fI1AIS0_S0_EE1BIS1_S1_E1CIS2_S2_E1DIS3_S3_E1EIS4_S4_Ev");
void bomb() { mkdir("bomb", 0700); asm volatile(""); }
int main() { shop::Box<int> box; box.open(1, "d"); bomb(); return 0; }
"""


def test_stacks_of_cpp(box):
    """Names as people write them, in each form of a trace."""
    if not shutil.which("g++"):
        raise Skip("g++ is not installed")
    box.write("p.cc", CPP)
    subprocess.run(["g++", "-O1", "-o", box.path("p"), box.path("p.cc")], check=True)
    _, records = traced(box, "./p", options=["--stacks", "--trace", "mkdir"])
    made = stacks_of(records, "mkdir")
    names = symbols(made[0])
    if not any(name.startswith("shop::") for name in names):
        raise Skip("built without a demangler: %s" % names)
    check(any(name.startswith("shop::Box<int>::open(int, ") for name in names) and "main" in names, names)
    check(len(made) == 2 and all(len(name) < 300 for name in symbols(made[1])) and "main" in symbols(made[1]), made[1])
    chrome = json.loads(box.raw("report", "--format", "perfetto", box.path("trace")).expect(0, None, b"").out)
    frames, event = chrome["stackFrames"], next(e for e in chrome["traceEvents"] if e["name"] == "mkdir")
    found, at = [], str(event["sf"])
    while at:
        found.append(frames[at]["name"])
        at = frames[at].get("parent")
    check(len(found) == len(names) and found == event["args"]["stack"].split("\n") and any("shop::Box<int>::open" in name for name in found), found)
    spans = json.loads(box.raw("report", "--format", "otlp", box.path("trace")).expect(0, None, b"").out)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    attributes = {a["key"]: a["value"] for span in spans if span["name"] == "mkdir" and "bomb" not in json.dumps(span["attributes"]) for a in span["attributes"]}
    check("shop::Box<int>::open" in attributes["code.stacktrace"]["stringValue"], attributes)


def test_stacks_without_tables(box):
    """Nothing to unwind with: what is known is told, and the run goes on."""
    compiled(box, "p", "-static")
    subprocess.run(["objcopy", "-R", ".eh_frame", box.path("p"), box.path("bare")], check=True)
    for program in ("p", "bare"):
        subprocess.run(["strip", box.path(program)], check=True)
        result, records = traced(box, "./" + program, options=["--stacks"])
        result.expect(0, b"")
        for call in stacks_of(records, "mkdir"):
            check(call["stack"][0]["module"].endswith("/" + program) and call["site"].endswith("syscall"), call)


def test_stacks_missing(box):
    shutil.copy(box.sentry, box.path("alone"))
    done = subprocess.run([box.path("alone"), "run", "--stacks", "--", "/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=box.dir)
    check(done.returncode == 125 and b"sentry-unwinder" in done.stderr and done.stderr.count(b"\n") == 1, done)


def test_stacks_elsewhere(box):
    """Coverage says where something was first seen, the report's flame graph has the frames."""
    compiled(box, "p")
    box.run("./p", options=["--stacks", "--coverage", box.path("c"), "--trace", box.path("t")]).expect(0, b"")
    seen = json.loads(box.read("c"))["items"]["mkdir"]["seen"]
    check("mkdir < c_calls < b_calls < a_calls < main < " in seen, seen)
    box.raw("report", box.path("t"), "-o", box.path("r.html")).expect(0)
    page = box.read("r.html").decode()
    check(re.search(r"p;_start;[^\"]*;main;a_calls;b_calls;c_calls;mkdir;mkdir", page), "no such stack in the page")


LIAR = r"""
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
static unsigned long circle[512];
/* getpriority(0, ...) with another stack and frame pointer than the program's own. */
static long call_with(unsigned long stack, unsigned long frame)
{
	long result;
	__asm__ volatile("mov %%rsp, %%r12; mov %%rbp, %%r13; mov %2, %%rsp; mov %3, %%rbp; syscall; mov %%r12, %%rsp; mov %%r13, %%rbp"
			 : "=a"(result) : "a"(SYS_getpriority), "r"(stack), "r"(frame), "D"(0) : "rcx", "r11", "r12", "r13", "memory");
	return result;
}
int main(void)
{
	static const unsigned long bad[] = {0, 1, 8, 4096, 0x7fffffffffff, 0x800000000000, 0xfffffffffffff000, -8ul, -1ul};
	unsigned char *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const unsigned char code[] = {0xb8, SYS_getpriority, 0, 0, 0, 0x0f, 0x05, 0xc3};
	/* Every word of it is its own address, or a return to the same place. */
	for (int i = 0; i < 512; i++)
		circle[i] = i % 2 ? (unsigned long)&circle[i - 1] : (unsigned long)main + 8;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++)
			call_with(bad[i], bad[j]);
	call_with((unsigned long)circle, (unsigned long)circle);
	call_with((unsigned long)(circle + 1), (unsigned long)(circle + 256));
	for (unsigned i = 0; i < sizeof(code); i++)
		made[i] = code[i];
	((void (*)(void))made)();
	return write(1, "end", 3) != 3;
}
"""


def test_stacks_of_liars(box):
    """Stacks that lead nowhere or in circles, code of no file, tables of garbage: the program does what it does, each call is there."""
    compiled(box, "p", program=LIAR)
    result, records = traced(box, "./p", options=["--stacks", "--trace", "getpriority,write"])
    result.expect(0, b"end")
    check(result.err.count(b"unwinder") == 0, result.err)
    calls = calls_of(records)
    check(len(stacks_of(records, "getpriority")) == 84 and calls[-1]["call"] == "write" and calls[-1]["stack"], len(calls))
    check(all(len(call["stack"]) <= 64 for call in calls), "too many frames")
    compiled(box, "q")
    good = box.read("q")
    layout = subprocess.run(["objdump", "-h", box.path("q")], check=True, stdout=subprocess.PIPE).stdout.decode()
    for seed, section in enumerate((".eh_frame", ".eh_frame_hdr", ".eh_frame")):
        found = re.search(r"(?m)^ *\d+ %s +(\w+) +\w+ +\w+ +(\w+)" % re.escape(section), layout)
        size, at = (int(found.group(i), 16) for i in (1, 2))
        noise = random.Random(seed)
        bad = bytearray(good)
        for i in range(at, at + size):
            if noise.random() < (0.1 if seed else 0.9):
                bad[i] = noise.randrange(256)
        box.write("bad", bytes(bad), 0o755)
        result, records = traced(box, "./bad", options=["--stacks", "--trace", "mkdir"])
        result.expect(0, b"")
        check(len(stacks_of(records, "mkdir")) == 22 and records[-1]["type"] == "end", section)


def test_stacks_unwinder(box):
    """It is confined; when it is gone the run goes on."""
    run = box.start(["/bin/sh", "-c", "echo ready; read x; mkdir d; exit 5"], options=["--stacks", "--trace", box.path("t")])
    read_line(run)
    named = [pid for pid in family(run.pid) if open("/proc/%d/comm" % pid).read() == "sentry-unwinder\n"]
    check(len(named) == 1, named)
    status = open("/proc/%d/status" % named[0]).read()
    check("\nSeccomp:\t2\n" in status and "\nNoNewPrivs:\t1\n" in status, status)
    if os.geteuid() == 0:
        check(sorted(os.listdir("/proc/%d/fd" % named[0])) == ["2", "3"], os.listdir("/proc/%d/fd" % named[0]))
    os.kill(named[0], signal.SIGKILL)
    run.stdin.write(b"\n")
    run.stdin.flush()
    result = finish(run)
    check(result.code == 5 and result.err.count(b"--stacks: the unwinder is gone") == 1, result.code, result.err)
    records = [json.loads(line) for line in box.read("t").decode("ascii").splitlines()]
    check(records[-1]["type"] == "end" and any(call["call"] == "mkdir" for call in calls_of(records)), records[-1])
    check(family(run.pid) == {}, "somebody is left")
