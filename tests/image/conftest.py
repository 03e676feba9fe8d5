# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the traced API, built once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.docker import Docker, docker
from tests.support.image import APP, Builder, base_image, wheelhouse


@pytest.fixture(scope="session")
def daemon() -> Iterator[Docker]:
    """A real Docker daemon."""
    with docker() as running:
        yield running


@pytest.fixture(scope="session")
def base(daemon: Docker) -> Iterator[str]:
    """An image with Python alone."""
    name = base_image(daemon)
    yield name
    daemon("rmi", "--force", name)


@pytest.fixture(scope="session")
def builder(daemon: Docker, base: str, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """All that a build needs."""
    version = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    python = daemon("run", "--rm", "--network", "none", base, "python3", "-c", version)
    return Builder(daemon, base, wheelhouse(APP, python), tmp_path_factory.mktemp("contexts"))


@pytest.fixture(scope="session")
def image(builder: Builder) -> Iterator[str]:
    """The image of the traced API."""
    name = builder.build("traced-api")
    yield name
    builder.docker("rmi", "--force", name)
