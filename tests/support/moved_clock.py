# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that passes as a test says, for running processes too: days in seconds, or not at all.

libfaketime reads the time from a file. A thread writes it there again and again, so that the time passes, at any rate,
for all that look at it: a server, and the programs of a host, whose clock may be wrong.
"""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.servers import CLOCK_FORMAT

_TICK = 0.01
_END = datetime.max.replace(tzinfo=UTC)


def clock_environment(clock: Path) -> dict[str, str]:
    """The environment in which a program of a host takes its time from this file.

    time.sleep fails in it (libfaketime 0.9.10 gets clock_nanosleep wrong); what waits for an event or a process does not.
    """
    (library,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        **CLOCK_FORMAT,
    }


class MovedClock:
    """The time that the server's file has, and the host's, less what that one is behind.

    now is what was written last: what a process sees from now on is never earlier.
    """

    def __init__(self, server: Path, host: Path, start: datetime) -> None:
        self.server = server
        self.host = host
        self.now = start
        self._behind = timedelta(0)
        self._changing = threading.Lock()
        self._set(start, 0)

    def stand(self) -> None:
        """From now on no time passes."""
        self._set(self.now, 0)

    def go(self) -> None:
        """From now on the time passes as it does."""
        self._set(self.now, 1)

    def pass_to(self, instant: datetime, seconds: float) -> None:
        """Let the time until this instant pass within so many seconds, and then stand."""
        left = (instant - self.now).total_seconds()
        assert left >= 0, f"It is {self.now} already, too late for {instant}: this machine is too slow."
        self._set(self.now, left / seconds, until=instant)
        while self.now < instant:
            time.sleep(_TICK)

    def set_host_behind(self, behind: timedelta) -> None:
        """The host's clock is so far behind the server's."""
        with self._changing:
            self._behind = behind
            self._write(self.now)

    def tick(self) -> None:
        """Write what time it is."""
        with self._changing:
            passed = timedelta(seconds=self._rate * (time.monotonic() - self._since))
            self._write(min(self._start + passed, self._until))

    def _set(self, start: datetime, rate: float, until: datetime = _END) -> None:
        with self._changing:
            self._start, self._rate, self._until = start, rate, until
            self._since = time.monotonic()
            self._write(start)

    def _write(self, instant: datetime) -> None:
        for file, seen in ((self.server, instant), (self.host, instant - self._behind)):
            fresh = file.with_suffix(".fresh")
            fresh.write_text(f"{seen.timestamp():.6f}\n")
            fresh.replace(file)  # it is read at any moment
        self.now = instant


@contextmanager
def moved_clock(server: Path, start: datetime) -> Iterator[MovedClock]:
    """A server's clock, and that of a host, from this instant on; it stands until it is told to pass."""
    clock = MovedClock(server, server.with_name("host-clock"), start)
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(_TICK):
            clock.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield clock
    finally:
        ended.set()
        thread.join()
