# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenario `kubernetes` on the test cluster: set-up, the same again, proof, a night, and all out again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.kubernetes import Cluster
from tests.support.playbooks import BIN, run

pytestmark = pytest.mark.xdist_group("whole cluster")

# What is not ours comes and goes with the cluster's own life.
KINDS = (
    "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,"
    "mutatingwebhookconfigurations,validatingwebhookconfigurations"
)
IN_NAMESPACES = "deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,horizontalpodautoscalers,poddisruptionbudgets"


def everything(cluster: Cluster) -> set[str]:
    """The names of all that a role of ours could have left."""
    everywhere = cluster.kubectl("get", KINDS, "--output=name").splitlines()
    line = "{range .items[*]}{.metadata.namespace}/{.kind}/{.metadata.name}{'\\n'}{end}"
    inside = cluster.kubectl(
        "get", IN_NAMESPACES, "--all-namespaces", f"--output=jsonpath={line}"
    ).splitlines()
    # Other workers' tests have namespaces whose names begin with test-, as does what they have outside of them.
    return {name for name in (*everywhere, *inside) if not re.match(r"([a-z0-9.]+/)?test-", name)}


def test_the_whole_story_and_its_end(cluster: Cluster, shared_manifests: Path) -> None:
    cluster.images("cert-manager", "jaeger", "traced-api")
    before = everything(cluster)
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "PATH": f"{BIN}:{cluster.programs}:{os.environ['PATH']}",
        "TRACESTACK_SHARED": str(shared_manifests.parent),
        "NO_COLOR": "1",
    }
    done = run([str(BIN / "molecule"), "test", "--scenario-name", "kubernetes"], environment)
    assert done.code == 0, done.output[-20000:]
    assert "INDICES AFTER ROLLOVER" in done.output
    assert everything(cluster) - before == set()
