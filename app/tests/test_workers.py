# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several worker processes: each exports its spans, all count together, and one that dies is replaced."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from traced_api.server import STOP_SECONDS

from app.tests.service import HOST, Api, handler
from tests.support.servers import wait_for

ROUTE = 'http_request_method="GET",http_response_status_code="200",http_route="/api/v1/users/<user_id>"'


def test_each_worker_exports_and_the_counts_add_up(start: Callable[..., Api]) -> None:
    api = start(WORKERS="3")
    for number in (1, 2, 3):
        api.wait_for_log(f"Started worker-{number}")
    for _dummy in range(200):
        assert api.get("/api/v1/users/b") == (200, b"")
    time.sleep(2)  # longer than a span waits for others
    counts = api.metrics()
    assert counts[f"http_server_request_duration_seconds_count{{{ROUTE}}}"] == 200
    assert api.spans_counted("exported") == 600
    spans = api.spans()
    assert len(spans) == 600
    instances = {span["resource"]["attributes"]["service.instance.id"] for span in spans}
    assert len(instances) == 3


def test_a_worker_that_is_killed_is_replaced_and_what_it_counted_stays(start: Callable[..., Api]) -> None:
    api = start(WORKERS="1")
    assert api.get("/api/v1/users/b") == (200, b"")
    (worker,) = api.workers()
    os.kill(worker, signal.SIGKILL)
    answered = False
    deadline = time.monotonic() + 20
    while not answered and time.monotonic() < deadline:
        try:
            answered = api.get("/api/v1/users/b") == (200, b"")
        except OSError:
            time.sleep(0.1)
    assert answered
    assert api.workers() != [worker]
    assert api.metrics()[f"http_server_request_duration_seconds_count{{{ROUTE}}}"] == 2
    assert api.stop() == 0


def test_workers_end_with_their_parent(start: Callable[..., Api]) -> None:
    """Else they would hold the port, and a supervisor could not start the service again. Even one that hangs ends."""
    api = start(**handler(600), WORKERS="2")
    workers = api.workers()
    assert len(workers) == 2
    with closing(socket.create_connection((HOST, api.port))) as client:
        client.sendall(b"GET /api/v1/users/b HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.5)
        api.process.kill()
        api.process.wait(5)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), STOP_SECONDS + 5)


def test_what_a_killed_service_has_left_is_removed_and_what_another_one_counts_in_is_not(
    start: Callable[..., Api],
) -> None:
    running, killed = start(), start()
    folders = {
        api: next(Path("/dev/shm").glob(f"traced-api-{api.process.pid}-*")) for api in (running, killed)
    }
    workers = killed.workers()
    killed.process.kill()
    killed.process.wait(5)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 20)
    for folder in folders.values():
        os.utime(folder, (0, 0))
    assert start().stop() == 0
    assert not folders[killed].exists()
    assert folders[running].exists()
    assert running.get("/api/v1/users/b") == (200, b"")


def test_nothing_is_left_behind(start: Callable[..., Api]) -> None:
    api = start()
    pattern = f"traced-api-{api.process.pid}-*"
    assert list(Path("/dev/shm").glob(pattern))
    assert api.stop() == 0
    assert not list(Path("/dev/shm").glob(pattern))
