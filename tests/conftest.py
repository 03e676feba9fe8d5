# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for all tests that talk to a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Elasticsearch, elasticsearch


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    """One real Elasticsearch for the session, whose clock the tests can move."""
    with elasticsearch(Path(tmp_path_factory.mktemp("elasticsearch")), clock=True) as running:
        yield running


@pytest.fixture
def es(server: Elasticsearch) -> Elasticsearch:
    """The server, empty, with the right time."""
    server.set_clock("+0d")
    server.wipe()
    return server
