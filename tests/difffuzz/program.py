# SPDX-License-Identifier: Apache-2.0
"""A program of the differential fuzzer, and its form for the executor (format.h)."""
import struct

from pools import M64, VALUE


class Dump:
    def __init__(self, address, size, label):
        self.address, self.size, self.label = address, size, label


class Made:
    """A call of a program: its number, arguments as (kind, value), blobs it needs and memory to look at afterwards."""

    def __init__(self, name, nr, shown):
        self.name, self.nr, self.args, self.blobs, self.dumps, self.shown = name, nr, [], [], [], shown
        self.slot, self.flags = 0, 0  # who makes it; CALL_ASYNC


class Program:
    def __init__(self, number):
        self.id, self.calls = number, []

    def encode(self, left_out=()):
        """Bytes for the executor; calls whose numbers are in left_out are not made."""
        blobs = [b for i, c in enumerate(self.calls) if i not in left_out for b in c.blobs]
        out = [struct.pack("<4I", 0x31666664, self.id, len(blobs), len(self.calls))]
        for address, data in blobs:
            out.append(struct.pack("<QQ", address, len(data)) + data + bytes(-len(data) % 8))
        for i, call in enumerate(self.calls):
            args = (call.args + [(VALUE, 0)] * 6)[:6]
            nr = 0xffffffff if i in left_out else call.nr
            out.append(struct.pack("<4I6I6Q", nr, len(call.dumps), call.slot, call.flags, *[k for k, _ in args], *[v & M64 for _, v in args]))
            out += [struct.pack("<QQ", d.address, d.size) for d in call.dumps]
        return b"".join(out)

    def describe(self, left_out=()):
        lines = []
        for i, call in enumerate(self.calls):
            if i not in left_out:
                who = "" if not call.slot and not call.flags else "[%d%s] " % (call.slot, "..." if call.flags else "")
                lines.append("  %2d  %s%s(%s)" % (i, who, call.name, ", ".join(call.shown)))
        return "\n".join(lines)
