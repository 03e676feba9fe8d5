# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random healthy states and random commands, each told by a seed and a number.

Cases come in rounds. A round has one ladder of ages, along which all of its states are built while the servers' clocks
move on, and one number of shards, because the tools' templates reach into each other's prefixes (row patterns).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.differential.oracle import ALL_TYPES, BY_OPTION, ROWS, Cluster, Idx, Operation, expect, rows_shown

ROUND = 25
# The time at which cases are drawn; they run whenever they run.
NOMINAL = datetime(2026, 6, 10, 15, 30, 45, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400
_UNITS = {
    "seconds": 1,
    "minutes": MINUTE,
    "hours": HOUR,
    "days": DAY,
    "weeks": 7 * DAY,
    "months": 30 * DAY,
    "years": 365 * DAY,
}
_WORDS = ("prod", "p", "eu-west-1", "team.a", "a-b.c_d", "x_y", "staging-eu.v2", "żółw", "日本")
_TYPES = (
    ("span", "service", "dependencies"),
    ("span", "service"),
    ("span", "service", "dependencies", "sampling"),
    ("span", "service", "sampling"),
)


@dataclass(frozen=True)
class Birth:
    """An index to be made: so many seconds ago, by name or (dated) by the date format of what follows the base."""

    base: str
    tail: str
    age: int
    aliases: tuple[tuple[str, bool | None], ...] = ()
    docs: int = 0

    def name(self, born: datetime) -> str:
        """The name that it has when it is born at this instant."""
        return f"{self.base}-{born.strftime(self.tail)}"

    @property
    def written(self) -> bool:
        """Whether a collector writes to it, so that its shards are needed."""
        return any(alias.endswith("-write") and flag is not False for alias, flag in self.aliases)


@dataclass(frozen=True)
class Case:
    """A state and what is done to it. equal: with Jaeger's reckoning, so that the outcome is the tools' own."""

    seed: str
    number: int
    prefix: str
    types: tuple[str, ...]
    archive: bool
    shards: int
    replicas: int
    equal: bool
    births: tuple[Birth, ...]
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        kind = "Jaeger's reckoning" if self.equal else "our defaults"
        return f"TRACESTACK_SEED={self.seed}:{self.number} (prefix {self.prefix!r}, {kind})"

    def modelled(self, now: datetime) -> Cluster:
        """The state as it would be now."""
        cluster: dict[str, Idx] = {}
        for birth in sorted(self.births, key=lambda one: -one.age):
            born = now - timedelta(seconds=birth.age)
            cluster.setdefault(birth.name(born), Idx(born, dict(birth.aliases), birth.docs))
        return cluster

    def shows(self, rows: Iterable[str], now: datetime) -> set[str]:
        """Which of these rows the case shows, thought through without a server."""
        cluster, shown = self.modelled(now), set()
        for op in self.operations:
            shown |= rows_shown(cluster, op, now, rows)
            after = expect(cluster, op, now, op.rows).aliases
            cluster = {
                name: replace(cluster.get(name, Idx(now, {})), aliases=aliases)
                for name, aliases in after.items()
            }
        return shown


@dataclass(frozen=True)
class Round:
    """What the cases of a round share."""

    ages: tuple[int, ...]
    shards: int
    replicas: int

    @classmethod
    def of(cls, seed: str, number: int) -> Round:
        """Ages from minutes to years, whole minutes, oldest first."""
        random = Random(f"{seed}:round:{number}")
        hour = [random.randrange(2, 60) for _time in range(2)]
        day = [random.randrange(60, 24 * 60) for _time in range(3)]
        month = [random.randrange(1, 30) * 1440 + random.randrange(1440) for _time in range(5)]
        year = [random.randrange(30, 400) * 1440 + random.randrange(1440) for _time in range(2)]
        ancient = [random.randrange(400, 1200) * 1440 for _time in range(1)]
        ages = sorted({age * MINUTE for age in (*hour, *day, *month, *year, *ancient)}, reverse=True)
        return cls(tuple(ages), random.choice((1, 1, 2, 3)), random.choice((0, 1, 2)))


@functools.cache
def make(seed: str, number: int) -> Case:
    """The case of this seed and number. The first ones of a round are drawn until they show one row of the table."""
    wanted = dict(enumerate(sorted(ROWS))).get(number % ROUND - 1)
    for attempt in range(300):
        case = _draw(seed, number, attempt)
        if wanted is None or (not case.equal and wanted in case.shows([wanted], NOMINAL)):
            break
    return case


def _draw(seed: str, number: int, attempt: int) -> Case:
    shared = Round.of(seed, number // ROUND)
    random = Random(f"{seed}:case:{number}:{attempt}")
    prefix, alone = _prefix(seed, number)
    kind = random.choices(
        ("aliases", "dated", "archive", "migrated", "empty", "flagged"), (8, 3, 2, 2, 2, 2)
    )[0]
    archive = kind == "archive" or (kind == "empty" and random.random() < 0.2)
    types = random.choice(_TYPES)
    equal = kind != "flagged" and random.random() < 0.8
    shards, replicas = shared.shards, shared.replicas
    if alone and (archive or types == ("span", "service")):  # no other prefix's template reaches this one
        shards, replicas = random.randrange(1, 4), random.randrange(3)
    blank = Case(seed, number, prefix, types, archive, shards, replicas, equal, (), ())
    case = replace(blank, births=tuple(_births(random, shared, blank, kind)))
    return replace(case, operations=tuple(_operations(random, case, kind)))


def _prefix(seed: str, number: int) -> tuple[str, bool]:
    """A prefix of its own, and whether no other of the round begins or ends with it."""
    first = number % ROUND == 0
    if first and Random(f"{seed}:prefix:{number}").random() < 0.7:
        return "", False
    tail_of_next = number % ROUND % 5 == 3
    if number % ROUND % 5 == 4:
        return f"pre{_word(seed, number - 1)}", False
    nobody = (
        Random(f"{seed}:prefix:{number - number % ROUND}").random() < 0.7
    )  # the round has one without prefix
    return _word(seed, number), not tail_of_next and not nobody


def _word(seed: str, number: int) -> str:
    return f"{Random(f'{seed}:word:{number}').choice(_WORDS)}{number}"


def _births(random: Random, shared: Round, case: Case, kind: str) -> Iterator[Birth]:
    if kind == "empty":
        return
    if kind == "dated":
        yield from _dated_births(random, shared, case)
        return
    first = random.choice((1, 1, 1, 1, 2, 40, 999998))
    for base in _bases(case):
        ages = sorted(random.sample(shared.ages, random.randrange(1, 5)), reverse=True)
        readable_from = random.randrange(len(ages))
        for place, age in enumerate(ages):
            last = place == len(ages) - 1
            aliases: list[tuple[str, bool | None]] = []
            if place >= readable_from:
                aliases.append((f"{base}-read", None))
            if last or kind == "flagged":
                aliases.append((f"{base}-write", last if kind == "flagged" else None))
            docs = random.choice((0, 0, 0, 1, 3)) if last else 0
            yield Birth(base, f"{first + place:06d}", age, tuple(aliases), docs)
        if not case.equal and random.random() < 0.15:
            readable = random.choice(((), ((f"{base}-read", None),)))
            yield Birth(base, f"{first:06d}-backup", random.choice(shared.ages), readable)
        if kind == "migrated":
            old = [age for age in shared.ages if age > max(ages[0], 2 * DAY)]
            for age in old[-2:]:
                yield Birth(base, "%Y-%m-%d", age, ((f"{base}-read", None),))


def _dated_births(random: Random, shared: Round, case: Case) -> Iterator[Birth]:
    separator = random.choice(("-", "-", ".", ""))
    hourly = random.random() < 0.2
    form = separator.join(("%Y", "%m", "%d", "%H") if hourly else ("%Y", "%m", "%d"))
    for base in _bases(case):
        for age in random.sample(shared.ages, random.randrange(2, 6)):
            yield Birth(base, form, age)
        if not case.equal and separator == "." and random.random() < 0.5:
            yield Birth(base, "%Y-%m-%d", random.choice(shared.ages))  # their pattern's dot is any sign


def _bases(case: Case) -> list[str]:
    return list(Operation("init", case.prefix, case.types, case.archive).bases.values())


def separator_of(case: Case) -> str:
    """The separator of the case's dated indices."""
    forms = [birth.tail for birth in case.births if "%d" in birth.tail]
    return forms[0][2] if forms and forms[0][2] != "%" else "" if forms else "-"


def _operations(random: Random, case: Case, kind: str) -> Iterator[Operation]:
    blank = Operation("init", case.prefix, case.types, case.archive, case.shards, case.replicas)
    blank = replace(blank, separator=separator_of(case))
    generations = {birth.tail for birth in case.births if birth.tail[0] != "%"}
    kinds = (
        ["clean"] if kind == "dated" else ["init", "rollover", "rollover", "lookback", "lookback", "clean"]
    )
    if case.equal and generations and min(generations) != "000001":
        kinds.remove("init")  # row init-again
    many = (
        1 if kind == "dated" and case.equal else random.randrange(1, 5)
    )  # none may be left: row wrong-prefix
    chosen = [random.choice(kinds) for _time in range(many)]
    if kind == "empty" and (case.equal or random.random() < 0.5):
        chosen[0] = "init"
    cleaned = False
    for one in chosen:
        if one == "init" and case.equal and cleaned:
            continue  # the first generation may be gone: row init-again
        cleaned |= one == "clean"
        options = _DRAWS[one](random, case)
        if case.equal:
            options["jaegers"] = BY_OPTION
        elif one in ("lookback", "clean"):
            some = [row for row in sorted(BY_OPTION) if random.random() < 0.15]
            options["jaegers"] = frozenset(some)
        yield replace(blank, kind=one, **options)


def _draw_init(_random: Random, _case: Case) -> dict[str, Any]:
    return {}


def _draw_rollover(random: Random, case: Case) -> dict[str, Any]:
    age = _near(random, case)
    unit, seconds = random.choice((("s", 1), ("m", MINUTE), ("h", HOUR), ("d", DAY)))
    conditions: dict[str, str | int] = {}
    if random.random() < 0.75:
        conditions["max_age"] = f"{max(0, age // seconds + random.choice((-1, 0, 1)))}{unit}"
    if random.random() < 0.3:
        conditions["max_docs"] = random.choice((1, 2, 3, 1000))
    if random.random() < 0.2:
        conditions["max_size"] = random.choice(("0b", "500gb"))
    if not conditions and case.equal:
        conditions = {"max_age": "0s"}  # row no-condition
    drawn: dict[str, Any] = {"conditions": conditions}
    if not case.equal and not case.archive and "dependencies" not in case.types:
        drawn["types"] = ALL_TYPES  # row first-error
    return drawn


def _draw_lookback(random: Random, case: Case) -> dict[str, Any]:
    unit = random.choice(list(_UNITS))
    count = max(0, _near(random, case) // _UNITS[unit] + random.choice((-1, 0, 0, 1, 2)))
    return {"unit": unit, "count": count}


def _draw_clean(random: Random, case: Case) -> dict[str, Any]:
    dated = any("%d" in birth.tail for birth in case.births) and random.random() < (
        0.5 if any(birth.written for birth in case.births) else 1
    )
    least = 1 if dated and case.equal else 0  # row today
    days = max(least, _near(random, case) // DAY + random.choice((-1, 0, 0, 1, 2)))
    drawn: dict[str, Any] = {"days": days, "dated": dated}
    if case.equal and not case.archive:
        drawn["types"] = ALL_TYPES  # row cleaner-types
    elif not case.archive and random.random() < 0.4:
        drawn["types"] = random.choice(
            (("span", "service", "dependencies"), ("span", "service"), ("service",))
        )
    return drawn


def _near(random: Random, case: Case) -> int:
    """The age of one of the case's indices, or any."""
    ages = [birth.age for birth in case.births] or [DAY]
    return random.choice((*ages, random.randrange(3 * DAY)))


_DRAWS = {
    "init": _draw_init,
    "rollover": _draw_rollover,
    "lookback": _draw_lookback,
    "clean": _draw_clean,
}
