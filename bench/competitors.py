# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part, and the commands of each for one daily pass."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.scenarios import LOOKBACK_DAYS, RECORD_TYPES, RETENTION_DAYS, Scenario
from tests.support.servers import ROOT

PLAYBOOKS = ROOT / "bench" / "playbooks"
CURATOR_VENV = ROOT / ".local" / "bench" / "curator"
ALWAYS = {"max_age": "0s"}
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT / "collections"),
    "ANSIBLE_NOCOLOR": "1",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class Pass:
    """One daily pass: where the server is, what is on it, and a folder for files that a command needs."""

    scenario: Scenario
    url: str
    folder: Path
    jaeger: Path

    def write(self, name: str, content: Any) -> str:
        """A YAML file with this content; its path."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return str(path)


@dataclass(frozen=True)
class Competitor:
    """A way to do the daily pass."""

    key: str
    name: str
    commands: Callable[[Pass], list[list[str]]]


def ours_options(work: Pass) -> dict[str, Any]:
    """The options of es_maintenance.

    Ages are counted as they are by default, from the end of writing, which for the same outcome needs numbers
    that are smaller by a day. What was written until a moment ago is too old only by Jaeger's reckoning.
    """
    young = work.scenario.young
    days = 0 if young else 1
    sets = [
        {
            "index_prefix": prefix,
            "conditions": ALWAYS,
            "lookback": {"unit": "days", "unit_count": LOOKBACK_DAYS - days},
            "retention": {"days": RETENTION_DAYS - days},
        }
        for prefix in work.scenario.prefixes
    ]
    return {
        "index_sets": sets,
        "age_from": "creation" if young else "written",
        "service_cache_ttl": "0s" if young else "12h",
    }


def ours_module(work: Pass) -> list[list[str]]:
    """The module in a process of its own, as Ansible starts it."""
    arguments = {"server_urls": [work.url], **ours_options(work)}
    file = work.folder / "arguments.json"
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    module = "ansible_collections.tracestack.jaeger.plugins.modules.es_maintenance"
    return [[sys.executable, "-m", module, str(file)]]


def ours_playbook(work: Pass) -> list[list[str]]:
    """A playbook with one task."""
    return [playbook("ours.yml", work.write("variables.yml", {"url": work.url, **ours_options(work)}))]


def uri_playbook(work: Pass) -> list[list[str]]:
    """A playbook with a task for each kind of request, looped."""
    variables = {
        "url": work.url,
        "prefixes": list(work.scenario.prefixes),
        "lookback_days": LOOKBACK_DAYS,
        "retention_days": RETENTION_DAYS,
    }
    return [playbook("uri.yml", work.write("variables.yml", variables))]


def playbook(name: str, variables: str) -> list[str]:
    """Run a playbook on this machine."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    return [program, "-i", "localhost,", str(PLAYBOOKS / name), "-e", f"@{variables}"]


def go_tools(work: Pass) -> list[list[str]]:
    """Jaeger's own tools: three programs, and each knows one prefix."""
    rollover, cleaner = str(work.jaeger / "es-rollover"), str(work.jaeger / "es-index-cleaner")
    commands = []
    for prefix in work.scenario.prefixes:
        of_prefix = ["--index-prefix", prefix]
        lookback = ["--unit", "days", "--unit-count", str(LOOKBACK_DAYS)]
        commands += [
            [rollover, "rollover", work.url, *of_prefix, "--conditions", json.dumps(ALWAYS)],
            [rollover, "lookback", work.url, *of_prefix, *lookback],
            [cleaner, str(RETENTION_DAYS), work.url, *of_prefix, "--rollover"],
        ]
    return commands


def curator(work: Pass) -> list[list[str]]:
    """elasticsearch-curator: one process for all prefixes, seven actions for each.

    Its rollover does not know the read alias, so an alias action adds it to the new write index and takes it
    from what is too old.
    """
    actions: list[dict[str, Any]] = []
    for prefix in work.scenario.prefixes:
        names = [f"{prefix}-jaeger-{record_type}" for record_type in RECORD_TYPES]
        actions += [
            {"action": "rollover", "options": {"name": f"{name}-write", "conditions": ALWAYS}}
            for name in names
        ]
        for name in names:
            mine = {"filtertype": "pattern", "kind": "prefix", "value": f"{name}-"}
            written = {"filtertype": "alias", "aliases": [f"{name}-write"]}
            readable = {"filtertype": "alias", "aliases": [f"{name}-read"]}
            change = {
                "action": "alias",
                "options": {"name": f"{name}-read", "warn_if_no_indices": True},
                "add": {"filters": [mine, written]},
                "remove": {"filters": [mine, readable, older(LOOKBACK_DAYS)]},
            }
            actions.append(change)
        form = rf"^{prefix}-jaeger-({'|'.join(RECORD_TYPES)})-\d{{6}}$"
        generations = {"filtertype": "pattern", "kind": "regex", "value": form}
        filters = [generations, older(RETENTION_DAYS)]
        options = {"ignore_empty_list": True}
        actions.append({"action": "delete_indices", "options": options, "filters": filters})
    file = work.write("actions.yml", {"actions": dict(enumerate(actions, 1))})
    client = {"hosts": [work.url], "request_timeout": 120}
    config = work.write("curator.yml", {"elasticsearch": {"client": client}, "logging": {"loglevel": "INFO"}})
    return [[str(CURATOR_VENV / "bin" / "curator"), "--config", config, file]]


def older(days: int) -> dict[str, Any]:
    """Curator's filter for what was created more than so many days ago."""
    age = {"source": "creation_date", "direction": "older", "unit": "days", "unit_count": days}
    return {"filtertype": "age", **age}


GO = Competitor("go", "Jaeger's Go tools", go_tools)
OURS = Competitor("ours", "es_maintenance in a playbook", ours_playbook)
MODULE = Competitor("module", "es_maintenance, the module alone", ours_module)
CURATOR = Competitor("curator", "elasticsearch-curator", curator)
URI = Competitor("uri", "ansible.builtin.uri tasks", uri_playbook)
COMPETITORS = (GO, CURATOR, URI, OURS, MODULE)
