# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""How the report says sizes, instants, spans of time and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")
_STEP = 1024  # as Elasticsearch counts: 1gb is 1024³ bytes


def size(count: float) -> str:
    """12.3 GB."""
    unit = 0
    while abs(count) >= _STEP and unit < len(_UNITS) - 1:
        count /= _STEP
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or abs(count) >= 100 else f"{count:.1f} {_UNITS[unit]}"


def exactly(count: int) -> str:
    """12,345,678 bytes."""
    return f"{count:,} byte{'s' if count != 1 else ''}"


def short(count: int) -> str:
    """4.9 M."""
    for letter, unit in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= 10 * unit or (count >= unit and letter != "k"):
            return f"{count / unit:.1f} {letter}"
    return f"{count:,}"


def instant(text: str | None) -> datetime | None:
    """An instant as the modules tell it; None where there is none."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def minute(when: datetime | None) -> str:
    """2026-11-25 14:36."""
    return f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M}" if when else ""


def due(when: datetime | None) -> str:
    """2026-12-09 where it is midnight, else with the minute."""
    return minute(when).removesuffix(" 00:00")


def day(when: datetime) -> str:
    """25 Nov 2026."""
    return f"{when.day} {when:%b %Y}"


def span(length: timedelta) -> str:
    """3 days, 5 hours, 12 minutes, 4 seconds: the largest unit of which there are two, or one."""
    seconds = max(0, int(length.total_seconds()))
    for name, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * unit:
            return count_of(seconds // unit, name)
    return count_of(seconds, "second")


def count_of(number: int, noun: str) -> str:
    """1 generation, 2 generations, 3,000 generations."""
    plural = {"index": "indices"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def listed(parts: Iterable[str]) -> str:
    """a, b and c."""
    words = list(parts)
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def ranges(tails: Iterable[str]) -> str:
    """000001 to 000006, 000009: neighbours in a row are drawn together. Names that are no numbers stand alone."""
    runs: list[list[str]] = []
    for tail in tails:
        last = runs[-1][-1] if runs else ""
        follows = tail.isdecimal() and last.isdecimal() and int(tail) == int(last) + 1
        if follows:
            runs[-1].append(tail)
        else:
            runs.append([tail])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def rules(entry: Mapping[str, Any]) -> list[str]:
    """What maintenance is told to do with a set, a phrase for each step; entry is one of index_sets."""
    told = []
    if entry.get("conditions"):
        wanted = {name: value for name, value in entry["conditions"].items() if value is not None}
        least = [f"{name} {value}" for name, value in wanted.items() if name.startswith("min_")]
        most = [f"{name} {value}" for name, value in wanted.items() if not name.startswith("min_")]
        told.append(
            f"rolls over at {' or '.join(most)}{f', but not before {listed(least)}' if least else ''}"
        )
    if entry.get("lookback"):
        unit, count = entry["lookback"]["unit"], int(entry["lookback"]["unit_count"])
        told.append(f"readable for {count_of(count, unit[:-1])} after its last write")
    if entry.get("retention"):
        told.append("deleted " + listed(_retention(entry["retention"])))
    return told


def _retention(wanted: Mapping[str, Any]) -> list[str]:
    told = []
    if wanted.get("days") is not None:
        told.append(f"{count_of(int(wanted['days']), 'day')} after its last write")
    if wanted.get("max_size"):
        told.append(f"when the set takes more than {wanted['max_size']}")
    if wanted.get("max_generations") is not None:
        told.append(f"when more than {count_of(int(wanted['max_generations']), 'index')} are there")
    if wanted.get("min_generations"):
        told.append(f"never the newest {wanted['min_generations']}")
    return told
