# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the API, and what can be read from it: nothing is said here that the figures do not say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.api.services import DOWN, FASTAPI, FLASK, GO, OURS, UNTRACED, Service

PEERS = (FLASK, FASTAPI)
MOST_TRACING_COSTS = 0.35
SATURATED = 0.85  # of its core; a service that gets less at saturation is kept from it by something else
SATURATION = """\
| at saturation | requests/s | (least to most) | of its core | requests/s per core | CPU µs/request | p50 ms | p99 ms | peak MB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""
STEADY = """\
| at 70 % of saturation | requests/s | p50 ms | p99 ms | spans kept | spans kept at saturation |
|---|--:|--:|--:|--:|--:|
"""
SECTION = """\
## The API

Measured on {date}: `GET /api/v1/users/{{id}}` in our API (`app/`) and in services of the same contract, each with one worker
process on one core, nine requests in ten answered with 200 and one with 400. Each request has three spans, which go by
OTLP/HTTP in batches to a real collector; `TYPE=none` has none.

| | |
|---|---|
{machine}
### Figures of the API

The median of the rounds. At saturation wrk keeps 16 requests under way, so p50 and p99 are mostly queueing. At 70 % of that
the requests are sent by the clock, at random moments as by many clients, however fast the answers come. Requests per second
per core are 1 / CPU per request. Peak is of all processes of the service, pages they share counted for each. Spans kept are
those that reached the collector, over all rounds, after the service was ended with SIGTERM.

{table}
### Reading of the API

