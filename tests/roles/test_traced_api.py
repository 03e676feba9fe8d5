# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role traced_api: what keeps it from starting is one sentence, and nothing is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import play, processes, set_up
from tests.support.servers import ROOT


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"traced_api_method": "systemd"},
            "value of traced_api_method must be one of: process, kubernetes, got: systemd",
        ),
        (
            {"traced_api_type": "udp"},
            "value of traced_api_type must be one of: http, stdout, none, got: udp",
        ),
        ({"traced_api_port": 0}, "traced_api_port is 0: it must be a number from 1 to 65535."),
        (
            {"traced_api_metrics_port": 8000},
            (
                "traced_api_metrics_port is 8000: it must be a number from 1 to 65535 other than traced_api_port, or 0 for "
                "no metrics."
            ),
        ),
        ({"traced_api_workers": 0}, "traced_api_workers is 0: it must be a number from 1 to 64."),
        (
            {"traced_api_jaeger": "http://127.0.0.1:4318"},
            (
                "traced_api_jaeger is 'http://127.0.0.1:4318': "
                "it must be host:port, without http:// and path, such as 127.0.0.1:4318."
            ),
        ),
        (
            {"traced_api_python": "/no/such/python"},
            (
                "traced_api_python is '/no/such/python' on local-api: it must be a Python 3.11 or newer that can make "
                "virtual environments. Install one (Debian and Ubuntu: python3 and python3-venv), or set traced_api_python "
                "to its path."
            ),
        ),
        (
            {"traced_api_state": "absent"},
            (
                "traced_api_state is absent, which is for the method kubernetes: playbooks/down.yml stops a process, and "
                "its folder is traced_api_home."
            ),
        ),
    ],
    ids=["method", "type", "port", "metrics port", "workers", "Jaeger's address", "Python", "state"],
)
def test_a_wrong_setting_changes_nothing(tmp_path: Path, variables: dict[str, Any], sentence: str) -> None:
    home = tmp_path / "home"
    run = set_up("traced_api", home, variables)
    assert run.error == sentence
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.xdist_group("home")
def test_a_taken_port(home: Path, taken_port: int, holder: str) -> None:
    before = processes(home)
    run = set_up("traced_api", home, {"traced_api_port": taken_port})
    assert run.error == (
        f"traced-api cannot listen on 127.0.0.1: port {taken_port} (traced_api_port) is held by {holder}. "
        "Stop what holds it, or set the variable to another port."
    )
    assert not (home / "traced_api").exists()
    assert processes(home) == before


REGISTRY = {"traced_api_image_delivery": "registry", "traced_api_registry_url": "registry.example.org"}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"traced_api_image_delivery": "scp"},
            "value of traced_api_image_delivery must be one of: none, minikube, registry, got: scp",
        ),
        (
            {"traced_api_image_delivery": "registry"},
            (
                "traced_api_image_delivery is registry: set traced_api_registry_url, such as registry.example.org, and no "
                "http:// before it."
            ),
        ),
        (
            {"traced_api_registry_url": "registry.example.org"},
            (
                "traced_api_registry_url is 'registry.example.org', and traced_api_image_delivery is none: set "
                "traced_api_image_delivery to registry, or the URL to ''."
            ),
        ),
        (
            {**REGISTRY, "traced_api_registry_url": "https://deploy:hidden-word@registry.example.org"},
            (
                "traced_api_registry_url is not host, host:port or host/path, such as registry.example.org/team: no "
                "http://, no user, no space."
            ),
        ),
        (
            {**REGISTRY, "traced_api_registry_username": "deploy"},
            "Set both traced_api_registry_username and traced_api_registry_password, or neither.",
        ),
        (
            {**REGISTRY, "traced_api_image": "traced-api:1.0"},
            (
                "traced_api_image is 'traced-api:1.0': it must be a name without registry and tag, such as traced-api."
            ),
        ),
        (
            {"traced_api_image": "Traced API"},
            (
                "traced_api_image is 'Traced API': it must be an image's whole name, such as "
                "registry.example.org/traced-api:1.0."
            ),
        ),
        (
            {**REGISTRY, "traced_api_image_context": "/no/such/folder"},
            "traced_api_image_context is '/no/such/folder': that folder has no Dockerfile.",
        ),
        ({"traced_api_replicas": 0}, "traced_api_replicas is 0: it must be 1 or more."),
        (
            {"traced_api_node_port": 65536},
            (
                "traced_api_node_port is 65536: it must be a port of the cluster's range, or 0 for one of the cluster's "
                "choice."
            ),
        ),
        ({"traced_api_drain_seconds": -1}, "traced_api_drain_seconds is -1: it must be 0 or more."),
    ],
    ids=[
        "delivery",
        "no registry",
        "unused registry",
        "a URL",
        "no password",
        "a tag",
        "no image",
        "no Dockerfile",
        "replicas",
        "node port",
        "drain",
    ],
)
def test_a_wrong_setting_for_a_cluster_asks_no_cluster(
    tmp_path: Path, variables: dict[str, Any], sentence: str
) -> None:
    """There is none: the kubeconfig does not exist."""
    cluster = {"traced_api_method": "kubernetes", "kubernetes_kubeconfig": str(tmp_path / "kubeconfig")}
    run = set_up("traced_api", tmp_path / "home", {**cluster, **variables})
    assert run.error == sentence
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert "hidden-word" not in run.output


