# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the maintenance image as a process of its own, in an environment of its own, as a pod has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.moved_clock import clock_environment
from tests.support.servers import ROOT

PROGRAM = (sys.executable, "-m", "jaeger_es_maintenance")
_PATHS = f"{ROOT / 'maintenance' / 'src'}:{ROOT / 'collections'}"


def environment(given: Mapping[str, str], clock: Path | None = None) -> dict[str, str]:
    """What the program runs in: what is given, and nothing of ours but its place. clock: a server's file of its clock."""
    found = {"PYTHONPATH": _PATHS, "LC_ALL": "C.UTF-8", **given}
    return found if clock is None else found | clock_environment(clock)


def drop_in(
    *arguments: str, env: Mapping[str, str] | None = None, clock: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. Whatever comes, it is said without a traceback."""
    return finished([*PROGRAM, *arguments], environment(env or {}, clock))


def finished(command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Whatever comes, it is said without a traceback."""
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def start_drop_in(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start it; its standard error comes with its output."""
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
