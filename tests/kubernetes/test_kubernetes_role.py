# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role kubernetes: its steps on a real cluster, and what it says when a step cannot be done."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.cluster_plays import steps
from tests.support.kubernetes import Cluster
from tests.support.playbooks import Run, play
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import free_port

SECRET = "very-secret-4711"
GONE = 9  # the discard port: nothing listens on it


def kubeconfig(tmp_path: Path, server: str) -> Path:
    """A kubeconfig with one context, far."""
    file = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "far",
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "me"}}],
        "clusters": [{"name": "far", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": SECRET}}],
    }
    file.write_text(json.dumps(content))
    return file


def preflight(file: Path | str, *arguments: str, **variables: Any) -> Run:
    run = steps(
        [("preflight", {})],
        {"kubernetes_kubeconfig": str(file), "kubernetes_timeout": 3, **variables},
        *arguments,
    )
    assert run.code != 0
    assert run.count("changed") == 0
    assert SECRET not in run.output
    return run


def test_no_kubeconfig(tmp_path: Path) -> None:
    assert preflight(tmp_path / "none").error == (
        f"There is no kubeconfig {tmp_path}/none that this user can read: set kubernetes_kubeconfig or KUBECONFIG to the path of one."
    )


@pytest.mark.parametrize(
    "content",
    [
        f"users:\n- {{name: me, user: {{token: {SECRET}\ncontexts: [",
        f"only {SECRET}",
        f"contexts: {SECRET}\nclusters: []",
    ],
    ids=["no YAML", "no mapping", "no contexts"],
)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    assert preflight(file, "-vvvv").error == (
        f"{file} is no kubeconfig: it must be YAML with contexts, clusters and users (kubernetes_kubeconfig)."
    )


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://127.0.0.1:6443")
    assert preflight(file, kubernetes_context="near").error == (
        f"There is no context near with a cluster in {file}: set kubernetes_context to one of far."
    )


def test_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, f"https://127.0.0.1:{GONE}")
    assert preflight(file).error == (
        f"The cluster does not answer within 3 s at https://127.0.0.1:{GONE} (context far of {file}): "
        "[Errno 111] Connection refused. Start it, or set kubernetes_kubeconfig and kubernetes_context to those of another."
    )


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The URL of a web server without files."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def read(manifest: str, checksum: str = "") -> Run:
    return steps([("manifest", {"manifest": manifest, "manifest_checksum": checksum})], {})


def test_a_manifest_that_cannot_be_used(tmp_path: Path, web: str) -> None:
    assert (
        read(f"{tmp_path}/none.yaml").error == f"There is no manifest {tmp_path}/none.yaml on the controller."
    )
    run = read(f"{web}/none.yaml")
    assert run.error.startswith(f"The manifest {web}/none.yaml cannot be fetched: ")
    assert "404" in run.error
    file = tmp_path / "manifest.yaml"
    for content in ("{", "only words", "kind: Namespace", ""):
        file.write_text(content)
        assert (
            read(str(file)).error
            == f"{file} is no manifest: it must be YAML documents with apiVersion, kind and metadata."
        )


def test_a_manifest_with_another_checksum(tmp_path: Path, web: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n\n")
    right = f"sha256:{sha256(file.read_bytes()).hexdigest()}"
    wrong = f"sha256:{'0' * 64}"
    for manifest in (str(file), f"{web}/manifest.yaml"):
        assert read(manifest, right).code == 0
        assert read(manifest, wrong).error == (
            f"The manifest {manifest} has the checksum {right} and not {wrong}: "
            "it has been changed, or the checksum is of another version."
        )


# From here on with the cluster.


def resources(name: str, image: str = "busybox:1.35") -> list[dict[str, Any]]:
    """A namespace with a web server that has a password."""
    there = {"name": "web", "namespace": name}
    container = {
        "name": "web",
        "image": image,
        "command": ["httpd", "-f", "-h", "/etc", "-p", "8000"],
        "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "web", "key": "password"}}}],
        "readinessProbe": {"httpGet": {"path": "/hostname", "port": 8000}, "periodSeconds": 1},
    }
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
    labels = {"app": "web"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": there, "stringData": {"password": SECRET}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": there,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": there,
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]},
        },
    ]


