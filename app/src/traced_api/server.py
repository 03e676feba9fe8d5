# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application, and the server that runs it in worker processes: granian.

Granian reads requests and writes answers outside Python, so that a slow or idle client holds no worker, and it starts
and ends the processes. docs/decisions/0008-server-of-the-api.md has the figures it was chosen by.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from importlib.resources import files
from typing import Any
from wsgiref.simple_server import WSGIServer

from bottle import Bottle, HTTPError, HTTPResponse, request, response
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from opentelemetry.sdk.trace import TracerProvider

from traced_api import logs, metrics, signals, tracing, users
from traced_api.config import Config
from traced_api.middleware import Application, observed

THREADS = 16  # of a worker: so many handlers may wait for something before /healthz waits for them
CONNECTIONS = 8192  # of a worker: so many clients may send their headers slowly before others wait
HEADERS_WITHIN = 5  # seconds that a client may take for its headers
STOP_SECONDS = 10  # until a worker that has not ended is killed
FLUSH_SECONDS = 5.0  # of these for the queued spans, once the running requests have ended
LONGEST_HEADERS = 64 * 1024  # bytes

log = logging.getLogger(__name__)


def application() -> Application:
    """The API as a WSGI application."""
    app = Bottle(catchall=False)  # what a handler raises is the middleware's
    app.default_error_handler = _empty_body
    app.add_hook("before_request", _keep_invalid_utf8)
    app.get("/api/v1/users/<user_id>", callback=users.find)
    app.get("/openapi.json", callback=_openapi)
    app.get("/healthz", callback=_alive)
    app.get("/readyz", callback=_alive)
    return observed(app)


def serve(config: Config) -> None:
    """Answer requests until SIGTERM or SIGINT; finish those that run then, and export the spans.

    Raises AddressError when an address cannot be had, and SystemExit when the workers keep failing.
    """
    address = _free(config.host, config.port, "HOST", "PORT")
    metrics_address = _free(config.metrics_host, config.metrics_port, "METRICS_HOST", "METRICS_PORT")
    shown = metrics.serve(metrics_address, config.metrics_port) if config.metrics_port else None
    multiprocessing.set_start_method("fork", force=True)  # a worker gets what is here; Python 3.14 would not
    server = Granian(
        "traced_api",
        address=address,
        port=config.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=config.workers,
        blocking_threads=THREADS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADERS_WITHIN * 1000, max_buffer_size=LONGEST_HEADERS
        ),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_dictconfig=logs.LOGGING,
    )
    worker = _Worker(config, shown)
    server.on_startup(_begin)
    # Not to lose a signal that comes while a worker is forked: until it has handlers of its own, it has the first process's.
    os.register_at_fork(
        before=signals.hold, after_in_parent=signals.let_through, after_in_child=_take_own_signals
    )
    server.serve(spawn_target=worker.run, target_loader=worker.load, wrap_loader=False)


class AddressError(Exception):
    """An address cannot be listened on; the message names its variables."""


def _free(host: str, port: int, host_variable: str, port_variable: str) -> str:
    """The IP address of a host, once it has been seen that its port is free.

    Granian's workers share their port (SO_REUSEPORT), and so would two services that are given the same one.
    """
    try:
        family, _type, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the rest repeats the address
        message = f"cannot listen on {host_variable} {host}, {port_variable} {port}: {reason}"
        raise AddressError(message) from None
    return str(address[0])


def _begin() -> None:
    """Granian has its handlers now, and no worker yet. A stop that has come meanwhile needs none: it could miss its own stop."""
    if signals.waiting():
        raise SystemExit(0)
    signals.let_through()


def _take_own_signals() -> None:
    for number in signals.HEEDED:
        signal.signal(number, signal.SIG_DFL)  # the first process's would not end this one
    signals.let_through()


class _Worker:
    """What a worker process does around granian's own: its spans, its end."""

    def __init__(self, config: Config, shown: WSGIServer | None) -> None:
        self._config = config
        self._shown = shown
        self._provider: TracerProvider | None = None

    def run(self, *arguments: Any) -> None:
        """Serve until told to end."""
        if self._shown:
            self._shown.socket.close()  # it is the first process that shows the metrics
        signals.repeat()
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
        Granian._spawn_wsgi_worker(*arguments)
        log.info("stopping: no more requests, flushing spans")
        if self._provider and not tracing.stop(self._provider, FLUSH_SECONDS):
            log.warning("not all spans could be exported within %.0f s; those are lost", FLUSH_SECONDS)
            os._exit(0)  # an ordinary exit would wait for the exporter, which may hold stdout for ever

    def load(self) -> Application:
        """Make the application in this process: threads do not survive a fork, and the exporter has one."""
        self._provider = tracing.start(self._config)
        app = application()
        # What lives as long as the process needs no more looking through, and a queue of spans is no garbage.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 50)
        return app


def _end_with_parent() -> None:
    """Not to hold the port when the first process was killed."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)


def _alive() -> HTTPResponse:
    """The process serves. The collector is nothing that a request waits for, so nothing else is asked."""
    return HTTPResponse(status=200)


def _openapi() -> HTTPResponse:
    document = files("traced_api").joinpath("openapi.json").read_bytes()
    return HTTPResponse(document, headers={"Content-Type": "application/json"})


def _keep_invalid_utf8() -> None:
    """Decode the path again: Bottle drops bytes that are not UTF-8, and would take `b%FF` for `b`."""
    raw = request.environ["bottle.raw_path"].encode("latin-1")
    request.environ["PATH_INFO"] = raw.decode("utf-8", "replace")


def _empty_body(error: HTTPError) -> str:
    """Errors have no body: Bottle's own is a page of HTML that repeats the address. OPTIONS is no error."""
    if error.status_code == 405 and request.method == "OPTIONS":
        response.status = 204
    return ""
