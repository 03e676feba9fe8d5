# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all tests that talk to a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import RELEASE, Elasticsearch
from tests.support.shared_servers import shared_server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A mark of every_server has a reason; tests of data streams are left out where the server has none (docs/verified.md)."""
    for item in items:
        for mark in item.iter_markers("every_server"):
            if len(mark.args) != 1 or mark.kwargs:
                raise pytest.UsageError(f"{item.nodeid}: every_server takes one argument, the reason")
    if not RELEASE.startswith("opensearch"):
        without = [item for item in items if item.get_closest_marker("data_streams")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def server() -> Iterator[Elasticsearch]:
    """One real server for the session, whose clock the tests can move."""
    with shared_server() as running:
        yield running


@pytest.fixture
def es(server: Elasticsearch) -> Elasticsearch:
    """The server, empty, with the right time."""
    server.set_clock("+0d")
    server.wipe()
    return server
