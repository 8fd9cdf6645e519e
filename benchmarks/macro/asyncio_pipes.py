# SPDX-License-Identifier: Apache-2.0
# A child process that is talked to through its pipes.
import asyncio


async def main():
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    for i in range(500):
        child.stdin.write(b"line %d\n" % i)
        assert await child.stdout.readline() == b"line %d\n" % i
    child.stdin.close()
    await child.wait()


asyncio.run(main())
