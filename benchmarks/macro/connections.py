"""10,080 TCP connections over loopback, both ends within 21 processes, a byte sent each way over each; says "ready", then waits for
the end of its input."""
import os
import socket
import sys

PROCESSES, EACH = 21, 480


def hold(ready, until):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(EACH)
    pairs = []
    for _ in range(EACH):
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"a")
        server.sendall(b"b")
        assert (server.recv(1), client.recv(1)) == (b"a", b"b")
        pairs.append((client, server))
    os.write(ready, b"r")
    os.read(until, 1)


ready_read, ready = os.pipe()
until, until_write = os.pipe()
for _ in range(PROCESSES):
    if os.fork() == 0:
        os.close(until_write)
        os.close(ready_read)
        hold(ready, until)
        os._exit(0)
os.close(ready)
for _ in range(PROCESSES):
    if not os.read(ready_read, 1):
        sys.exit("a process has failed")
print("ready", flush=True)
sys.stdin.read()
os.close(until_write)
for _ in range(PROCESSES):
    os.wait()
