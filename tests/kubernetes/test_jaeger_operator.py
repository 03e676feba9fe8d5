# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles cert_manager and jaeger_operator: the real cert-manager on a real cluster, and the operator as far as it goes without its image.

The tests are one story: what one leaves is there for the next, which brings it about only if it runs by itself.
"""

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

CERT_MANAGER, OBSERVABILITY = "cert-manager", "observability"
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
JAEGER = {"apiVersion": "jaegertracing.io/v1", "kind": "Jaeger", "metadata": {"name": "mine"}}
WEBHOOKS = (
    "mutatingwebhookconfigurations,validatingwebhookconfigurations",
    "--selector=name=jaeger-operator",
)
ABSENT = {"cert_manager_state": "absent", "jaeger_operator_state": "absent"}
WHATEVER = {"cert_manager_delete_certificates": True, "jaeger_operator_delete_jaegers": True}

pytestmark = pytest.mark.xdist_group("whole cluster")


@pytest.fixture(scope="module")
def variables(cluster: Cluster, shared_manifests: Path) -> Iterator[dict[str, Any]]:
    """The roles' variables; the node has cert-manager's images, and the cluster neither that nor the operator."""
    cluster.images("cert-manager")
    given = {
        "kubernetes_kubeconfig": str(cluster.kubeconfig),
        "cert_manager_manifest": str(shared_manifests / "cert-manager-v1.6.1.yaml"),
        "jaeger_operator_manifest": str(shared_manifests / "jaeger-operator-v1.56.0.yaml"),
    }
    remove(cluster, given)
    yield given
    remove(cluster, given)


def remove(cluster: Cluster, variables: dict[str, Any]) -> None:
    """Whatever there is of both."""
    there = {
        "jaeger_operator": cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode == 0,
        "cert_manager": bool(names(cluster)),
    }
    for name, is_there in there.items():
        if is_there:
            gone = role(name, {**variables, **ABSENT, **WHATEVER})
            assert gone.code == 0, gone.output


@pytest.fixture
def installed(cluster: Cluster, variables: dict[str, Any]) -> dict[str, Any]:
    """The roles' variables; there is cert-manager v1.6.1."""
    if versions(cluster) != {"v1.6.1"}:
        assert cert_manager(variables).code == 0
    return variables


@pytest.fixture
def both(cluster: Cluster, installed: dict[str, Any]) -> dict[str, Any]:
    """The roles' variables; there are cert-manager and the operator."""
    if cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode != 0:
        assert operator(installed, jaeger_operator_wait=False).code == 0
    return installed


def cert_manager(variables: dict[str, Any], *arguments: str, **more: Any) -> Run:
    return role("cert_manager", {**variables, **more}, *arguments)


def operator(variables: dict[str, Any], *arguments: str, **more: Any) -> Run:
    return role("jaeger_operator", {**variables, **more}, *arguments)


def unchanged(run: Run) -> bool:
    """Whether a run that went well changed nothing."""
    assert run.code == 0, run.output
    return run.count("changed") == 0


def versions(cluster: Cluster) -> set[str]:
    """Those of cert-manager's Deployments."""
    deployments = cluster.get("deployments", "-n", CERT_MANAGER)["items"]
    return {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in deployments}


def names(cluster: Cluster) -> set[str]:
    """All that the cluster has of cert-manager."""
    kinds = (
        "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions,mutatingwebhookconfigurations"
    )
    kinds += ",validatingwebhookconfigurations,roles,rolebindings,leases,configmaps,services,deployments"
    found = cluster.get(kinds, "--all-namespaces")["items"]
    places = [(each["metadata"]["name"], each["metadata"].get("namespace", "")) for each in found]
    return {name for name, place in places if CERT_MANAGER in name + place}


def webhooks(cluster: Cluster) -> list[dict[str, Any]]:
    """Those of the operator."""
    return [webhook for each in cluster.get(*WEBHOOKS)["items"] for webhook in each["webhooks"]]


def test_another_manifest(shared_manifests: Path) -> None:
    of_operator = shared_manifests / "jaeger-operator-v1.56.0.yaml"
    of_cert_manager = shared_manifests / "cert-manager-v1.6.1.yaml"
    wrong = {
        "cert_manager_manifest": str(of_operator),
        "jaeger_operator_manifest": str(of_cert_manager),
    }
    assert cert_manager(wrong).error == (
        f"{of_operator} is not cert-manager's manifest: it has no Deployment of a webhook (cert_manager_manifest)."
    )
    assert operator(wrong).error == (
        f"{of_cert_manager} is not the manifest of the Jaeger operator: "
        "it must have one Deployment and one Certificate (jaeger_operator_manifest)."
    )


