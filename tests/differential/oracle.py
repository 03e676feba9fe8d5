# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operation leaves behind: Jaeger's tools with no row turned on, our modules with all of them.

Written from the Go source of v1.57.0 and from docs/differences.md alone, and shares no line with plugins/: where the
two disagree with a real cluster, one of three is wrong, and the test says which case shows it. A row of
docs/differences.md is a word in `rows`; what it changes is where the word is asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

# The rows that a healthy state can show. Those that an option turns back to Jaeger's way are in `BY_OPTION`.
ROWS = frozenset(
    {
        "age",
        "cleaner-types",
        "first-error",
        "init-again",
        "names",
        "no-condition",
        "readable",
        "service-cache",
        "today",
        "write-flag",
        "wrong-prefix",
    }
)
BY_OPTION = frozenset({"age", "readable", "service-cache"})
ALL_TYPES = ("span", "service", "dependencies", "sampling")
SERVICE_CACHE = timedelta(hours=12)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Idx:
    """An index: its birth, its aliases with their is_write_index flag, and how many documents it has."""

    created: datetime
    aliases: Mapping[str, bool | None]
    docs: int = 0


Cluster = Mapping[str, Idx]


@dataclass(frozen=True)
class Operation:
    """One command, in Jaeger's words. kind is init, rollover, lookback or clean.

    jaegers are the rows that an option of ours turns off. types are those of the command's flags.
    """

    kind: str
    prefix: str
    types: tuple[str, ...]
    archive: bool = False
    shards: int = 1
    replicas: int = 0
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    unit: str = "days"
    count: int = 1
    days: int = 1
    dated: bool = False
    separator: str = "-"
    jaegers: frozenset[str] = frozenset()

    @property
    def rows(self) -> frozenset[str]:
        """The rows that hold for our modules with these options."""
        return ROWS - self.jaegers

    @property
    def bases(self) -> dict[str, str]:
        """What the names of each record type's set begin with."""
        types = ("span-archive",) if self.archive else self.types
        return {kind: f"{self.head}jaeger-{kind}" for kind in types}

    @property
    def head(self) -> str:
        """The prefix with its dash."""
        return f"{self.prefix}-" if self.prefix else ""


@dataclass(frozen=True)
class Expected:
    """The indices with their aliases, and whether the command says that it went well."""

    aliases: dict[str, dict[str, bool | None]]
    succeeds: bool = True


def expect(before: Cluster, op: Operation, now: datetime, rows: Iterable[str]) -> Expected:
    """What the operation leaves behind with these rows."""
    on = frozenset(rows)
    if op.kind != "init" and "wrong-prefix" in on and not any(_of_sets(before, op)):
        return Expected(_picture(before), succeeds=False)
    after, succeeds = _KINDS[op.kind](dict(before), op, now, on)
    return Expected(_picture(after), succeeds)


def rows_shown(before: Cluster, op: Operation, now: datetime, rows: Iterable[str] = ROWS) -> set[str]:
    """The rows without each of which our outcome would be another one."""
    ours = expect(before, op, now, op.rows)
    return {row for row in op.rows.intersection(rows) if expect(before, op, now, op.rows - {row}) != ours}


