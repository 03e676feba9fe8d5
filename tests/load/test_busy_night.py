# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A busy night: a real collector writes, somebody reads, and the indices roll all the time."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.modules import run_module
from tests.support.servers import Elasticsearch, Jaeger, jaeger

PREFIX = "busy"
NIGHTS = 20
LEAST_RATE = 500  # spans a second
AIM = 750
TRACES = 15  # in a request
SPANS = 20  # of a trace
LATEST = 60.0  # seconds after which a trace that was accepted must be found; Elasticsearch shows it after one
# A queue that holds all of it: a span that the collector drops for want of room was accepted, and is nobody's to find.
ROOM = ("--collector.queue-size=100000",)


@dataclass
class Busy:
    """Who writes and who reads. Instants are those of time.monotonic()."""

    traces: Jaeger
    done: threading.Event = field(default_factory=threading.Event)
    accepted: dict[str, float] = field(default_factory=dict)
    unread: deque[str] = field(default_factory=deque)
    writing_errors: list[str] = field(default_factory=list)
    reading_errors: list[str] = field(default_factory=list)
    lookups: int = 0
    found: int = 0
    seconds: float = 0

    @property
    def rate(self) -> float:
        """Spans a second that the collector accepted."""
        return len(self.accepted) * SPANS / self.seconds

    def write(self) -> None:
        """Export batch after batch, at an even pace unless the collector is slower than that."""
        start = due = time.monotonic()
        while not self.done.is_set():
            batch = [uuid.uuid4().hex for _trace in range(TRACES)]
            try:
                self.traces.send_traces(batch, "api", SPANS)
            except OSError as refused:
                self.writing_errors.append(repr(refused))
                continue
            now = time.monotonic()
            self.accepted.update(dict.fromkeys(batch, now))
            self.unread.extend(batch)
            due = max(due + TRACES * SPANS / AIM, now - 2)
            time.sleep(max(0, due - now))
        self.seconds = time.monotonic() - start

    def read(self) -> None:
        """Ask for each trace by its id until it is found, the first time a second and a half after it was accepted."""
        while self.unread or not self.done.is_set():
            try:
                trace = self.unread.popleft()
            except IndexError:
                time.sleep(0.1)
                continue
            age = time.monotonic() - self.accepted[trace]
            time.sleep(max(0, 1.5 - age))
            if self.look_up(trace) == SPANS:
                self.found += 1
            elif age > LATEST:
                self.reading_errors.append(f"{trace} is not found after {age:.0f} s")
            else:
                self.unread.append(trace)

    def look_up(self, trace: str) -> int:
        """How many of its spans are found; an error is noted."""
        self.lookups += 1
        try:
            return self.traces.spans(trace)
        except OSError as refused:
            self.reading_errors.append(f"{trace}: {refused!r}")
            return 0


def test_every_trace_is_found_in_a_busy_night(
    es: Elasticsearch, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    maintain(es, "es_rollover_init", shards=1, replicas=0)
    with jaeger(es, PREFIX, tmp_path, *ROOM) as traces, ThreadPoolExecutor(3) as pool:
        busy = Busy(traces)
        working = [pool.submit(work) for work in (busy.write, busy.read, busy.read)]
        try:
            for _night in range(NIGHTS):
                maintain(es, "es_rollover", conditions={"max_age": "0s"})
                maintain(es, "es_lookback", unit="hours", unit_count=2)
                time.sleep(0.5)
        finally:
            busy.done.set()
        for work in working:
            work.result()
        afterwards = dict(zip(busy.accepted, pool.map(busy.look_up, busy.accepted), strict=True))
    told = {"spans a second": round(busy.rate), "traces": len(busy.accepted), "lookups": busy.lookups}
    for name, value in told.items():
        record_property(name, value)
    print(f"{busy.seconds:.0f} s: {told}, {len(busy.writing_errors)} exports refused")
    assert busy.rate >= LEAST_RATE, (
        f"This machine cannot do what the test needs: {busy.rate:.0f} spans a second were accepted, not {LEAST_RATE}."
    )
    assert busy.reading_errors == []
    assert {trace: spans for trace, spans in afterwards.items() if spans != SPANS} == {}
    assert busy.found == len(busy.accepted)
    generations = [name for name in es.indices() if name.startswith(f"{PREFIX}-jaeger-span-")]
    assert len(generations) == NIGHTS + 1


def maintain(es: Elasticsearch, module: str, **options: Any) -> None:
    answer = run_module(module, server_urls=es.url, index_prefix=PREFIX, **options)
    assert not answer.message
