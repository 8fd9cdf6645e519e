# SPDX-License-Identifier: Apache-2.0
"""A small Internet for the gateway's tests: two network namespaces of our own, joined by a veth.

*inner* is where sentry runs (the user's host), *outer* has the servers: DNS, HTTP, HTTPS, echo and others, at public-looking
addresses on its loopback and at private ones. Nothing leaves either. A packet socket on the inner end of the veth sees
all that leaves the host, another on its loopback what stays.
"""
import ctypes
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
libc = ctypes.CDLL(None, use_errno=True)

HOST = "11.22.0.1"       # inner
HOST6 = "2a0e:1::1"
NAMES = "11.22.0.2"      # outer: the DNS server
SERVER = "11.23.0.5"     # www.example.org, cdn.example.net
OTHER = "11.23.0.6"      # other.example.com
SERVER6 = "2a0e:1::5"
PRIVATE = "10.77.0.5"    # db.corp.test
METADATA = "169.254.169.254"
OUTER = [NAMES + "/16", SERVER + "/32", OTHER + "/32", PRIVATE + "/32", METADATA + "/32", "100.64.1.1/32", "192.168.7.7/32", "8.8.8.8/32"]
OUTER6 = ["2a0e:1::2/64", SERVER6 + "/128", "fd12::5/128", "64:ff9b::a4d:5/128", "2002:a4d:5::1/128", "fd00:ec2::254/128"]


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*args):
    subprocess.run(("ip",) + args, check=True, capture_output=True)