def apply(
    cluster: Cluster, name: str, *arguments: str, image: str = "busybox:1.35", timeout: int = 120
) -> Run:
    workloads = [{"kind": "Deployment", "name": "web"}]
    wait = {
        "wait_name": "the web",
        "wait_namespace": name,
        "wait_workloads": workloads,
        "wait_timeout": timeout,
    }
    applied = {"apply_name": "the web", "apply_resources": resources(name, image)}
    run = steps(
        [("apply", applied), ("wait", wait)], {"kubernetes_kubeconfig": str(cluster.kubeconfig)}, *arguments
    )
    assert SECRET not in run.output
    assert base64.b64encode(SECRET.encode()).decode() not in run.output
    return run


def absent(cluster: Cluster, name: str, *arguments: str) -> Run:
    deleted = {"absent_name": "the web", "absent_resources": resources(name)}
    return steps([("absent", deleted)], {"kubernetes_kubeconfig": str(cluster.kubeconfig)}, *arguments)


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace that is not there."""
    chosen = f"test-{time.time_ns()}"
    yield chosen
    cluster.attempt("delete", "namespace", chosen, "--wait=false")


def test_apply_and_absent_in_check_mode_and_for_real(cluster: Cluster, name: str) -> None:
    check = apply(cluster, name, "--check")
    assert (check.code, check.count("changed")) == (0, 3), check.output
    assert cluster.attempt("get", "namespace", name).returncode != 0

    made = apply(cluster, name)
    assert (made.code, made.count("changed")) == (0, 3), made.output
    assert cluster.get("deployment", "web", "-n", name)["status"]["readyReplicas"] == 1

    # What somebody else has set and our resources do not name is left to them.
    cluster.kubectl("scale", "deployment", "web", "-n", name, "--replicas=2")
    cluster.kubectl("annotate", "service", "web", "-n", name, "by=somebody")
    for arguments in (["--check"], ["-vvvv"]):
        again = apply(cluster, name, *arguments)
        assert (again.code, again.count("changed")) == (0, 0), again.output
    assert cluster.get("deployment", "web", "-n", name)["spec"]["replicas"] == 2

    check = absent(cluster, name, "--check")
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert cluster.get("deployment", "web", "-n", name)["status"]["readyReplicas"] == 2
    gone = absent(cluster, name)
    assert (gone.code, gone.count("changed")) == (0, 1), gone.output
    assert cluster.attempt("get", "namespace", name).returncode != 0
    again = absent(cluster, name)
    assert (again.code, again.count("changed")) == (0, 0), again.output


def test_what_is_gone_between_looking_and_deleting(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Of what goes by itself, such as what an earlier request has asked to go, there is nothing to say."""
    cluster.kubectl("create", "configmap", "brief", "-n", namespace)
    resource = cluster.get("configmap", "brief", "-n", namespace)

    def overtake() -> None:
        cluster.kubectl("delete", "configmap", "brief", "-n", namespace)

    with (
        cluster.without_tls() as url,
        proxy(url, nth("GET", "/configmaps/brief", Fault(then=overtake))) as front,
    ):
        gone = steps(
            [("absent", {"absent_name": "it", "absent_resources": [resource]})],
            {"kubernetes_kubeconfig": str(kubeconfig(tmp_path, front.url))},
        )
    assert gone.code == 0, gone.output
    assert [one.split("?")[0].rpartition("/")[0] for one in front.changes()] == [
        f"DELETE /api/v1/namespaces/{namespace}/configmaps"
    ]


