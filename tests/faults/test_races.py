# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs at once on one index set: by chance, and with one overtaken by others at its worst moment."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.corners import Builder, Corner, build
from tests.support.modules import Answer, run_module
from tests.support.proxy import Chooser, Fault, proxy
from tests.support.servers import Elasticsearch
from tests.support.starts import (
    hidden_generations,
    lost_read_alias,
    lost_write_alias,
    nothing,
    three_generations,
    unreadable_write_index,
)

ROUNDS = 100
MOST_RUNS = 16
# Every kind of run, with options under which it has exactly one thing to do in a healthy set of three generations.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "init": ("es_rollover_init", {"shards": 1, "replicas": 0}),
    "rollover": ("es_rollover", {"conditions": {"max_age": "1d"}}),
    "lookback": ("es_lookback", {"unit": "days", "unit_count": 7}),
    "cleaner": ("es_index_cleaner", {"days": 7}),
    "cleaner, readable too": ("es_index_cleaner", {"days": 7, "only_unreadable": False}),
    "maintenance": (
        "es_maintenance",
        {
            "conditions": {"max_age": "1d"},
            "lookback": {"unit": "days", "unit_count": 7},
            "retention": {"days": 7},
        },
    ),
}
TAKERS = {"lookback", "cleaner", "cleaner, readable too", "maintenance"}
EXPIRED = {"jaeger-span-000001"}  # what lookback and cleaner may take away


@dataclass(frozen=True)
class Start:
    """What the runs find. newest is its newest generation; refused says what a run may say, and why not.

    is_writable: a collector's writes are never refused. is_readable: all documents are found from the start, but for
    those that are hidden.
    """

    build: Builder
    newest: int = 3
    is_writable: bool = True
    is_readable: bool = True
    hidden: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()


LOST = ("no index is behind the write alias",)
STARTS = {
    "nothing": Start(nothing, 0, False, refused=("there is no index", *LOST)),
    "healthy": Start(three_generations),
    "hidden": Start(hidden_generations, hidden=frozenset(EXPIRED)),
    "unreadable write index": Start(unreadable_write_index, is_readable=False),
    "lost write alias": Start(lost_write_alias, is_writable=False, refused=LOST),
    "lost read alias": Start(lost_read_alias, is_readable=False),
}


@dataclass
class Round:
    """Runs on one corner: what each was and what it said."""

    start: Start
    corner: Corner
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    refused_writes: int = 0

    def run(self, kind: str, url: str = "") -> None:
        """One run to its end, perhaps through a proxy."""
        module, options = KINDS[kind]
        options = {"index_prefix": self.corner.prefix, "record_types": ["span"], **options}
        if module == "es_maintenance":
            options = {"index_sets": [options]}
        answer = run_module(module, server_urls=url or self.corner.es.url, **options)
        self.answers.append((kind, answer))

    @contextmanager
    def collector(self) -> Iterator[None]:
        """Somebody who writes all the time."""
        done = threading.Event()

        def write() -> None:
            for number in itertools.count():
                if done.is_set():
                    return
                if not self.corner.writes(f"meanwhile {number}"):
                    self.refused_writes += 1
                time.sleep(0.02)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                yield
            finally:
                done.set()
            writing.result()

    def problems(self) -> list[str]:
        """What is not as it must be, now that all have ended."""
        return [*self._said(), *self._generations(), *self._documents()]

    def _succeeded(self, *kinds: str) -> bool:
        return any(kind in kinds and not answer.message for kind, answer in self.answers)

    def _said(self) -> Iterator[str]:
        for kind, answer in self.answers:
            if answer.message and not any(words in answer.message for words in self.start.refused):
                yield f"{kind} failed: {answer.message}"
        rolled = sum(len(answer.actions("rollover")) for _kind, answer in self.answers if not answer.message)
        if rolled > 1:
            yield f"{rolled} runs say that they rolled over"
        if self.start.is_writable and self.refused_writes:
            yield f"{self.refused_writes} writes were refused"

    def _generations(self) -> Iterator[str]:
        names = f"{self.corner.prefix}-jaeger-span-"
        numbers = sorted(int(name.removeprefix(names)) for name in self.corner.indices())
        newest = self.start.newest
        if newest == 0:
            expected = [[1]] if self._succeeded("init") else [[]]
        else:
            rolled = newest + self._succeeded("rollover", "maintenance")
            expected = [list(range(1, rolled + 1)), list(range(2, rolled + 1))]
        if numbers not in expected:
            yield f"there are generations {numbers}"
        written, readable = self.corner.behind("write"), self.corner.behind("read")
        wanted = [f"{numbers[-1]:06d}"] if numbers else []
        if self.start.is_writable or self._succeeded("init"):
            if written != wanted:
                yield f"the write alias is on {written}, there are generations {numbers}"
            if self._succeeded("init", "rollover", "maintenance") and not set(written) <= set(readable):
                yield f"{written} is written and {readable} readable"

    def _documents(self) -> Iterator[str]:
        readable, stored = self.corner.documents("-read", "")
        kinds = {kind for kind, _answer in self.answers}
        may_go = EXPIRED if kinds & TAKERS else set()
        if self.start.is_readable or self._succeeded("init"):
            lost = self.corner.written - readable - may_go - self.start.hidden
            if lost:
                yield f"not found: {sorted(lost)}"
        gone = self.corner.written - stored - may_go
        if gone:
            yield f"gone: {sorted(gone)}"


