# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays of one role, or of steps of the role kubernetes, as a user has them in a playbook."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kubernetes import Cluster
from tests.support.playbooks import Run, play, play_on

Hosts = Mapping[str, Mapping[str, Any]]  # each with its variables: a host for each case of a table


@dataclass(frozen=True)
class InNamespace:
    """A role on a namespace of the cluster; a test's own class says how it is run."""

    cluster: Cluster
    namespace: str

    def get(self, *names: str) -> Any:
        """What the cluster has there."""
        return self.cluster.get(*names, f"--namespace={self.namespace}")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl there."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments)

    def names_of(self, kinds: str) -> set[str]:
        """All of these kinds that is there, but for what each namespace has."""
        found = {f"{each['kind']}/{each['metadata']['name']}" for each in self.get(kinds)["items"]}
        return found - {"ServiceAccount/default"}


def role(name: str, variables: dict[str, Any], *arguments: str, on: Hosts | None = None) -> Run:
    """Run a role, on this machine or on these hosts."""
    include = {"ansible.builtin.include_role": {"name": f"tracestack.jaeger.{name}"}}
    return _play([include], variables, *arguments, on=on)


def steps(
    entry_points: list[tuple[str, dict[str, Any]]],
    variables: dict[str, Any],
    *arguments: str,
    on: Hosts | None = None,
) -> Run:
    """Run entry points of the role kubernetes, each with these variables, without the prefix kubernetes_."""
    tasks = [
        {
            "ansible.builtin.include_role": {
                "name": "tracestack.jaeger.kubernetes",
                "tasks_from": f"{entry_point}.yml",
            },
            "vars": {f"kubernetes_{key}": value for key, value in own.items()},
        }
        for entry_point, own in entry_points
    ]
    return _play(tasks, variables, *arguments, on=on)


def _play(tasks: list[dict[str, Any]], variables: dict[str, Any], *arguments: str, on: Hosts | None) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        playbook = Path(folder, "play.yml")
        python = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        hosts = "all" if on else "localhost"
        content = [{"hosts": hosts, "gather_facts": False, "vars": python, "tasks": tasks}]
        playbook.write_text(json.dumps(content))
        if on:
            return play_on(on, playbook, variables, *arguments)
        return play(playbook, variables, *arguments)
