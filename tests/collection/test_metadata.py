# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of itself agrees with what is in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

# Put together from parts, so that this file does not name them either.
PACKAGE_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("npmjs", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("galaxy", "ansible", "com"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
]


def test_the_action_group_holds_every_module(root: Path) -> None:
    runtime = yaml.safe_load((root / "meta/runtime.yml").read_text())
    modules = sorted(path.stem for path in (root / "plugins/modules").glob("*.py"))
    assert modules
    assert sorted(runtime["action_groups"]["jaeger"]) == modules


def test_the_collection_depends_on_what_its_requirements_install(root: Path) -> None:
    galaxy = yaml.safe_load((root / "galaxy.yml").read_text())
    requirements = yaml.safe_load((root / "collections/requirements.yml").read_text())
    installed = {collection["name"]: collection["version"] for collection in requirements["collections"]}
    assert galaxy["dependencies"] == installed


def test_no_file_names_the_host_of_a_package_registry(root: Path) -> None:
    """Package managers know where their packages are, and a user's mirror must hold everywhere."""
    patterns = [argument for host in PACKAGE_REGISTRIES for argument in ("-e", host)]
    found = subprocess.run(
        ["git", "grep", "--untracked", "--ignore-case", "--fixed-strings", "-n", "-I", *patterns],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    assert found.stdout == ""


def test_the_scenario_shares_no_port_with_a_running_site(root: Path) -> None:
    """`molecule test` next to `make site`: every port that a role of the local story opens is set anew."""
    scenario = yaml.safe_load((root / "molecule/default/inventory/group_vars/all/molecule.yml").read_text())
    ports = {
        name: value
        for role in ("elasticsearch", "jaeger", "traced_api")
        for name, value in yaml.safe_load((root / f"roles/{role}/defaults/main.yml").read_text()).items()
        if name.endswith("_port") and value  # 0 is no port of this machine
    }
    moved = {name: scenario.get(name) for name in ports}
    assert not set(moved.values()) & {None, *ports.values()}
    assert len(set(moved.values())) == len(ports)
