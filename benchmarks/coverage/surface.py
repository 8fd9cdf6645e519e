# SPDX-License-Identifier: Apache-2.0
"""What a coverage file says of the surface that was used."""
import json
import os
import re

# Kinds of items, in the order in which they are shown.
KINDS = ("call", "flag", "ioctl", "socket option", "operation", "file")
OPERATIONS = ("prctl option", "fcntl cmd", "futex op", "arch_prctl", "ptrace request", "bpf cmd", "keyctl", "madvise advice", "epoll_ctl op")
SUPPORTED = ("full", "partial")


def kind_of(name):
    call, _, rest = name.partition(" ")
    if not rest:
        return "call"
    if call == "file":
        return "file"
    if call == "ioctl":
        return "ioctl"
    if call in ("setsockopt", "getsockopt"):
        return "socket option"
    return "operation" if name.startswith(OPERATIONS) else "flag"


class Item:
    def __init__(self, name, data):
        self.name, self.kind = name, kind_of(name)
        self.count, self.errors, self.support = data["count"], data["errors"], data["support"]

    @property
    def short(self):
        return self.name.split(" ", 1)[1] if self.kind == "file" else self.name

    def is_missing_file(self):
        """A pseudo-file that the host has and nobody could open here."""
        refused = sum(self.errors.get(name, 0) for name in ("ENOENT", "ENOSYS", "EOPNOTSUPP"))
        return self.kind == "file" and refused == self.count and os.path.exists(re.sub(r"/N(?=/|$)", "/self", self.short))

    def is_supported(self):
        """A value that no table knows is not, when the call failed; nobody knows of one that was taken."""
        if self.kind == "file":
            return not self.is_missing_file()
        return self.support in SUPPORTED or self.support == "unknown"


class Surface:
    """The items of a run, or of many."""

    def __init__(self, items):
        self.items = items

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls([Item(name, data) for name, data in sorted(json.load(file)["items"].items())])

    def of(self, kind):
        return [item for item in self.items if item.kind == kind]

    def calls(self, support):
        return [item for item in self.of("call") if item.support == support]

    def unsupported(self):
        return [item for item in self.items if not item.is_supported()]

    def share(self):
        """Of the different things that were asked for, those that are supported."""
        return sum(item.is_supported() for item in self.items) / len(self.items) if self.items else 1.0

    def made(self):
        return sum(item.count for item in self.of("call"))
