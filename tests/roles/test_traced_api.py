# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role traced_api: what keeps it from starting is one sentence, and nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import files, play_on, processes, set_up
from tests.support.servers import ROOT

REGISTRY = {"traced_api_image_delivery": "registry", "traced_api_registry_url": "registry.example.org"}
PLAYBOOK = """
- hosts: all
  gather_facts: false
  roles: [tracestack.jaeger.traced_api]
"""
# The one part of the role that needs no cluster.
IMAGE = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: tracestack.jaeger.traced_api, tasks_from: image.yml}
      when: traced_api_minikube_executable is undefined
    - ansible.builtin.include_role: {name: tracestack.jaeger.traced_api, tasks_from: image_minikube.yml}
      when: traced_api_minikube_executable is defined
"""


def test_a_wrong_setting_changes_nothing(tmp_path: Path) -> None:
    """And asks no cluster. There is none: the kubeconfig does not exist."""
    theirs = tmp_path / "theirs/venv"
    (theirs / "bin").mkdir(parents=True)
    for file in ("bin/thesis", "pyvenv.cfg"):
        (theirs / file).touch()
    process: dict[str, tuple[dict[str, Any], str]] = {
        "method": (
            {"traced_api_method": "systemd"},
            "value of traced_api_method must be one of: process, kubernetes, got: systemd",
        ),
        "type": (
            {"traced_api_type": "udp"},
            "value of traced_api_type must be one of: http, stdout, none, got: udp",
        ),
        "port": ({"traced_api_port": 0}, "traced_api_port is 0: it must be a number from 1 to 65535."),
        "metrics port": (
            {"traced_api_metrics_port": 8000},
            (
                "traced_api_metrics_port is 8000: it must be a number from 1 to 65535 other than traced_api_port, or 0 for "
                "no metrics."
            ),
        ),
        "workers": (
            {"traced_api_workers": 0},
            "traced_api_workers is 0: it must be a number from 1 to 64.",
        ),
        "Jaeger's address": (
            {"traced_api_jaeger": "http://127.0.0.1:4318"},
            (
                "traced_api_jaeger is 'http://127.0.0.1:4318': "
                "it must be host:port, without http:// and path, such as 127.0.0.1:4318."
            ),
        ),
        "Python": (
            {"traced_api_python": "/no/such/python"},
            (
                "traced_api_python is '/no/such/python' on Python: it must be a Python 3.11 or newer that can make "
                "virtual environments. Install one (Debian and Ubuntu: python3 and python3-venv), or set traced_api_python "
                "to its path."
            ),
        ),
        "virtual environment of others": (
            {"traced_api_home": str(theirs.parent)},
            (
                f"{theirs} (traced_api_home) was not made by this role: it has no file .made-by-tracestack, and bin among "
                "its files. Nothing was changed or deleted: set traced_api_home to a folder that the role made, or to a new or empty one."
            ),
        ),
        "state": (
            {"traced_api_state": "absent"},
            (
                "traced_api_state is absent, which is for the method kubernetes: playbooks/down.yml stops a process, and "
                "its folder is traced_api_home."
            ),
        ),
    }
    kubernetes: dict[str, tuple[dict[str, Any], str]] = {
        "delivery": (
            {"traced_api_image_delivery": "scp"},
            "value of traced_api_image_delivery must be one of: none, minikube, registry, got: scp",
        ),
        "no registry": (
            {"traced_api_image_delivery": "registry"},
            (
                "traced_api_image_delivery is registry: set traced_api_registry_url, such as registry.example.org, and no "
                "http:// before it."
            ),
        ),
        "unused registry": (
            {"traced_api_registry_url": "registry.example.org"},
            (
                "traced_api_registry_url is 'registry.example.org', and traced_api_image_delivery is none: set "
                "traced_api_image_delivery to registry, or the URL to ''."
            ),
        ),
        "a URL": (
            {**REGISTRY, "traced_api_registry_url": "https://deploy:hidden-word@registry.example.org"},
            (
                "traced_api_registry_url is not host, host:port or host/path, such as registry.example.org/team: no "
                "http://, no user, no space."
            ),
        ),
        "no password": (
            {**REGISTRY, "traced_api_registry_username": "deploy"},
            "Set both traced_api_registry_username and traced_api_registry_password, or neither.",
        ),
        "a tag": (
            {**REGISTRY, "traced_api_image": "traced-api:1.0"},
            (
                "traced_api_image is 'traced-api:1.0': it must be a name without registry and tag, such as traced-api."
            ),
        ),
        "no image": (
            {"traced_api_image": "Traced API"},
            (
                "traced_api_image is 'Traced API': it must be an image's whole name, such as "
                "registry.example.org/traced-api:1.0."
            ),
        ),
        "no Dockerfile": (
            {**REGISTRY, "traced_api_image_context": "/no/such/folder"},
            "traced_api_image_context is '/no/such/folder': that folder has no Dockerfile.",
        ),
        "replicas": ({"traced_api_replicas": 0}, "traced_api_replicas is 0: it must be 1 or more."),
        "node port": (
            {"traced_api_node_port": 65536},
            (
                "traced_api_node_port is 65536: it must be a port of the cluster's range, or 0 for one of the cluster's "
                "choice."
            ),
        ),
        "drain": (
            {"traced_api_drain_seconds": -1},
            "traced_api_drain_seconds is -1: it must be 0 or more.",
        ),
    }
    cluster = {"traced_api_method": "kubernetes", "kubernetes_kubeconfig": str(tmp_path / "kubeconfig")}
    hosts = {name: variables for name, (variables, _sentence) in process.items()} | {
        name: {**cluster, **variables} for name, (variables, _sentence) in kubernetes.items()
    }
    playbook, home = tmp_path / "traced_api.yml", tmp_path / "home"
    playbook.write_text(PLAYBOOK)
    run = play_on(hosts, playbook, {"tracestack_home": str(home)})
    cases = process | kubernetes
    assert run.refusals() == {name: sentence for name, (_variables, sentence) in cases.items()}
    assert files(theirs.parent) == {"venv/bin/thesis", "venv/pyvenv.cfg"}
    assert "hidden-word" not in run.output
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


def test_the_image_does_not_get_there(tmp_path: Path) -> None:
    """No Docker; and Minikube's own answers, recorded: a list that has bottle-api:1 alone, and a load that says nothing."""
    answers = ROOT / "tests/support/minikube/answers"
    hosts: dict[str, dict[str, str]] = {"no Docker": {}}
    for name, image in (("is there", "bottle-api"), ("does not arrive", "traced-api")):
        minikube = tmp_path / name
        minikube.write_text(
            f'#!/bin/sh\necho "$@" >>"$0 calls"\n'
            f'case "$*" in *"image ls --format json") cat {answers}/11-image-ls.out ;; '
            f'*"image load "*) cat {answers}/14-image-load-missing.out ;; *) exit 99 ;; esac\n'
        )
        minikube.chmod(0o755)
        hosts[name] = {
            "traced_api_image": image,
            "__traced_api_image_tag": "1",
            "traced_api_minikube_executable": str(minikube),
        }
    playbook = tmp_path / "image.yml"
    playbook.write_text(IMAGE)
    delivery = {"traced_api_image_delivery": "minikube"}
    run = play_on(hosts, playbook, delivery, env={"DOCKER_HOST": f"unix://{tmp_path}/no.sock"})
    assert run.errors == {
        "no Docker": (
            "The image traced-api cannot be built: Docker does not answer here. Check that `docker info` works for this "
            "user, or set traced_api_image_delivery to none and traced_api_image to an image that the cluster has."
        ),
        "does not arrive": (
            "The image traced-api:1 has not arrived in the Minikube profile minikube: `minikube image load` ended well and "
            f"said nothing. Try `{tmp_path}/does not arrive --profile minikube image load traced-api:1` by hand."
        ),
    }
    calls = {name: (tmp_path / f"{name} calls").read_text() for name in ("is there", "does not arrive")}
    assert {name: text.count("image load") for name, text in calls.items()} == {
        "is there": 0,
        "does not arrive": 1,
    }
