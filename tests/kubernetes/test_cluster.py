# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test cluster itself: what its pods reach and what not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cluster_images import BUSYBOX
from tests.support.kubernetes import Cluster
from tests.support.kubernetes_parts import NODE_ADDRESS
from tests.support.registry import Registry
from tests.support.servers import Elasticsearch, answers, free_port, wait_for

WEB = "mkdir -p /tmp/www && echo hello >/tmp/www/index.html && exec httpd -f -p 8000 -h /tmp/www"


def pod(name: str, *command: str, image: str = BUSYBOX, **spec: Any) -> str:
    """The manifest of a pod that runs this command."""
    container = {"name": name, "image": image, "command": list(command), "ports": [{"containerPort": 8000}]}
    metadata = {"name": name, "labels": {"app": name}}
    described = {"metadata": metadata, "spec": {"containers": [container], **spec}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", **described})


@pytest.fixture
def web(cluster: Cluster, namespace: str) -> str:
    """A namespace with a web server."""
    serve(cluster, namespace)
    return namespace


def serve(cluster: Cluster, namespace: str) -> None:
    """Make a pod, and a service of it that has a port of the node, too."""
    apply(cluster, namespace, pod("web", "sh", "-c", WEB))
    port = ("--port=80", "--target-port=8000", "--type=NodePort")
    cluster.kubectl("expose", "pod/web", f"--namespace={namespace}", *port)
    is_ready(cluster, namespace, "web")


def apply(cluster: Cluster, namespace: str, manifest: str) -> None:
    """Make or change what the manifest says."""
    cluster.kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=manifest)


def is_ready(cluster: Cluster, namespace: str, name: str) -> None:
    """Wait for a pod."""
    cluster.kubectl(
        "wait", f"pod/{name}", f"--namespace={namespace}", "--for=condition=Ready", "--timeout=60s"
    )


def reads(cluster: Cluster, namespace: str, url: str) -> str:
    """What the pod web reads from this URL; if nothing, why not."""
    done = cluster.attempt("exec", "web", f"--namespace={namespace}", "--", "wget", "-qO-", url)
    return (done.stdout or done.stderr).strip()


def test_what_reaches_what(cluster: Cluster, web: str, es: Elasticsearch, es_for_pods: str) -> None:
    """A pod: services and this machine, and nothing beyond. This machine: a pod, through its service."""
    wait_for(lambda: reads(cluster, web, f"http://web.{web}/") == "hello")
    assert reads(cluster, web, f"http://web.{web}.svc.cluster.local/") == "hello"
    assert json.loads(reads(cluster, web, es_for_pods))["version"]["number"] == es.version

    assert "default" not in cluster.inside("ip", "route")
    assert "unreachable" in reads(cluster, web, "http://192.0.2.1/")
    assert "bad address" in reads(cluster, web, "http://example.org/")

    (port,) = cluster.get("service/web", f"--namespace={web}")["spec"]["ports"]
    wait_for(lambda: answers(f"http://{NODE_ADDRESS}:{port['nodePort']}/"))
    local = free_port()
    with cluster.forwarded(web, "service/web", f"{local}:80"):
        assert answers(f"http://127.0.0.1:{local}/")


def pulls_with_a_password(cluster: Cluster, namespace: str, running: Registry) -> None:
    """The node pulls from a registry for a pod that has the secret, and not for one without."""
    image = f"{running.address}/tests/busybox:1"
    cluster.push(BUSYBOX, image, running.user, running.password)
    login = [f"--docker-server={running.address}", f"--docker-username={running.user}"]
    login.append(f"--docker-password={running.password}")
    cluster.kubectl("create", "secret", "docker-registry", "login", f"--namespace={namespace}", *login)
    sleep = ("sleep", "3600")
    apply(cluster, namespace, pod("without", *sleep, image=image))
    wait_for(lambda: "ErrImagePull" in json.dumps(cluster.get("pod/without", f"--namespace={namespace}")))
    apply(cluster, namespace, pod("with", *sleep, image=image, imagePullSecrets=[{"name": "login"}]))
    is_ready(cluster, namespace, "with")
