# application: CPython
# needs: python3-aiohttp python3-requests git
# needs-command: pip3
# set: matrix
# Clients and servers of Python's libraries over the loopback device: requests, aiohttp, pip with an index of its own, git over HTTP.
export HOME=$PWD LC_ALL=C PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
cat > web.py <<'P'
import asyncio, hashlib, threading, aiohttp, requests
from aiohttp import web

async def echo(request):
    body = await request.read()
    return web.Response(text="%s %s %d" % (request.method, request.path, len(body)), headers={"X-Sum": hashlib.md5(body).hexdigest()})

async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for n in range(200):
        await response.write(b"%d " % n * 500)
    await response.write_eof()
    return response

async def socket(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        if message.data == "end":
            await ws.close()
        else:
            await ws.send_str(message.data.upper())
    return ws

async def main():
    app = web.Application(client_max_size=1 << 26)
    app.add_routes([web.get("/stream", stream), web.get("/socket", socket), web.route("*", "/{name}", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    ports = []
    for host in "127.0.0.1", "::1":
        site = web.TCPSite(runner, host, 0)
        await site.start()
        ports.append(site._server.sockets[0].getsockname()[1])
    await web.UnixSite(runner, "socket").start()
    four, six = "http://127.0.0.1:%d" % ports[0], "http://[::1]:%d" % ports[1]
    async with aiohttp.ClientSession() as session:
        async def get(n):
            async with session.put("%s/put%d" % (four if n % 2 else six, n), data=b"q" * n * 1000) as response:
                return response.status, await response.text(), response.headers["X-Sum"]
        for answer in await asyncio.gather(*(get(n) for n in range(100))):
            print(*answer)
        async with session.get(four + "/stream") as response:
            print(response.headers["Transfer-Encoding"], hashlib.sha256(await response.read()).hexdigest())
        async with session.ws_connect(six + "/socket") as ws:
            for n in range(100):
                await ws.send_str("message %d" % n)
                assert (await ws.receive_str()) == "MESSAGE %d" % n
            await ws.send_str("end")
            print((await ws.receive()).type)
        try:
            async with session.get(four + "/slow", timeout=aiohttp.ClientTimeout(total=20)) as response:
                print(response.status)
            await session.get("http://127.0.0.1:1/")
        except aiohttp.ClientConnectorError as error:
            print("refused", error.os_error.errno)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector("socket")) as session:
        async with session.get("http://local/unix") as response:
            print(await response.text())
    def old():
        with requests.Session() as session:
            for n in range(20):
                answer = session.post("%s/post%d" % (six if n % 2 else four, n), data=b"r" * n * 50000, timeout=30)
                print(answer.status_code, answer.text, answer.headers["X-Sum"])
            print(len(session.get(four + "/stream", timeout=30, stream=True).raw.read(decode_content=True)))
        try:
            requests.get("http://127.0.0.1:1/", timeout=5)
        except requests.ConnectionError as error:
            print("refused", "Errno 111" in str(error))
    await asyncio.to_thread(old)
    await runner.cleanup()

asyncio.run(main())
P
python3 web.py
# an index with one package, which pip builds and installs
mkdir -p package/hello index/simple/hello && cd package
printf 'def say():\n    return "installed over HTTP"\n' > hello/__init__.py
cat > wheel.py <<'P'
import zipfile
with zipfile.ZipFile("../index/simple/hello/hello-1.0-py3-none-any.whl", "w") as z:
    z.write("hello/__init__.py")
    z.writestr("hello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
    z.writestr("hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr("hello-1.0.dist-info/RECORD", "hello/__init__.py,,\nhello-1.0.dist-info/METADATA,,\nhello-1.0.dist-info/WHEEL,,\nhello-1.0.dist-info/RECORD,,\n")
P
python3 wheel.py; cd ..
echo '<a href="hello-1.0-py3-none-any.whl">hello-1.0-py3-none-any.whl</a>' > index/simple/hello/index.html
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git config --global user.name G; git config --global user.email g@example.org
git init -q -b main source; (cd source; seq 5000 > file; git add file; git commit -qm first; seq 6000 > file; git commit -qam second)
git clone -q --bare source index/source.git; git -C index/source.git update-server-info
cat > serve.py <<'P'
import http.server, os, socketserver, sys
class H(http.server.CGIHTTPRequestHandler):
    def log_message(self, *a): pass
class S(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
os.chdir("index")
s = S(("127.0.0.1", 0), H)
open("../port.new", "w").write(str(s.server_port)); os.rename("../port.new", "../port")
s.serve_forever()
P
mkdir -p index/cgi-bin; printf '#!/bin/sh\nGIT_PROJECT_ROOT=%s GIT_HTTP_EXPORT_ALL=1 exec git http-backend\n' "$PWD/index" > index/cgi-bin/git; chmod 755 index/cgi-bin/git
python3 serve.py & server=$!
trap 'kill $server' EXIT
for n in $(seq 200); do [ -s port ] && break; sleep 0.05; done
pip3 install -q --index-url "http://127.0.0.1:$(cat port)/simple" --target installed hello 2>&1 | grep -v WARNING; PYTHONPATH=installed python3 -c 'import hello; print(hello.say())'
pip3 download -q --no-deps -d wheels --index-url "http://127.0.0.1:$(cat port)/simple" missing 2>&1 | grep -o 'No matching distribution.*'
git clone -q "http://127.0.0.1:$(cat port)/source.git" dumb && git -C dumb log --format='%H %s'
git clone -q "http://127.0.0.1:$(cat port)/cgi-bin/git/source.git" smart && git -C smart log --format='%H %s'; cmp source/file smart/file && echo same
git daemon --base-path=index --export-all --listen=127.0.0.1 --port=$(($(cat port) % 1000 + 30000)) --reuseaddr --pid-file=daemon.pid --detach > /dev/null 2>&1
for n in $(seq 100); do git clone -q "git://127.0.0.1:$(($(cat port) % 1000 + 30000))/source.git" daemon 2> /dev/null && break; sleep 0.05; done; git -C daemon log --format='%H %s'
kill "$(cat daemon.pid)"
