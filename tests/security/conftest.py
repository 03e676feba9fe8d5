# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers with security, each once for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.secured import RELEASES, Secured, secured
from tests.support.servers import module_clock


@pytest.fixture(
    scope="session",
    params=[pytest.param(each, marks=pytest.mark.xdist_group(each)) for each in RELEASES],
)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One server of each kind for the session."""
    with secured(tmp_path_factory.mktemp("secured"), request.param) as server:
        yield server


@pytest.fixture
def server(running: Secured) -> Secured:
    """The server, empty."""
    module_clock["offset"] = 0
    running.admin.wipe()
    return running
