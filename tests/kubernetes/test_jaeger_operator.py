# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger_operator on a real cluster with the real cert-manager, as far as it goes without the operator's image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_plays import role
from tests.support.kubernetes import Cluster
from tests.support.playbooks import Run

NAMESPACE = "observability"
JAEGER = {"apiVersion": "jaegertracing.io/v1", "kind": "Jaeger", "metadata": {"name": "mine"}}


@pytest.fixture(scope="module")
def operator(cluster: Cluster, shared_manifests: Path) -> Iterator[dict[str, Any]]:
    """The role's variables; cert-manager is there, the operator is not."""
    cluster.images("cert-manager")
    variables = {
        "kubernetes_kubeconfig": str(cluster.kubeconfig),
        "cert_manager_manifest": str(shared_manifests / "cert-manager-v1.6.1.yaml"),
        "jaeger_operator_manifest": str(shared_manifests / "jaeger-operator-v1.56.0.yaml"),
    }
    installed = role("cert_manager", variables)
    assert installed.code == 0, installed.output
    remove(cluster, variables)
    yield variables
    remove(cluster, variables)


def remove(cluster: Cluster, variables: dict[str, Any]) -> None:
    known = (f"namespace/{NAMESPACE}", "crd/jaegers.jaegertracing.io")
    if all(cluster.attempt("get", one).returncode for one in known):
        return
    run = role(
        "jaeger_operator",
        {**variables, "jaeger_operator_state": "absent", "jaeger_operator_delete_jaegers": True},
    )
    assert run.code == 0, run.output


def run(variables: dict[str, Any], *arguments: str, **more: Any) -> Run:
    return role("jaeger_operator", {**variables, **more}, *arguments)


def webhooks(cluster: Cluster) -> list[dict[str, Any]]:
    found = cluster.get(
        "mutatingwebhookconfigurations,validatingwebhookconfigurations", "--selector=name=jaeger-operator"
    )
    return [webhook for each in found["items"] for webhook in each["webhooks"]]


def test_another_manifest(shared_manifests: Path) -> None:
    manifest = shared_manifests / "cert-manager-v1.6.1.yaml"
    assert role("jaeger_operator", {"jaeger_operator_manifest": str(manifest)}).error == (
        f"{manifest} is not the manifest of the Jaeger operator: "
        "it must have one Deployment and one Certificate (jaeger_operator_manifest)."
    )


def test_from_nothing_and_once_more(cluster: Cluster, operator: dict[str, Any]) -> None:
    check = run(operator, "--check")
    assert check.code == 0, check.output
    assert check.count("changed") == 2, "the namespace, and what is in it"
    assert cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode != 0

    made = run(operator, jaeger_operator_wait=False)
    assert (made.code, made.count("changed")) == (0, 2), made.output
    for arguments in (["--check", "--diff"], []):
        again = run(operator, *arguments, jaeger_operator_wait=False)
        assert (again.code, again.count("changed")) == (0, 0), again.output


def test_without_its_image_it_says_what_the_pod_says(cluster: Cluster, operator: dict[str, Any]) -> None:
    failed = run(operator, jaeger_operator_timeout=40)
    assert failed.error.startswith(
        "Jaeger operator v1.56.0 is not ready after 40 s. Deployment jaeger-operator has 1 pod: "
    )
    assert 'Failed to pull image "quay.io/jaegertracing/jaeger-operator:1.56.0"' in failed.error
    # All before that is there: the big CRD, the certificate by the real cert-manager, and the API server's trust in it.
    assert cluster.get("crd", "jaegers.jaegertracing.io")
    assert (
        cluster.get("secret", "jaeger-operator-service-cert", "-n", NAMESPACE)["type"] == "kubernetes.io/tls"
    )
    found = webhooks(cluster)
    assert len(found) == 3
    assert all(each["clientConfig"]["caBundle"] for each in found)
    again = run(operator, jaeger_operator_wait=False)
    assert (again.code, again.count("changed")) == (0, 0), again.output
    assert webhooks(cluster) == found, "what cainjector has set is left to it"


