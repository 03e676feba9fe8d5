# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all tests that talk to a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import RELEASE, Elasticsearch, elasticsearch, memory_folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of data streams are left out where the server has none (docs/verified.md)."""
    if not RELEASE.startswith("opensearch"):
        without = [item for item in items if item.get_closest_marker("data_streams")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def server() -> Iterator[Elasticsearch]:
    """One real Elasticsearch for the session, whose clock the tests can move."""
    with memory_folder() as folder, elasticsearch(folder, clock=True) as running:
        yield running


@pytest.fixture
def es(server: Elasticsearch) -> Elasticsearch:
    """The server, empty, with the right time."""
    server.set_clock("+0d")
    server.wipe()
    return server
