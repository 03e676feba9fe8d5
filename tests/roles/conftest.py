# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the roles share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.playbooks import play, processes
from tests.support.warm_python import warm_python


@pytest.fixture(scope="session", autouse=True)
def python_is_warm() -> Iterator[None]:
    """Plays run their modules without reading Python's library each time."""
    with warm_python():
        yield


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tracestack_home for tests that need supervisord's virtual environment: it is made once."""
    folder = Path(tmp_path_factory.mktemp("home"))
    yield folder
    if processes(folder):
        play("playbooks/down.yml", {"tracestack_home": str(folder)})
    assert processes(folder) == []


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that this process, pytest, listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def holder() -> str:
    """This process, as a sentence about a taken port names it."""
    name = Path("/proc/self/comm").read_text().strip()
    return f"{name} (process {os.getpid()})"