def test_cert_manager_from_nothing_and_once_more(
    cluster: Cluster, variables: dict[str, Any], namespace: str
) -> None:
    assert operator(variables).error == (
        "The Jaeger operator needs cert-manager for its webhook, but the cluster does not know the kind Certificate of "
        "cert-manager.io/v1: install cert-manager first (role cert_manager)."
    )
    check = cert_manager(variables, "--check")
    assert (check.code, check.count("changed")) == (0, 2), check.output
    assert names(cluster) == set()

    made = cert_manager(variables)
    assert (made.code, made.count("changed")) == (0, 2), made.output
    # It issues a certificate at once: no retry is needed.
    for resource in (ISSUER, CERTIFICATE):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(resource))
    cluster.kubectl("wait", "certificate/mine", "-n", namespace, "--for=condition=Ready", "--timeout=60s")

    before = cluster.get("mutatingwebhookconfiguration", "cert-manager-webhook")
    assert before["webhooks"][0]["clientConfig"]["caBundle"]
    for arguments in (["--check", "--diff"], []):
        assert unchanged(cert_manager(variables, *arguments))
    after = cluster.get("mutatingwebhookconfiguration", "cert-manager-webhook")
    assert after == before, "what cainjector has set is left to it"

    refused = cert_manager(variables, cert_manager_state="absent")
    assert refused.error == (
        f"cert-manager is not deleted, as these would be deleted with it: Certificate {namespace}/mine, Issuer {namespace}/mine. "
        "Delete them first, or set cert_manager_delete_certificates to true."
    )
    assert refused.count("changed") == 0


def test_a_webhook_that_never_answers(cluster: Cluster, installed: dict[str, Any]) -> None:
    # The manifest does not name the port, so what somebody sets there stays; the service has none like it.
    port = "/webhooks/0/clientConfig/service/port"
    webhook = ("mutatingwebhookconfiguration", "cert-manager-webhook", "--type=json", "--patch")
    cluster.kubectl("patch", *webhook, json.dumps([{"op": "replace", "path": port, "value": 444}]))
    failed = cert_manager(installed, cert_manager_timeout=5)
    cluster.kubectl("patch", *webhook, json.dumps([{"op": "replace", "path": port, "value": 443}]))
    assert failed.error.startswith(
        "The webhook of cert-manager v1.6.1 does not answer the API server within 5 s: "
        'Internal error occurred: failed calling webhook "webhook.cert-manager.io": '
    )
    assert 'no service port 444 found for service "cert-manager-webhook"' in failed.error
    assert "Deployment cert-manager-webhook has 1 pod: cert-manager-webhook-" in failed.error
    assert "Log of cert-manager: " in failed.error
    assert unchanged(cert_manager(installed))


def test_the_operator_from_nothing_and_once_more(cluster: Cluster, installed: dict[str, Any]) -> None:
    """Without its image it says what the pod says."""
    check = operator(installed, "--check")
    assert check.code == 0, check.output
    assert check.count("changed") == 2, "the namespace, and what is in it"
    assert cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode != 0

    made = operator(installed, jaeger_operator_wait=False)
    assert (made.code, made.count("changed")) == (0, 2), made.output
    for arguments in (["--check", "--diff"], []):
        assert unchanged(operator(installed, *arguments, jaeger_operator_wait=False))

    failed = operator(installed, jaeger_operator_timeout=25)
    assert failed.error.startswith(
        "Jaeger operator v1.56.0 is not ready after 25 s. Deployment jaeger-operator has 1 pod: "
    )
    assert 'Failed to pull image "quay.io/jaegertracing/jaeger-operator:1.56.0"' in failed.error
    # All before that is there: the big CRD, the certificate by the real cert-manager, and the API server's trust in it.
    assert cluster.get("crd", "jaegers.jaegertracing.io")
    secret = cluster.get("secret", "jaeger-operator-service-cert", "-n", OBSERVABILITY)
    assert secret["type"] == "kubernetes.io/tls"
    found = webhooks(cluster)
    assert len(found) == 3
    assert all(each["clientConfig"]["caBundle"] for each in found)
    assert unchanged(operator(installed, jaeger_operator_wait=False))
    assert webhooks(cluster) == found, "what cainjector has set is left to it"


