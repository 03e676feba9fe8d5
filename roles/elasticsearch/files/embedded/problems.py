# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of the helper, and where it comes from most: files and programs."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path


class ServerError(Exception):
    """Something the user can put right, said in one sentence."""


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say which folder could not be written."""
    try:
        yield
    except OSError as error:
        raise ServerError(f"{folder} cannot be written: {error.strerror} ({error.filename}).") from error


def require_program(program: str, what: str, package: str) -> str:
    """Return the program's path. Raises ServerError when it is missing."""
    path = shutil.which(program)
    if path is None:
        raise ServerError(f"{what} is missing ({program} is not in PATH): apt-get install {package}.")
    return path


def run_tool(command: Sequence[str], folder: Path, failure: str) -> None:
    """Run a build tool quietly. Raises ServerError with the tool's first line of complaint."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [
            line.strip() for line in done.stdout.splitlines() if re.search(r"\berror\b", line, re.IGNORECASE)
        ]
        reason = lines[0] if lines else f"{command[0]} ended with code {done.returncode}"
        raise ServerError(f"{failure}: {reason}")
