# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an execution environment gets agrees with what the modules ask for and with what is tested."""

from __future__ import annotations

import re
from pathlib import Path

import yaml


def test_it_gets_the_library_that_the_modules_ask_for(root: Path) -> None:
    environment = yaml.safe_load((root / "meta/execution-environment.yml").read_text())
    lines = (root / environment["dependencies"]["python"]).read_text().splitlines()
    (requirement,) = [line for line in lines if not line.startswith("#")]
    asked = re.search(r'MissingLibraryError\("elasticsearch \((.+?)\)"', _connection(root))
    assert asked is not None
    assert requirement == f"elasticsearch{asked.group(1)}"


def _connection(root: Path) -> str:
    return (root / "plugins/module_utils/_connection.py").read_text()
