# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon, a base, and the image of the traced API, built once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.docker import Docker, docker
from tests.support.image import TRACED_API, Builder, base_image
from tests.support.image import builder as builder_of


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
    """All that a build of the traced API needs."""
    return builder_of(daemon, base, tmp_path_factory.mktemp("contexts"), TRACED_API)


@pytest.fixture(scope="session")
def image(builder: Builder) -> Iterator[str]:
    """The image of the traced API."""
    name = builder.build("traced-api")
    yield name
    builder.docker("rmi", "--force", name)