def test_an_image_that_cannot_be_pulled(cluster: Cluster, name: str) -> None:
    run = apply(cluster, name, image="no.such.registry/web:1", timeout=20)
    assert run.error.startswith("the web is not ready after 20 s. Deployment web has 1 pod: web-")
    assert "ImagePull" in run.error
    assert 'Failed to pull image "no.such.registry/web:1"' in run.error
    changed = apply(cluster, name, "--diff")
    assert (changed.code, changed.count("changed")) == (0, 1), changed.output
    assert "image: no.such.registry/web:1" in changed.output
    assert "image: busybox:1.35" in changed.output
    assert "item=Service web" not in changed.output, "what does not change is not applied one by one"


def test_a_job_that_fails(cluster: Cluster, namespace: str) -> None:
    container = {
        "name": "main",
        "image": "busybox:1.35",
        "command": ["sh", "-c", "echo no storage here; exit 3"],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "init", "namespace": namespace},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
    wait = {
        "wait_name": "the job",
        "wait_namespace": namespace,
        "wait_workloads": [{"kind": "Job", "name": "init"}],
    }
    applied = {"apply_name": "the job", "apply_resources": [job]}
    run = steps([("apply", applied), ("wait", wait)], {"kubernetes_kubeconfig": str(cluster.kubeconfig)})
    assert run.error.startswith("the job has failed. Job init has 1 pod: init-")
    assert "Error" in run.error
    assert run.error.endswith("Log of main: no storage here")


def test_a_container_that_ended_and_was_started_again(cluster: Cluster, namespace: str) -> None:
    """Its log says nothing yet; that of the one before says why."""
    waits = "if [ -e /kept/again ]; then echo starting; sleep 600; fi"
    container = {
        "name": "main",
        "image": "busybox:1.35",
        "command": ["sh", "-c", f"{waits}; touch /kept/again; echo no storage here; exit 3"],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/kept/storage"]}},
        "volumeMounts": [{"name": "kept", "mountPath": "/kept"}],
    }
    (deployment,) = (each for each in resources(namespace) if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    pod |= {"containers": [container], "volumes": [{"name": "kept", "emptyDir": {}}]}
    wait = {
        "wait_name": "the web",
        "wait_namespace": namespace,
        "wait_workloads": [{"kind": "Deployment", "name": "web"}],
        "wait_timeout": 25,
    }
    applied = {"apply_name": "the web", "apply_resources": [deployment]}
    run = steps([("apply", applied), ("wait", wait)], {"kubernetes_kubeconfig": str(cluster.kubeconfig)})
    assert "main is not ready (exit code 3)" in run.error
    assert "Log of main before it was started again: no storage here" in run.error
    assert run.error.endswith("Log of main: starting")


def test_what_the_cluster_refuses_for_good(cluster: Cluster, namespace: str) -> None:
    applied = {
        "apply_name": "the web",
        "apply_resources": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": namespace},
                "spec": {"ports": []},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "web", "namespace": namespace},
                "data": {"a": SECRET},
            },
            {
                "apiVersion": "example.com/v1",
                "kind": "Thing",
                "metadata": {"name": "web", "namespace": namespace},
            },
        ],
        "apply_retries": 1,
    }
    options = {"kubernetes_kubeconfig": str(cluster.kubeconfig)}
    secret = steps([("apply", applied)], options, "-vvvv")
    assert secret.error.startswith(f"the web cannot be applied: Secret {namespace}/web: refused")
    assert SECRET not in secret.output
    applied["apply_resources"] = [each for each in resources_of(applied) if each["kind"] != "Secret"]
    service = steps([("apply", applied)], options)
    assert service.error.startswith(f"the web cannot be applied: Service {namespace}/web: Service ")
    assert "spec.ports" in service.error
    applied["apply_resources"] = [each for each in resources_of(applied) if each["kind"] == "Thing"]
    kind = steps([("apply", applied)], options)
    assert kind.error == (
        f"the web cannot be applied: Thing {namespace}/web: the cluster does not know the kind Thing of example.com/v1"
    )


