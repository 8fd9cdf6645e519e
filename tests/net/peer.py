#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of what tests/run-net tries; one runs on the host, the other in a sandbox.

usage: peer.py server SCENARIO ADDRESS [NAME=VALUE ...]
       peer.py client SCENARIO ADDRESS PORT [NAME=VALUE ...]

A server prints `port N` when it is ready. Either end ends with 0, or with what was wrong on stderr.
"""
import hashlib
import os
import random
import select
import socket
import struct
import sys
import threading
import time

TIMEOUT = 60


def check(condition, *words):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in words))


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(address, backlog=128):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, 0))
    sock.listen(backlog)
    sock.settimeout(TIMEOUT)
    return sock


def ready(*ports):
    print("port", *ports, flush=True)


def accept(listener):
    sock, _ = listener.accept()
    sock.settimeout(TIMEOUT)
    return sock


def connect(address, port, timeout=TIMEOUT):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect((address, port))
    return sock


def receive(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        check(part, "the stream ended after %d of %d bytes" % (len(data), size))
        data += part
    return data


def receive_all(sock):
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return data
        data += part


def blocks(seed, size):
    """@size bytes that nobody mistakes for others, in pieces."""
    block = random.Random(seed).randbytes(65521)
    number = 0
    while size > 0:
        piece = (struct.pack(">Q", number) + block)[:size]
        yield piece
        size -= len(piece)
        number += 1


def send_stream(sock, seed, size):
    digest = hashlib.sha256()
    for piece in blocks(seed, size):
        sock.sendall(piece)
        digest.update(piece)
    return digest.digest()


def receive_stream(sock, size):
    digest, buffer, left = hashlib.sha256(), bytearray(1 << 18), size
    while left > 0:
        got = sock.recv_into(buffer, min(left, len(buffer)))
        check(got, "the stream ended %d bytes early" % left)
        digest.update(memoryview(buffer)[:got])
        left -= got
    return digest.digest()


def both(first, second):
    """Two at once; the error of either."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# ---- bulk: there, then back; each end compares checksums ----

def bulk_server(address, size=1 << 20, seed=1):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            sock.sendall(receive_stream(sock, size))
            want = send_stream(sock, seed + 1, size)
            check(receive(sock, 32) == want, "what was sent back did not arrive as it was")


def bulk_client(address, port, size=1 << 20, seed=1):
    with connect(address, port) as sock:
        begin = time.monotonic()
        want = send_stream(sock, seed, size)
        check(receive(sock, 32) == want, "what was sent did not arrive as it was")
        middle = time.monotonic()
        sock.sendall(receive_stream(sock, size))
        end = time.monotonic()
    print("rate %.0f %.0f" % (size / (middle - begin) / 1e6, size / (end - middle) / 1e6))


# ---- duplex: both ways at once ----

def duplex(sock, size, own, other):
    digests = {}
    want = hashlib.sha256()
    for piece in blocks(other, size):
        want.update(piece)

    def incoming():
        digests["in"] = receive_stream(sock, size)

    both(lambda: send_stream(sock, own, size), incoming)
    check(digests["in"] == want.digest(), "bytes differ")
    sock.shutdown(socket.SHUT_WR)
    check(receive_all(sock) == b"", "bytes behind the end")


def duplex_server(address, size=1 << 20):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            duplex(sock, size, 3, 4)


def duplex_client(address, port, size=1 << 20):
    with connect(address, port) as sock:
        duplex(sock, size, 4, 3)


# ---- pingpong: a byte there and back ----

def pingpong_server(address, count=300):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(count):
                sock.sendall(receive(sock, 1))
            check(sock.recv(1) == b"", "no end")


