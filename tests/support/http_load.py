# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that keep asking a server, and remember every request that did not go well."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came of it. failures has one line for each request without a good answer."""

    host: str
    port: int
    path: str
    keep_alive: bool
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self) -> None:
        """One client, until the load ends. A connection serves one request, or with keep_alive as many as it can."""
        connection: http.client.HTTPConnection | None = None
        while not self.stopped.is_set():
            fresh = connection is None
            connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=10)
            wrong = self._request(connection)
            if wrong or not self.keep_alive:
                connection.close()
                connection = None
            # As every HTTP client does: a server may close a kept connection, and then the request goes over a new one.
            if wrong and not fresh:
                continue
            with self.lock:
                self.answered += not wrong
                self.failures += [f"{time.strftime('%X')} {wrong}"] if wrong else []
            time.sleep(0.01)

    def _request(self, connection: http.client.HTTPConnection) -> str:
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return "" if answer.status == 200 else f"status {answer.status}"


@contextmanager
def load(host: str, port: int, path: str, *, clients: int = 4, keep_alive: bool = False) -> Iterator[Load]:
    """So many clients ask for this path until the block ends; it begins when they have had answers."""
    running = Load(host, port, path, keep_alive)
    threads = [threading.Thread(target=running.client) for _each in range(clients)]
    for thread in threads:
        thread.start()
    try:
        _wait_for_answers(running, clients)
        yield running
        _wait_for_answers(running, clients)
    finally:
        running.stopped.set()
        for thread in threads:
            thread.join()


def _wait_for_answers(running: Load, number: int) -> None:
    """Until so many more have come."""
    enough, deadline = running.answered + number, time.monotonic() + 60
    while running.answered < enough:
        assert time.monotonic() < deadline, running.failures[-3:] or "no answer"
        time.sleep(0.05)