def resources_of(applied: dict[str, Any]) -> list[dict[str, Any]]:
    return list(applied["apply_resources"])


def test_a_user_that_may_not(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    cluster.kubectl("create", "serviceaccount", "guest", "-n", namespace)
    cluster.kubectl(
        "create",
        "rolebinding",
        "guest",
        "-n",
        namespace,
        "--clusterrole=view",
        f"--serviceaccount={namespace}:guest",
    )
    token = cluster.kubectl("create", "token", "guest", "-n", namespace)
    guest = json.loads(cluster.kubectl("config", "view", "--raw", "--output=json"))
    guest["users"][0]["user"] = {"token": token}
    file = tmp_path / "guest"
    file.write_text(json.dumps(guest))
    wanted = [
        {"verb": "patch", "resource": "namespaces"},
        {"verb": "get", "resource": "pods", "namespace": namespace},
        {"verb": "create", "resource": "deployments", "group": "apps", "namespace": namespace},
    ]
    run = steps([("preflight", {"permissions": wanted})], {"kubernetes_kubeconfig": str(file)}, "--check")
    assert run.error == (
        f"The user of context minikube ({file}) may not patch namespaces, create deployments.apps in namespace {namespace}: "
        "have these rights given to it, or set kubernetes_context to one of an administrator."
    )
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        for name in ("one", "two", "guest")
    ]
    denied = steps(
        [("absent", {"absent_name": "the guest", "absent_resources": accounts})],
        {"kubernetes_kubeconfig": str(file)},
    )
    assert denied.error.startswith(
        f'the guest cannot be deleted: ServiceAccount {namespace}/guest: serviceaccounts "guest" is forbidden: '
    )
    allowed = steps(
        [("preflight", {"permissions": wanted})], {"kubernetes_kubeconfig": str(cluster.kubeconfig)}
    )
    assert (allowed.code, allowed.count("changed")) == (0, 0)

    guest["users"][0]["user"] = {"token": SECRET}
    file.write_text(json.dumps(guest))
    assert preflight(file).error == (
        f"The cluster at https://192.168.49.2:8443 (context minikube of {file}) refuses the credentials of this context: "
        "renew them, or set kubernetes_context."
    )


def status_of(port: int) -> int:
    """The status that answers on this port; 0 if nothing does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/hostname")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def test_a_port_forward_outlives_its_pod(cluster: Cluster, name: str, tmp_path: Path) -> None:
    assert apply(cluster, name).code == 0
    port = free_port()
    variables = {
        "tracestack_home": str(tmp_path / "home"),
        "kubernetes_kubeconfig": str(cluster.kubeconfig),
        "kubernetes_kubectl": str(cluster.programs / "kubectl"),
    }
    forward = {
        "forward_name": "web",
        "forward_namespace": name,
        "forward_service": "web",
        "forward_ports": [f"{port}:80"],
    }
    try:
        run = steps([("forward", forward)], variables)
        assert run.code == 0, run.output
        assert status_of(port) == 200
        again = steps([("forward", forward)], variables)
        assert (again.code, again.count("changed")) == (0, 0), again.output
        cluster.kubectl("delete", "pod", "-n", name, "--selector=app=web")
        deadline = time.monotonic() + 60
        while status_of(port) != 200:
            assert time.monotonic() < deadline, "no port-forward any more"
            time.sleep(0.5)
        other = steps([("forward", {**forward, "forward_name": "other"})], variables)
        assert (
            f"other cannot listen on 127.0.0.1: port {port} (kubernetes_forward_ports[0]) is held by kubectl"
            in other.error
        )
    finally:
        assert play("playbooks/down.yml", {"tracestack_home": str(tmp_path / "home")}).code == 0
    assert status_of(port) == 0