class Namespace:
    """Made by a thread that enters it for good; work in it is run by such threads."""

    def __init__(self):
        self.fd = self.tid = None
        ready, self.stop = threading.Event(), threading.Event()
        self.error = None

        def hold():
            try:
                if libc.unshare(CLONE_NEWNET) < 0:
                    raise OSError(ctypes.get_errno(), "unshare")
                self.tid = threading.get_native_id()
                self.fd = os.open("/proc/self/task/%d/ns/net" % self.tid, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                self.error = error
            ready.set()
            self.stop.wait()
        threading.Thread(target=hold, daemon=True).start()
        ready.wait()
        if self.error:
            raise self.error

    def call(self, function, *args):
        """function(*args) in a thread of this namespace; its result."""
        result = []

        def enter():
            try:
                setns(self.fd)
                result.append((True, function(*args)))
            except BaseException as error:
                result.append((False, error))
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        ok, value = result[0]
        if not ok:
            raise value
        return value

    def socket(self, *args):
        return self.call(lambda: socket.socket(*args))

    def ip(self, *args):
        self.call(lambda: ip(*args))


# ---- servers ----

def serve(listener, handle):
    def loop():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    def guarded(connection):
        try:
            handle(connection)
        except OSError:
            pass
        finally:
            connection.close()
    threading.Thread(target=loop, daemon=True).start()


def http(connection, where="plain"):
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return
        data += part
    path = data.split(b" ")[1].decode()
    if path.startswith("/big/"):
        size = int(path[5:])
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = bytes(range(256)) * 4096
        while size > 0:
            size -= connection.send(block[:min(size, len(block))])
        return
    body = ("hello from %s %s\n" % (where, path)).encode()
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s" % (len(body), body))


def echo(connection):
    while True:
        data = connection.recv(262144)
        if not data:
            connection.shutdown(socket.SHUT_WR)
            return
        connection.sendall(data)


def sum_up(connection):
    """Reads to the end, then says how much there was: needs half-close."""
    size = total = 0
    while True:
        data = connection.recv(262144)
        if not data:
            break
        size += len(data)
        total = (total + sum(data)) & 0xffffffff
    connection.sendall(b"%d %d\n" % (size, total))
    connection.shutdown(socket.SHUT_WR)


def reset(connection):
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class World:
    def __init__(self):
        self.inner, self.outer = Namespace(), Namespace()
        self.directory = tempfile.mkdtemp(prefix="gateway-")
        self.queries, self.records, self.truncate = [], {}, set()
        self.resets = 0
        self.accepted = {}
        self.link()
        self.records.update({
            ("www.example.org", "A"): [SERVER], ("www.example.org", "AAAA"): [SERVER6],
            ("cdn.example.net", "A"): [SERVER], ("other.example.com", "A"): [OTHER],
            ("alias.example.org", "A"): ["=www.example.org", SERVER],
            ("evil.example.org", "A"): ["127.0.0.1"], ("meta.example.org", "A"): [METADATA],
            ("priv.example.org", "A"): [PRIVATE], ("own.example.org", "A"): [HOST],
            ("mixed.example.org", "A"): [PRIVATE, SERVER],
            ("mapped.example.org", "AAAA"): ["::ffff:127.0.0.1"], ("nat.example.org", "AAAA"): ["64:ff9b::a4d:5"],
            ("db.corp.test", "A"): [PRIVATE], ("many.example.org", "A"): ["11.23.9.%d" % i for i in range(1, 60)],
        })
        self.truncate.add("many.example.org")
        self.serve_names()
        for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
            for port, handle in ((80, http), (8000, http), (7, echo), (9, sum_up), (13, reset), (22, echo), (5432, echo), (25, http), (853, http)):
                self.serve_stream(family, address, port, handle)
            self.serve_tls(family, address, 443)
            self.serve_tls(family, address, 8444)
            self.serve_datagrams(family, address, 7)
            self.serve_datagrams(family, address, 443)

    def link(self):
        inner, outer = self.inner, self.outer
        inner.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        inner.ip("link", "set", "veth1", "netns", "/proc/%d/task/%d/ns/net" % (os.getpid(), outer.tid))
        for space, name, addresses, addresses6 in ((inner, "veth0", [HOST + "/16"], [HOST6 + "/64"]), (outer, "veth1", OUTER, OUTER6)):
            space.ip("link", "set", "lo", "up")
            for address in addresses:
                space.ip("addr", "add", address, "dev", name)
            for address in addresses6:
                space.ip("-6", "addr", "add", address, "dev", name, "nodad")
            space.ip("link", "set", name, "up")
        inner.ip("route", "add", "default", "via", NAMES)
        inner.ip("-6", "route", "add", "default", "via", "2a0e:1::2")
        outer.ip("route", "add", "default", "via", HOST)

    def listener(self, space, family, address, port):
        sock = space.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(1024)
        return sock

    def serve_stream(self, family, address, port, handle, space=None):
        def counted(connection):
            self.accepted[port] = self.accepted.get(port, 0) + 1
            handle(connection)
        serve(self.listener(space or self.outer, family, address, port), counted)

    def serve_tls(self, family, address, port):
        files = [os.path.join(self.directory, name) for name in ("key.pem", "cert.pem")]
        if not os.path.exists(files[0]):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                            "-keyout", files[0], "-out", files[1], "-subj", "/CN=www.example.org",
                            "-addext", "subjectAltName=DNS:www.example.org,DNS:cdn.example.net,DNS:other.example.com"],
                           check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[1], files[0])

        def handle(connection):
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    http(tls, "tls")
            except ssl.SSLError:
                pass
        self.serve_stream(family, address, port, handle)

    def serve_datagrams(self, family, address, port):
        sock = self.outer.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
        else:
            # Answers have to come from the address that was asked.
            sock.bind((SERVER, port))

        def loop():
            while True:
                data, peer = sock.recvfrom(65536)
                try:
                    sock.sendto(data, peer)
                except OSError:
                    pass
        threading.Thread(target=loop, daemon=True).start()

    # ---- DNS: just enough of it ----

    def answer(self, query, stream):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin1"))
            at += 1 + query[at]
        kind = {1: "A", 28: "AAAA"}.get(struct.unpack(">H", query[at + 1:at + 3])[0], "?")
        question, asked = query[12:at + 5], ".".join(labels)
        self.queries.append((asked, kind, stream))
        records = self.records.get((asked.lower(), kind))
        rcode = 0 if records is not None or any(name == asked.lower() for name, _ in self.records) else 3
        if records and asked.lower() in self.truncate and not stream:
            return query[:2] + struct.pack(">HHHHH", 0x8380, 1, 0, 0, 0) + question
        answers, owner = b"", b"\xc0\x0c"
        for record in records or []:
            if record.startswith("="):
                target = b"".join(bytes([len(label)]) + label.encode() for label in record[1:].split(".")) + b"\0"
                answers += owner + struct.pack(">HHIH", 5, 1, 60, len(target)) + target
                owner = target
            else:
                data = socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, record)
                answers += owner + struct.pack(">HHIH", 1 if kind == "A" else 28, 1, 60, len(data)) + data
        return query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(records or []), 0, 0) + question + answers

    def serve_names(self):
        sock = self.outer.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((NAMES, 53))

        def loop():
            while True:
                query, peer = sock.recvfrom(4096)
                # Two that are not it come first: another id, and other letters.
                reply = self.answer(query, False)
                sock.sendto(bytes([reply[0] ^ 0x55]) + reply[1:], peer)
                sock.sendto(reply[:12] + reply[12:].swapcase(), peer)
                sock.sendto(reply, peer)
        threading.Thread(target=loop, daemon=True).start()

        def stream(connection):
            size = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))[0]
            reply = self.answer(connection.recv(size, socket.MSG_WAITALL), True)
            connection.sendall(struct.pack(">H", len(reply)) + reply)
        self.serve_stream(socket.AF_INET, NAMES, 53, stream)

    # ---- what leaves ----

    def capture(self, name="veth0"):
        return Capture(self.inner, name)


class Capture:
    """Packets that leave by an interface of the inner namespace, but for neighbour discovery and the like."""

    def __init__(self, space, name):
        self.name = name
        self.sock = space.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))
        space.call(lambda: self.sock.bind((name, ETH_P_ALL)))
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)

    def packets(self):
        """(protocol, destination, port) of each since the last call."""
        found = []
        while True:
            try:
                data, address = self.sock.recvfrom(65536)
            except BlockingIOError:
                return found
            if address[2] != 4 and self.name != "lo":  # PACKET_OUTGOING
                continue
            kind = address[1]
            if kind == 0x0800 and len(data) >= 20:
                header = (data[0] & 15) * 4
                protocol, to = data[9], socket.inet_ntop(socket.AF_INET, data[16:20])
            elif kind == 0x86dd and len(data) >= 40:
                header, protocol, to = 40, data[6], socket.inet_ntop(socket.AF_INET6, data[24:40])
                if protocol in (0, 58):  # the host's own: neighbours, groups
                    continue
            else:
                continue
            if protocol == 2:
                continue
            port = struct.unpack(">H", data[header + 2:header + 4])[0] if protocol in (6, 17) and len(data) >= header + 4 else 0
            found.append((protocol, to, port))