def pingpong_client(address, port, count=300):
    with connect(address, port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.monotonic()
        for number in range(count):
            byte = bytes([number & 255])
            sock.sendall(byte)
            check(receive(sock, 1) == byte, "another byte")
        print("latency %.0f us" % ((time.monotonic() - begin) / count * 1e6))


# ---- half: each end closes its half first once ----

def half_server(address):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            data = receive_all(sock)
            check(len(data) == 100000, len(data), "bytes until the end")
            sock.sendall(data * 2)
        with accept(listener) as sock:
            sock.sendall(b"x" * 70000)
            sock.shutdown(socket.SHUT_WR)
            check(len(receive_all(sock)) == 90000, "not all behind our end")


def half_client(address, port):
    with connect(address, port) as sock:
        sock.sendall(b"y" * 100000)
        sock.shutdown(socket.SHUT_WR)
        check(receive_all(sock) == b"y" * 200000, "another answer")
    with connect(address, port) as sock:
        check(len(receive_all(sock)) == 70000, "not all until the end")
        sock.sendall(b"z" * 90000)


# ---- reset: by either end ----

def expect_reset(sock):
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        return
    raise AssertionError("an orderly end, not a reset")


def reset_server(address):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            sock.sendall(b"hello")
            expect_reset(sock)
        with accept(listener) as sock:
            receive(sock, 5)
            # bytes that nobody reads: close(2) resets
            select.select([sock], [], [], TIMEOUT)
        with accept(listener) as sock:
            receive(sock, 2)


def reset_client(address, port):
    with connect(address, port) as sock:
        receive(sock, 5)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with connect(address, port) as sock:
        sock.sendall(b"hello, there are more bytes than are read")
        expect_reset(sock)
    with connect(address, port) as sock:
        sock.sendall(b"ok")
        check(sock.recv(1) == b"", "no end")


# ---- refused: nobody is there ----

def refused_server(address):
    with listen(address) as keep, socket.socket(family_of(address), socket.SOCK_STREAM) as tcp, \
            socket.socket(family_of(address), socket.SOCK_DGRAM) as udp:
        tcp.bind((address, 0))  # bound, and nobody listens
        udp.bind((address, 0))
        port = udp.getsockname()[1]
        udp.close()
        ready(keep.getsockname()[1], tcp.getsockname()[1], port)
        with accept(keep) as sock:
            sock.recv(1)


def refused_client(address, port, tcp, udp):
    with connect(address, port):
        try:
            connect(address, tcp).close()
            raise AssertionError("somebody listens")
        except ConnectionRefusedError:
            pass
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.connect((address, udp))
            for _ in range(5):  # ICMP errors are rationed
                try:
                    sock.send(b"x")
                    sock.recv(1)
                except ConnectionRefusedError:
                    return
                except TimeoutError:
                    continue
            raise AssertionError("no port unreachable")


# ---- many: short connections, one after the other and at once ----

def many_server(address, count=150, at_once=40):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        for _ in range(count):
            with accept(listener) as sock:
                sock.sendall(receive_all(sock))
        socks = [accept(listener) for _ in range(at_once)]
        for sock in socks:
            sock.sendall(receive(sock, 100))
            sock.close()


def many_client(address, port, count=150, at_once=40):
    for number in range(count):
        with connect(address, port) as sock:
            data = b"%d" % number
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            check(receive_all(sock) == data, "another answer")
    socks = [connect(address, port) for _ in range(at_once)]
    for number, sock in enumerate(socks):
        sock.sendall(bytes([number]) * 100)
    for number, sock in enumerate(socks):
        check(receive_all(sock) == bytes([number]) * 100, "another answer")
        sock.close()


# ---- window: the reader waits until the window is full ----

def window_server(address):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as stream, accept(listener) as control:
            size = struct.unpack(">Q", receive(control, 8))[0]
            check(size > 4096, "nothing was sent")
            check(len(receive(stream, size)) == size, "not all")
            control.sendall(b"k")
            check(stream.recv(1) == b"", "no end")


def window_client(address, port):
    with connect(address, port) as stream, connect(address, port) as control:
        stream.setblocking(False)
        sent = 0
        while select.select([], [stream], [], 0.3)[1]:
            try:
                sent += stream.send(b"w" * 65536)
            except BlockingIOError:
                pass
            check(sent < 1 << 28, "there is no end to the window")
        control.sendall(struct.pack(">Q", sent))
        check(receive(control, 1) == b"k", "no answer")


# ---- udp: datagrams of all sizes come back, also those in fragments ----

def udp_sizes(address):
    top = 65507 if family_of(address) == socket.AF_INET else 65487
    return [0, 1, 2, 511, 1399, 1432, 1452, 1453, 1472, 1473, 3000, 8192, 20001, 65000, top]


def udp_server(address):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.settimeout(TIMEOUT)
        sock.bind((address, 0))
        ready(sock.getsockname()[1])
        while True:
            data, peer = sock.recvfrom(65536)
            sock.sendto(data, peer)
            if data == b"end":
                return


def udp_exchange(sock, data, seconds):
    """Tries again, since a datagram may get lost; answers to what was given up before are none."""
    for _ in range(40):
        sock.send(data)
        until = time.monotonic() + seconds
        while True:
            ready_now = select.select([sock], [], [], max(0, until - time.monotonic()))[0]
            if not ready_now:
                break
            if sock.recv(65536) == data:
                return
    raise AssertionError("no answer to a datagram of %d bytes" % len(data))


def udp_client(address, port, seconds=2, largest=65507):
    numbers = random.Random(7)
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        for size in udp_sizes(address):
            if size <= largest:
                udp_exchange(sock, numbers.randbytes(size), seconds)
        try:
            for _ in range(5):
                sock.send(b"end")
        except ConnectionRefusedError:
            pass  # the first was enough


# ---- ping ----

def checksum(data):
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping_socket(address):
    """A ping socket; a raw one where ping_group_range lets nobody have it."""
    protocol = socket.IPPROTO_ICMPV6 if family_of(address) == socket.AF_INET6 else socket.IPPROTO_ICMP
    try:
        return socket.socket(family_of(address), socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        return socket.socket(family_of(address), socket.SOCK_RAW, protocol), True


def ping_exchange(sock, raw, ipv6, number, data):
    """The answer, from its ICMP header on; what a raw socket hears of others' is passed over."""
    header = struct.pack(">BBHHH", 128 if ipv6 else 8, 0, 0, 77, number)
    if raw and not ipv6:
        header = header[:2] + struct.pack(">H", checksum(header + data)) + header[4:]
    sock.send(header + data)  # of a ping socket the kernel fills in identifier and checksum
    while True:
        answer = sock.recv(65536)
        if raw and not ipv6:
            answer = answer[(answer[0] & 15) * 4:]
        if not raw or (answer[0] == (129 if ipv6 else 0) and answer[4:6] == header[4:6]):
            return answer


def ping(address, sizes=(0, 56, 1472, 3000, 20000)):
    ipv6 = family_of(address) == socket.AF_INET6
    sock, raw = ping_socket(address)
    with sock:
        sock.settimeout(3)
        sock.connect((address, 0))
        for number, size in enumerate(sizes):
            data = random.Random(size).randbytes(size)
            for attempt in range(10):
                try:
                    answer = ping_exchange(sock, raw, ipv6, number, data)
                except TimeoutError:
                    continue
                kind, code, _, _, sequence = struct.unpack(">BBHHH", answer[:8])
                check((kind, code) == ((129, 0) if ipv6 else (0, 0)), "ICMP", kind, code)
                if sequence == number:
                    check(answer[8:] == data, "another answer to %d bytes" % size)
                    break
            else:
                raise AssertionError("no answer to a ping of %d bytes" % size)


def ping_server(address):
    """Somebody who is there to be pinged, and pings back."""
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            sock.recv(1)


def ping_client(address, port):
    with connect(address, port):
        ping(address)


# ---- path: a router in between has a smaller MTU (IP_MTU_DISCOVER is ip(7)'s) ----

IP_MTU_DISCOVER, IP_MTU, IP_PMTUDISC_DO = 10, 14, 2
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24


def path_client(address, port, mtu=1280, size=1 << 20):
    ipv6 = family_of(address) == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if ipv6 else socket.IPPROTO_IP
    with connect(address, port) as sock:
        want = send_stream(sock, 1, size)
        check(receive(sock, 32) == want, "bytes differ")
        got = sock.getsockopt(level, IPV6_MTU if ipv6 else IP_MTU)
        check(got == mtu, "IP_MTU is", got, "not", mtu)
        sock.sendall(receive_stream(sock, size))
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        # what was learnt holds for datagrams too
        sock.setsockopt(level, IPV6_MTU_DISCOVER if ipv6 else IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        sock.connect((address, port))
        try:
            sock.send(b"x" * mtu)
            raise AssertionError("a datagram beyond the path's MTU was sent")
        except OSError as error:
            check(error.errno == 90, error)  # EMSGSIZE


# ---- wait: until an address can be reached (router advertisements) ----

def wait_client(address, port):
    until = time.monotonic() + 20
    while True:
        try:
            # what begins with the link's own address, while there is no other, gets nowhere
            with connect(address, port, 2) as sock:
                sock.sendall(b"here")
                check(receive(sock, 4) == b"here", "another answer")
            return
        except OSError as error:
            if time.monotonic() > until:
                raise error
            time.sleep(0.1)


def wait_server(address):
    with listen(address) as listener:
        ready(listener.getsockname()[1])
        with accept(listener) as sock:
            sock.sendall(receive(sock, 4))


def main():
    role, scenario, address = sys.argv[1:4]
    words = sys.argv[4:]
    ports = []
    while words and words[0].isdigit():
        ports.append(int(words.pop(0)))
    options = {word.split("=")[0]: int(word.split("=")[1]) for word in words}
    try:
        function = globals()["%s_%s" % (scenario, role)]
        known = function.__code__.co_varnames[:function.__code__.co_argcount]
        function(address, *ports, **{name: value for name, value in options.items() if name in known})
    except (AssertionError, OSError) as error:
        print("%s %s: %s: %s" % (scenario, role, type(error).__name__, error), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
