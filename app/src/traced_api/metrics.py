# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus metrics of all worker processes together.

Each worker counts in files of its own, in a folder in memory that the first process makes; that process adds them up
and shows the sums, on a port of their own. `shared` has to be entered before anything is counted: prometheus_client decides
when it makes a counter whether that is shared.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from wsgiref.simple_server import WSGIServer

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's
MEMORY = Path("/dev/shm")
PREFIX = "traced-api-"
JUST_MADE = 60  # seconds

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
    try:
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)  # until the last of our processes has ended
        _sweep(Path(folder).parent)
        os.environ[FOLDER_VARIABLE] = folder
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what services have left that were killed: nobody holds it, and it is not just being made."""
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < JUST_MADE:
                continue
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(handle)


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
