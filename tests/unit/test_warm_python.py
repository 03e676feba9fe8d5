# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is run by tests/support/warm_python.py is run as by the Python that it was given to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.warm_python import warm_python

TELL = """
import os, sys
known = "fractions" in sys.modules
import fractions, json
parent = open(f"/proc/{os.getppid()}/cmdline").read()
print(json.dumps([os.getcwd(), os.environ.get("ABOUT"), sys.argv, __name__, "support.warm_python" in parent, known]))
"""


@pytest.fixture(autouse=True)
def warm() -> Iterator[None]:
    """All tests here are about a process that is there."""
    with warm_python():
        yield


def run(program: str, *before: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable]
    return subprocess.run(command, input=program, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_folder_environment_and_words_are_those_of_the_caller(tmp_path: Path) -> None:
    """And what a program has read, the next one need not."""
    environment = os.environ | {"ABOUT": "two words"}
    for known in (False, True):
        done = run(TELL, cwd=tmp_path, env=environment)
        assert json.loads(done.stdout) == [str(tmp_path), "two words", [""], "__main__", True, known]
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('not today')", 1, "not today\n"),
        ("import os; os._exit(0)", 1, ""),
        ("raise SystemExit", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("no program", 1, "SyntaxError: invalid syntax\n"),
    ],
)
def test_it_ends_as_the_program_has_ended(program: str, code: int, said: str) -> None:
    """One that does not say how it ended has failed."""
    done = run(program)
    assert done.returncode == code
    assert done.stderr.endswith(said)


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root has other namespaces")
def test_in_other_namespaces_it_is_run_there() -> None:
    assert json.loads(run(TELL, "unshare", "--mount").stdout)[4:] == [False, False]
