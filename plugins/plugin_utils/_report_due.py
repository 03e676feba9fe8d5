# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""When an index is due to be hidden and to be deleted: the cut-offs of the modules, asked the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import lookback_cutoff

_DAY = timedelta(days=1)
_STEPS = {"seconds": timedelta(seconds=1), "minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}
_LENGTHS = {**_STEPS, "days": _DAY, "weeks": 7 * _DAY, "months": 30.4369 * _DAY, "years": 365.2425 * _DAY}


def first_moment(instant: datetime, unit: str, count: int) -> datetime | None:
    """The first moment at which an index of this instant lies before the cut-off; None if there is none before 9999."""
    step = _STEPS.get(unit, _DAY)
    try:
        guess = instant + count * _LENGTHS[unit]
        guess = guess.replace(microsecond=0)
        if unit != "seconds":
            guess = guess.replace(second=0)
        if step > _STEPS["minutes"]:
            guess = guess.replace(minute=0)
        if step is _DAY:
            guess = guess.replace(hour=0)
        while lookback_cutoff(guess, unit, count) > instant:
            guess -= step
        while lookback_cutoff(guess, unit, count) <= instant:
            guess += step
    except (OverflowError, ValueError):
        return None
    return guess


def dates(
    born: datetime,
    ended: datetime | None,
    readable: bool,
    entry: Mapping[str, Any],
    protected: timedelta | None,
) -> tuple[datetime | None, datetime | None]:
    """When an index is due to be hidden and to be deleted by age; None where that is not known or not wanted.

    entry is that of the set in index_sets, with age_from beside its own options. protected is how long after its last
    write an index of the service set stays.
    """
    if ended is None:
        return None, None
    instant = born if entry["age_from"] == "creation" else ended
    least = ended + protected if protected else instant
    hidden = deleted = None
    lookback, retention = entry.get("lookback"), entry.get("retention")
    if lookback:
        hidden = _later(first_moment(instant, lookback["unit"], int(lookback["unit_count"])), least)
    if retention and retention.get("days") is not None:
        deleted = _later(first_moment(instant, "days", int(retention["days"])), least)
        if readable and retention.get("only_unreadable", True) and entry["strategy"] != "data_stream":
            deleted = _later(deleted, hidden) if hidden else None
    return hidden, deleted


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else None
