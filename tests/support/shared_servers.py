# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that the stages of one run share, so that one of a kind starts for those that run at one time, not for each stage.

bin/test runs its stages in shared_servers(), which names a folder in TRACESTACK_TEST_RUN and locks the file alive in it. A test process
borrows a server of a kind that nobody else has now, wiped; if there is none, it starts one, which goes on until that lock is released,
however bin/test ends. Without the variable, a server starts for the block and ends with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tests.support.servers import (
    RELEASE,
    Elasticsearch,
    elasticsearch,
    memory_folder,
    start_elasticsearch,
    wait_for,
)

VARIABLE = "TRACESTACK_TEST_RUN"
# Runs a server until the lock on the file alive is free, and removes the server's folder.
KEEPER = 'alive=$1 folder=$2; shift 2; "$@" & flock "$alive" kill $!; wait; rm -rf "$folder"'


@contextmanager
def shared_servers() -> Iterator[None]:
    """Let what this process starts share servers, which end with the block, or with this process."""
    if VARIABLE in os.environ:  # a run within a run
        yield
        return
    with memory_folder() as run:
        with (run / "alive").open("w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            os.environ[VARIABLE] = str(run)
            try:
                yield
            finally:
                del os.environ[VARIABLE]
        with suppress(AssertionError):  # one that does not end is not the run's failure
            wait_for(lambda: not any(run.glob("*/url")), 30)


@contextmanager
def shared_server(release: str = RELEASE) -> Iterator[Elasticsearch]:
    """A real server with a movable clock, empty, and this process's alone until the block ends."""
    run = os.environ.get(VARIABLE)
    if not run:
        with memory_folder() as folder, elasticsearch(folder, clock=True, release=release) as own:
            yield own
        return
    folder, lock = _borrowed(Path(run), release)
    try:
        server = _running(folder, release) or _started(folder, release)
        server.reset()
        yield server
    finally:
        lock.close()


def _borrowed(run: Path, release: str) -> tuple[Path, TextIO]:
    """The folder of a server that nobody else has, and the file whose lock says so until it is closed."""
    number = 0
    while True:
        number += 1
        folder = run / f"{release}-{number}"
        folder.mkdir(exist_ok=True)
        lock = (folder / "borrowed").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return folder, lock


def _running(folder: Path, release: str) -> Elasticsearch | None:
    """The server that runs in this folder, if one was started."""
    file = folder / "url"
    return Elasticsearch(file.read_text(), folder / "clock", release) if file.exists() else None


def _started(folder: Path, release: str) -> Elasticsearch:
    """A new one, which does not end with this process."""
    keeper = ("sh", "-c", KEEPER, "keeper", str(folder.parent / "alive"), str(folder))
    server, _process = start_elasticsearch(folder, clock=True, release=release, launcher=keeper)
    (folder / "url").write_text(server.url)
    return server
