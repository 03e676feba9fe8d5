# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's modules as Ansible does: a process of their own, options as JSON, one JSON answer."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT, module_clock

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"}


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


def run_module(name: str, /, **options: Any) -> Answer:
    """Run one module to its end."""
    return _run(name, {}, {**options, "_ansible_check_mode": False})


def check_module(name: str, /, **options: Any) -> Answer:
    """Run one module in check mode."""
    return _run(name, {}, {**options, "_ansible_check_mode": True})


def run_module_with(env: dict[str, str], name: str, /, **options: Any) -> Answer:
    """Run one module with variables in its environment."""
    return _run(name, env, options)


def _run(name: str, env: dict[str, str], options: dict[str, Any]) -> Answer:
    answer = _start(name, env, options).wait()
    assert answer is not None, f"{name} ended without a word"
    return answer


class Run:
    """A module that is running, which the test can kill."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile()
        self._process = int(self._stream.readline())

    def kill(self) -> None:
        """SIGKILL. Only while the module waits for an answer of the test's: later the number may be another's."""
        os.kill(self._process, signal.SIGKILL)

    def wait(self) -> Answer | None:
        """What it said, once it has ended; None if it was killed before it could say anything."""
        with self._stream:
            output = self._stream.read()
        assert "Traceback" not in output, output
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if not output:
            return None
        assert len(lines) == 1, output
        return Answer(json.loads(lines[0]), output)


def start_module(name: str, /, **options: Any) -> Run:
    """Start one module."""
    return _start(name, {}, {**options, "_ansible_check_mode": False})


def _start(name: str, env: dict[str, str], options: dict[str, Any]) -> Run:
    request = {
        "module": name,
        "env": env,
        "clock": module_clock["offset"],
        "arguments": {**options, "_ansible_diff": True},
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(300)
        connection.connect(module_host())
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        return Run(connection)


@functools.cache
def module_host() -> str:
    """The socket of the process that the modules are forked from; started once, ended with the tests."""
    folder = tempfile.TemporaryDirectory(prefix="modules-")
    path = str(Path(folder.name, "socket"))
    command = [sys.executable, "-m", "tests.support.module_host", path]
    host = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE)
    atexit.register(folder.cleanup)
    atexit.register(host.kill)
    assert host.stdout is not None
    assert host.stdout.readline() == b"ready\n"
    return path
