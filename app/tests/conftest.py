# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running services for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.tests.service import Api, starter


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    with starter(tmp_path) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One service for all the cases of a table."""
    with starter(tmp_path_factory.mktemp("api")) as start_one:
        yield start_one()
