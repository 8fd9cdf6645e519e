#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the system call table (sentry/syscalls.def, sentry/syscall_types.def, where the grammar is described) and writes
what the build needs of it:

    gen-syscalls.py nr|marshal|dispatch-h|dispatch-c|info-c|doc SYSCALLS.def TYPES.def OUTPUT
"""

import re
import sys

HEADERS = ["cap", "fcntl", "futex", "inotify", "ioctl", "mman", "mount", "msg", "poll", "prctl", "ptrace", "resource", "sched",
           "signal", "socket", "stat", "time", "uio", "uname", "wait", "xattr"]

# DSL name -> C type of the handler's parameter, expression that takes it out of the register %s, decoder's type, set
SCALARS = {
    "fd": ("int", "(int)%s", "ARG_FD"),
    "dirfd": ("int", "(int)%s", "ARG_DIRFD"),
    "int": ("int", "(int)%s", "ARG_INT"),
    "pid": ("int", "(int)%s", "ARG_INT"),
    "sig": ("int", "(int)%s", "ARG_SIG"),
    "clock": ("int", "(int)%s", "ARG_SET32", "clock"),
    "timerid": ("int", "(int)%s", "ARG_INT"),
    "key": ("int", "(int)%s", "ARG_INT"),
    "uint": ("unsigned", "(unsigned)%s", "ARG_UINT"),
    "uid": ("unsigned", "(unsigned)%s", "ARG_ID"),
    "gid": ("unsigned", "(unsigned)%s", "ARG_ID"),
    "dev": ("unsigned", "(unsigned)%s", "ARG_DEV"),
    "mode": ("unsigned", "(uint16_t)%s", "ARG_MODE"),
    "long": ("int64_t", "(int64_t)%s", "ARG_LONG"),
    "off": ("int64_t", "(int64_t)%s", "ARG_LONG"),
    "ulong": ("uint64_t", "%s", "ARG_ULONG"),
    "size": ("uint64_t", "%s", "ARG_ULONG"),
    "hex": ("uint64_t", "%s", "ARG_HEX"),
    "addr": ("gaddr_t", "GADDR(%s)", "ARG_ADDR"),
    "path": ("gaddr_t", "GADDR(%s)", "ARG_STRING"),
    "str": ("gaddr_t", "GADDR(%s)", "ARG_STRING"),
    "strv": ("gaddr_t", "GADDR(%s)", "ARG_STRINGS"),
}
SETS = {
    "enum": ("int", "(int)%s", "ARG_SET32"),
    "flags": ("unsigned", "(unsigned)%s", "ARG_SET32"),
    "flags64": ("uint64_t", "%s", "ARG_SET64"),
}
ELEMENTS = {"byte": 1, "char": 1, "short": 2, "int": 4, "uint": 4, "long": 8, "ulong": 8, "sigset": 8, "fdset": 8,
            "sockaddr": 1}
CLASSES = {"in-guest": "SYSCALL_IN_GUEST", "fast": "SYSCALL_FAST", "block": "SYSCALL_BLOCK"}
SUPPORTS = {"none": "SYSCALL_NONE", "partial": "SYSCALL_PARTIAL", "full": "SYSCALL_FULL"}
# Sets that the decoder needs by name
EXPORTED_SETS = {"signal", "af", "open", "sockopt_tcp", "inode_mode"}
FORMATS = {"dec", "udec", "hex", "oct", "str", "sig", "sigset", "fd", "mode"}


class TableError(Exception):
    pass


class Arg:
    """One argument: .kind is 'scalar', 'set', 'pointer' or 'iovec'."""

    def __init__(self, text):
        match = re.fullmatch(r"(\w+):(.*)", text)
        if not match:
            raise TableError(f"argument '{text}' is not NAME:TYPE")
        self.name, self.type = match[1], match[2]
        self.set = self.element = self.direction = self.count_text = None
        self.count_kind = "COUNT_FIXED"
        self.count = 1
        if self.type in SCALARS:
            self.kind = "scalar"
            row = SCALARS[self.type]
            self.ctype, self.expr, self.decode = row[:3]
            self.set = row[3] if len(row) > 3 else None
            return
        match = re.fullmatch(r"(enum|flags|flags64):(\w+)", self.type)
        if match:
            self.kind = "set"
            self.ctype, self.expr, self.decode = SETS[match[1]]
            self.set = match[2]
            return
        self.ctype, self.expr = "gaddr_t", "GADDR(%s)"
        match = re.fullmatch(r"(iovin|iovout)\[(\w+)\]", self.type)
        if match:
            self.kind, self.decode = "iovec", "ARG_IOVEC"
            self.direction = "in" if match[1] == "iovin" else "out"
            self.element, self.brackets, self.count_text = "iovec", "[", match[2]
            return
        match = re.fullmatch(r"(in|out|inout):(\w+)(?:([\[{])(\w+)[\]}])?", self.type)
        if not match:
            raise TableError(f"argument '{text}': unknown type")
        self.kind, self.decode = "pointer", "ARG_POINTER"
        self.direction, self.element, self.brackets, self.count_text = match.groups()

    def resolve(self, args):
        """Finds the argument that counts the elements."""
        if self.count_text is None:
            return
        if self.count_text.isdigit():
            self.count = int(self.count_text)
            return
        names = [a.name for a in args]
        if self.count_text not in names:
            raise TableError(f"'{self.name}': no argument '{self.count_text}'")
        self.count = names.index(self.count_text)
        counter = args[self.count]
        if counter.kind == "pointer":
            self.count_kind = "COUNT_SIZE_DEREF"
        else:
            self.count_kind = "COUNT_ARG" if self.brackets == "[" else "COUNT_SIZE_ARG"
            self.len_bits = 32 if counter.ctype in ("int", "unsigned") else 64

    @property
    def reads(self):
        return self.direction in ("in", "inout")

    @property
    def writes(self):
        return self.direction in ("out", "inout")

    def element_size(self):
        if self.element in ELEMENTS:
            return str(ELEMENTS[self.element])
        return f"sizeof(struct lx_{self.element})"


class Call:
    PATTERN = re.compile(r"(\d+)\s+(\w+)\(([^()]*)\)\s+([\w-]+)\s+(\w+)\s*(?:;\s*(.*))?")

    def __init__(self, line, family):
        match = self.PATTERN.fullmatch(line)
        if not match:
            raise TableError("not NUMBER NAME(ARGS) CLASS SUPPORT [; NOTE]")
        self.nr, self.name, self.family = int(match[1]), match[2], family
        self.args = [Arg(a.strip()) for a in match[3].split(",") if a.strip()]
        self.klass, self.support, self.note = match[4], match[5], match[6] or None
        if self.klass not in CLASSES:
            raise TableError(f"unknown class '{self.klass}'")
        if self.support not in SUPPORTS:
            raise TableError(f"unknown support level '{self.support}'")
        if self.support == "partial" and not self.note:
            raise TableError("'partial' needs a note that says what is missing")
        if len(self.args) > 6:
            raise TableError("more than six arguments")
        for arg in self.args:
            arg.resolve(self.args)


def parse_calls(path):
    calls, family, blank = {}, "", True
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip()
            if not line or line.startswith("#"):
                # The first comment line after a blank one names the family.
                if line.startswith("# ") and blank:
                    family = line[2:].strip()
                blank = not line
                continue
            blank = False
            try:
                call = Call(line, family)
                if call.nr in calls:
                    raise TableError(f"number {call.nr} has a row already")
                if any(c.name == call.name for c in calls.values()):
                    raise TableError(f"{call.name} has a row already")
            except TableError as error:
                sys.exit(f"{path}:{number}: {error}")
            calls[call.nr] = call
    return dict(sorted(calls.items()))


def parse_types(path):
    """Returns ({set: (kind, mask, values, flags)}, {struct: [(field, format, reference)]})."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip()
            if not line or line.startswith("#"):
                continue
            if line[0].isspace() and lines:
                lines[-1][1] += " " + line.strip()
            else:
                lines.append([number, line])
    sets, structs = {}, {}
    for number, line in lines:
        match = re.fullmatch(r"set (\w+) (?:(enum|flags)|mixed (\w+)) :\s*(.*)", line)
        if match:
            values, _, flags = match[4].partition("|")
            values, flags = values.split(), flags.split()
            if match[2] == "flags":
                sets[match[1]] = ("0", [], values)
            elif match[2] == "enum":
                sets[match[1]] = ("~0ull", values, [])
            else:
                sets[match[1]] = (f"LX_{match[3]}", values, flags)
            continue
        words = line.split()
        if words[0] != "struct" or len(words) < 3:
            sys.exit(f"{path}:{number}: neither set nor struct")
        fields = []
        for word in words[2:]:
            name, _, form = word.partition(":")
            form, _, ref = form.partition(":")
            if form == "set" and ref in sets or form == "struct" and ref in structs or form in FORMATS and not ref:
                fields.append((name, form, ref))
            else:
                sys.exit(f"{path}:{number}: field '{word}': unknown format")
        structs[words[1]] = fields
    return sets, structs


