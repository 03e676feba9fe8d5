# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may find: healthy index sets, and those that a crash, a person or another tool has left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tests.support.corners import SPAN, Corner

SERVICE = "jaeger-service"
SECOND = "b-jaeger-span"  # spans of a second prefix
PAST_DAYS = ("2026-01-01", "2026-01-02")
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


def nothing(_corner: Corner) -> Iterator[int]:
    """No index set yet."""
    yield from ()


def three_generations(corner: Corner) -> Iterator[int]:
    """Written from 12 to 9 days ago, from 9 to 2 days ago, and since then."""
    corner.template()
    for number, ago in enumerate((12, 9, 2), 1):
        yield ago
        corner.generation(number)


def two_sets(corner: Corner) -> Iterator[int]:
    """Spans and services, one generation each, three days old."""
    for base in (SPAN, SERVICE):
        corner.template(base)
    yield 3
    for base in (SPAN, SERVICE):
        corner.generation(1, base)


def unreadable_write_index(corner: Corner) -> Iterator[int]:
    """What an interrupted rollover of Jaeger's own tool leaves behind."""
    yield from three_generations(corner)
    corner.remove_alias("000003", "read")


def lost_write_alias(corner: Corner) -> Iterator[int]:
    """Three generations, and nothing behind the write alias."""
    yield from three_generations(corner)
    corner.remove_alias("000003", "write")


def lost_read_alias(corner: Corner) -> Iterator[int]:
    """Three generations, and nothing behind the read alias."""
    yield from three_generations(corner)
    for tail in ("000001", "000002", "000003"):
        corner.remove_alias(tail, "read")


def half_made(corner: Corner) -> Iterator[int]:
    """A first index without its aliases."""
    yield 1
    corner.index("000001")


def hidden_generations(corner: Corner) -> Iterator[int]:
    """Three generations, of which a lookback has hidden the first."""
    yield from three_generations(corner)
    corner.remove_alias("000001", "read")


def dated_indices(corner: Corner) -> Iterator[int]:
    """Indices of two past days and of today."""
    corner.template()
    yield 20
    for day in PAST_DAYS:
        corner.index(day, "read")
    yield 0
    corner.index(TODAY, "read")


def two_prefixes(corner: Corner) -> Iterator[int]:
    """Three generations of spans under each of two prefixes."""
    bases = (SPAN, SECOND)
    for base in bases:
        corner.template(base)
    for number, ago in enumerate((12, 9, 2), 1):
        yield ago
        for base in bases:
            corner.generation(number, base)


def collector_came_first(corner: Corner) -> Iterator[int]:
    """An index where the write alias belongs."""
    yield 1
    corner.index("write")


def unread_dated_indices(corner: Corner) -> Iterator[int]:
    """Indices of two past days, from before there were aliases."""
    yield 1
    for day in PAST_DAYS:
        corner.index(day)


def hidden_generations_and_repository(corner: Corner) -> Iterator[int]:
    """Three generations, of which a lookback has hidden the first, and a repository for snapshots."""
    yield from hidden_generations(corner)
    corner.repository()