{reading}"""


@dataclass(frozen=True)
class Spans:
    """How many spans there should be, and how many there are."""

    expected: int
    received: int


@dataclass(frozen=True)
class Steady:
    """Below saturation. Latencies are in seconds; late_p99 is how late the load generator itself was."""

    rate: float
    p50: float
    p99: float
    late_p99: float
    wrong: int
    spans: Spans


@dataclass(frozen=True)
class Measured:
    """One round of one service, at saturation but for steady. cpu is in seconds per request, peak in bytes."""

    rate: float
    cpu: float
    p50: float
    p99: float
    peak: int
    wrong: int
    spans: Spans
    steady: Steady | None

    def summary(self) -> str:
        """The round in a line."""
        text = f"{self.rate:,.0f} requests/s, {self.cpu * 1e6:.0f} µs CPU, p99 {self.p99 * 1e3:.1f} ms"
        if self.steady:
            kept = f"{self.steady.spans.received} of {self.steady.spans.expected} spans"
            text += f"; at {self.steady.rate:,.0f}: p99 {self.steady.p99 * 1e3:.1f} ms, {kept}"
        wrong = self.wrong + (self.steady.wrong if self.steady else 0)
        return text + f"; {wrong} WRONG ANSWERS" * bool(wrong)


Figure = Callable[[Measured], float]


@dataclass(frozen=True)
class Row:
    """All rounds of one service."""

    service: Service
    rounds: tuple[Measured, ...]

    @property
    def core_share(self) -> float:
        """How much of its core it used."""
        return self.median(lambda each: each.rate * each.cpu)

    def median(self, figure: Figure) -> float:
        return median(figure(each) for each in self.rounds)

    @property
    def rate(self) -> float:
        return self.median(lambda each: each.rate)

    @property
    def cpu(self) -> float:
        return self.median(lambda each: each.cpu)

    @property
    def per_core(self) -> float:
        return 1 / self.cpu

    @property
    def p99(self) -> float:
        return self.median(lambda each: each.p99)

    @property
    def steady(self) -> tuple[Steady, ...]:
        return tuple(each.steady for each in self.rounds if each.steady)

    @property
    def steady_p99(self) -> float:
        return median(each.p99 for each in self.steady)

    @property
    def spans(self) -> Spans:
        """At saturation, over all rounds."""
        return total([each.spans for each in self.rounds])

    @property
    def steady_spans(self) -> Spans:
        return total([each.spans for each in self.steady])

    @property
    def wrong(self) -> int:
        return sum(each.wrong for each in self.rounds) + sum(each.wrong for each in self.steady)


def total(spans: Sequence[Spans]) -> Spans:
    """All of these together."""
    return Spans(sum(each.expected for each in spans), sum(each.received for each in spans))


def share(spans: Spans) -> str:
    """The share that arrived; 100 % only if not one is missing. Rounded down."""
    if not spans.expected:
        return ""
    return f"{math.floor(min(spans.received / spans.expected, 1) * 1e5) / 1e3:g} %"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def table(rows: Sequence[Row]) -> str:
    """Markdown: a table at saturation and one below it, a line for each service."""
    return "".join(
        [
            SATURATION,
            *(line(saturation_cells(row)) for row in rows),
            "\n",
            STEADY,
            *(line(steady_cells(row)) for row in rows if row.steady),
        ]
    )


def line(cells: Iterator[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |\n"


def saturation_cells(row: Row) -> Iterator[str]:
    """A service at saturation."""
    rates = [each.rate for each in row.rounds]
    yield row.service.name
    yield f"{row.rate:,.0f}"
    yield f"{min(rates):,.0f} to {max(rates):,.0f}"
    yield f"{row.core_share:.0%}"
    yield f"{row.per_core:,.0f}"
    yield f"{row.cpu * 1e6:,.0f}"
    yield milliseconds(row.median(lambda each: each.p50))
    yield milliseconds(row.p99)
    yield f"{row.median(lambda each: each.peak) / 1e6:.0f}"


def steady_cells(row: Row) -> Iterator[str]:
    """A service below saturation."""
    yield row.service.name
    yield f"{median(each.rate for each in row.steady):,.0f}"
    yield milliseconds(median(each.p50 for each in row.steady))
    yield milliseconds(row.steady_p99)
    yield share(row.steady_spans)
    yield share(row.spans)


def reading(rows: Sequence[Row]) -> str:
    """Which aims hold and which do not, a list item each."""
    found = {row.service.key: row for row in rows}
    ours, untraced = found[OURS.key], found[UNTRACED.key]
    peers = [found[peer.key] for peer in PEERS]
    lines = [
        ahead(
            "more requests per second per core than Flask and FastAPI", ours, peers, lambda row: row.per_core
        ),
        ahead("a lower p99 than both at saturation", ours, peers, lambda row: row.p99, lower=True),
        ahead(
            "a lower p99 than both, each at 70 % of its own rate",
            ours,
            peers,
            lambda row: row.steady_p99,
            lower=True,
        ),
        tracing_costs(ours, untraced),
        not_one_lost(ours),
        others_lost([row for row in rows if row is not ours]),
        f"Go's net/http has {found[GO.key].per_core / ours.per_core:.1f} times our requests per second per core.",
        collector_down(ours, found[DOWN.key]),
        wrong_answers(rows),
        disturbed(rows),
        punctual(rows),
    ]
    return "".join(f"- {line}\n" for line in lines if line)


def verdict(holds: bool) -> str:
    return "**Holds**" if holds else "**Missed**"


def ahead(
    words: str, ours: Row, peers: Sequence[Row], figure: Callable[[Row], float], *, lower: bool = False
) -> str:
    """One aim against every peer."""
    mine = figure(ours)
    holds = all(mine < figure(peer) if lower else mine > figure(peer) for peer in peers)
    shown = milliseconds if lower else "{:,.0f}".format
    others = " and ".join(f"{shown(figure(peer))} ({peer.service.name})" for peer in peers)
    return f"Aim: {words}. {verdict(holds)}: {shown(mine)}{' ms' * lower} against {others}."


def tracing_costs(ours: Row, untraced: Row) -> str:
    """What tracing takes from the requests per second."""
    cost, cpu = 1 - ours.rate / untraced.rate, ours.cpu - untraced.cpu
    rates = f"{ours.rate:,.0f} with it, {untraced.rate:,.0f} without"
    return (
        f"Aim: tracing costs less than {MOST_TRACING_COSTS:.0%} of the requests per second. "
        f"{verdict(cost < MOST_TRACING_COSTS)}: {cost:.1%} ({rates}); per core {1 - ours.per_core / untraced.per_core:.1%}, "
        f"which is {cpu * 1e6:,.0f} µs for the {ours.service.spans} spans of a request."
    )


def not_one_lost(ours: Row) -> str:
    """Whether all our spans arrived below saturation, and how many did not."""
    spans, full = ours.steady_spans, ours.spans
    lost = spans.expected - spans.received
    return (
        f"Aim: not one span lost at 70 % of saturation. {verdict(lost == 0)}: {spans.received:,} of {spans.expected:,} "
        f"arrived; at saturation {share(full)}."
    )


def others_lost(rows: Sequence[Row]) -> str:
    """Who else lost spans below saturation."""
    lost = [
        f"{row.service.name} {row.steady_spans.expected - row.steady_spans.received:,} of {row.steady_spans.expected:,}"
        for row in rows
        if row.steady and row.steady_spans.received != row.steady_spans.expected
    ]
    return f"Spans lost by others at 70 % of their saturation: {'; '.join(lost)}." if lost else ""


def collector_down(ours: Row, down: Row) -> str:
    """What a collector that is away does to the requests."""
    return (
        f"With the collector down our API answers {down.rate / ours.rate:.0%} of the requests per second that it answers "
        f"with it, with a p99 of {milliseconds(down.p99)} ms instead of {milliseconds(ours.p99)} ms."
    )


def wrong_answers(rows: Sequence[Row]) -> str:
    """Who did not answer as the contract says."""
    wrong = [f"{row.service.name} {row.wrong}" for row in rows if row.wrong]
    return f"**Requests without an answer, or with a wrong one**: {'; '.join(wrong)}." if wrong else ""


def disturbed(rows: Sequence[Row]) -> str:
    """Whose core was not its own."""
    short = [f"{row.service.name} {row.core_share:.0%}" for row in rows if row.core_share < SATURATED]
    return (
        f"**Not all of the core was used at saturation**: {'; '.join(short)}. Other work on this machine, or the load "
        "generator, was in the way: of these, only CPU and memory mean anything."
        if short
        else ""
    )


def punctual(rows: Sequence[Row]) -> str:
    """How well the load generator kept its own clock, at worst."""
    late, name = max((each.late_p99, row.service.name) for row in rows for each in row.steady)
    return (
        f"At 70 % the load generator sent 99 % of the requests at most {milliseconds(late)} ms late (at worst, {name}); "
        "this is not in the latencies."
    )


def section(rows: Sequence[Row], date: str, machine: str) -> str:
    """The section of the page."""
    return SECTION.format(date=date, machine=machine, table=table(rows), reading=reading(rows))