def test_no_docker_to_build_with(tmp_path: Path) -> None:
    run = play(
        _only_the_image(tmp_path),
        {"traced_api_image_delivery": "minikube"},
        env={"DOCKER_HOST": f"unix://{tmp_path}/no.sock"},
    )
    assert run.error == (
        "The image traced-api cannot be built: Docker does not answer here. Check that `docker info` works for this user, "
        "or set traced_api_image_delivery to none and traced_api_image to an image that the cluster has."
    )


@pytest.mark.parametrize(
    ("image", "sentence", "loads"),
    [
        ("bottle-api", "", 0),
        (
            "traced-api",
            (
                "The image traced-api:1 has not arrived in the Minikube profile minikube: `minikube image load` ended well and "
                "said nothing. Try `{minikube} --profile minikube image load traced-api:1` by hand."
            ),
            1,
        ),
    ],
    ids=["is there", "does not arrive"],
)
def test_the_image_in_minikube(tmp_path: Path, image: str, sentence: str, loads: int) -> None:
    """Minikube's own answers, recorded: a list that has bottle-api:1 alone, and a load that says nothing."""
    minikube, calls = tmp_path / "minikube", tmp_path / "calls"
    answers = ROOT / "tests/support/minikube/answers"
    minikube.write_text(
        f'#!/bin/sh\necho "$@" >>{calls}\n'
        f'case "$*" in *"image ls --format json") cat {answers}/11-image-ls.out ;; '
        f'*"image load "*) cat {answers}/14-image-load-missing.out ;; *) exit 99 ;; esac\n'
    )
    minikube.chmod(0o755)
    variables = {
        "traced_api_image": image,
        "__traced_api_image_tag": "1",
        "traced_api_image_delivery": "minikube",
        "traced_api_minikube_executable": str(minikube),
    }
    run = play(_only_the_image(tmp_path, "image_minikube.yml"), variables)
    assert run.error == sentence.format(minikube=minikube)
    assert (run.code != 0) == bool(sentence)
    assert sum("image load" in call for call in calls.read_text().splitlines()) == loads


def _only_the_image(folder: Path, tasks_from: str = "image.yml") -> Path:
    """A playbook that does the one part of the role that needs no cluster."""
    playbook = folder / "image.yml"
    role = {"name": "tracestack.jaeger.traced_api", "tasks_from": tasks_from}
    tasks = [{"name": "Build", "ansible.builtin.include_role": role}]
    playbook.write_text(json.dumps([{"hosts": "traced_api", "gather_facts": False, "tasks": tasks}]))
    return playbook
