# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a failed run tells: a real mail server and a real web server, which keep what they get."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.support.servers import free_port
from tests.support.serving import serving


@dataclass
class Mailbox:
    """A mail server that keeps what it gets."""

    port: int
    envelopes: list[Envelope] = field(default_factory=list)
    answer: str = "250 kept"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd."""
        self.envelopes.append(envelope)
        return self.answer

    @property
    def messages(self) -> list[EmailMessage]:
        """The mails."""
        contents = [one.original_content for one in self.envelopes]
        return [message_from_bytes(one, policy=policy.default) for one in contents if one]


@contextmanager
def mail_server(password: str = "", tls: ssl.SSLContext | None = None, **more: Any) -> Iterator[Mailbox]:
    """A real SMTP server on a free port. With tls it wants STARTTLS, then the login of jaeger with this password."""
    box = Mailbox(free_port())

    def check(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (
            b"jaeger",
            password.encode(),
        )
        return AuthResult(success=good, handled=False)

    if tls:
        more |= {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": check}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **more)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Hook:
    """A web server that keeps what it gets. act: what it does instead of answering 200."""

    url: str = ""
    act: Callable[[BaseHTTPRequestHandler], None] | None = None
    bodies: list[Any] = field(default_factory=list)


@contextmanager
def hook_server(path: str = "/") -> Iterator[Hook]:
    """A real web server on a free port."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if hook.act:
                hook.act(self)
                return
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            hook.bodies.append("GET")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>\n")

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    hook.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    with serving(server):
        yield hook
