# SPDX-License-Identifier: Apache-2.0
"""TCP between a program in a sandbox and one on the host, over --network packet:IF (a veth) and tap:IF.

Natively the program is in a network namespace of its own, at the other end of the same veth. Takes root, and /dev/net/tun.
"""
import subprocess

from .systems import is_ours

GROUP = "link"
HOST, GUEST = "192.0.2.1", "192.0.2.2"
# What is measured, and so many of it in one turn.
WORKS = (("send", "64k", 3000), ("receive", "64k", 3000), ("pingpong", "byte", 4000))


class Namespace:
    """A network namespace, as long as a process that does nothing is in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        if self.process.stdout.readline() != b"\n":
            raise RuntimeError("no network namespace can be made")

    def enter(self, argv):
        return ["nsenter", "-t", str(self.process.pid), "-n"] + argv

    def ip(self, words):
        subprocess.run(self.enter(["ip"] + words.split()), check=True, capture_output=True)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Links:
    """A host with a TAP and a veth; the native program's veth is a pair of its own."""

    def __init__(self, stage):
        self.stage = stage
        self.host, self.native_host, self.native = Namespace(), Namespace(), Namespace()
        for words in ("link add veth0 type veth peer name guest0", "link set veth0 up", "link set guest0 up",
                      "tuntap add tap0 mode tap vnet_hdr", "link set tap0 up"):
            self.host.ip(words)
        self.native_host.ip("link add veth0 type veth peer name guest0 netns %d" % self.native.process.pid)
        self.native_host.ip("addr add %s/24 dev veth0" % HOST)
        self.native_host.ip("link set veth0 up")
        self.native.ip("addr add %s/24 dev guest0" % GUEST)
        self.native.ip("link set guest0 up")

    def use(self, interface):
        self.host.ip("addr flush dev veth0")
        self.host.ip("addr flush dev tap0")
        self.host.ip("addr add %s/24 dev %s" % (HOST, interface))

    def command(self, prefix, network, argv):
        """(namespace of the host's end, the whole command of the other)"""
        if not prefix:
            return self.native_host, self.native.enter(argv)
        options = ["--network", network, "--ip", GUEST + "/24"]
        return self.host, self.host.enter(prefix[:-1] + options + prefix[-1:] + argv)

    def once(self, prefix, network, work, count):
        host, command = self.command(prefix, network, ["./link", work, HOST])
        server = subprocess.Popen(host.enter(["./link", "serve", HOST]), cwd=self.stage.path, stdout=subprocess.PIPE)
        try:
            port = server.stdout.readline().decode().strip()
            done = subprocess.run(command + [port, str(count)], cwd=self.stage.path, capture_output=True, timeout=60, check=False)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        if done.returncode:
            raise RuntimeError("link %s over %s: %s" % (work, network, done.stderr.decode(errors="replace").strip()))
        return float(done.stdout)

    def end(self):
        for namespace in (self.host, self.native_host, self.native):
            namespace.end()


def measure(results, stage, systems, rounds):
    links = Links(stage)
    try:
        for name, network, interface in (("veth", "packet:guest0", "veth0"), ("tap", "tap:tap0", "tap0")):
            links.use(interface)
            for work, size, count in WORKS:
                figure = results.figure("link-%s-%s-%s" % (name, work, size), GROUP, "ns")
                for _ in range(rounds):
                    for system, prefix in systems.items():
                        if not prefix or is_ours(prefix):
                            figure.add(system, links.once(prefix, network, work, count))
    finally:
        links.end()
