# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a real server that makes faults: an answer that never comes, a 503, a stall.

It records each request, so that a test can also prove what was not sent.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.serving import serving


@dataclass(frozen=True)
class Fault:
    """What happens to a request.

    reaches: whether the server gets it. status: what the client is answered with instead of the server's answer;
    0 means the connection is closed without an answer, None that the server's own answer is passed on.
    seconds: how long the answer is held back. content: the body of an answer that is made up here.
    held: how long the request is held back before the server gets it. then: called when the server has answered (or
    at once, if the request does not reach it) and before the client hears of it. closes: whether the connection is closed after
    the answer, without a word.
    """

    reaches: bool = True
    status: int | None = None
    seconds: float = 0
    content: str = "made by the test's proxy"
    held: float = 0
    then: Callable[[], None] | None = None
    closes: bool = False


LOST_REQUEST = Fault(reaches=False, status=0)
LOST_ANSWER = Fault(reaches=True, status=0)
UNAVAILABLE = Fault(reaches=False, status=503)
TOO_MANY = Fault(reaches=False, status=429)
UNAVAILABLE_AFTERWARDS = Fault(reaches=True, status=503)

Chooser = Callable[[str, str], Fault | None]


def nth(method: str, part: str, fault: Fault, times: int = 1) -> Chooser:
    """This fault for the first requests of this method whose path has this part in it."""
    left = [times]

    def choose(asked_method: str, path: str) -> Fault | None:
        if asked_method == method and part in path and left[0] > 0:
            left[0] -= 1
            return fault
        return None

    return choose


@dataclass
class Proxy:
    """A running proxy in front of target, which a test may change meanwhile, as a load balancer does.

    choose says which request gets which fault; requests are "METHOD path", in order.
    faults are those that got one. authorizations are the different Authorization headers that came. under_way is
    how many are being worked on now, also those whose client has gone.
    """

    url: str
    target: str
    choose: Chooser
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    under_way: int = 0

    def changes(self) -> list[str]:
        """The requests that could have changed anything."""
        return [r for r in self.requests if not r.startswith(("GET ", "HEAD ")) and "dry_run=true" not in r]


@contextmanager
def proxy(target: str, choose: Chooser = lambda _method, _path: None) -> Iterator[Proxy]:
    """Run a proxy in front of target until the block ends."""
    counting = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            with counting:
                running.under_way += 1
            try:
                self.handle_one()
            except ConnectionError:  # the client has gone: killed, or tired of waiting
                self.close_connection = True
            finally:
                with counting:
                    running.under_way -= 1

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            running.requests.append(f"{self.command} {self.path}")
            running.authorizations.add(self.headers.get("Authorization"))
            fault = running.choose(self.command, self.path) or Fault()
            if fault != Fault():
                running.faults.append(f"{self.command} {self.path}")
            time.sleep(fault.held)
            status, headers, content = self.forward(body) if fault.reaches else (0, {}, b"")
            if fault.then:
                fault.then()
            time.sleep(fault.seconds)
            if fault.status == 0:
                self.close_connection = True
                return
            if fault.status is not None:
                kind = "application/json" if fault.content[:1] in ("{", "[", "n") else "text/html"
                headers = {"Content-Type": kind, "X-Elastic-Product": "Elasticsearch"}
                status, content = fault.status, fault.content.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection |= fault.closes

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

        def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            upstream = urlsplit(running.target)
            connection = http.client.HTTPConnection(str(upstream.hostname), upstream.port, timeout=120)
            dropped = ("host", "connection", "content-length", "accept-encoding")
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            passed = ("content-type", "x-elastic-product", "warning")
            kept = {name: value for name, value in answer.getheaders() if name.lower() in passed}
            content = answer.read()
            connection.close()
            return answer.status, kept, content

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False  # a stalled answer does not hold the test
    running = Proxy(f"http://127.0.0.1:{server.server_address[1]}", target, choose)
    with serving(server):
        yield running