def test_a_run_after_the_image_is_there(cluster: Cluster, operator: dict[str, Any]) -> None:
    """A mirror's image by variable. It is a stand-in that only runs; what the operator does then is not tested here."""
    images = {"jaeger_operator_image": "busybox:1.35", "jaeger_operator_proxy_image": "busybox:1.36"}
    check = run(operator, "--check", "--diff", **images)
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert "image: busybox:1.35" in check.output
    watched = run(
        operator, **images, jaeger_operator_watch_namespaces=["one", "two"], jaeger_operator_wait=False
    )
    assert (watched.code, watched.count("changed")) == (0, 1), watched.output
    template = cluster.get("deployment", "jaeger-operator", "-n", NAMESPACE)["spec"]["template"]
    assert [each["image"] for each in template["spec"]["containers"]] == ["busybox:1.35", "busybox:1.36"]
    assert template["metadata"]["annotations"] == {"olm.targetNamespaces": "one,two"}
    back = run(operator, jaeger_operator_wait=False)
    assert back.count("changed") == 1
    template = cluster.get("deployment", "jaeger-operator", "-n", NAMESPACE)["spec"]["template"]
    assert "annotations" not in template["metadata"]


def test_no_certificate(cluster: Cluster, operator: dict[str, Any]) -> None:
    """cert-manager's controller and cainjector do not run: the webhook gets no certificate."""
    remove(cluster, operator)
    names = ["cert-manager", "cert-manager-cainjector"]
    cluster.kubectl("scale", "deployment", *names, "-n", "cert-manager", "--replicas=0")
    try:
        failed = run(operator, jaeger_operator_timeout=10)
    finally:
        cluster.kubectl("scale", "deployment", *names, "-n", "cert-manager", "--replicas=1")
    assert failed.error == (
        "The webhook of Jaeger operator v1.56.0 has no certificate after 10 s: Certificate jaeger-operator-serving-cert is not ready; "
        "there is no Secret jaeger-operator-service-cert; no caBundle in jaeger-operator-mutating-webhook-configuration, "
        "jaeger-operator-validating-webhook-configuration. Look whether cert-manager and its cainjector run (role cert_manager)."
    )


def test_absent_only_without_jaegers(cluster: Cluster, operator: dict[str, Any], namespace: str) -> None:
    assert run(operator, jaeger_operator_wait=False).code == 0
    # The operator's webhook would have to accept it, and the operator does not run.
    cluster.kubectl(
        "delete",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "--selector=name=jaeger-operator",
    )
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(JAEGER))
    refused = run(operator, jaeger_operator_state="absent")
    assert refused.error == (
        f"The Jaeger operator is not deleted, as these would be deleted with it: Jaeger {namespace}/mine. "
        "Delete them first, or set jaeger_operator_delete_jaegers to true."
    )
    assert refused.count("changed") == 0
    gone = run(operator, jaeger_operator_state="absent", jaeger_operator_delete_jaegers=True)
    assert gone.code == 0, gone.output
    assert cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode != 0
    assert cluster.attempt("get", "namespace", NAMESPACE).returncode != 0, "it was ours, and it was empty"
    again = run(operator, jaeger_operator_state="absent")
    assert (again.code, again.count("changed")) == (0, 0), again.output


def test_a_namespace_of_others_is_kept(cluster: Cluster, operator: dict[str, Any]) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        assert run(operator, jaeger_operator_wait=False).code == 0
        assert run(operator, jaeger_operator_state="absent").code == 0
        assert "labels" in cluster.get("namespace", NAMESPACE)["metadata"]
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE)


def test_without_cert_manager(operator: dict[str, Any]) -> None:
    gone = role("cert_manager", {**operator, "cert_manager_state": "absent"})
    assert gone.code == 0, gone.output
    try:
        assert run(operator).error == (
            "The Jaeger operator needs cert-manager for its webhook, but the cluster does not know the kind Certificate of "
            "cert-manager.io/v1: install cert-manager first (role cert_manager)."
        )
    finally:
        assert role("cert_manager", operator).code == 0
