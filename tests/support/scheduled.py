# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command scheduled as a process, in a virtual environment of its own, as it is installed on a host.

It starts its child with python -I, which heeds no PYTHONPATH: so the environment has to know where the program is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.drop_in import finished
from tests.support.servers import ROOT

# The work of a night in which there was nothing to do: it leaves the results that the callback plugin does.
NOTHING_TO_DO = """echo '{"clusters": {"eu": {}}}' > "$TRACESTACK_MAINTENANCE_RESULTS" """
_PLACES = (ROOT / "maintenance" / "src", ROOT / "collections", Path(sysconfig.get_paths()["purelib"]))


@dataclass(frozen=True)
class Runner:
    """An installed program (its interpreter), and a folder for what its runs need and leave."""

    python: Path
    folder: Path

    def job(self, file: str = "job.json", **keys: Any) -> Path:
        """A job file with these keys; name is prod, if it is not given."""
        path = self.folder / file
        path.write_text(json.dumps({"name": "prod", **keys}))
        path.chmod(0o600)
        return path

    def command(self, job: Path, *, now: bool = True) -> list[str]:
        """The command line that a scheduler runs."""
        program = [str(self.python), "-I", "-m", "jaeger_es_maintenance"]
        return [*program, "scheduled", "--job", str(job), *(["--now"] if now else [])]

    def playbook(self, script: str, file: str = "job.json", **keys: Any) -> Path:
        """A job file whose work is a shell script."""
        return self.job(file, playbook={"command": ["sh", "-c", script]}, **keys)

    def run(
        self, job: Path, env: Mapping[str, str] | None = None, *, now: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self.python_run(*self.command(job, now=now)[1:], env=env)

    def python_run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python. Whatever comes, it is said without a traceback."""
        return finished([str(self.python), *arguments], environment(env))

    def start(
        self,
        job: Path,
        env: Mapping[str, str] | None = None,
        *,
        now: bool = True,
        launcher: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """Start it. launcher is a command that runs the command after it."""
        return subprocess.Popen(
            [*launcher, *self.command(job, now=now)],
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """What cron gives to a program, and what is given here."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), **(given or {})}


def installed(folder: Path) -> Path:
    """The interpreter of an environment in which the program is installed: by paths, so that nothing is built."""
    assert sys.prefix != sys.base_prefix, "the tests run in the project's own environment"
    venv.create(folder, symlinks=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "tests.pth").write_text("".join(f"{place}\n" for place in _PLACES))
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter that has the program, installed once for all tests."""
    return installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def runner(python: Path, tmp_path: Path) -> Runner:
    """The program, with a folder of this test's own for its jobs."""
    return Runner(python, tmp_path)
