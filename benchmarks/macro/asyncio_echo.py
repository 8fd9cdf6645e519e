# SPDX-License-Identifier: Apache-2.0
# Eight clients, two hundred round trips each, over Unix sockets in one event loop.
import asyncio
import os
import tempfile


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(path):
    reader, writer = await asyncio.open_unix_connection(path)
    for i in range(200):
        writer.write(b"line %d\n" % i)
        await writer.drain()
        assert await reader.readline() == b"line %d\n" % i
    writer.close()
    await writer.wait_closed()


async def main():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "socket")
        server = await asyncio.start_unix_server(serve, path)
        await asyncio.gather(*(client(path) for _ in range(8)))
        server.close()


asyncio.run(main())
