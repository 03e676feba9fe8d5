# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role cert_manager: the real cert-manager on a real cluster, from nothing, once more, with faults, and gone again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster_plays import role
from tests.support.kubernetes import Cluster
from tests.support.playbooks import Run

NAMESPACE = "cert-manager"
CERTIFICATE = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Certificate",
    "metadata": {"name": "mine"},
    "spec": {"dnsNames": ["mine.example.com"], "secretName": "mine", "issuerRef": {"name": "mine"}},
}
ISSUER = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Issuer",
    "metadata": {"name": "mine"},
    "spec": {"selfSigned": {}},
}


@pytest.fixture(scope="module")
def cert_manager(cluster: Cluster, shared_manifests: Path) -> Iterator[dict[str, Any]]:
    """The role's variables; the node has the images, and there is no cert-manager."""
    cluster.images("cert-manager")
    variables = {
        "kubernetes_kubeconfig": str(cluster.kubeconfig),
        "cert_manager_manifest": str(shared_manifests / "cert-manager-v1.6.1.yaml"),
    }
    remove(cluster, variables)
    yield variables
    remove(cluster, variables)


def remove(cluster: Cluster, variables: dict[str, Any]) -> None:
    if names(cluster):
        gone = run(variables, cert_manager_state="absent", cert_manager_delete_certificates=True)
        assert gone.code == 0, gone.output


def versions(cluster: Cluster) -> set[str]:
    """Those of the Deployments."""
    deployments = cluster.get("deployments", "-n", NAMESPACE)["items"]
    return {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in deployments}


def bring_about(cluster: Cluster, variables: dict[str, Any]) -> None:
    """Install v1.6.1, unless the test before has left it."""
    if versions(cluster) != {"v1.6.1"}:
        assert run(variables).code == 0


def run(variables: dict[str, Any], *arguments: str, **more: Any) -> Run:
    return role("cert_manager", {**variables, **more}, *arguments)


def names(cluster: Cluster) -> set[str]:
    """All that the cluster has of cert-manager."""
    kinds = (
        "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions,mutatingwebhookconfigurations"
    )
    kinds += ",validatingwebhookconfigurations,roles,rolebindings,leases,configmaps,services,deployments"
    found = cluster.get(kinds, "--all-namespaces")["items"]
    places = [(each["metadata"]["name"], each["metadata"].get("namespace", "")) for each in found]
    return {name for name, place in places if "cert-manager" in name + place}


def test_another_manifest(shared_manifests: Path) -> None:
    manifest = shared_manifests / "jaeger-operator-v1.56.0.yaml"
    assert role("cert_manager", {"cert_manager_manifest": str(manifest)}).error == (
        f"{manifest} is not cert-manager's manifest: it has no Deployment of a webhook (cert_manager_manifest)."
    )


def test_from_nothing_and_once_more(cluster: Cluster, cert_manager: dict[str, Any], namespace: str) -> None:
    check = run(cert_manager, "--check")
    assert (check.code, check.count("changed")) == (0, 2), check.output
    assert names(cluster) == set()

    made = run(cert_manager)
    assert (made.code, made.count("changed")) == (0, 2), made.output
    # It issues a certificate at once: no retry is needed.
    for resource in (ISSUER, CERTIFICATE):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(resource))
    cluster.kubectl("wait", "certificate/mine", "-n", namespace, "--for=condition=Ready", "--timeout=60s")

    before = cluster.get("mutatingwebhookconfiguration", "cert-manager-webhook")
    assert before["webhooks"][0]["clientConfig"]["caBundle"]
    for arguments in (["--check", "--diff"], []):
        again = run(cert_manager, *arguments)
        assert (again.code, again.count("changed")) == (0, 0), again.output
    after = cluster.get("mutatingwebhookconfiguration", "cert-manager-webhook")
    assert after == before, "what cainjector has set is left to it"

    refused = run(cert_manager, cert_manager_state="absent")
    assert refused.error == (
        f"cert-manager is not deleted, as these would be deleted with it: Certificate {namespace}/mine, Issuer {namespace}/mine. "
        "Delete them first, or set cert_manager_delete_certificates to true."
    )
    assert refused.count("changed") == 0


def test_a_webhook_that_never_answers(cluster: Cluster, cert_manager: dict[str, Any]) -> None:
    bring_about(cluster, cert_manager)
    # The manifest does not name the port, so what somebody sets there stays; the service has none like it.
    port = "/webhooks/0/clientConfig/service/port"
    webhook = ("mutatingwebhookconfiguration", "cert-manager-webhook", "--type=json", "--patch")
    cluster.kubectl("patch", *webhook, json.dumps([{"op": "replace", "path": port, "value": 444}]))
    failed = run(cert_manager, cert_manager_timeout=15)
    assert failed.error.startswith(
        "The webhook of cert-manager v1.6.1 does not answer the API server within 15 s: "
        'Internal error occurred: failed calling webhook "webhook.cert-manager.io": '
    )
    assert 'no service port 444 found for service "cert-manager-webhook"' in failed.error
    assert "Deployment cert-manager-webhook has 1 pod: cert-manager-webhook-" in failed.error
    assert "Log of cert-manager: " in failed.error
    cluster.kubectl("patch", *webhook, json.dumps([{"op": "replace", "path": port, "value": 443}]))
    mended = run(cert_manager)
    assert (mended.code, mended.count("changed")) == (0, 0), mended.output


def test_a_change_of_version(cluster: Cluster, cert_manager: dict[str, Any], tmp_path: Path) -> None:
    """No other version is to be had here: the new one is this one with another label and one ClusterRole less."""
    bring_about(cluster, cert_manager)
    text = Path(cert_manager["cert_manager_manifest"]).read_text()
    resources = [each for each in yaml.safe_load_all(text.replace("v1.6.1", "v1.6.2")) if each]
    for each in resources:
        if each["kind"] == "Deployment":  # the images stay those that are there
            (container,) = each["spec"]["template"]["spec"]["containers"]
            container["image"] = container["image"].replace("v1.6.2", "v1.6.1")
    file = tmp_path / "new.yaml"
    file.write_text(
        yaml.safe_dump_all([each for each in resources if each["metadata"]["name"] != "cert-manager-view"])
    )
    upgraded = run(cert_manager, cert_manager_manifest=str(file), cert_manager_version="v1.6.2")
    assert upgraded.code == 0, upgraded.output
    assert upgraded.count("changed") > 0
    told = " ".join(upgraded.output.split())
    assert (
        "After the change from v1.6.1 to cert-manager v1.6.2, the cluster still has what the new manifest has not: "
        "ClusterRole cert-manager-view. Look whether it is needed"
    ) in told
    assert versions(cluster) == {"v1.6.2"}


def test_absent(cluster: Cluster, cert_manager: dict[str, Any], namespace: str) -> None:
    if not versions(cluster):
        bring_about(cluster, cert_manager)
    for resource in (ISSUER, CERTIFICATE):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(resource))
    options = {"cert_manager_state": "absent", "cert_manager_delete_certificates": True}
    check = run(cert_manager, "--check", **options)
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert cluster.get("certificate", "mine", "-n", namespace)
    gone = run(cert_manager, **options)
    assert (gone.code, gone.count("changed")) == (0, 1), gone.output
    assert names(cluster) == set()
    again = run(cert_manager, cert_manager_state="absent")
    assert (again.code, again.count("changed")) == (0, 0), again.output
