# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut-offs to the second. The expected values are those of es-rollover v1.57.0 for the same instant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import (
    lookback_cutoff,
    retention_cutoff,
)

NOW = datetime(2026, 3, 31, 15, 30, 45, 900000, UTC)


@pytest.mark.parametrize(
    ("unit", "count", "cutoff"),
    [
        ("seconds", 0, "2026-03-31 15:30:45"),
        ("seconds", 1, "2026-03-31 15:30:44"),
        ("minutes", 0, "2026-03-31 15:30:00"),
        ("minutes", 31, "2026-03-31 14:59:00"),
        ("hours", 1, "2026-03-31 14:00:00"),
        ("days", 0, "2026-04-01 00:00:00"),
        ("days", 1, "2026-03-31 00:00:00"),
        ("weeks", 1, "2026-03-25 00:00:00"),
        ("months", 0, "2026-03-31 00:00:00"),
        ("months", 1, "2026-03-03 00:00:00"),  # Go: February has no 31st, so three days into March
        ("months", 2, "2026-01-31 00:00:00"),
        ("months", 13, "2025-03-03 00:00:00"),
        ("years", 1, "2025-03-31 00:00:00"),
        ("years", 3000, "0001-01-01 00:00:00"),
        ("days", 10**12, "0001-01-01 00:00:00"),
    ],
)
def test_lookback_cutoff(unit: str, count: int, cutoff: str) -> None:
    assert lookback_cutoff(NOW, unit, count).isoformat(" ") == f"{cutoff}+00:00"


def test_leap_year() -> None:
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert lookback_cutoff(leap, "years", 1).isoformat() == "2027-03-01T00:00:00+00:00"


def test_retention_cutoff() -> None:
    assert retention_cutoff(NOW, 0).isoformat() == "2026-04-01T00:00:00+00:00"
    assert retention_cutoff(NOW, 14).isoformat() == "2026-03-18T00:00:00+00:00"
