# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built collection, installed elsewhere, does its scheduled job there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.modules import run_module
from tests.support.playbooks import BIN, play
from tests.support.servers import ROOT, Elasticsearch

SUMMARY = {"ANSIBLE_CALLBACKS_ENABLED": "tracestack.jaeger.maintenance_summary"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the collection, built and installed there without a network."""
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    build = [*galaxy, "build", str(ROOT), "--output-path", str(tmp_path)]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (tarball,) = tmp_path.glob("tracestack-jaeger-*.tar.gz")
    target = tmp_path / "installed"
    install = [*galaxy, "install", "--offline", "--collections-path", str(target), str(tarball)]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True)
    return target


def test_the_installed_playbook_rolls_over(es: Elasticsearch, installed: Path, tmp_path: Path) -> None:
    """With an inventory of the user's own, from another folder, without the repository's ansible.cfg."""
    init = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not init.message
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    host = {"ansible_connection": "local", "elasticsearch_url": es.url}
    inventory = {"all": {"children": {"elasticsearch": {"hosts": {"traces": host}}}}}
    (elsewhere / "hosts.yml").write_text(yaml.safe_dump(inventory))
    run = play(
        "tracestack.jaeger.rollover",
        {
            "index_lifecycle_conditions": {"max_age": "0s"},
            "ansible_python_interpreter": str(BIN / "python"),
        },
        *("--inventory", "hosts.yml", "-vv"),
        folder=elsewhere,
        env={"ANSIBLE_COLLECTIONS_PATH": str(installed), **SUMMARY},
    )
    assert run.code == 0, run.output
    assert str(installed) in run.output
    assert str(ROOT / "roles") not in run.output
    assert str(ROOT / "playbooks") not in run.output
    assert run.count("changed") == 1
    assert ("prod-jaeger-span-write", "prod-jaeger-span-000002") in es.aliases()
    assert "MAINTENANCE" in run.output
    assert re.search(r"^traces +changed +3 +0 +0 ", run.output, re.MULTILINE)
