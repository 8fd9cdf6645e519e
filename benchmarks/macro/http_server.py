"""Python's http.server and a client that asks for a small file again and again over one connection: prints requests per second."""
import http.client
import http.server
import os
import sys
import time

COUNT = int(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
child = os.fork()
if child == 0:
    server.handle_request()
    os._exit(0)
port = server.server_address[1]
server.server_close()
connection = http.client.HTTPConnection("127.0.0.1", port)
begin = time.monotonic()
for _ in range(COUNT):
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"hello\n"
print(COUNT / (time.monotonic() - begin))
connection.close()
os.waitpid(child, 0)
