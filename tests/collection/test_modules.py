# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module's documentation is complete, as ansible-doc shows it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(f"tracestack.jaeger.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py"))

pytestmark = pytest.mark.parametrize("module", MODULES)


@pytest.fixture(scope="session")
def shown(root: Path) -> dict[str, dict[str, Any]]:
    """All that ansible-doc knows of our modules, doc fragments merged in, by module."""
    command = ["ansible-doc", "--type", "module", "--json", *MODULES]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    documents: dict[str, dict[str, Any]] = json.loads(answer.stdout)
    return documents


def test_the_examples_are_tasks_that_call_the_module(shown: dict[str, Any], module: str) -> None:
    tasks = yaml.safe_load(shown[module]["examples"])
    assert isinstance(tasks, list)
    assert any(module in task for task in tasks)


def test_every_option_and_return_value_is_described(shown: dict[str, Any], module: str) -> None:
    document = shown[module]
    for kind, entries in (("option", document["doc"]["options"]), ("return value", document["return"])):
        assert entries
        for name, entry in entries.items():
            assert entry.get("description"), f"{kind} {name} has no description"
            assert entry.get("type"), f"{kind} {name} has no type"


@pytest.mark.parametrize("attribute", ["action_group", "check_mode", "diff_mode", "idempotent"])
def test_the_module_says_what_it_supports(shown: dict[str, Any], module: str, attribute: str) -> None:
    attributes = shown[module]["doc"]["attributes"]
    assert attribute in attributes
    assert attributes[attribute]["description"]


def test_the_module_belongs_to_the_group_it_names(shown: dict[str, Any], module: str) -> None:
    membership = shown[module]["doc"]["attributes"]["action_group"]["membership"]
    assert membership == ["tracestack.jaeger.jaeger"]
