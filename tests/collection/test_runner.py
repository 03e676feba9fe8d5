# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""bin/test and .ci/run count right, and nothing that failed passes for good."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.shared_servers import KEEPER, VARIABLE


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


def test_a_load_group_stays_on_one_worker(tmp_path: Path) -> None:
    """pytest-xdist writes a group where pytest 9.2 no longer reads it: each test went to whatever worker was free."""
    (tmp_path / "test_seed.py").write_text(
        "import os, pathlib, pytest, time\n"
        "@pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_a(number):\n"
        "    time.sleep(0.1)\n"
        f"    pathlib.Path({str(tmp_path)!r}, f'worker-{{os.getpid()}}').touch()\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_b(number): time.sleep(0.1)\n"
    )
    command = ["pytest", "-c/dev/null", f"--rootdir={tmp_path}", "-n2", "--dist=loadgroup", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(list(tmp_path.glob("worker-*"))) == 1


def test_what_hangs_is_stopped(runner: ModuleType) -> None:
    result = runner.run(runner.Stage("seed", "sleep 60", seconds=0.2))
    assert result.failed == 1
    assert result.seconds < 30


def test_the_time_of_processors_is_told(runner: ModuleType) -> None:
    work = "import time\nwhile time.process_time() < 0.5: pass"
    result = runner.run(runner.Stage("seed", f"bash -c '{sys.executable} -c \"{work}\"; true'"))
    assert result.busy >= 0.5
    assert runner.run(runner.Stage("seed", "sleep 0.5")).busy < 0.4


def test_a_server_that_outlives_its_stage_does_not_hold_it_up(runner: ModuleType) -> None:
    result = runner.run(runner.Stage("seed", "sleep 5 & true"))
    assert result.failed == 0
    assert result.seconds < 5


def test_stages_run_side_by_side_as_far_as_there_are_workers(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each notes when it begins and when it has ended: the long one, of all workers but one, leaves room for one other."""
    monkeypatch.setattr(runner, "WORKERS", 3)
    log = tmp_path / "log"

    def stage(name: str, seconds: float, **options: object) -> object:
        command = f"echo {name} >>{log}; sleep {seconds}; echo {name}. >>{log}"
        return runner.Stage(name, command, **options)

    stages = [
        stage("alone", 0, alone=True),
        stage("long", 1.5, workers=2),
        stage("wide", 0, workers=2),
        stage("one", 0.2),
        stage("wider", 0, workers=9),
    ]
    results = runner.run_all(stages)
    assert [result.stage.name for result in results] == ["one", "long", "wide", "wider", "alone"]
    told = log.read_text().splitlines()
    assert sorted(told[:2]) == ["long", "one"]
    assert " ".join(told[2:]) == "one. long. wide wide. wider wider. alone alone."


@pytest.mark.parametrize(
    ("arguments", "there", "not_there"),
    [
        ([], ["unit", "roles"], ["security", "kubernetes"]),
        (["--servers"], ["security"], ["unit", "kubernetes"]),
        (["--kubernetes"], ["kubernetes"], ["unit", "security"]),
        (["--with", "servers"], ["unit", "security"], ["kubernetes", "integration-opensearch-3.4.0-rest"]),
        (["--with", "rest"], ["unit", "integration-opensearch-3.4.0-rest"], ["integration-opensearch-3.4.0"]),
        (["--with", "servers", "--with", "kubernetes"], ["unit", "security", "kubernetes"], []),
        (["unit", "kubernetes"], ["unit", "kubernetes"], ["roles", "security"]),
        (["unit", "--servers"], ["unit", "security"], ["roles", "kubernetes"]),
    ],
    ids=" ".join,
)
def test_the_stages_that_are_asked_for_run(
    runner: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    there: list[str],
    not_there: list[str],
) -> None:
    asked: list[str] = []

    def remember(stages: Iterable[Any]) -> list[Any]:
        asked.extend(stage.name for stage in stages)
        return [runner.Result(runner.STAGES[0], 0.0, 0.0, 1, 0)]

    monkeypatch.setattr(runner, "run_all", remember)
    monkeypatch.setattr(sys, "argv", ["bin/test", *arguments])
    assert runner.main() == 0
    assert set(there) <= set(asked)
    assert not set(not_there) & set(asked)


@pytest.mark.parametrize("killed", [False, True], ids=["in order", "killed"])
def test_shared_servers_end_with_the_run(root: Path, killed: bool) -> None:
    """A program that sleeps stands for a server."""
    script = (
        "import os, sys\n"
        "from tests.support.shared_servers import shared_servers\n"
        "with shared_servers():\n"
        f"    print(os.environ[{VARIABLE!r}], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command, plain = [sys.executable, "-c", script], {**os.environ, "PYTHONPATH": str(root)}
    plain.pop(VARIABLE, None)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain
    ) as run:
        assert run.stdin
        assert run.stdout
        run_folder = Path(run.stdout.readline().strip())
        server = run_folder / "server"
        server.mkdir()
        (server / "url").touch()
        keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "keeper", run_folder / "alive", server, "sleep", "600"]
        )
        if killed:
            run.kill()
        else:
            run.stdin.close()
        assert keeper.wait(20) == 0
        assert not server.exists()
    assert run_folder.exists() == killed
    shutil.rmtree(run_folder, ignore_errors=True)


def test_all_stages_run_and_the_total_is_last(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    stages = [runner.Stage("one", "echo what went wrong; false"), runner.Stage("two", "true", alone=True)]
    assert runner.summarise(runner.run_all(stages), 1.0) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "what went wrong" in lines
    assert lines[-1] == "1 passed, 1 failed"


@pytest.mark.parametrize(
    ("recipe", "exit_code", "last"),
    [
        ("echo '3 passed, 0 failed'", 0, "3 passed, 0 failed"),
        ("echo '3 passed, 1 failed, 2 skipped'; false", 2, "3 passed, 1 failed, 2 skipped"),
        ("echo '3 passed, 1 failed'", 1, "3 passed, 1 failed"),
        ("echo no Java here; false", 2, "0 passed, 1 failed"),
        ("true", 1, "0 passed, 1 failed"),
    ],
    ids=["green", "red", "red, but make says nothing", "no total", "nothing at all"],
)
def test_ci_s_last_line_is_the_total(
    root: Path, tmp_path: Path, recipe: str, exit_code: int, last: str
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(root / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text(f"test:\n\t@{recipe}\n")
    home = {**os.environ, "HOME": str(tmp_path)}  # whose caches are soon looked at
    ci = subprocess.run([tmp_path / ".ci/run"], env=home, capture_output=True, text=True, check=False)
    assert ci.returncode == exit_code
    assert ci.stdout.splitlines()[-1] == last
    assert ci.stderr == ""
    assert ("MB of the caches at the start: none" in ci.stdout) == (" passed, " in recipe)
