import asyncio


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(n):
    reader, writer = await asyncio.open_unix_connection("echo.sock")
    got = []
    for i in range(20):
        writer.write(b"client %d line %d\n" % (n, i))
        await writer.drain()
        got.append(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return len(got), got[-1]


async def main():
    server = await asyncio.start_unix_server(handle, "echo.sock")
    for result in await asyncio.gather(*(client(n) for n in range(10))):
        print(result)
    server.close()
    p = await asyncio.create_subprocess_exec("sort", "-r", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await p.communicate(b"a\nb\nc\n"), p.returncode)
    ps = [await asyncio.create_subprocess_shell("exit %d" % n) for n in range(5)]
    print([await p.wait() for p in ps])
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError:
        print("timed out")
    loop = asyncio.get_running_loop()
    print(await loop.run_in_executor(None, sum, range(1000)))


asyncio.run(main())
