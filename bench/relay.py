# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay in front of the server that passes bytes on and counts: requests, and bytes on their way to the client.

It looks at requests only to find where each begins. Answers are not looked at, only counted, headers and all, as
they come from the server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Relay:
    """A running relay: what has passed through it since the last call of take()."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    bytes_down: int = 0
    problems: list[str] = field(default_factory=list)

    def take(self) -> tuple[list[str], int]:
        """The requests ("METHOD path") and the bytes down, and start again from nothing."""
        assert not self.problems, self.problems
        taken = (self.requests, self.bytes_down)
        self.requests, self.bytes_down = [], 0
        return taken


class FromClient(asyncio.Protocol):
    """The client's side of one connection."""

    def __init__(self, relay: Relay, host: str, port: int) -> None:
        self.relay = relay
        self.target = (host, port)
        self.early = bytearray()
        self.unparsed = bytearray()
        self.body_left = 0
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.client = transport
        self.connecting = asyncio.get_running_loop().create_task(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.server, _protocol = await loop.create_connection(lambda: FromServer(self), *self.target)
        self.server.write(bytes(self.early))

    def data_received(self, data: bytes) -> None:
        self.count(data)
        if self.server is None:
            self.early += data
        else:
            self.server.write(data)

    def count(self, data: bytes) -> None:
        """Note each request whose head is complete."""
        self.unparsed += data
        while True:
            body = min(self.body_left, len(self.unparsed))
            del self.unparsed[:body]
            self.body_left -= body
            end = self.unparsed.find(b"\r\n\r\n")
            if self.body_left or end < 0:
                return
            first, *lines = self.unparsed[:end].decode("latin-1").split("\r\n")
            del self.unparsed[: end + 4]
            headers = {
                name.lower(): value.strip() for name, _colon, value in (x.partition(":") for x in lines)
            }
            if "transfer-encoding" in headers:
                self.relay.problems.append(f"a request in chunks, which is not counted: {first}")
            self.body_left = int(headers.get("content-length", 0))
            self.relay.requests.append(first.rpartition(" ")[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if self.server is not None:
            self.server.close()


class FromServer(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, client: FromClient) -> None:
        self.client = client

    def data_received(self, data: bytes) -> None:
        self.client.relay.bytes_down += len(data)
        if self.client.client is not None:
            self.client.client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client.client is not None:
            self.client.client.close()


@contextmanager
def relay(target: str) -> Iterator[Relay]:
    """Run a relay in front of target until the block ends, in a thread of its own."""
    upstream = urlsplit(target)
    assert upstream.hostname
    assert upstream.port
    host, port = upstream.hostname, upstream.port
    running = Relay()
    loop = asyncio.new_event_loop()
    listening = loop.create_server(lambda: FromClient(running, host, port), "127.0.0.1", 0)
    server = loop.run_until_complete(listening)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
