# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster, started once for all tests, and what they need on it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.cluster_images import MAINTENANCE
from tests.support.kubernetes import Cluster
from tests.support.kubernetes import cluster as running_cluster
from tests.support.servers import ROOT, Elasticsearch
from tests.support.shared_servers import shared_server
from tests.support.warm_python import warm_python


@pytest.fixture(scope="session", autouse=True)
def plays() -> Iterator[None]:
    """Plays run their modules without reading Python's library and the client of Kubernetes each time.

    The file in which they keep the kinds of the cluster is not that of another worker's plays.
    """
    with tempfile.TemporaryDirectory(prefix="kinds-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        with warm_python():
            yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real cluster: one of our own, for all workers, or the one that TRACESTACK_TEST_CLUSTER names."""
    with running_cluster() as running:
        yield running


@pytest.fixture
def new_namespace(cluster: Cluster) -> Iterator[Callable[[], str]]:
    """Makes a fresh namespace. Its name begins with test-, by which others know what is not theirs."""
    made = []

    def make() -> str:
        made.append(f"test-{uuid.uuid4().hex[:8]}")
        cluster.kubectl("create", "namespace", made[-1])
        return made[-1]

    yield make
    if made:
        cluster.kubectl("delete", "namespace", *made, "--wait=false")


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """A fresh namespace."""
    return new_namespace()


@pytest.fixture(scope="session")
def maintenance_image(cluster: Cluster) -> str:
    """The maintenance image; the node has it."""
    cluster.images("maintenance")
    return MAINTENANCE


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
    """First what needs no cluster, while another worker starts it; then the longest test; at last the one that ends the cluster."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if "cluster" not in getattr(item, "fixturenames", ()):
        return 0
    return {"test_molecule.py": 1, "test_cluster_end.py": 3}.get(item.path.name, 2)
