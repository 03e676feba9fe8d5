# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""The instant before which an index is too old, to the second as Jaeger's own tools reckon it."""

from __future__ import annotations

from datetime import datetime, timedelta

UNITS = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")


def lookback_cutoff(now: datetime, unit: str, count: int) -> datetime:
    """Cut-off of a lookback (Jaeger v1.57.0, es-rollover, lookback/time_reference.go).

    Seconds, minutes and hours count from now, cut down to the unit; days and weeks count from the coming
    midnight; months and years from the last one. now is in UTC. Before the year 1 there is only the year 1.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    midnight = hour.replace(hour=0)
    starts = {
        "seconds": now.replace(microsecond=0),
        "minutes": now.replace(second=0, microsecond=0),
        "hours": hour,
        "days": midnight + timedelta(days=1),
        "weeks": midnight + timedelta(days=1),
    }
    try:
        if unit in starts:
            return starts[unit] - timedelta(**{unit: count})
        return _months_before(midnight, count * {"months": 1, "years": 12}[unit])
    except (OverflowError, ValueError):
        return datetime.min.replace(tzinfo=now.tzinfo)


def retention_cutoff(now: datetime, days: int) -> datetime:
    """Cut-off of the index cleaner: the coming midnight (UTC) minus so many days."""
    return lookback_cutoff(now, "days", days)


def _months_before(midnight: datetime, months: int) -> datetime:
    """Go's AddDate: the 31st of a month with 30 days is the 1st of the next one."""
    year, month = divmod(midnight.year * 12 + midnight.month - 1 - months, 12)
    return midnight.replace(year=year, month=month + 1, day=1) + timedelta(days=midnight.day - 1)
