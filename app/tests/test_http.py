# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes over the wire: never a 500, never a page of HTML."""

from __future__ import annotations

import resource
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest
from traced_api.server import HEADERS_WITHIN

from app.tests.service import HOST, Api, handler

USERS = b"/api/v1/users/"


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (USERS + b"b", {200}),
        (USERS + b"b?id=a", {200}),
        (USERS + b"%62", {200}),
        (USERS + b"a", {400}),
        (USERS + b"B", {400}),
        (USERS + b"b%20", {400}),
        (USERS + b"b%0A", {400}),
        (USERS + b"b%0D%0AX-Injected:%201", {400}),
        (USERS + b"%00", {400}),
        (USERS + b"b%00", {400}),
        (USERS + b"b%FF", {400}),
        (USERS + b"%C0%AF", {400}),
        (USERS + b"b%ED%A0%80", {400}),
        (USERS + b"%C4%B1", {400}),
        (USERS + b"b\xff", {400}),
        (USERS + b"%c3%bc", {400}),
        (USERS + b"%", {400}),
        (USERS + b"%zz", {400}),
        (USERS + b"<user_id>", {400}),
        (USERS + b"{id}", {400}),
        (USERS + b"%3Cscript%3E", {400}),
        (USERS + b"a" * 8192, {400}),
        (USERS + b"a" * 65_000, {400}),
        (USERS + b"a" * 66_000, {414}),
        (USERS + b"a" * 200_000, {414, 431}),
        (USERS, {404}),
        (USERS + b"/b", {404}),
        (USERS + b"b/", {404}),
        (USERS + b"b%2F", {404}),
        (USERS + b"%2F", {404}),
        (USERS + b"..", {400, 404}),
        (USERS + b"%2e%2e%2fusers%2fb", {404}),
        (USERS + b"../users/b", {404}),
        (USERS + b"b b", {400}),
        (b"/", {404}),
        (b"//", {404}),
        (b"/%00", {404}),
        (b"/%FF", {404}),
        (b"/api/v1/users", {404}),
        (b"*", {400, 404}),
        (b"\\..\\", {400, 404}),
    ],
)
def test_targets(api: Api, target: bytes, statuses: set[int]) -> None:
    assert_small_answer(
        api, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", statuses
    )


@pytest.mark.parametrize(
    ("request_line", "statuses"),
    [
        (b"HEAD /api/v1/users/b", {200}),
        (b"HEAD /api/v1/users/a", {400}),
        (b"POST /api/v1/users/b", {405}),
        (b"DELETE /api/v1/users/b", {405}),
        (b"OPTIONS /api/v1/users/b", {204}),
        (b"OPTIONS /nowhere", {404}),
        (b"OPTIONS *", {404}),
        (b"BREW /api/v1/users/b", {405}),
        (b"POST /nowhere", {404}),
        (b"get /api/v1/users/b", {200}),  # Bottle takes a method in any case
        (b"\x00\x01\x02", {400}),
    ],
)
def test_methods(api: Api, request_line: bytes, statuses: set[int]) -> None:
    assert_small_answer(api, request_line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", statuses)


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        (b"Content-Length: 999999999\r\n", {200}),  # nobody reads it, and the connection ends
        (b"Content-Length: -1\r\n", {400}),
        (b"Transfer-Encoding: nonsense\r\n", {400, 501}),
        (b"X: " + b"x" * 200_000 + b"\r\n", {431}),
        (b"no colon here\r\n", {400}),
        (b"Cookie: \xff\xfe\r\n", {200}),
        (b"Host: [::1\r\n", {200, 400}),
        (b"User-Agent: \xff\r\n", {200}),
    ],
)
def test_headers(api: Api, headers: bytes, statuses: set[int]) -> None:
    request = b"GET /api/v1/users/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + b"\r\n"
    assert_small_answer(api, request, statuses)


def test_a_405_names_what_is_allowed(api: Api) -> None:
    for method in (b"POST", b"OPTIONS"):
        head = api.send(method + b" /api/v1/users/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"\r\nallow: GET" in head


def test_head_has_the_headers_of_get(api: Api) -> None:
    tail = b" /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    got, headed = (api.send(method + tail).split(b"\r\n\r\n") for method in (b"GET", b"HEAD"))
    headers = [{line for line in one[0].split(b"\r\n") if b"date:" not in line} for one in (got, headed)]
    assert headers[0] == headers[1]
    assert headed[1] == b""
    assert len(got[1]) > 100


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_neither_traced_nor_counted(start: Callable[..., Api], path: str) -> None:
    api = start()
    assert api.get(path) == (200, b"")
    assert not [series for series in api.metrics() if "http_server" in series]
    assert api.spans() == []


def test_metrics_are_on_their_own_port_only(api: Api) -> None:
    assert api.get("/metrics") == (404, b"")
    assert api.metrics()


def test_slow_clients_hold_nobody_up(start: Callable[..., Api]) -> None:
    """More clients that are at their first words than there are threads, or connections in granian's own measure (1024)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    api = start()
    with ExitStack() as stack:
        slow = [
            stack.enter_context(closing(socket.create_connection((HOST, api.port), timeout=20)))
            for _client in range(1200)
        ]
        for client in slow:
            client.sendall(b"GET /api/v1/users/b HT")
        durations = []
        for _dummy in range(50):
            began = time.monotonic()
            assert api.get("/api/v1/users/b") == (200, b"")
            durations.append(time.monotonic() - began)
        assert statistics.median(durations) < 1
        assert max(durations) < HEADERS_WITHIN - 1, "a request has waited until slow clients were sent away"
        assert slow[0].recv(100) == b""  # ended by the server, after HEADERS_WITHIN


def test_a_failing_handler_is_an_empty_500_that_is_logged_and_traced(start: Callable[..., Api]) -> None:
    api = start(**handler(0))
    status, body = api.get("/api/v1/users/b")
    assert (status, body) == (500, b"")
    spans = {span["name"]: span for span in api.spans()}
    server = spans["GET /api/v1/users/<user_id>"]
    assert server["status"]["status_code"] == "ERROR"
    assert server["attributes"]["error.type"] == "500"
    assert server["attributes"]["http.response.status_code"] == 500
    (line,) = (line for line in api.logged() if line["message"] == "the request failed")
    assert "ZeroDivisionError" in line["exc_info"]
    assert f"0x{line['trace_id']}" == server["context"]["trace_id"]


def assert_small_answer(api: Api, request: bytes, statuses: set[int]) -> None:
    head, _dummy, body = api.send(request).partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in statuses
    assert b"<" not in body
    assert len(body) < 200
    if status in {200, 204, 404, 405}:
        assert body == b""
    assert b"X-Injected" not in head
    assert api.get("/api/v1/users/b") == (200, b"")
    assert "Traceback" not in api.log()
