# SPDX-License-Identifier: Apache-2.0
"""Runs in the sandbox: tries to get out by each way named on the command line, and prints what came of it, a JSON line each."""
import ctypes
import errno
import json
import os
import socket
import ssl
import struct
import sys

TIMEOUT = 2.0


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address, port, data=b"GET / HTTP/1.0\r\n\r\n", family=None):
    with socket.socket(family or family_of(address), socket.SOCK_STREAM) as s:
        s.settimeout(TIMEOUT)
        s.connect((address, int(port)))
        s.sendall(data)
        return "got %d" % len(s.recv(100))


def udp(address, port, data=b"ping", options=()):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        for option in options:
            s.setsockopt(*option)
        s.sendto(data, (address, int(port)))
        try:
            return "got %d" % len(s.recv(100))
        except socket.timeout:
            return "silence"


def connected(address, port):
    """A connected socket is told."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as s:
        s.settimeout(TIMEOUT)
        s.connect((address, int(port)))
        s.send(b"x")
        return "got %d" % len(s.recv(100))


def broadcast(address, port):
    return udp(address, port, options=[(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)])


def query(name, kind, extra=b"", flags=0x0100, count=1):
    labels = b"".join(bytes([len(part)]) + part.encode("latin1") for part in name.split(".") if part)
    return b"\x12\x34" + struct.pack(">HHHHH", flags, count, 0, 0, 0) + (labels + b"\0" + struct.pack(">HH", int(kind), 1)) * count + extra


def dns(server, name, kind=1):
    with socket.socket(family_of(server), socket.SOCK_DGRAM) as s:
        s.settimeout(1.0)
        s.connect((server, 53))
        s.send(query(name, kind))
        reply = s.recv(4096)
        return "rcode %d answers %d" % (reply[3] & 15, struct.unpack(">H", reply[6:8])[0])


def dns_tcp(server, name, kind=1, port=53):
    with socket.socket(family_of(server), socket.SOCK_STREAM) as s:
        s.settimeout(TIMEOUT)
        s.connect((server, int(port)))
        message = query(name, kind)
        s.sendall(struct.pack(">H", len(message)) + message)
        reply = s.recv(4096)
        return "rcode %d answers %d" % (reply[5] & 15, struct.unpack(">H", reply[8:10])[0])


def dns_odd(server, which):
    messages = {"short": b"\x12", "none": query("www.evil.test", 1, count=0), "two": query("www.evil.test", 1, count=2),
                "answer": query("www.evil.test", 1, flags=0x8180), "notify": query("www.evil.test", 1, flags=0x2000),
                "loop": b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", "label": query("a" * 63 + "." + "b" * 63 + ".evil.test", 16),
                "binary": b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\x05\0\xff.\n;\0\0\1\0\1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        s.connect((server, 53))
        s.send(messages[which])
        try:
            return "rcode %d" % (s.recv(4096)[3] & 15)
        except socket.timeout:
            return "silence"


def resolve(name):
    return "addresses %d" % len({a[4][0] for a in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)})


def by_name(name, port):
    with socket.create_connection((name, int(port)), TIMEOUT) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return "got %d" % len(s.recv(100))


def hello(name):
    """A ClientHello as bytes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def pinned(name):
    return socket.getaddrinfo(name, 443, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]


def tls(through, server, port=443):
    """To the address of one name, with another in the hello ("" for none)."""
    return tcp(pinned(through), port, hello(server))


def tls_cut(through, server, port=443):
    """The same name, in a hello that is cut into two records: what the gateway cannot read in one piece is refused."""
    record = hello(server)
    body = record[5:]
    cut = [body[:20], body[20:]]
    return tcp(pinned(through), port, b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part for part in cut))


def tls_slow(through, server, port=443):
    with socket.create_connection((pinned(through), int(port)), TIMEOUT) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        record = hello(server)
        for i in range(0, len(record), 40):
            s.sendall(record[i:i + 40])
        return "got %d" % len(s.recv(100))


def plain(through, port):
    return tcp(pinned(through), port)


def pinned_udp(through, port):
    return udp(pinned(through), port)


