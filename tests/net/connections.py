#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds COUNT connections over the loopback device at once, all of them used both ways: in tests/run-net's loopback.connections.

usage: connections.py COUNT
Prints "held" when all are there and waits for a line; then uses all of them once more and ends.
"""
import select
import socket
import sys


def exchange(clients, by_port, servers):
    """A byte there and one back on each."""
    for n, client in enumerate(clients):
        client.send(bytes([n & 255]))
    for server in servers:
        byte = server.recv(10)
        assert byte == bytes([by_port[server.getpeername()[1]] & 255])
        server.send(byte + byte)
    for n, client in enumerate(clients):
        assert client.recv(10) == bytes([n & 255] * 2)


def main():
    count = int(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    poll = select.epoll()
    clients, servers, by_port = [], [], {}
    for n in range(count):
        client = socket.create_connection(listener.getsockname())
        server, peer = listener.accept()
        by_port[peer[1]] = n
        clients.append(client)
        servers.append(server)
        poll.register(server, select.EPOLLIN)
    exchange(clients, by_port, servers)
    print("held", flush=True)
    sys.stdin.readline()
    exchange(clients, by_port, servers)
    print("done", flush=True)


main()
