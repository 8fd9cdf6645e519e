# SPDX-License-Identifier: Apache-2.0
"""Outcomes of the executor, made comparable: what differs between two runs on one kernel (times, inode numbers, addresses that the
kernel chose) is blanked, and what differs between kernels for a stated reason is explained."""
import struct

# Results that say nothing but that there is one.
OPAQUE = {"shmget", "semget", "msgget", "times", "time", "mmap", "brk"}
# struct: [(first byte, end)] that are blanked
BLANK = {
    "stat": [(0, 16), (56, 64), (72, 120)],
    # the device, inode, times, mount; Linux 6.18 reports attributes that the sandbox's older interface does not know
    "statx": [(0, 4), (8, 16), (32, 40), (56, 128), (136, 256)],
    "statfs": [(16, 64), (80, 120)],
    "ustat": [(0, 32)],
    "rusage": [(0, 144)], "tms": [(0, 32)], "timex": [(0, 208)], "sysinfo": [(0, 112)], "utsname": [(0, 390)],
    "timezone": [(0, 8)], "syscall_info": [(8, 24)],
    "sched_attr": [(24, 56)],
}
CLOCKS = {"clock_gettime", "gettimeofday", "time"}


def blank(data, ranges):
    out = bytearray(data)
    for begin, end in ranges:
        out[begin:end] = bytes(max(0, min(end, len(out)) - min(begin, len(out))))
    return bytes(out)


def entries(data, old):
    """What getdents wrote: names and types in any order."""
    out, at = [], 0
    while at + 19 <= len(data):
        size = struct.unpack_from("<H", data, at + 16)[0]
        if size < 19 or at + size > len(data) or data[at:at + 8] == b"\xa5" * 8:
            break
        record = data[at:at + size]
        name = record[18:] if old else record[19:]
        kind = record[-1] if old else record[18]
        out.append((name.split(b"\0")[0], kind))
        at += size
    return repr(sorted(out)).encode()


def output(call, number, text, result):
    """A dump's bytes in comparable form."""
    label = call.dumps[number].label
    text, _, rest = text.partition("+")
    data = bytes.fromhex(text)
    if call.name in ("getdents", "getdents64"):
        return entries(data, call.name == "getdents").hex()
    if call.name == "time":
        data = b"time"
    elif label in BLANK:
        data = blank(data, BLANK[label])
    elif label in ("timespec", "timeval"):
        if call.name in CLOCKS or call.name.endswith("nanosleep"):
            data = b"time"
        elif call.name in ("select", "pselect6", "ppoll", "recvmmsg"):
            data = b"left"  # Linux counts it down
    elif label in ("itimerspec", "itimerval"):
        # What is left of the time is not the same twice.
        data = data[:16] + (b"set" if any(data[16:]) else b"not")
    elif label == "siginfo":
        data = blank(data, [(32, 128)] if call.name != "rt_sigtimedwait" else [])
        if call.name == "ptrace" and data[8:12] > b"\0":
            data = blank(data, [(16, 128)])  # where it was, in code that lies somewhere
    elif label == "io_event":
        data = b"".join(data[n:n + 8] + data[n + 16:n + 24] for n in range(0, 128, 32))
    elif label == "ipcctl":
        data = blank(data, [(48, 48)])
        if call.name == "shmctl":
            data = blank(data, [(0, 4), (24, 26), (56, 80), (80, 88)])
        elif call.name == "msgctl":
            data = blank(data, [(0, 4), (24, 26), (48, 72), (96, 104)])
    elif label == "semctl" and len(data) > 16:
        data = blank(data, [(0, 4), (24, 26), (48, 80)])
    elif call.name in ("get_robust_list", "getcpu"):
        data = b"somewhere"
    elif call.name == "getrandom":
        data = b"random"
    return data.hex() + ("+" + rest if label not in BLANK else "")


class Outcome:
    """One program's run: {key: text}, in the order of the executor."""

    def __init__(self, program):
        self.program, self.parts, self.order, self.done = program, {}, [], False

    def put(self, key, text):
        while key in self.parts:
            key += "'"
        self.parts[key] = text
        self.order.append(key)


def parse(text, programs):
    """{program id: Outcome} from the executor's output."""
    outcomes, outcome, calls, number, result = {}, None, None, None, 0
    for line in text.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "program":
            outcome = Outcome(programs[int(rest)])
            calls = outcome.program.calls
            outcomes[int(rest)] = outcome
        elif outcome is None:
            continue
        elif word == "call":
            number, result = map(int, rest.split())
            name = calls[number].name
            shown = str(result)
            if result >= 0 and (name in OPAQUE or (name in ("mremap", "shmat") and not 0x20000000 <= result < 0x20020000)):
                shown = "something"
            outcome.put("call %d" % number, shown)
        elif line.startswith(" out "):
            which, data = line[5:].split(" ", 1)
            if calls[number].name != "sched_rr_get_interval":  # depends on the host's tick
                outcome.put("call %d out %s" % (number, which), output(calls[number], int(which), data, result))
        elif word == "signal":
            outcome.put("signal " + rest.split()[0], rest)
        elif word.endswith("fd"):
            outcome.put(word + " " + rest.split()[0], rest)
        elif word == "file":
            outcome.put("file " + rest.split()[0], rest)
        elif word == "done":
            outcome.done = True
        elif word:
            outcome.put(word, rest)
    return outcomes


def differences(native, sandbox):
    """[(key, native text, sandbox text)]; the order is that of the calls."""
    out = []
    for key in native.order + [k for k in sandbox.order if k not in native.parts]:
        a, b = native.parts.get(key), sandbox.parts.get(key)
        if a != b:
            out.append((key, a, b))
    return out
