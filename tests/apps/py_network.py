# needs-command: openssl
# set: matrix
"""Over the loopback device: http.server and urllib, asyncio streams with TLS, xmlrpc, socketserver, a manager of multiprocessing, UDP."""
import asyncio
import http.server
import multiprocessing.managers
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
import xmlrpc.client
import xmlrpc.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        body = b"%s %d " % (self.path.encode(), size) + b"p" * 100000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serving(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def web():
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        answers = [None] * 20

        def get(n):
            with urllib.request.urlopen("http://127.0.0.1:%d/%d" % (server.server_port, n), b"w" * n * 1000) as answer:
                answers[n] = (answer.status, answer.read()[:12])
        threads = [threading.Thread(target=get, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(answers)
        try:
            urllib.request.urlopen("http://127.0.0.1:%d/x" % server.server_port)
        except urllib.error.HTTPError as e:
            print(e.code)
        server.shutdown()


async def encrypted():
    subprocess.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out c.pem -days 3650 -subj /CN=localhost "
                   "-addext subjectAltName=DNS:localhost".split(), check=True, stderr=subprocess.DEVNULL)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain("c.pem", "k.pem")

    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()
    server = await asyncio.start_server(echo, "localhost", 0, ssl=own, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]

    async def ask(n):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=ssl.create_default_context(cafile="c.pem"), family=socket.AF_INET)
        writer.write(b"question %d\n" % n)
        answer = await reader.readline()
        writer.close()
        return answer
    print(await asyncio.gather(*(ask(n) for n in range(20))))
    server.close()


def procedures():
    with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
        server.register_function(pow)
        serving(server)
        print(xmlrpc.client.ServerProxy("http://127.0.0.1:%d" % server.server_address[1]).pow(2, 20))
        server.shutdown()


def datagrams():
    class Upper(socketserver.BaseRequestHandler):
        def handle(self):
            self.request[1].sendto(self.request[0].upper(), self.client_address)
    with serving(socketserver.ThreadingUDPServer(("127.0.0.1", 0), Upper)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        for n in range(5):
            client.sendto(b"question %d" % n, server.server_address)
            print(client.recv(100))
        server.shutdown()


def managed():
    class Manager(multiprocessing.managers.BaseManager):
        pass
    Manager.register("list", list, multiprocessing.managers.ListProxy)
    manager = Manager(("127.0.0.1", 0), b"secret")
    manager.start()
    other = Manager(manager.address, b"secret")
    other.connect()
    numbers = other.list([1, 2])
    numbers.append(3)
    print(numbers[:], type(numbers).__name__)
    try:
        Manager(manager.address, b"wrong").connect()
    except multiprocessing.AuthenticationError as e:
        print(e)
    manager.shutdown()


def families():
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        for host in "127.0.0.1", "::1", "localhost":
            with socket.create_connection((host, port)) as client:
                client.sendall(b"x" * 100000)
                client.shutdown(socket.SHUT_WR)
                connection, address = server.accept()
                print(host, sum(len(d) for d in iter(lambda: connection.recv(65536), b"")), len(address))
                connection.close()
    try:
        socket.create_connection(("127.0.0.1", 1))
    except ConnectionRefusedError as e:
        print(e)
    print([name for _, name in socket.if_nameindex() if name == "lo"], sorted({i[4][0] for i in socket.getaddrinfo("localhost", 80)}) != [])


if __name__ == "__main__":
    web()
    asyncio.run(encrypted())
    procedures()
    datagrams()
    managed()
    families()
