# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role's argument specification agrees with its defaults and leaves nothing out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").iterdir() if path.is_dir())

pytestmark = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def defaults(role: Path) -> dict[str, Any]:
    """What defaults/main.yml sets."""
    file = role / "defaults/main.yml"
    return yaml.safe_load(file.read_text()) or {} if file.exists() else {}


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """The options of every entry point, by entry point."""
    specifications = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: specification.get("options", {}) for name, specification in specifications.items()}


def test_every_documented_default_is_the_real_one(role: Path) -> None:
    real = defaults(role)
    missing = object()
    for entry_point, options in entry_points(role).items():
        documented = {name: option.get("default", missing) for name, option in options.items()}
        expected = {name: real.get(name, missing) for name in options}
        assert documented == expected, f"entry point {entry_point}"


def test_every_default_is_documented(role: Path) -> None:
    documented = {name for options in entry_points(role).values() for name in options}
    assert set(defaults(role)) <= documented


def test_every_entry_point_is_there(role: Path) -> None:
    for entry_point in entry_points(role):
        assert (role / f"tasks/{entry_point}.yml").is_file()


def test_every_variable_bears_the_role_s_name(role: Path) -> None:
    names = {name for options in entry_points(role).values() for name in options}
    assert all(name.startswith(f"{role.name}_") for name in names)


def test_the_role_has_a_readme_that_names_it(role: Path) -> None:
    readme = role / "README.md"
    assert readme.is_file()
    assert role.name in readme.read_text()
