# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer that knows nothing of HTTP: each connection goes to the next one of several servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

from tests.support.serving import serving


@dataclass
class Balancer:
    """A running load balancer. connections is how many it has had."""

    url: str
    connections: int = 0


@contextmanager
def balancer(targets: Sequence[str]) -> Iterator[Balancer]:
    """Run one in front of these URLs until the block ends: connection n goes to the one at n mod their number."""
    counting = threading.Lock()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with counting:
                number = running.connections
                running.connections += 1
            target = urlsplit(targets[number % len(targets)])
            with socket.create_connection((str(target.hostname), target.port or 80)) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, self.request), daemon=True)
                back.start()
                _pump(self.request, upstream)
                back.join()

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False  # a connection that the client keeps does not hold the test
    running = Balancer(f"http://127.0.0.1:{server.server_address[1]}")
    with serving(server):
        yield running


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes until one side ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
