# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks as a user does: ansible-playbook in a process of its own, and what it printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import DIST, ROOT

BIN = Path(sys.executable).parent
JAEGER_DIST = ROOT / ".local" / "jaeger" / "dist"
_ERROR = re.compile(
    r"^\[ERROR\]: (?:Task failed: )?(?:(?:Action|Module) failed: )?(?:Validation of arguments failed:\n)?"
    r"(.*?)\nOrigin:",
    re.MULTILINE | re.DOTALL,
)
_HOST = re.compile(r"^(?:fatal|failed): \[(.*?)\]", re.MULTILINE)
_RECAP = re.compile(r"^(\S.*?) +: (ok=\d+ .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A playbook that has run. output is all that the user saw."""

    code: int
    output: str

    @property
    def error(self) -> str:
        """The sentence that the run ended with, on one line; nothing if it went well."""
        found = _ERROR.findall(self.output) if self.code else []
        return " ".join(found[-1].split()) if found else ""

    @property
    def errors(self) -> dict[str, str]:
        """The sentence that each host ended with, on one line. A host that went well is not in it.

        Ansible prints a sentence once: of two hosts that end with the very same, the second is not in it either.
        """
        found = {}
        for error in _ERROR.finditer(self.output) if self.code else ():
            host = _HOST.search(self.output, error.end())
            assert host, self.output
            found[host[1]] = " ".join(error[1].split())
        return found

    def count(self, word: str) -> int:
        """The recap's sum over all hosts: changed, failed, ok, unreachable."""
        return sum(counts[word] for counts in self.recap.values())

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """The recap's numbers by host: changed, failed, ok, unreachable."""
        found = _RECAP.findall(self.output)
        assert found, self.output
        return {
            host: {word: int(number) for word, number in (each.split("=") for each in counts.split())}
            for host, counts in found
        }

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by host."""
        return {host: counts["changed"] for host, counts in self.recap.items()}

    def refusals(self) -> dict[str, str]:
        """The sentence by which each host was refused, where all were: each failed once, and nothing was changed on any."""
        wrong = {
            h: counts for h, counts in self.recap.items() if (counts["failed"], counts["changed"]) != (1, 0)
        }
        assert not wrong, f"{wrong}\n{self.output}"
        assert set(self.errors) == set(self.recap), "two hosts end with the very same sentence"
        return self.errors


def play(
    playbook: str | Path,
    variables: dict[str, Any],
    *arguments: str,
    env: dict[str, str] | None = None,
    folder: Path = ROOT,
) -> Run:
    """Run a playbook in a folder, the repository's root with its ansible.cfg unless told otherwise.

    The variables are in a file, as secrets have to be: with -vvvv Ansible shows its command line.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(variables, file)
        file.flush()
        command = [str(BIN / "ansible-playbook"), str(playbook), "-e", f"@{file.name}", *arguments]
        return run(command, env or {}, folder)


def play_on(
    hosts: Mapping[str, Mapping[str, Any]],
    playbook: str | Path,
    variables: dict[str, Any],
    *arguments: str,
    env: dict[str, str] | None = None,
) -> Run:
    """Run a playbook on several hosts, each this machine with variables of its own: a table of cases is one play.

    The playbook is for all hosts. A host's variables lose against those that all have.
    """
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"all": {"hosts": {name: {**local, **own} for name, own in hosts.items()}}}, file)
        file.flush()
        return play(playbook, variables, "--inventory", file.name, *arguments, env=env)


def run(command: list[str], env: dict[str, str], folder: Path = ROOT) -> Run:
    """Run a program of ours, such as molecule, in a folder, with these variables over those of this process."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", **env}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return Run(done.returncode, done.stdout)


def set_up(part: str, home: Path, variables: dict[str, Any], *arguments: str, **options: Any) -> Run:
    """Run one role of playbooks/setup.yml, elasticsearch, jaeger or traced_api, with all that it writes in home.

    What was downloaded and built is the repository's.
    """
    shared = {
        "tracestack_home": str(home),
        "elasticsearch_dist_dir": str(DIST),
        "jaeger_dist_dir": str(JAEGER_DIST),
    }
    only = ("--tags", part, "--limit", part)
    return play("playbooks/setup.yml", {**shared, **variables}, *only, *arguments, **options)


def processes(home: Path) -> list[str]:
    """The command lines of all processes that have to do with this folder."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(file.read_text(errors="replace").replace("\0", " "))
        except OSError:  # it has just ended
            continue
    return [command for command in commands if str(home) in command]


def files(home: Path) -> set[str]:
    """The files below a folder, by their path."""
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def path_without(folder: Path, *names: str) -> dict[str, str]:
    """An environment in whose PATH, this new folder, there is all that is in ours, save some programs."""
    folder.mkdir()
    for source in map(Path, os.environ["PATH"].split(os.pathsep)):
        for each in source.iterdir() if source.is_dir() else ():
            if each.name not in names and not (folder / each.name).is_symlink():
                (folder / each.name).symlink_to(each)
    return {"PATH": str(folder)}
