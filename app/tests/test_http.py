# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes over the wire: never a 500, never a page of HTML."""

from __future__ import annotations

import pytest

from app.tests.service import Api

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
        (USERS + b"%", {400}),
        (USERS + b"%zz", {400}),
        (USERS + b"<user_id>", {400}),
        (USERS + b"{id}", {400}),
        (USERS + b"%3Cscript%3E", {400}),
        (USERS + b"a" * 8192, {400}),
        (USERS + b"a" * 200_000, {400}),
        (USERS + b"a" * 262_200, {431}),
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
        (b"OPTIONS /api/v1/users/b", {405}),
        (b"BREW /api/v1/users/b", {405}),
        (b"POST /nowhere", {404}),
        (b"get /api/v1/users/b", {400}),
        (b"\x00\x01\x02", {400}),
    ],
)
def test_methods(api: Api, request_line: bytes, statuses: set[int]) -> None:
    assert_small_answer(api, request_line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", statuses)


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        (b"Content-Length: 999999999\r\n", {413}),
        (b"Content-Length: -1\r\n", {400}),
        (b"Transfer-Encoding: nonsense\r\n", {400, 501}),
        (b"X: " + b"x" * 262_200 + b"\r\n", {431}),
        (b"no colon here\r\n", {400}),
        (b"Cookie: \xff\xfe\r\n", {200}),
    ],
)
def test_headers(api: Api, headers: bytes, statuses: set[int]) -> None:
    request = b"GET /api/v1/users/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + b"\r\n"
    assert_small_answer(api, request, statuses)


def assert_small_answer(api: Api, request: bytes, statuses: set[int]) -> None:
    head, _dummy, body = api.send(request).partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in statuses
    assert b"<" not in body
    assert len(body) < 200
    if status in {200, 404, 405}:
        assert body == b""
    assert b"X-Injected" not in head
    assert api.get("/api/v1/users/b") == (200, b"")
    assert "Traceback" not in api.log()
