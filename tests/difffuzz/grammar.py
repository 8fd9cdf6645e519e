# SPDX-License-Identifier: Apache-2.0
"""The grammar of system calls for the differential fuzzer: rows of sentry/syscalls.def, sets of sentry/syscall_types.def with
the values that abi/ gives them."""
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Arg:
    def __init__(self, text):
        self.name, self.type = text.split(":", 1)
        match = re.fullmatch(r"(in|out|inout):(\w+)(?:[\[{](\w+)[\]}])?", self.type)
        self.direction, self.element, self.count = match.groups() if match else (None, None, None)
        match = re.fullmatch(r"(?:enum|flags|flags64):(\w+)", self.type)
        self.set = match.group(1) if match else None


class Call:
    def __init__(self, nr, name, args, level):
        self.nr, self.name, self.level = nr, name, level
        self.args = [Arg(a) for a in re.split(r",\s*", args)] if args else []


def read_calls():
    calls = {}
    with open(os.path.join(TOP, "sentry", "syscalls.def")) as table:
        for line in table:
            match = re.match(r"(\d+) (\w+)\((.*?)\) \S+ (\w+)", line)
            if match:
                calls[match[2]] = Call(int(match[1]), match[2], match[3], match[4])
    return calls


def read_sets():
    """{set: [value, ...]}; both the flags' and the enum's values of a mixed set."""
    names = {}
    text = open(os.path.join(TOP, "sentry", "syscall_types.def")).read()
    text = re.sub(r"\n\s+", " ", re.sub(r"(?m)^#.*", "", text))
    for match in re.finditer(r"(?m)^set (\w+) (\w+)([^:]*):(.*)$", text):
        names[match[1]] = [w for w in match[4].split() if w != "|"]
    headers = [h for h in sorted(os.listdir(os.path.join(TOP, "abi"))) if h.endswith(".h") and h not in ("check.h", "gaddr.h", "marshal.h")]
    source = "".join('#include "abi/%s"\n' % h for h in headers)
    wanted = sorted({n for values in names.values() for n in values})
    source += "".join('@%s=(LX_%s)\n' % (n, n) for n in wanted)
    out = subprocess.run(["gcc", "-E", "-P", "-I", TOP, "-"], input=source, stdout=subprocess.PIPE, text=True, check=True).stdout
    values = {}
    for match in re.finditer(r"(?m)^@(\w+)=(.*)$", out):
        expression = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+", r"\1", match[2])
        expression = re.sub(r"\((?:u?int\d+_t|unsigned|int|long|unsigned long)\)", "", expression)
        expression = re.sub(r"\b0(\d+)\b", r"0o\1", expression)
        try:
            values[match[1]] = eval(expression, {"__builtins__": {}}) & (2**64 - 1)  # numbers of our own headers
        except (NameError, SyntaxError):
            pass
    return {name: [values[n] for n in list_ if n in values] for name, list_ in names.items()}


if __name__ == "__main__":
    calls, sets = read_calls(), read_sets()
    print("%d calls" % len(calls))
    for name, values in sets.items():
        print(name, " ".join("%x" % v for v in values))