def check_references(calls, sets, structs):
    for call in calls.values():
        for arg in call.args:
            if arg.set and arg.set not in sets:
                sys.exit(f"{call.name}: no set '{arg.set}'")
            if arg.element and arg.element not in ELEMENTS and arg.element not in structs:
                sys.exit(f"{call.name}: no struct '{arg.element}'")


BANNER = "/* Generated by tools/gen-syscalls.py from sentry/syscalls.def. Do not edit. */\n"


def c_string(text):
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def gen_nr(calls, *_):
    out = [BANNER, "#ifndef SENTRY_ABI_SYSCALL_NR_H", "#define SENTRY_ABI_SYSCALL_NR_H", ""]
    out += [f"#define LX_NR_{c.name} {c.nr}" for c in calls.values()]
    out += ["", "/* One more than the highest number */", f"#define LX_NR_COUNT {max(calls) + 1}", "", "#endif"]
    return out


def marshal_entries(call):
    """The plan of one call, as initialisers."""
    entries = []

    def add(kind, index, len_arg=0, len_bits=0, size="0"):
        entries.append(f"{{ MARSHAL_{kind}, {index}, {len_arg}, {len_bits}, {size} }}")

    for index, arg in enumerate(call.args):
        if arg.decode == "ARG_STRING":
            add("STRING", index)
        if arg.kind == "iovec":
            if arg.direction == "in":
                add("IOVEC_IN", index, arg.count, arg.len_bits, arg.element_size())
            else:
                add("BUFFER_IN", index, arg.count, arg.len_bits, arg.element_size())
        # A set of descriptors is counted in bits, and a size behind a pointer is not known yet.
        if arg.kind != "pointer" or arg.element == "fdset" or arg.count_kind == "COUNT_SIZE_DEREF":
            continue
        for does, way in ((arg.reads, "IN"), (arg.writes, "OUT")):
            if not does:
                continue
            if arg.count_kind == "COUNT_FIXED":
                add("STRUCT_" + way, index, size=f"{arg.count} * {arg.element_size()}")
            elif arg.count_kind == "COUNT_ARG":
                add("BUFFER_" + way, index, arg.count, arg.len_bits, arg.element_size())
            else:
                add("BUFFER_" + way, index, arg.count, arg.len_bits, "1")
    return entries