def raw(address, protocol, header=False):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, int(protocol)) as s:
        payload = b"\x08\0\xf7\xff\0\0\0\0"
        if header:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            payload = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, int(protocol) % 255, 0, socket.inet_aton("11.22.0.1"),
                                  socket.inet_aton(address)) + payload
        s.sendto(payload, (address, 0))
        return "sent"


def ping(address):
    try:
        kind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)
    except PermissionError:  # net.ipv4.ping_group_range
        kind = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    with kind as s:
        s.settimeout(0.5)
        s.sendto(b"\x08\0\xf7\xfe\0\0\0\1", (address, 0))
        try:
            while True:
                reply = s.recv(100)
                reply = reply[20:] if s.type == socket.SOCK_RAW else reply
                if reply[0] == 0:
                    return "answered"
        except socket.timeout:
            return "silence"


def packet(address):
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as s:
        s.sendto(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20, 1, 0, 64, 17, 0, socket.inet_aton("10.0.2.15"), socket.inet_aton(address)),
                 ("eth0", 0x0800, 0, 0, b"\xff" * 6))
        return "sent"


def protocol(address, port, number, kind=None):
    with socket.socket(socket.AF_INET, int(kind or socket.SOCK_STREAM), int(number)) as s:
        s.settimeout(TIMEOUT)
        s.connect((address, int(port)))
        s.send(b"x")
        return "sent"


def fast_open(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(TIMEOUT)
        s.sendto(b"GET / HTTP/1.0\r\n\r\n", socket.MSG_FASTOPEN, (address, int(port)))
        return "got %d" % len(s.recv(100))


def device(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(TIMEOUT)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")
        s.connect((address, int(port)))
        return "connected"


def source(address, port, own):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(TIMEOUT)
        s.bind((own, 0))
        s.connect((address, int(port)))
        return "connected"


def after_connect(first, first_port, address, port):
    """A socket that is connected to what is allowed sends elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        s.connect((first, int(first_port)))
        s.sendto(b"x", (address, int(port)))
        try:
            return "got %d" % len(s.recv(100))
        except socket.timeout:
            return "silence"


def route(address, port):
    """The guest's own routes and addresses are its own affair."""
    os.system("ip route add %s dev lo 2>/dev/null; ip addr add 11.22.0.1/16 dev eth0 2>/dev/null" % address)
    return tcp(address, port)


def namespace(address, port):
    if ctypes.CDLL(None, use_errno=True).unshare(0x50000000) < 0:  # CLONE_NEWUSER|CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")
    return tcp(address, port)


def abstract(name):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect("\0" + name)
        return "connected"


def family(number):
    with socket.socket(int(number), socket.SOCK_DGRAM, 0):
        return "made"


def two_faced(name):
    """An answer that changes: from a public address to a private one."""
    first = {a[4][0] for a in socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)}
    try:
        again = {a[4][0] for a in socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)}
    except socket.gaierror:
        again = set()
    return "first %d again %d" % (len(first), len(again))


def half(through, port):
    """Sends 300 KB, says that was all, and reads what came of it."""
    with socket.create_connection((through, int(port)), 10) as s:
        data = bytes(range(256)) * 1200
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            part = s.recv(4096)
            if not part:
                break
            answer += part
        return "sum %s" % (answer == b"%d %d\n" % (len(data), sum(data)))


def reset(address, port):
    with socket.create_connection((address, int(port)), 10) as s:
        s.sendall(b"x")
        return "got %d" % len(s.recv(10))


def main():
    for line in sys.stdin:
        label, call, *arguments = json.loads(line)
        try:
            outcome = globals()[call](*arguments)
        except socket.gaierror as error:
            outcome = {socket.EAI_NONAME: "NONAME", socket.EAI_AGAIN: "AGAIN", socket.EAI_NODATA: "NODATA"}.get(error.errno, str(error))
        except socket.timeout:
            outcome = "TIMEOUT"
        except OSError as error:
            outcome = errno.errorcode.get(error.errno, str(error))
        except Exception as error:
            outcome = "%s: %s" % (type(error).__name__, error)
        print(json.dumps([label, outcome]), flush=True)


main()