def cutoff(now: datetime, unit: str, count: int) -> datetime:
    """lookback/time_reference.go, in UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in ("months", "years"):
        months = count * (12 if unit == "years" else 1)
        first = midnight.replace(day=1)
        for _month in range(months):
            first = (first - timedelta(days=1)).replace(day=1)
        return first + timedelta(days=midnight.day - 1)
    if unit in ("days", "weeks"):
        return midnight + timedelta(days=1) - timedelta(days=count * (7 if unit == "weeks" else 1))
    step = {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
    whole = int(now.timestamp()) // step * step
    return datetime.fromtimestamp(whole - count * step, now.tzinfo)


def cutoffs(op: Operation) -> list[Callable[[datetime], datetime]]:
    """The instants that decide about ages in this operation, as functions of now."""
    if op.kind == "lookback":
        return [lambda now: cutoff(now, op.unit, op.count), lambda now: now - SERVICE_CACHE, lambda now: now]
    if op.kind == "clean":
        return [lambda now: cutoff(now, "days", op.days), lambda now: now - SERVICE_CACHE, lambda now: now]
    ages = [_seconds(str(age)) for name, age in op.conditions.items() if name == "max_age"]
    return [functools.partial(_before, age) for age in ages]


def _before(age: timedelta, now: datetime) -> datetime:
    return now - age


def period_end(name: str) -> datetime | None:
    """The last instant of a dated index, whatever its separator, or None."""
    found = re.fullmatch(r"(?:.+-)?jaeger-[a-z-]+?-(\d{4})(\W?)(\d\d)\2(\d\d)(?:\2(\d\d))?", name)
    if found is None:
        return None
    year, _separator, month, day, hour = found.groups()
    start = datetime.fromisoformat(f"{year}-{month}-{day}T{hour or '00'}:00:00+00:00")
    return start + (timedelta(hours=1) if hour else timedelta(days=1)) - timedelta(milliseconds=1)


def _seconds(age: str) -> timedelta:
    return timedelta(seconds=int(age[:-1]) * _UNITS[age[-1]])


def _picture(cluster: Cluster) -> dict[str, dict[str, bool | None]]:
    return {name: dict(index.aliases) for name, index in cluster.items()}


def _generation(name: str, base: str) -> int | None:
    tail = name.removeprefix(f"{base}-")
    return int(tail) if tail != name and re.fullmatch(r"\d{6}|[1-9]\d{6}", tail) else None


def _dated(name: str, base: str, separator: str) -> bool:
    between = re.escape(separator)
    day = between.join((r"\d{4}", r"\d\d", r"\d\d"))
    return re.fullmatch(rf"{re.escape(base)}-{day}(?:{between}\d\d)?", name) is not None


def _of_sets(cluster: Cluster, op: Operation) -> Iterator[str]:
    return (name for name in cluster for base in op.bases.values() if name.startswith(f"{base}-"))


def _put(cluster: dict[str, Idx], name: str, alias: str, flag: bool | None = None) -> None:
    index = cluster[name]
    cluster[name] = replace(index, aliases={**index.aliases, alias: flag})


def _take(cluster: dict[str, Idx], name: str, alias: str) -> None:
    index = cluster[name]
    kept = {known: flag for known, flag in index.aliases.items() if known != alias}
    cluster[name] = replace(index, aliases=kept)


def _behind(cluster: Cluster, alias: str) -> list[str]:
    return [name for name, index in cluster.items() if alias in index.aliases]


def _write_index(cluster: Cluster, base: str) -> str | None:
    behind = _behind(cluster, f"{base}-write")
    flagged = [name for name in behind if cluster[name].aliases[f"{base}-write"]]
    return next(iter(flagged or behind), None)


def _written_until(cluster: Cluster, name: str, base: str) -> datetime | None:
    """The birth of the first later generation, or the end of the day; None while it is written."""
    own = cluster[name]
    if name == _write_index(cluster, base):
        return None
    number = _generation(name, base)
    if number is None:
        end = period_end(name)
        assert end is not None
        return max(end, own.created)
    numbers = {other: _generation(other, base) or 0 for other in cluster}
    later = [cluster[other].created for other, known in numbers.items() if known > number]
    return min((birth for birth in later if birth >= own.created), default=None)


@dataclass(frozen=True)
class _Rule:
    """How old is too old in one command."""

    edge: datetime
    now: datetime
    on: frozenset[str]

    def too_old(self, cluster: Cluster, name: str, base: str) -> bool:
        """Whether an index of the set is."""
        if not self.on & {"age", "service-cache"}:
            return cluster[name].created < self.edge
        ended = _written_until(cluster, name, base)
        if ended is None or (ended if "age" in self.on else cluster[name].created) >= self.edge:
            return False
        cached = ended >= self.now - SERVICE_CACHE
        return not ("service-cache" in self.on and base.endswith("-service") and cached)


def _ours(name: str, base: str, op: Operation, dated: bool) -> bool:
    return _dated(name, base, op.separator) if dated else _generation(name, base) is not None


def _is_live(name: str, now: datetime) -> bool:
    end = period_end(name)
    return end is not None and now <= end


def _init(
    cluster: dict[str, Idx], op: Operation, now: datetime, on: frozenset[str]
) -> tuple[dict[str, Idx], bool]:
    for base in op.bases.values():
        first, read, write = f"{base}-000001", f"{base}-read", f"{base}-write"
        has_generations = any(_generation(name, base) is not None for name in cluster)
        if first not in cluster and not ("init-again" in on and has_generations):
            cluster[first] = Idx(now, {})
            if "init-again" in on:
                _put(cluster, first, read)
        for alias in (read, write):
            if not _behind(cluster, alias):
                _put(cluster, first, alias)
    return cluster, True


def _rollover(
    cluster: dict[str, Idx], op: Operation, now: datetime, on: frozenset[str]
) -> tuple[dict[str, Idx], bool]:
    if "no-condition" in on and not op.conditions:
        return cluster, False
    succeeds = True
    for base in op.bases.values():
        read, write = f"{base}-read", f"{base}-write"
        old = _write_index(cluster, base)
        if old is None:
            succeeds = False
            if "first-error" not in on:
                break
            continue
        if _met(cluster[old], op.conditions, now):
            flag = cluster[old].aliases[write]
            number = _generation(old, base)
            assert number is not None
            new = f"{base}-{number + 1:06d}"
            if flag:
                _put(cluster, old, write, False)
            else:
                _take(cluster, old, write)
            cluster[new] = Idx(now, {write: flag})
        current = _write_index(cluster, base)
        for name in _behind(cluster, write):
            if name == current or "write-flag" not in on:
                _put(cluster, name, read)
    return cluster, succeeds


def _met(index: Idx, conditions: Mapping[str, str | int], now: datetime) -> bool:
    """One max_ condition is enough. Of sizes the tests know two: 0b, which all have, and 500gb, which none has."""
    met: dict[str, Callable[[str | int], bool]] = {
        "max_age": lambda wanted: now - index.created >= _seconds(str(wanted)),
        "max_docs": lambda wanted: index.docs >= int(wanted),
        "max_size": lambda wanted: wanted == "0b",
    }
    return not conditions or any(met[name](wanted) for name, wanted in conditions.items())


def _lookback(
    cluster: dict[str, Idx], op: Operation, now: datetime, on: frozenset[str]
) -> tuple[dict[str, Idx], bool]:
    rule = _Rule(cutoff(now, op.unit, op.count), now, on)
    for base in op.bases.values():
        read, write = f"{base}-read", f"{base}-write"
        current = _write_index(cluster, base)
        for name in _behind(cluster, read):
            known = _ours(name, base, op, dated=False) or _ours(name, base, op, dated=True)
            if name == current or (write in cluster[name].aliases and "write-flag" not in on):
                continue
            if ("names" in on and not known) or ("today" in on and _is_live(name, now)):
                continue
            if rule.too_old(cluster, name, base) if known else cluster[name].created < rule.edge:
                _take(cluster, name, read)
    return cluster, True


def _clean(
    cluster: dict[str, Idx], op: Operation, now: datetime, on: frozenset[str]
) -> tuple[dict[str, Idx], bool]:
    rule = _Rule(cutoff(now, "days", op.days), now, on)
    kinds = op.types if "cleaner-types" in on else ALL_TYPES
    bases = list(op.bases.values()) if op.archive else [f"{op.head}jaeger-{kind}" for kind in kinds]
    tail = op.separator.join((r"\d{4}", r"\d\d", r"\d\d")) if op.dated else r"\d{6}"
    for base in bases:
        current = _write_index(cluster, base)
        for name in list(cluster):
            if not re.match(
                f"{re.escape(base)}-{tail}", name
            ):  # their pattern: no end, and a dot is any sign
                continue
            known = _ours(name, base, op, op.dated)
            if name == current or (f"{base}-write" in cluster[name].aliases and "write-flag" not in on):
                continue
            if ("names" in on and not known) or ("today" in on and _is_live(name, now)):
                continue
            if "readable" in on and f"{base}-read" in cluster[name].aliases:
                continue
            if rule.too_old(cluster, name, base) if known else cluster[name].created < rule.edge:
                del cluster[name]
    return cluster, True


_Step = Callable[[dict[str, Idx], Operation, datetime, frozenset[str]], tuple[dict[str, Idx], bool]]
_KINDS: dict[str, _Step] = {"init": _init, "rollover": _rollover, "lookback": _lookback, "clean": _clean}
