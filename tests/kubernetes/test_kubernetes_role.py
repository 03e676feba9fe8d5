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


def kubeconfig(file: Path, server: str) -> Path:
    """A kubeconfig with one context, far."""
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


def test_what_is_no_cluster(tmp_path: Path) -> None:
    """A file that is not there, that is none, or that leads nowhere: before anything is asked or changed."""
    contents = {
        "no-yaml": f"users:\n- {{name: me, user: {{token: {SECRET}\ncontexts: [",
        "no-mapping": f"only {SECRET}",
        "no-contexts": f"contexts: {SECRET}\nclusters: []",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    far = kubeconfig(tmp_path / "far", f"https://127.0.0.1:{GONE}")
    hosts: dict[str, dict[str, Any]] = {
        name: {"kubernetes_kubeconfig": str(tmp_path / name)} for name in (*contents, "none", "far")
    }
    hosts["near"] = {"kubernetes_kubeconfig": str(far), "kubernetes_context": "near"}
    run = steps([("preflight", {})], {"kubernetes_timeout": 3}, "-vvvv", on=hosts)
    none = f"{tmp_path}/none"
    assert run.refusals() == {
        **{
            name: f"{tmp_path / name} is no kubeconfig: it must be YAML with contexts, clusters and users (kubernetes_kubeconfig)."
            for name in contents
        },
        "none": f"There is no kubeconfig {none} that this user can read: set kubernetes_kubeconfig or KUBECONFIG to the path of one.",
        "near": f"There is no context near with a cluster in {far}: set kubernetes_context to one of far.",
        "far": (
            f"The cluster does not answer within 3 s at https://127.0.0.1:{GONE} (context far of {far}): "
            "[Errno 111] Connection refused. Start it, or set kubernetes_kubeconfig and kubernetes_context to those of another."
        ),
    }
    assert SECRET not in run.output


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


def test_manifests(tmp_path: Path, web: str) -> None:
    """By path and by URL: the right checksum, a wrong one, what is not there, and what is no manifest."""
    file = tmp_path / "manifest.yaml"
    file.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n\n")
    right = f"sha256:{sha256(file.read_bytes()).hexdigest()}"
    wrong = f"sha256:{'0' * 64}"
    places = {"file": str(file), "url": f"{web}/manifest.yaml"}
    useless = {"brace": "{", "words": "only words", "kind": "kind: Namespace", "empty": ""}
    for name, content in useless.items():
        (tmp_path / name).write_text(content)
    given = {
        **{f"right-{name}": (place, right) for name, place in places.items()},
        **{f"wrong-{name}": (place, wrong) for name, place in places.items()},
        "no-file": (f"{tmp_path}/none.yaml", ""),
        "no-answer": (f"{web}/none.yaml", ""),
        **{name: (str(tmp_path / name), "") for name in useless},
    }
    hosts = {
        name: {"kubernetes_manifest": place, "kubernetes_manifest_checksum": checksum}
        for name, (place, checksum) in given.items()
    }
    run = steps([("manifest", {})], {}, on=hosts)
    no_answer = run.errors["no-answer"]
    assert no_answer.startswith(f"The manifest {web}/none.yaml cannot be fetched: ")
    assert "404" in no_answer
    assert run.errors == {
        **{
            f"wrong-{name}": (
                f"The manifest {place} has the checksum {right} and not {wrong}: "
                "it has been changed, or the checksum is of another version."
            )
            for name, place in places.items()
        },
        "no-file": f"There is no manifest {tmp_path}/none.yaml on the controller.",
        "no-answer": no_answer,
        **{
            name: f"{tmp_path / name} is no manifest: it must be YAML documents with apiVersion, kind and metadata."
            for name in useless
        },
    }
    assert run.count("failed") == len(run.errors)


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


def apply(cluster: Cluster, name: str, *arguments: str) -> Run:
    wait = {
        "wait_name": "the web",
        "wait_namespace": name,
        "wait_workloads": [{"kind": "Deployment", "name": "web"}],
        "wait_timeout": 120,
    }
    applied = {"apply_name": "the web", "apply_resources": resources(name)}
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


def test_apply_forward_and_absent(cluster: Cluster, name: str, tmp_path: Path) -> None:
    """In check mode, for real, and again."""
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
    forwards(cluster, name, tmp_path)

    rolled_out = ("rollout", "status", "deployment/web", "-n", name, "--timeout=60s")
    cluster.kubectl(*rolled_out)
    check = absent(cluster, name, "--check")
    assert (check.code, check.count("changed")) == (0, 1), check.output
    assert cluster.get("deployment", "web", "-n", name)["status"]["readyReplicas"] == 2
    gone = absent(cluster, name)
    assert (gone.code, gone.count("changed")) == (0, 1), gone.output
    assert cluster.attempt("get", "namespace", name).returncode != 0
    again = absent(cluster, name)
    assert (again.code, again.count("changed")) == (0, 0), again.output


def test_what_others_do_meanwhile(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A kind comes or goes while the cluster is asked for its kinds; what is to be deleted goes by itself: there is nothing to say."""
    cluster.kubectl("create", "configmap", "brief", "-n", namespace)
    resource = cluster.get("configmap", "brief", "-n", namespace)

    def overtake() -> None:
        cluster.kubectl("delete", "configmap", "brief", "-n", namespace)

    not_yet = Fault(reaches=False, status=404, content="404 page not found\n")
    faults = [nth("GET", "/apis/apps/v1", not_yet), nth("GET", "/configmaps/brief", Fault(then=overtake))]

    def choose(method: str, path: str) -> Fault | None:
        return next((fault for each in faults if (fault := each(method, path))), None)

    with cluster.without_tls() as url, proxy(url, choose) as front:
        gone = steps(
            [("absent", {"absent_name": "it", "absent_resources": [resource]})],
            {"kubernetes_kubeconfig": str(kubeconfig(tmp_path / "kubeconfig", front.url))},
        )
    assert gone.code == 0, gone.output
    assert [one.split("?")[0] for one in front.faults] == [
        "GET /apis/apps/v1",
        f"GET /api/v1/namespaces/{namespace}/configmaps/brief",
    ]
    assert [one.split("?")[0].rpartition("/")[0] for one in front.changes()] == [
        f"DELETE /api/v1/namespaces/{namespace}/configmaps"
    ]


# A kind that is not known has its module ask for all kinds anew, and that may fail where others change them.
@pytest.mark.xdist_group("whole cluster")
def test_what_cannot_be_had(cluster: Cluster, name: str, namespace: str) -> None:
    """Each is one sentence with the cluster's own reason: what it refuses for good, and what does not come to run."""
    there = {"name": "web", "namespace": namespace}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": there, "spec": {"ports": []}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": there, "data": {"a": SECRET}}
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": there}
    web = [{"kind": "Deployment", "name": "web"}]
    hosts: dict[str, dict[str, Any]] = {
        "secret": {"apply_resources": [service, secret, thing], "apply_retries": 1},
        "service": {"apply_resources": [service, thing], "apply_retries": 1},
        "kind": {"apply_resources": [thing], "apply_retries": 1},
        "image": {
            "apply_resources": resources(name, "no.such.registry/web:1"),
            "wait_namespace": name,
            "wait_workloads": web,
        },
        "job": {
            "apply_resources": [failing_job(namespace)],
            "wait_workloads": [{"kind": "Job", "name": "init"}],
        },
        "again": {"apply_resources": [started_again(namespace)], "wait_workloads": web},
    }
    usual = {"apply_name": "it", "wait_name": "it", "wait_namespace": namespace}
    run = steps(
        [("apply", {}), ("wait", {})],
        {"kubernetes_kubeconfig": str(cluster.kubeconfig)},
        "-vvvv",
        on={
            host: {f"kubernetes_{key}": value for key, value in {**usual, "wait_timeout": 25, **own}.items()}
            for host, own in hosts.items()
        },
    )
    assert SECRET not in run.output
    errors = run.errors
    assert set(errors) == set(hosts)
    assert errors["secret"].startswith(f"it cannot be applied: Secret {namespace}/web: refused")
    assert errors["service"].startswith(f"it cannot be applied: Service {namespace}/web: Service ")
    assert "spec.ports" in errors["service"]
    assert errors["kind"] == (
        f"it cannot be applied: Thing {namespace}/web: the cluster does not know the kind Thing of example.com/v1"
    )
    assert errors["image"].startswith("it is not ready after 25 s. Deployment web has 1 pod: web-")
    assert "ImagePull" in errors["image"]
    assert 'Failed to pull image "no.such.registry/web:1"' in errors["image"]
    assert errors["job"].startswith("it has failed. Job init has 1 pod: init-")
    assert "Error" in errors["job"]
    assert errors["job"].endswith("Log of main: no storage here")
    # The log of one that was started again says nothing yet; that of the one before says why.
    assert "main is not ready (exit code 3)" in errors["again"]
    assert "Log of main before it was started again: no storage here" in errors["again"]
    assert errors["again"].endswith("Log of main: starting")

    changed = apply(cluster, name, "--diff")
    assert (changed.code, changed.count("changed")) == (0, 1), changed.output
    assert "image: no.such.registry/web:1" in changed.output
    assert "image: busybox:1.35" in changed.output
    assert "item=Service web" not in changed.output, "what does not change is not applied one by one"


def failing_job(namespace: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "busybox:1.35",
        "command": ["sh", "-c", "echo no storage here; exit 3"],
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "init", "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def started_again(namespace: str) -> dict[str, Any]:
    """A Deployment whose container ends, and then runs without being ready."""
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
    return deployment


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
    guest["users"][0]["user"] = {"token": SECRET}
    stranger = tmp_path / "stranger"
    stranger.write_text(json.dumps(guest))
    users = {"guest": file, "stranger": stranger, "administrator": cluster.kubeconfig}
    run = steps(
        [("preflight", {"permissions": wanted})],
        {"kubernetes_timeout": 10},
        "--check",
        on={name: {"kubernetes_kubeconfig": str(config)} for name, config in users.items()},
    )
    assert run.errors == {
        "guest": (
            f"The user of context minikube ({file}) may not patch namespaces, create deployments.apps in namespace {namespace}: "
            "have these rights given to it, or set kubernetes_context to one of an administrator."
        ),
        "stranger": (
            f"The cluster at https://192.168.49.2:8443 (context minikube of {stranger}) refuses the credentials of this context: "
            "renew them, or set kubernetes_context."
        ),
    }
    assert run.count("changed") == 0
    assert SECRET not in run.output
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


def forwards(cluster: Cluster, name: str, tmp_path: Path) -> None:
    """A port-forward is kept running, outlives its pod, and ends with the rest of what runs on this machine."""
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
