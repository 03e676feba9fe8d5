# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""The page: what the template shows, made ready, and the rendering. The template escapes all that it is given."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.tracestack.jaeger.plugins.plugin_utils import _report_words as words
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_chart import (
    Axis,
    Bar,
    Chart,
    life_of,
    overview,
    sparkline,
    staircase,
)
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_data import (
    Cluster,
    Generation,
    RecordSet,
    clusters,
    total,
)
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_problems import Problem, problems_of
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_tonight import (
    Step,
    in_short,
    steps_of,
)

_RECENT = 24  # rows that stand open; older ones are folded
_FOLD = 250  # rows of one fold
_OPEN_SETS = 4  # with more sets on the page, all rows are folded
_WEEK = timedelta(days=7)
# What HTML cannot hold, and what would turn the text around it.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True)
class Row:
    """One generation as the table shows it."""

    one: Generation
    life: Bar | None
    written: str
    readable: str
    deleted: str
    state: str
    tonight: str


@dataclass(frozen=True)
class Fold:
    """Older generations under one headline. stairs are paths by kind."""

    headline: str
    rows: tuple[Row, ...]
    axis: Axis
    stairs: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """One index set on the page. aims is where each is headed, a phrase for each rule."""

    one: RecordSet
    anchor: str
    growth: str
    trend: str
    aims: tuple[str, ...]
    steps: tuple[Step, ...]
    problems: int
    chart: Chart | None
    spoken: str
    spark: str
    axis: Axis
    rows: tuple[Row, ...]
    folds: tuple[Fold, ...]

    @property
    def older(self) -> int:
        """How many generations are folded."""
        return sum(len(fold.rows) for fold in self.folds)


@dataclass(frozen=True)
class Place:
    """One cluster on the page."""

    cluster: Cluster
    anchor: str
    parts: tuple[Part, ...]
    tonight: str


@dataclass(frozen=True)
class Report:
    """All that the page tells, before it is drawn."""

    clusters: tuple[Cluster, ...]
    anchors: tuple[Mapping[RecordSet, str], ...]
    problems: tuple[Problem, ...]
    fingerprint: str

    @property
    def urgent(self) -> int:
        """How many problems there are, without mere notes."""
        return sum(one.urgent for one in self.problems)

    @property
    def verdict(self) -> str:
        """The one sentence that matters."""
        if self.urgent:
            return f"{words.count_of(self.urgent, 'problem')} {'needs' if self.urgent == 1 else 'need'} attention"
        return f"All is well{', with ' + words.count_of(len(self.problems), 'note') if self.problems else ''}"


def gather(hosts: Mapping[str, Mapping[str, Any]], now: datetime, folder: str, title: str) -> Report:
    """What there is to tell. hosts is as for clusters(); a page of another template or title tells something else."""
    found = sorted(clusters(hosts, now), key=lambda one: (not one.error, one.name))
    anchors = [
        {one: f"set-{number}-{place}" for place, one in enumerate(cluster.sets, 1)}
        for number, cluster in enumerate(found, 1)
    ]
    problems = [
        problem
        for number, cluster in enumerate(found, 1)
        for problem in problems_of(cluster, anchors[number - 1], f"cluster-{number}")
    ]
    problems.sort(key=lambda one: not one.urgent)
    mark = fingerprint([hosts, title, _source(folder, "page.html.j2"), _source(folder, "page.css")])
    return Report(tuple(found), tuple(anchors), tuple(problems), mark)


def draw(told: Report, now: datetime, folder: str, title: str) -> str:
    """The page."""
    sets = [one for cluster in told.clusters for one in cluster.sets]
    places = [
        Place(
            cluster,
            f"cluster-{number}",
            tuple(
                _part(one, anchor, cluster.now or now, told.problems)
                for one, anchor in told.anchors[number - 1].items()
            ),
            in_short([cluster]),
        )
        for number, cluster in enumerate(told.clusters, 1)
    ]
    style = _source(folder, "page.css")
    html = (
        _environment(folder)
        .get_template("page.html.j2")
        .render(
            title=title,
            now=now,
            told=told,
            style=Markup(style),  # ours; a browser does not read entities in it
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            places=places,
            tonight=in_short(told.clusters),
            stored=total(sets),
            count=sum(len(one.generations) for one in sets),
            sets=len(sets),
            unfold=len(sets) <= _OPEN_SETS,
        )
    )
    return html.strip() + "\n"


