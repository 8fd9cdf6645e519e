#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who is flooded in tests/run-net: one port sends zeros to whoever connects, for as long as he listens, another takes all.

usage: flooded.py ADDRESS
"""
import socket
import sys
import threading

ZEROS = bytes(1 << 18)


def serve(listener, each):
    def run(sock):
        try:
            while each(sock):
                pass
        except OSError:
            pass
        sock.close()

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=run, args=(sock,), daemon=True).start()


def main():
    listeners = [socket.create_server((sys.argv[1], 0), backlog=64) for _ in range(2)]
    threading.Thread(target=serve, args=(listeners[0], lambda sock: sock.send(ZEROS)), daemon=True).start()
    print("port", *(listener.getsockname()[1] for listener in listeners), flush=True)
    serve(listeners[1], lambda sock: sock.recv(1 << 18))


main()