def test_a_run_after_the_image_is_there(cluster: Cluster, both: dict[str, Any]) -> None:
    """A mirror's image by variable. It is a stand-in that only runs; what the operator does then is not tested here."""
    images = {"jaeger_operator_image": "busybox:1.35", "jaeger_operator_proxy_image": "busybox:1.36"}
    check = operator(both, "--check", "--diff", **images)
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert "image: busybox:1.35" in check.output
    watched = operator(
        both, **images, jaeger_operator_watch_namespaces=["one", "two"], jaeger_operator_wait=False
    )
    assert (watched.code, watched.count("changed")) == (0, 1), watched.output
    template = cluster.get("deployment", "jaeger-operator", "-n", OBSERVABILITY)["spec"]["template"]
    assert [each["image"] for each in template["spec"]["containers"]] == ["busybox:1.35", "busybox:1.36"]
    assert template["metadata"]["annotations"] == {"olm.targetNamespaces": "one,two"}
    back = operator(both, jaeger_operator_wait=False)
    assert back.count("changed") == 1
    template = cluster.get("deployment", "jaeger-operator", "-n", OBSERVABILITY)["spec"]["template"]
    assert "annotations" not in template["metadata"]


def test_the_operator_goes_only_without_jaegers(
    cluster: Cluster, both: dict[str, Any], namespace: str
) -> None:
    # The operator's webhook would have to accept it, and the operator does not run.
    cluster.kubectl("delete", *WEBHOOKS)
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(JAEGER))
    refused = operator(both, jaeger_operator_state="absent")
    assert refused.error == (
        f"The Jaeger operator is not deleted, as these would be deleted with it: Jaeger {namespace}/mine. "
        "Delete them first, or set jaeger_operator_delete_jaegers to true."
    )
    assert refused.count("changed") == 0
    gone = operator(both, **ABSENT, jaeger_operator_delete_jaegers=True)
    assert gone.code == 0, gone.output
    assert cluster.attempt("get", "crd", "jaegers.jaegertracing.io").returncode != 0
    assert cluster.attempt("get", "namespace", OBSERVABILITY).returncode != 0, "it was ours, and it was empty"
    assert unchanged(operator(both, jaeger_operator_state="absent"))


def test_the_operator_in_a_namespace_of_others_without_a_certificate(
    cluster: Cluster, installed: dict[str, Any]
) -> None:
    """cert-manager's controller and cainjector do not run: the webhook gets no certificate. The namespace is kept."""
    cluster.kubectl("create", "namespace", OBSERVABILITY)
    scale = ("scale", "deployment", "cert-manager", "cert-manager-cainjector", "-n", CERT_MANAGER)
    cluster.kubectl(*scale, "--replicas=0")
    try:
        failed = operator(installed, jaeger_operator_timeout=10)
        assert operator(installed, jaeger_operator_state="absent").code == 0
        assert "labels" in cluster.get("namespace", OBSERVABILITY)["metadata"]
    finally:
        cluster.kubectl(*scale, "--replicas=1")
        cluster.kubectl("delete", "namespace", OBSERVABILITY)
    assert failed.error == (
        "The webhook of Jaeger operator v1.56.0 has no certificate after 10 s: Certificate jaeger-operator-serving-cert is not ready; "
        "there is no Secret jaeger-operator-service-cert; no caBundle in jaeger-operator-mutating-webhook-configuration, "
        "jaeger-operator-validating-webhook-configuration. Look whether cert-manager and its cainjector run (role cert_manager)."
    )


def test_a_change_of_version_and_the_end(
    cluster: Cluster, installed: dict[str, Any], namespace: str, tmp_path: Path
) -> None:
    """No other version is to be had here: the new one is this one with another label and one ClusterRole less."""
    text = Path(installed["cert_manager_manifest"]).read_text()
    resources = [each for each in yaml.safe_load_all(text.replace("v1.6.1", "v1.6.2")) if each]
    for each in resources:
        if each["kind"] == "Deployment":  # the images stay those that are there
            (container,) = each["spec"]["template"]["spec"]["containers"]
            container["image"] = container["image"].replace("v1.6.2", "v1.6.1")
    file = tmp_path / "new.yaml"
    file.write_text(
        yaml.safe_dump_all([each for each in resources if each["metadata"]["name"] != "cert-manager-view"])
    )
    upgraded = cert_manager(installed, cert_manager_manifest=str(file), cert_manager_version="v1.6.2")
    assert upgraded.code == 0, upgraded.output
    assert upgraded.count("changed") > 0
    told = " ".join(upgraded.output.split())
    assert (
        "After the change from v1.6.1 to cert-manager v1.6.2, the cluster still has what the new manifest has not: "
        "ClusterRole cert-manager-view. Look whether it is needed"
    ) in told
    assert versions(cluster) == {"v1.6.2"}

    for resource in (ISSUER, CERTIFICATE):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(resource))
    check = cert_manager(installed, "--check", **ABSENT, **WHATEVER)
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert cluster.get("certificate", "mine", "-n", namespace)
    gone = cert_manager(installed, **ABSENT, **WHATEVER)
    assert (gone.code, gone.count("changed")) == (0, 1), gone.output
    assert names(cluster) == set()
    assert unchanged(cert_manager(installed, cert_manager_state="absent"))
