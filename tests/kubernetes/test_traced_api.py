# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role traced_api, method kubernetes, on a real cluster: as the tutorial has it, updated under load, with faults, gone again."""

from __future__ import annotations

import base64
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.test_cluster import pulls_with_a_password
from tests.support.cluster_images import TRACED_API
from tests.support.cluster_plays import Hosts, InNamespace, role
from tests.support.docker import Docker, docker
from tests.support.http_load import load
from tests.support.image import APP, base_image, wheelhouse
from tests.support.kubernetes import Cluster
from tests.support.kubernetes_parts import NODE_ADDRESS
from tests.support.playbooks import Run
from tests.support.registry import registry
from tests.support.servers import free_port, wait_for

TUTORIAL = {
    "HOST": "0.0.0.0",
    "PORT": "8000",
    "ENV": "production",
    "SVC": "api",
    "VER": "v0.0.1",
    "TYPE": "http",
    "JAEGER": "jaeger-collector.observability:4318",
}
KINDS = "deployment,replicaset,pod,service,endpoints,serviceaccount,secret"


@dataclass(frozen=True)
class Api(InNamespace):
    """The role on a namespace of the cluster."""

    def run(self, *arguments: str, **variables: Any) -> Run:
        """Run it with the tutorial's settings."""
        return role("traced_api", {**self._usual(), **variables}, *arguments)

    def run_on(self, hosts: Hosts) -> Run:
        """Run it on hosts, each of which has variables of its own."""
        return role("traced_api", {}, on={host: {**self._usual(), **own} for host, own in hosts.items()})

    def _usual(self) -> dict[str, Any]:
        return {
            "kubernetes_kubeconfig": str(self.cluster.kubeconfig),
            "traced_api_method": "kubernetes",
            "traced_api_namespace": self.namespace,
            "traced_api_image": TRACED_API,
            "traced_api_environment": TUTORIAL["ENV"],
            "traced_api_jaeger": TUTORIAL["JAEGER"],
        }

    def ready(self, **variables: Any) -> None:
        """Run it, and it goes well."""
        run = self.run(**variables)
        assert run.code == 0, run.output

    def names(self) -> set[str]:
        """All that the namespace has, but for what each has."""
        return self.names_of(KINDS)

    def port(self) -> int:
        """The Service's port on the node."""
        (port,) = self.get("service/api-service")["spec"]["ports"]
        return int(port["nodePort"])

    def status(self, path: str) -> int:
        """What answers this path through the Service; 0 if nothing does."""
        try:
            return int(urllib.request.urlopen(f"http://{NODE_ADDRESS}:{self.port()}{path}", timeout=5).status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def python(self, code: str) -> str:
        """What a bit of Python prints in the pod."""
        return self.kubectl("exec", "deployment/api-deployment", "--", "python", "-c", code)


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:
    """The role on a fresh namespace; the node has the image of app/Dockerfile."""
    cluster.images("traced-api")
    return Api(cluster, namespace)


def test_it_is_the_tutorial_s_and_the_second_run_changes_nothing(api: Api) -> None:
    foretold = api.run("--check", "--diff")
    assert (foretold.code, api.names()) == (0, set()), foretold.output
    assert foretold.count("changed") > 0
    api.ready()
    for arguments in ((), ("--check", "--diff")):
        again = api.run(*arguments)
        assert (again.code, again.count("changed")) == (0, 0), again.output

    (container,) = api.get("deployment/api-deployment")["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment.items() >= TUTORIAL.items()
    service = api.get("service/api-service")["spec"]
    assert service["type"] == "NodePort"
    assert [(port["port"], port["targetPort"], port["protocol"]) for port in service["ports"]] == [
        (80, 8000, "TCP")
    ]
    assert [api.status(path) for path in ("/api/v1/users/a", "/api/v1/users/b")] == [400, 200]
    has_no_rights(api)
    shows_metrics(api)

    removed = api.run(traced_api_state="absent")
    assert removed.code == 0, removed.output
    assert api.names() == set()
    again = api.run(traced_api_state="absent")
    assert (again.code, again.count("changed")) == (0, 0), again.output


def has_no_rights(api: Api) -> None:
    """It is nobody, can write to memory alone, and has no token of the cluster."""
    tried = """
import os
read_only = [bool(os.statvfs(each).f_flag & os.ST_RDONLY) for each in ('/', '/opt/traced-api', '/dev/shm')]
token = os.path.exists('/var/run/secrets/kubernetes.io/serviceaccount/token')
rights = [line.split() for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs', 'Seccomp:'))]
services = [each for each in os.environ if each.startswith('API_SERVICE')]
print([os.getuid(), os.getgid(), read_only, token, rights, services])
"""
    rights = "[['CapEff:', '0000000000000000'], ['NoNewPrivs:', '1'], ['Seccomp:', '2']]"
    assert api.python(tried) == f"[65532, 65532, [True, True, False], False, {rights}, []]"


def shows_metrics(api: Api) -> None:
    """At the address that its annotation names, for who comes from outside the pod."""
    (pod,) = api.get("pod", "--selector=app=api")["items"]
    port = pod["metadata"]["annotations"]["prometheus.io/port"]
    url = f"http://{pod['status']['podIP']}:{port}/metrics"
    read = f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())"
    assert "http_server_request_duration_seconds_count" in api.python(read)


def test_what_goes_wrong_and_updates(api: Api, new_namespace: Callable[[], str]) -> None:
    """One sentence with what the cluster says; the run after the correction goes through, and updates under load lose no request."""
    wrong = {
        "image": {"traced_api_image": "registry.invalid/traced-api:1"},
        "program": {"traced_api_namespace": new_namespace(), "traced_api_jaeger": "jaeger:99999"},
    }
    run = api.run_on({host: {**each, "traced_api_rollout_timeout": 20} for host, each in wrong.items()})
    assert {host: counts["failed"] for host, counts in run.recap.items()} == {"image": 1, "program": 1}
    image, program = run.errors["image"], run.errors["program"]
    assert image.startswith("the traced API is not ready after 20 s."), image
    assert "registry.invalid/traced-api:1" in image
    assert "ErrImagePull" in image or "ImagePullBackOff" in image
    assert "traced-api cannot start:" in program  # its own words
    assert "JAEGER" in program
    api.ready()
    assert api.status("/api/v1/users/b") == 200
    gone(api)
    loses_no_request(api)
    loses_some(api)


def loses_no_request(api: Api) -> None:
    """One pod, four clients with a connection for each request and four that keep theirs."""
    where = (NODE_ADDRESS, api.port(), "/api/v1/users/b")
    with load(*where) as fresh, load(*where, keep_alive=True) as kept:
        api.ready(traced_api_version="v0.0.2")
        gone(api)
    assert (fresh.failures, kept.failures) == ([], [])
    assert min(fresh.answered, kept.answered) > 100
    assert api.python("import os; print(os.environ['VER'])") == "v0.0.2"


def loses_some(api: Api) -> None:
    """The load would notice: without the wait before the end, an update does lose requests."""
    remove = [{"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}]
    api.kubectl("patch", "deployment/api-deployment", "--type=json", f"--patch={json.dumps(remove)}")
    rolled_out(api)
    with load(NODE_ADDRESS, api.port(), "/api/v1/users/b", clients=8) as asked:
        for attempt in range(5):
            api.kubectl("set", "env", "deployment/api-deployment", f"VER=v0.1.{attempt}")
            rolled_out(api)
            if asked.failures:
                break
    assert asked.failures


def rolled_out(api: Api) -> None:
    """Wait until kubectl says so, and the pods that it does not wait for are gone."""
    api.kubectl("rollout", "status", "deployment/api-deployment", "--timeout=120s")
    gone(api)


def gone(api: Api) -> None:
    """Wait until there is one pod: those that ended are gone."""
    wait_for(lambda: len(api.get("pod", "--selector=app=api")["items"]) == 1)


def test_the_image_goes_through_a_registry(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by a real Docker, pushed with a password, pulled by the node with it. A change of the source rolls out."""
    with docker() as daemon, registry(tmp_path / "registry") as running:
        monkeypatch.setenv("DOCKER_HOST", daemon.host or os.environ.get("DOCKER_HOST", ""))
        built = source(daemon, tmp_path / "app")
        built |= {"traced_api_image": "tests/traced-api", "traced_api_image_delivery": "registry"}
        nowhere = f"127.0.0.1:{free_port()}"
        unanswered = api.run(**built, traced_api_registry_url=nowhere)
        assert f"cannot be pushed to {nowhere} (traced_api_registry_url): " in unanswered.error
        assert "connection refused" in unanswered.error

        variables = {
            **built,
            "traced_api_registry_url": running.address,
            "traced_api_registry_username": running.user,
            "traced_api_registry_password": running.password,
        }
        refused = api.run("-vvvv", **{**variables, "traced_api_registry_password": "wrong-word"})
        assert refused.error.endswith(
            f"cannot be pushed to {running.address} (traced_api_registry_url): it refuses the user name or password "
            "(traced_api_registry_username, traced_api_registry_password)."
        )
        hides(refused, "wrong-word", running.user)
        assert api.names() == set()

        first = api.run("-vvvv", "--diff", **variables)
        assert first.code == 0, first.output
        hides(first, running.password, running.user)
        again = api.run(**variables)
        assert (again.code, again.count("changed")) == (0, 0), again.output

        before = image_of(api)
        with (tmp_path / "app/src/traced_api/users.py").open("a") as file:
            file.write("# changed\n")
        api.ready(**variables)
        assert image_of(api).startswith(f"{running.address}/tests/traced-api:")
        assert image_of(api) != before
        assert api.status("/api/v1/users/b") == 200
        removed = api.run(**variables, traced_api_state="absent")
        assert removed.code == 0, removed.output
        assert api.names() == set()
        pulls_with_a_password(api.cluster, api.namespace, running)


def source(daemon: Docker, folder: Path) -> dict[str, Any]:
    """A copy of app/ with the wheels beside it, and how it is built without a network."""
    base = base_image(daemon)
    version = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    python = daemon("run", "--rm", "--network", "none", base, "python3", "-c", version)
    shutil.copytree(APP, folder)
    shutil.copytree(wheelhouse(APP, python), folder / "wheels")
    return {
        "traced_api_image_context": str(folder),
        "traced_api_image_base": base,
        "traced_api_image_build_args": {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels"},
        "traced_api_image_network": "none",
    }


def hides(run: Run, password: str, user: str) -> None:
    """Not as it is, and not as it goes over the wire."""
    assert password not in run.output
    assert base64.b64encode(f"{user}:{password}".encode()).decode() not in run.output


def image_of(api: Api) -> str:
    """The image that the API runs."""
    (container,) = api.get("deployment/api-deployment")["spec"]["template"]["spec"]["containers"]
    return str(container["image"])
