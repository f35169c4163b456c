"""An echo server and its clients on one asyncio loop, over sockets of this machine."""

import asyncio

from support import main


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    total = 0
    for i in range(n):
        writer.write(f"message {number} {i}\n".encode())
        total += len(await reader.readline())
    writer.close()
    return total


async def all_of_it(n):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return sum(await asyncio.gather(*(client(port, n, k) for k in range(10))))


main(lambda n: asyncio.run(all_of_it(n)))