def fingerprint(told: Any) -> str:
    """A hash of all that was told, without what changes by itself as time goes by."""

    def lasting(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: lasting(each) for key, each in value.items() if key not in ("age_seconds", "warnings")
            }
        return [lasting(each) for each in value] if isinstance(value, list) else value

    return hashlib.sha256(json.dumps(lasting(told), sort_keys=True).encode("utf-8", "replace")).hexdigest()[
        :32
    ]


def _source(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def _environment(folder: str) -> Environment:
    """Jinja, not Ansible's: everything is escaped, and what is not there is an error."""
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.filters.update(
        size=words.size,
        exactly=words.exactly,
        minute=words.minute,
        day=words.day,
        counted=words.count_of,
        short=words.short,
    )
    return environment


def _clean(value: Any) -> Any:
    """Show what must not be in a text by its number: HTML has no control characters, not even escaped ones."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _CONTROL.sub(lambda found: f"[U+{ord(found.group()):04X}]", value)


def _part(one: RecordSet, anchor: str, now: datetime, problems: Sequence[Problem]) -> Part:
    newest = tuple(reversed(one.generations))
    recent, older = newest[:_RECENT], newest[_RECENT:]
    axis = Axis.over(recent, now, future=True)
    growth, trend = _growth(one, now)
    return Part(
        one=one,
        anchor=anchor,
        growth=growth,
        trend=trend,
        aims=tuple(words.rules(one.entry)) if one.entry else (),
        steps=tuple(steps_of(one)),
        problems=sum(each.anchor == anchor for each in problems),
        chart=overview(one.generations, now) if one.generations else None,
        spoken=_spoken(one, now),
        spark=sparkline(one.generations),
        axis=axis,
        rows=tuple(_row(each, now, axis) for each in recent),
        folds=tuple(_fold(older[start : start + _FOLD], now) for start in range(0, len(older), _FOLD)),
    )


def _fold(generations: Sequence[Generation], now: datetime) -> Fold:
    axis = Axis.over(generations, now, future=False)
    last, first = generations[0], generations[-1]
    headline = (
        f"{first.tail} to {last.tail}, written {words.day(first.born)} to {words.day(last.end(now))}, "
        f"{words.size(sum(one.size for one in generations))}"
    )
    return Fold(
        headline, tuple(_row(one, now, None) for one in generations), axis, staircase(generations, axis)
    )


def _row(one: Generation, now: datetime, axis: Axis | None) -> Row:
    tonight = one.tonight if one.tonight else one.why and f"stays: {one.why}"
    if one.tonight and one.why:
        tonight += f"; {one.why}"
    states = {"written": "being written", "readable": "readable", "hidden": "hidden"}
    return Row(
        one=one,
        life=life_of(one, axis) if axis else None,
        written=words.minute(one.end(now)) if one.ended else "now" if one.live else "not known",
        readable=_readable(one, now),
        deleted=words.due(one.deleted),
        state=states[one.state],
        tonight=tonight,
    )


def _readable(one: Generation, now: datetime) -> str:
    """Until when. Elasticsearch does not keep when an alias was taken away, so what is past is what was due."""
    if one.readable:
        return words.due(one.hidden) if one.hidden else "now"
    return f"about {words.due(one.hidden)}" if one.hidden and one.hidden <= now else "not any more"


def _growth(one: RecordSet, now: datetime) -> tuple[str, str]:
    """Bytes a day over the last week, or since the first birth, and how that compares with the week before."""
    born = min((each.born for each in one.generations), default=now)
    window = min(_WEEK, now - born)
    if window < timedelta(hours=1):
        return "too young to tell", ""
    recent = one.bytes_between(now - window, now, now)
    a_day = recent / (window / timedelta(days=1))
    trend = ""
    if now - born >= 2 * _WEEK:
        before = one.bytes_between(now - 2 * _WEEK, now - _WEEK, now)
        if before > 0:
            change = round(100 * (recent - before) / before)
            trend = f"{change:+d} % on the week before" if change else "as in the week before"
    return f"{words.size(a_day)} a day", trend


def _spoken(one: RecordSet, now: datetime) -> str:
    """The chart in words, for those who do not see it."""
    if not one.generations:
        return "There is no index."
    parts = []
    for state, label in (("hidden", "hidden"), ("readable", "readable"), ("written", "being written")):
        tails = [each.tail for each in one.generations if each.state == state]
        if tails:
            parts.append(f"{words.ranges(tails)} {'is' if len(tails) == 1 else 'are'} {label}")
    first = one.generations[0]
    return f"From {words.day(first.born)} to {words.day(now)}: {'; '.join(parts)}."
