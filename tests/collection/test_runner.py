# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""bin/test and .ci/run count right, and nothing that failed passes for good."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def runner(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bin/test as a module, its logs in a temporary folder."""
    loader = SourceFileLoader("bin_test", str(root / "bin/test"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, loader.name, module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "LOGS", tmp_path)
    return module


@pytest.mark.parametrize(
    ("command", "counts"), [("true", (1, 0, 0)), ("false", (0, 1, 0)), ("no-such-command", (0, 1, 0))]
)
def test_a_stage_counts_as_one(runner: ModuleType, command: str, counts: tuple[int, int, int]) -> None:
    result = runner.run(runner.Stage("seed", command))
    assert (result.passed, result.failed, result.skipped) == counts


@pytest.mark.parametrize(
    ("tests", "counts"),
    [
        ("def test_a(): pass\ndef test_b(): pass", (2, 0, 0)),
        ("def test_a(): pass\ndef test_b(): assert 0", (1, 1, 0)),
        ("import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip()", (1, 0, 1)),
        ("import pytest\ndef test_a(): pytest.skip()", (0, 1, 1)),
        ("", (0, 1, 0)),
        ("import no_such_module", (0, 1, 0)),
        ("import os\ndef test_a(): os._exit(0)", (0, 1, 0)),
    ],
    ids=[
        "all pass",
        "one fails",
        "one is skipped",
        "all are skipped",
        "none is there",
        "not importable",
        "crash",
    ],
)
def test_a_pytest_stage_counts_its_tests(
    runner: ModuleType, tmp_path: Path, tests: str, counts: tuple[int, int, int]
) -> None:
    (tmp_path / "test_seed.py").write_text(tests)
    command = (
        f"pytest -c /dev/null --rootdir {tmp_path} --junitxml={tmp_path}/seed.xml {tmp_path}/test_seed.py"
    )
    result = runner.run(runner.Stage("seed", command, pytest=True))
    assert (result.passed, result.failed, result.skipped) == counts


def test_what_hangs_is_stopped(runner: ModuleType) -> None:
    result = runner.run(runner.Stage("seed", "sleep 60", seconds=0.2))
    assert result.failed == 1
    assert result.seconds < 30


def test_a_server_that_outlives_its_stage_does_not_hold_it_up(runner: ModuleType) -> None:
    result = runner.run(runner.Stage("seed", "sleep 5 & true"))
    assert result.failed == 0
    assert result.seconds < 5


def test_all_stages_run_and_the_total_is_last(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    stages = [runner.Stage("one", "echo what went wrong; false"), runner.Stage("two", "true", alone=True)]
    assert runner.summarise(runner.run_all(stages), 1.0) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "what went wrong" in lines
    assert lines[-1] == "1 passed, 1 failed"


GREEN = "echo '3 passed, 0 failed'"
RED = "echo '3 passed, 1 failed, 2 skipped'; false"
NO_TOTAL = "echo no Java here; false"


@pytest.mark.parametrize(
    ("recipes", "exit_code", "last"),
    [
        ((GREEN, GREEN), 0, "6 passed, 0 failed"),
        ((RED, GREEN), 2, "6 passed, 1 failed, 2 skipped"),
        ((GREEN, RED), 2, "6 passed, 1 failed, 2 skipped"),
        ((NO_TOTAL, GREEN), 2, "3 passed, 1 failed"),
        ((NO_TOTAL, NO_TOTAL), 2, "0 passed, 2 failed"),
        ((GREEN, "true"), 1, "3 passed, 1 failed"),
    ],
)
def test_ci_s_last_line_is_the_total(
    root: Path, tmp_path: Path, recipes: tuple[str, str], exit_code: int, last: str
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(root / ".ci/run", tmp_path / ".ci/run")
    targets = zip(("test", "test-servers"), recipes, strict=True)
    (tmp_path / "Makefile").write_text("".join(f"{name}:\n\t@{recipe}\n" for name, recipe in targets))
    ci = subprocess.run([tmp_path / ".ci/run"], capture_output=True, text=True, check=False)
    assert ci.returncode == exit_code
    assert ci.stdout.splitlines()[-1] == last
    assert ci.stderr == ""
