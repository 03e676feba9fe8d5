# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Shapes for inline SVG: only numbers come out of here, no words of anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_data import Generation

WIDTH = 1000
HEIGHT = 100
_MOST_BARS = 160  # of the overview: about one for each few pixels
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_STEPS = (
    *(timedelta(seconds=1), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5)),
    *(timedelta(minutes=15), _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 182 * _DAY, 365 * _DAY),
)


@dataclass(frozen=True)
class Tick:
    """A label on a time axis. at is in per cent of its width."""

    at: float
    label: str


@dataclass(frozen=True)
class Piece:
    """A stretch of a bar, in per cent. kind: written, readable, hidden, going; future where it is still to come."""

    kind: str
    at: float
    width: float
    future: bool = False


@dataclass(frozen=True)
class Bar:
    """One generation's life. gone is where it is due to be deleted, if that is within the picture."""

    pieces: tuple[Piece, ...]
    gone: float | None
    open_end: bool


@dataclass(frozen=True)
class Axis:
    """A stretch of time. now is at a place of it, in per cent, or outside."""

    start: datetime
    end: datetime
    now: datetime

    @classmethod
    def over(cls, generations: Sequence[Generation], now: datetime, future: bool) -> Axis:
        """From the oldest birth to now or, with future, to the last deletion that is due, but no longer than the past."""
        start = min((one.born for one in generations), default=now)
        end = max([now, *(one.end(now) for one in generations)])
        past = max(end - start, timedelta(seconds=10))
        if not future:
            return cls(start, max(end, start + past), now)
        due = [when for one in generations for when in (one.hidden, one.deleted) if when]
        latest = min(max([*due, end]), end + past)
        return cls(start, max(latest, end) + past / 50, now)

    def place(self, when: datetime) -> float:
        """Where an instant is, in per cent; what lies outside is at the edge."""
        part = (when - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, part)), 2)

    def x(self, when: datetime) -> int:
        """The same, in the units of a path."""
        return round(self.place(when) * WIDTH / 100)

    def ticks(self, most: int = 4) -> list[Tick]:
        """At most so many labels at round instants."""
        length = self.end - self.start
        step = next((one for one in _STEPS if length / one <= most), length / most)
        at = _EPOCH + ((self.start - _EPOCH) // step + 1) * step
        found = []
        while at < self.end:
            if 2 < self.place(at) < 96:
                found.append(Tick(self.place(at), _label(at, step, length)))
            at += step
        return found


def _label(at: datetime, step: timedelta, length: timedelta) -> str:
    if step < timedelta(minutes=1):
        return f"{at:%H:%M:%S}"
    if step < _DAY:
        return f"{at:%H:%M}" if length < _DAY else f"{at.day} {at:%b %H:%M}"
    return f"{at.day} {at:%b %Y}" if length > 300 * _DAY else f"{at.day} {at:%b}"


def life_of(one: Generation, axis: Axis) -> Bar:
    """One generation's life on an axis: written, readable, stored, and what is due."""
    now = axis.now
    ended, hidden, deleted = one.end(now), one.hidden, one.deleted
    unseen = min(max(hidden, ended), now) if hidden else ended  # when it was hidden, if nobody did it by hand
    pieces = [_piece("written", one.born, ended, axis)]
    if one.readable:
        pieces.append(_piece("readable", one.born, now, axis))
        if hidden and hidden > now:
            pieces.append(_piece("readable", now, hidden, axis, future=True))
        if deleted and deleted > now:
            pieces.append(_piece("hidden", max(now, hidden or now), deleted, axis, future=True))
    else:
        pieces += [_piece("readable", one.born, unseen, axis), _piece("hidden", unseen, now, axis)]
        if deleted and deleted > now:
            pieces.append(_piece("hidden", now, deleted, axis, future=True))
    gone = axis.place(deleted) if deleted and deleted <= axis.end else None
    return Bar(tuple(p for p in pieces if p.width > 0), gone, bool(deleted and deleted > axis.end))


def _piece(kind: str, start: datetime, end: datetime, axis: Axis, future: bool = False) -> Piece:
    at = axis.place(start)
    width = axis.place(end) - at
    if kind == "written":  # an instant is to be seen, too
        width = max(width, 0.3)
    return Piece(kind, at, round(width, 2), future)


@dataclass(frozen=True)
class Chart:
    """The sizes of all generations along time, as a path for each state; lanes are where the states lie."""

    paths: dict[str, str]
    lanes: tuple[Piece, ...]
    ticks: tuple[Tick, ...]
    largest: int
    now: float


def overview(generations: Sequence[Generation], now: datetime) -> Chart:
    """The whole set at a glance. Many generations are drawn together: a bar has the mean of their sizes."""
    axis = Axis.over(generations, now, future=False)
    runs = _runs(generations)
    each = max(1, -(-len(generations) // _MOST_BARS))
    bars: list[tuple[str, int, int, float]] = []
    lanes: list[Piece] = []
    for state, run in runs:
        for start in range(0, len(run), each):
            part = run[start : start + each]
            left, right = axis.x(part[0].born), axis.x(max(one.end(now) for one in part))
            bars.append((state, left, max(right, left + 2), sum(one.size for one in part) / len(part)))
        lanes.append(_piece(state, run[0].born, run[-1].end(now), axis))
    highest = max((height for *_rest, height in bars), default=0) or 1
    paths: dict[str, str] = {}
    for state, left, right, height in bars:
        gap = 1 if right - left > 3 else 0
        top = round(HEIGHT - max(2, HEIGHT * height / highest))
        paths[state] = paths.get(state, "") + f"M{left} {HEIGHT}V{top}H{right - gap}V{HEIGHT}z"
    return Chart(paths, tuple(lanes), tuple(axis.ticks(8)), int(highest), axis.place(now))


def _runs(generations: Iterable[Generation]) -> list[tuple[str, list[Generation]]]:
    """Neighbours in the same phase."""
    runs: list[tuple[str, list[Generation]]] = []
    for one in generations:
        if runs and runs[-1][0] == one.phase:
            runs[-1][1].append(one)
        else:
            runs.append((one.phase, [one]))
    return runs


def staircase(generations: Sequence[Generation], axis: Axis) -> dict[str, str]:
    """A line for each generation, two units high: what life_of() draws, as a path for each kind."""
    paths = {"hidden": "", "readable": "", "written": ""}
    for row, one in enumerate(generations):
        drawn = life_of(one, axis)
        for piece in drawn.pieces:
            if piece.future:
                continue
            left, width = round(piece.at * WIDTH / 100), max(1, round(piece.width * WIDTH / 100))
            paths[piece.kind] += f"M{left} {2 * row}h{width}v2h-{width}z"
    return paths


def sparkline(generations: Sequence[Generation]) -> str:
    """The sizes of the newest forty, side by side, 100 by 20 units."""
    sizes = [one.size for one in generations[-40:]]
    highest = max(sizes, default=0) or 1
    wide = 100 / max(len(sizes), 8)
    return "".join(
        f"M{place * wide:.1f} 20V{20 - max(1, 20 * size / highest):.1f}h{wide * 0.8:.1f}V20z"
        for place, size in enumerate(sizes)
    )
