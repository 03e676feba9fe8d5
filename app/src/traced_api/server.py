# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application, and the server that runs it.

The server is waitress: pure Python without dependencies, and its one I/O thread reads requests and
writes answers for all connections, so that a slow or idle client holds no worker. (cheroot, the
other candidate, reads a request in a worker thread, and brings three more packages.)
"""

from __future__ import annotations

import logging
import socket

import waitress
from bottle import Bottle, HTTPError, request

from traced_api import users
from traced_api.tracing import continue_trace

MAX_BODY_BYTES = 64 * 1024  # no route reads a body; waitress's own limit is 1 GiB


def application() -> Bottle:
    """The API as a WSGI application."""
    app = Bottle()
    app.default_error_handler = _empty_body
    app.add_hook("before_request", _keep_invalid_utf8)
    app.install(continue_trace)
    app.get("/api/v1/users/<user_id>", callback=users.find)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; raise OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def serve(app: Bottle, listener: socket.socket) -> None:
    """Answer requests until SystemExit is raised (by a signal handler); finish those that run then."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # else a line for each request that queues
    waitress.create_server(app, sockets=[listener], max_request_body_size=MAX_BODY_BYTES).run()


def _keep_invalid_utf8() -> None:
    """Decode the path again: Bottle drops bytes that are not UTF-8, and would take `b%FF` for `b`."""
    raw = request.environ["bottle.raw_path"].encode("latin-1")
    request.environ["PATH_INFO"] = raw.decode("utf-8", "replace")


def _empty_body(_error: HTTPError) -> str:
    """Errors have no body: Bottle's own is a page of HTML that repeats the address."""
    return ""
