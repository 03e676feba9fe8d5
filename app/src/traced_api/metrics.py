# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus metrics of all worker processes together.

Each worker counts in files of its own, in a folder in memory that the first process makes; that process adds them up
and shows the sums, on a port of their own. `shared` has to be entered before anything is counted: prometheus_client decides
when it makes a counter whether that is shared.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import WSGIServer

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's
MEMORY = Path("/dev/shm")
PREFIX = "traced-api-"

# OpenTelemetry's advice for http.server.request.duration, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


log = logging.getLogger(__name__)


class FolderError(Exception):
    """There is no place to count in."""


@contextmanager
def shared() -> Iterator[None]:
    """Let this process and its children count together."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    try:
        folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=memory)
    except OSError as error:
        raise FolderError(
            f"no folder for the metrics: {error.strerror}; set TMPDIR to one that can be written"
        ) from None
    for left in Path(folder).parent.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.split("-")[2]).exists():  # of a service that was killed
            shutil.rmtree(left, ignore_errors=True)
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(host: str, port: int) -> WSGIServer:
    """Show the sums at http://host:port/metrics, from a thread; raise OSError when the address cannot be had."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    server, _thread = start_http_server(port, host, registry)
    server.RequestHandlerClass.timeout = 5  # type: ignore[attr-defined]  # seconds, for a client that says nothing
    server.handle_error = _cut_off  # type: ignore[assignment]
    return server


def _cut_off(_request: object, client: object) -> None:
    log.warning("a reader of the metrics was cut off: %s", client)
