# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays of one role, or of steps of the role kubernetes, as a user has them in a playbook."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.support.playbooks import Run, play


def role(name: str, variables: dict[str, Any], *arguments: str) -> Run:
    """Run a role."""
    return _play(
        [{"ansible.builtin.include_role": {"name": f"tracestack.jaeger.{name}"}}], variables, *arguments
    )


def steps(entry_points: list[tuple[str, dict[str, Any]]], variables: dict[str, Any], *arguments: str) -> Run:
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
    return _play(tasks, variables, *arguments)


def _play(tasks: list[dict[str, Any]], variables: dict[str, Any], *arguments: str) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        playbook = Path(folder, "play.yml")
        python = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        content = [{"hosts": "localhost", "gather_facts": False, "vars": python, "tasks": tasks}]
        playbook.write_text(json.dumps(content))
        return play(playbook, variables, *arguments)