def gen_marshal(calls, *_):
    out = [BANNER, "#ifndef SENTRY_ABI_MARSHAL_GEN_H", "#define SENTRY_ABI_MARSHAL_GEN_H", ""]
    out += [f'#include "abi/{h}.h"' for h in ["marshal", "syscall_nr"] + HEADERS]
    rows, entries = [], []
    for call in calls.values():
        plan = marshal_entries(call)
        if plan:
            inputs = sum("_OUT" not in entry for entry in plan)
            rows.append(f"\t[{call.nr}] = {{ {len(entries)}, {len(plan)}, {inputs}, {len(call.args)} }}, /* {call.name} */")
            entries += plan
    out += ["", "static const struct marshal_row marshal_rows[LX_NR_COUNT] = {"] + rows + ["};", ""]
    out += ["static const struct marshal_entry marshal_entries[] = {"] + [f"\t{e}," for e in entries] + ["};", ""]
    return out + ["#endif"]


def gen_dispatch_h(calls, *_):
    out = [BANNER, "#ifndef SENTRY_SYSCALLS_GEN_H", "#define SENTRY_SYSCALLS_GEN_H", "",
           '#include "sentry/syscall_table.h"', "",
           "/* Handlers return the call's result or a negative errno. */"]
    for call in calls.values():
        params = ["struct task *t"] + [f"{a.ctype} {a.name}" for a in call.args]
        out.append(f"int64_t sys_{call.name}({', '.join(params)});")
    return out + ["", "#endif"]


def gen_dispatch_c(calls, *_):
    out = [BANNER, '#include "sentry/syscalls_gen.h"', ""]
    for call in calls.values():
        if call.support == "none":
            continue
        args = ["t"] + [a.expr % f"args[{i}]" for i, a in enumerate(call.args)]
        out += [f"static int64_t call_{call.name}(struct task *t, const uint64_t args[6])", "{",
                f"\treturn sys_{call.name}({', '.join(args)});", "}", ""]
    out.append("const struct syscall_entry syscall_table[LX_NR_COUNT] = {")
    for call in calls.values():
        handler = "NULL" if call.support == "none" else f"call_{call.name}"
        out.append(f'\t[{call.nr}] = {{ "{call.name}", {handler}, {len(call.args)}, {CLASSES[call.klass]}, '
                   f"{SUPPORTS[call.support]} }},")
    return out + ["};"]


def gen_sets(sets):
    out = []
    exported = EXPORTED_SETS
    for name, (mask, values, flags) in sets.items():
        for kind, names in (("values", values), ("flags", flags)):
            if names:
                out.append(f"static const struct named_value {kind}_{name}[] = {{")
                out += [f'\t{{ LX_{n}, "{n}" }},' for n in names]
                out.append("};")
        storage = "" if name in exported else "static "
        out.append(f'{storage}const struct value_set value_set_{name} = {{ "{name}", {mask}, '
                   f'{"values_" + name if values else "NULL"}, {"flags_" + name if flags else "NULL"}, '
                   f"{len(values)}, {len(flags)} }};")
    return out


