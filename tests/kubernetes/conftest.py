# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster, started once for all tests, and what they need on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.docker import docker
from tests.support.image import MAINTENANCE, base_image, builder, saved
from tests.support.kubernetes import Cluster
from tests.support.kubernetes import cluster as running_cluster
from tests.support.servers import ROOT, Elasticsearch
from tests.support.shared_servers import shared_server
from tests.support.warm_python import warm_python


@pytest.fixture(scope="session", autouse=True)
def python_is_warm() -> Iterator[None]:
    """Plays run their modules without reading Python's library and the client of Kubernetes each time."""
    with warm_python():
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real cluster: one of our own, or the one that TRACESTACK_TEST_CLUSTER names."""
    with running_cluster() as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def maintenance_image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The maintenance image, built by Docker and loaded into the node."""
    name = "tracestack-test/maintenance:1"  # a tag that is not latest: the node does not ask a registry
    folder = tmp_path_factory.mktemp("image")
    with docker() as daemon:
        base = base_image(daemon)
        built = builder(daemon, base, folder, MAINTENANCE).build("maintenance")
        daemon("tag", built, name)
        cluster.load(saved(daemon, name, folder / "image.tar"))
        daemon("rmi", "--force", built, name, base)
    return name


@pytest.fixture(scope="session")
def one_es() -> Iterator[Elasticsearch]:
    """A real Elasticsearch, on the loopback interface as always."""
    with shared_server() as running:
        yield running


@pytest.fixture
def es(one_es: Elasticsearch) -> Elasticsearch:
    """It, empty."""
    one_es.wipe()
    return one_es


@pytest.fixture
def es_for_pods(cluster: Cluster, es: Elasticsearch) -> Iterator[str]:
    """The URL by which pods reach it, without the role elasticsearch_exposure."""
    port = urlsplit(es.url).port
    assert port
    with cluster.exposed(port, port) as address:
        yield f"http://host.minikube.internal:{address.rpartition(':')[2]}"


@pytest.fixture(scope="session")
def shared_manifests() -> Path:
    """The folder of cert-manager's and the operator's own manifests, which are not in this repository."""
    named = os.environ.get("TRACESTACK_SHARED")
    places = [Path(named)] if named else [ROOT.parent / "shared", Path("/work/shared")]
    folder = next((place / "manifests" for place in places if (place / "manifests").is_dir()), None)
    if folder is None:
        pytest.skip(
            f"The upstream manifests are not in {places[0]}/manifests: put them there, or name the folder above in TRACESTACK_SHARED."
        )
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a cluster of their own come first: one at a time, and ours runs to the end."""
    items.sort(key=lambda item: "cluster" in getattr(item, "fixturenames", ()))
