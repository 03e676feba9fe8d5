#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays recorded answers of the real Minikube. It is not Minikube: it starts nothing. README.md says what it plays.

The environment says where: RECORDED_MINIKUBE_ANSWERS is the folder of the answers, RECORDED_MINIKUBE a folder with the
file `state` and, one command a line as JSON, `calls`. In the latter, the file `seconds` holds back starts and deletions.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

SWITCHES = {"--force", "--dry-run"}
SHORT = {"-o": "--output", "-p": "--profile"}
UNRECORDED = 99


class Command(NamedTuple):
    """A command line, without what does not matter: the order of its flags and the profile minikube."""

    words: tuple[str, ...]
    flags: frozenset[tuple[str, str]]

    @property
    def driver(self) -> tuple[str | None, bool]:
        """The driver, and whether it is forced."""
        flags = dict(self.flags)
        return flags.get("--driver"), "--force" in flags


class Answer(NamedTuple):
    """Which recording is played, and the state of the cluster afterwards."""

    recording: str
    then: str


STATUS = {
    "absent": "02-status-absent",
    "absent-with-images": "02-status-absent",
    "stopped": "05-status-after-failed-start",
    "running": "07-status-running",
    "kubelet-stopped": "16-status-kubelet-stopped",
    "deleted": "18-status-after-delete",
}
START = {
    "absent": Answer("04-start-image-pull-fails", "stopped"),
    "absent-with-images": Answer("06-start-cold", "running"),
    "stopped": Answer("06-start-cold", "running"),
    "running": Answer("08-start-again", "running"),
    "kubelet-stopped": Answer("08-start-again", "running"),
}
REFUSALS = ("19-dry-run-docker-as-root", "20-unknown-driver", "21-too-little-memory")
DELETE = {state: Answer("17-delete", "deleted") for state in ("stopped", "running", "kubelet-stopped")}
PROFILE_LIST = {"running": Answer("10-profile-list", "running")}


def parse(arguments: list[str]) -> Command:
    """What a command line asks for."""
    words, flags = [], set()
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if not name.startswith("-"):
            words.append(argument)
            continue
        if not equals and name not in SWITCHES:
            value = next(rest, "")
        flags.add((SHORT.get(name, name), value))
    return Command(tuple(words), frozenset(flags - {("--profile", "minikube")}))


def recorded(answers: Path, recording: str) -> tuple[Command, int]:
    """The command of a recording, and its exit status."""
    line, status = (answers / f"{recording}.cmd").read_text().splitlines()
    return parse(line.split()[1:]), int(status.removeprefix("exit "))


def choose(answers: Path, state: str, command: Command) -> Answer | None:
    """What was recorded for this command in this state."""
    if command.words == ("start",) and state.startswith("absent"):
        for refusal in REFUSALS:
            if recorded(answers, refusal)[0].driver == command.driver:
                return Answer(refusal, state)
    possible = (
        Answer("01-version", state),
        Answer(STATUS[state], state),
        START.get(state),
        DELETE.get(state),
        PROFILE_LIST.get(state),
    )
    return next(
        (answer for answer in possible if answer and recorded(answers, answer.recording)[0] == command), None
    )


def main() -> int:
    """Play the answer to the command line."""
    answers, folder = (Path(os.environ[name]) for name in ("RECORDED_MINIKUBE_ANSWERS", "RECORDED_MINIKUBE"))
    arguments = sys.argv[1:]
    command = parse(arguments)
    state = (folder / "state").read_text()
    answer = choose(answers, state, command)
    call = {"arguments": arguments, "recording": answer.recording if answer else None}
    with (folder / "calls").open("a") as calls:
        calls.write(json.dumps(call | {"home": os.environ.get("MINIKUBE_HOME")}) + "\n")
    if answer is None:
        print(
            f"recorded_minikube.py has no answer for this in the state {state}: {arguments}", file=sys.stderr
        )
        return UNRECORDED
    if command.words[0] in ("start", "delete") and (folder / "seconds").exists():
        time.sleep(float((folder / "seconds").read_text()))
    sys.stdout.write((answers / f"{answer.recording}.out").read_text())
    sys.stderr.write((answers / f"{answer.recording}.err").read_text())
    (folder / "state").write_text(answer.then)
    return recorded(answers, answer.recording)[1]


if __name__ == "__main__":
    sys.exit(main())
