# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's modules as Ansible does: a process of their own, options as JSON, one JSON answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT

PACKAGE = "ansible_collections.tracestack.jaeger.plugins.modules"


@dataclass(frozen=True)
class Answer:
    """What a module said. output is all that it printed."""

    result: dict[str, Any]
    output: str

    @property
    def changed(self) -> bool:
        """Whether it changed anything, or would."""
        return bool(self.result.get("changed"))

    @property
    def message(self) -> str:
        """Its failure, or nothing."""
        return str(self.result["msg"]) if self.result.get("failed") else ""

    def actions(self, kind: str) -> list[str]:
        """The indices that actions of this kind were about."""
        return [action["index"] for action in self.result["actions"] if action["action"] == kind]


def run_module(
    name: str, *, check: bool = False, env: dict[str, str] | None = None, **options: Any
) -> Answer:
    """Run one module to its end."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "arguments.json")
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        ran = subprocess.run(
            [sys.executable, "-m", f"{PACKAGE}.{name}", str(file)],
            cwd=ROOT / "collections",
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    output = ran.stdout + ran.stderr
    assert "Traceback" not in output, output
    lines = [line for line in ran.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1, output
    return Answer(json.loads(lines[0]), output)
