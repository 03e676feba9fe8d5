# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The twin clusters, the seed of this run, and the marker that names a row of docs/differences.md."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.support.twins import Twins, running_twins


def pytest_configure(config: pytest.Config) -> None:
    """One seed for all processes of the run: they inherit the variable."""
    os.environ.setdefault("TRACESTACK_SEED", secrets.token_hex(4))
    config.addinivalue_line("markers", "difference(row): shows a row of docs/differences.md, by its id")


def pytest_report_header() -> str:
    """Said at the start: what repeats the random cases."""
    return f"differential: TRACESTACK_SEED={os.environ['TRACESTACK_SEED']}"


@pytest.fixture(scope="session")
def pair() -> Iterator[Twins]:
    """The twin clusters of the session."""
    with running_twins() as twins:
        yield twins


@pytest.fixture
def twins(pair: Twins) -> Twins:
    """The twin clusters, empty, with the right time."""
    pair.wipe()
    return pair