def gen_structs(structs):
    out = []
    for name, fields in structs.items():
        out.append(f"static const struct struct_field fields_{name}[] = {{")
        for field, form, ref in fields:
            where = f"offsetof(struct lx_{name}, {field}), sizeof(((struct lx_{name} *)0)->{field})"
            refs = {"set": f"&value_set_{ref}, NULL", "struct": f"NULL, &struct_info_{ref}"}.get(form, "NULL, NULL")
            out.append(f'\t{{ "{field}", {where}, FIELD_{form.upper()}, {refs} }},')
        out += ["};", f"_Static_assert(sizeof(struct lx_{name}) <= STRUCT_SIZE_MAX, \"{name}\");",
                f'static const struct struct_info struct_info_{name} = {{ "{name}", sizeof(struct lx_{name}), '
                f"{len(fields)}, fields_{name} }};"]
    return out


def gen_arg(arg):
    parts = [f".name = {c_string(arg.name)}", f".type = {arg.decode}"]
    if arg.set:
        parts.append(f".set = &value_set_{arg.set}")
    if arg.direction:
        ways = [w for does, w in ((arg.reads, "ARG_READ"), (arg.writes, "ARG_WRITE")) if does]
        parts += [f".direction = {' | '.join(ways)}", f".count_kind = {arg.count_kind}", f".count = {arg.count}",
                  f".element_size = {arg.element_size()}"]
        if arg.element in ELEMENTS:
            parts.append(f".element = ELEMENT_{arg.element.upper()}")
        else:
            parts += [".element = ELEMENT_STRUCT", f".st = &struct_info_{arg.element}"]
    return "{ " + ", ".join(parts) + " }"


def gen_info_c(calls, sets, structs):
    used = {a.set for c in calls.values() for a in c.args if a.set} | EXPORTED_SETS
    used |= {ref for fields in structs.values() for _, form, ref in fields if form == "set"}
    used_structs = {a.element for c in calls.values() for a in c.args if a.element in structs}
    used_structs |= {ref for fields in structs.values() for _, form, ref in fields if form == "struct"}
    out = [BANNER, '#include "sentry/syscall_table.h"'] + [f'#include "abi/{h}.h"' for h in HEADERS] + [""]
    out += gen_sets({k: v for k, v in sets.items() if k in used})
    out += gen_structs({k: v for k, v in structs.items() if k in used_structs})
    out += ["", "const struct syscall_info syscall_info[LX_NR_COUNT] = {"]
    for call in calls.values():
        out += [f"\t[{call.nr}] = {{", f"\t\t.name = {c_string(call.name)},", f"\t\t.note = {c_string(call.note)},",
                f"\t\t.family = {c_string(call.family)},", f"\t\t.nargs = {len(call.args)},",
                f"\t\t.klass = {CLASSES[call.klass]},", f"\t\t.support = {SUPPORTS[call.support]},"]
        if call.args:
            out.append("\t\t.args = { " + ", ".join(gen_arg(a) for a in call.args) + " },")
        out.append("\t},")
    return out + ["};"]


def gen_doc(calls, *_):
    count = {s: sum(c.support == s for c in calls.values()) for s in SUPPORTS}
    out = ["# System calls", "",
           "Generated from `sentry/syscalls.def`; `sentry syscalls` prints the same. A call with support *none* answers",
           "`ENOSYS` and writes one audit line.", "",
           f"{len(calls)} numbers: {count['full']} full, {count['partial']} partial, {count['none']} none.", ""]
    for family in dict.fromkeys(c.family for c in calls.values()):
        out += [f"## {family}", "", "| number | call | class | support | note |", "|---|---|---|---|---|"]
        for call in (c for c in calls.values() if c.family == family):
            args = ", ".join(a.name for a in call.args)
            note = (call.note or "").replace("|", "\\|")
            out.append(f"| {call.nr} | `{call.name}({args})` | {call.klass} | {call.support} | {note} |")
        out.append("")
    return out[:-1]


GENERATORS = {"nr": gen_nr, "marshal": gen_marshal, "dispatch-h": gen_dispatch_h, "dispatch-c": gen_dispatch_c,
              "info-c": gen_info_c, "doc": gen_doc}


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in GENERATORS:
        sys.exit(__doc__)
    what, calls_path, types_path, output = sys.argv[1:]
    calls = parse_calls(calls_path)
    sets, structs = parse_types(types_path)
    check_references(calls, sets, structs)
    text = "\n".join(GENERATORS[what](calls, sets, structs)) + "\n"
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
