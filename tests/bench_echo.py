"""How often a bare asyncio server and a bare client can take turns on this machine.

It is what no station in Python on asyncio can beat, and says how fast processes wake
each other here: run by ``tests.bench_v2g`` beside the real thing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection

OCTETS = 80  # of a request in the loop, or so
SECONDS = 3.0


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def _serve(told: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Echo, "::1", 0)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(told: Connection) -> None:
    asyncio.run(_serve(told))


def turns_a_second() -> float:
    """Return how many octets went there and back a second, one after the other."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_main, args=(theirs,), daemon=True)
    server.start()
    try:
        with socket.create_connection(("::1", ours.recv())) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            count, began = 0, time.perf_counter()
            while (took_s := time.perf_counter() - began) < SECONDS:
                link.sendall(bytes(OCTETS))
                assert link.recv(OCTETS)
                count += 1
            return count / took_s
    finally:
        server.terminate()
        server.join()