def test_runs_at_once(es: Elasticsearch, record_property: Callable[[str, object], None]) -> None:
    """Two to sixteen runs of mixed kinds, while a collector writes, a hundred times."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    starts = [chance.choice(list(STARTS)) for _round in range(ROUNDS)]
    corners = built(es, starts)
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(MOST_RUNS) as pool:
        for name, corner in zip(starts, corners, strict=True):
            kinds = chance.choices(list(KINDS), k=chance.randint(2, MOST_RUNS))
            one = Round(STARTS[name], corner)
            with one.collector():
                list(pool.map(one.run, kinds))
            wrong += [f"{name}, {', '.join(kinds)}: {problem}" for problem in one.problems()]
            counts.update(kinds)
            corner.clear()
    record_property("rounds", ROUNDS)
    record_property("runs", counts.total())
    print(f"{ROUNDS} rounds, {counts.total()} runs: {dict(counts)}")
    assert not wrong, f"seed {seed}:\n" + "\n".join(wrong)


OVERTAKERS: tuple[tuple[str, ...], ...] = (
    *((kind,) for kind in KINDS),
    ("init", "rollover"),
    ("rollover", "lookback", "cleaner"),
)


@pytest.mark.parametrize("name", STARTS)
def test_a_run_that_is_overtaken(es: Elasticsearch, name: str) -> None:
    """Others do all their work after a run has read and before its change arrives: for each of its changes."""
    start = STARTS[name]
    with ThreadPoolExecutor(3) as pool:
        counts = list(
            pool.map(lambda corner, kind: changes(start, corner, kind), built(es, [name] * len(KINDS)), KINDS)
        )
        cases = [
            (kind, others, change)
            for kind, count in zip(KINDS, counts, strict=True)
            for others in OVERTAKERS
            for change in range(min(count, 2))
        ]
        corners = built(es, [name] * len(cases))
        tried = pool.map(lambda corner, case: overtake(start, corner, *case), corners, cases)
        wrong = [problem for problems in tried for problem in problems]
    for corner in corners:
        corner.clear()
    print(f"{len(cases)} times overtaken; changes: {dict(zip(KINDS, counts, strict=True))}")
    assert cases
    assert not wrong, "\n".join(wrong)


def changes(start: Start, corner: Corner, kind: str) -> int:
    """How many changes a run makes that nobody overtakes. The corner is empty afterwards."""
    with proxy(corner.es.url) as seen:
        Round(start, corner).run(kind, seen.url)
    corner.clear()
    return len(seen.changes())


def overtake(start: Start, corner: Corner, kind: str, others: Sequence[str], change: int) -> list[str]:
    """One run, overtaken at its first or second change."""
    one = Round(start, corner)
    with proxy(corner.es.url) as seen:
        seen.choose = overtaker(one, others, change, seen.changes)
        one.run(kind, seen.url)
    one.corner.writes("afterwards")
    problems = one.problems() if len(seen.changes()) > change else ["it did not make this change"]
    return [f"{kind}, overtaken at change {change} by {others}: {problem}" for problem in problems]


def overtaker(one: Round, others: Sequence[str], change: int, changes: Callable[[], list[str]]) -> Chooser:
    """Hold the request that is this change, and let others run."""
    waiting = [*others]

    def choose(_method: str, _path: str) -> Fault | None:
        while waiting and len(changes()) == change + 1:
            one.run(waiting.pop(0))
        return None

    return choose


def built(es: Elasticsearch, names: Sequence[str]) -> list[Corner]:
    """A corner for each of these starts."""
    corners = [Corner(es, f"r{number:04d}") for number in range(len(names))]

    def builder(corner: Corner) -> Iterator[int]:
        return STARTS[names[corners.index(corner)]].build(corner)

    build(builder, corners)
    return corners
