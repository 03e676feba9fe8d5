# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service accepts as its environment, and how it refuses the rest."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing

import pytest
from traced_api.config import Config, ConfigError, from_environment

from app.tests.service import HOST, process_environment

COMPLETE = {
    "HOST": "0.0.0.0",
    "PORT": "8001",
    "ENV": "production",
    "SVC": "users",
    "VER": "v1.2.3",
    "TYPE": "http",
    "JAEGER": "jaeger-collector.observability:4318",
}


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "traced_api"],
        env=process_environment(settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_variable_is_read() -> None:
    assert from_environment(COMPLETE) == Config(
        host="0.0.0.0",
        port=8001,
        environment="production",
        service="users",
        version="v1.2.3",
        exporter="http",
        collector="jaeger-collector.observability:4318",
    )


@pytest.mark.parametrize("unset", [{}, dict.fromkeys(COMPLETE, "")], ids=["absent", "empty"])
def test_defaults_stand_for_what_is_absent_or_empty(unset: dict[str, str]) -> None:
    assert from_environment(unset | {"TYPE": "stdout"}) == Config(
        host="127.0.0.1",
        port=8000,
        environment="",
        service="api",
        version="v0.0.1",
        exporter="stdout",
        collector="",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "::1"),
        ("HOST", "localhost"),
        ("PORT", "1"),
        ("PORT", "65535"),
        ("SVC", "müşteriler"),
        ("JAEGER", "127.0.0.1:4318"),
        ("JAEGER", "[::1]:4318"),
        ("JAEGER", "jaeger_collector:4318"),
    ],
)
def test_right_values(name: str, value: str) -> None:
    assert from_environment(COMPLETE | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "http://127.0.0.1"),
        ("HOST", "127.0.0.1:8000"),
        ("HOST", "a b"),
        ("HOST", "-h"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80a"),
        ("PORT", " 80"),
        ("PORT", "8_0"),
        ("PORT", "٨٠"),
        ("PORT", "9" * 5000),
        ("TYPE", "grpc"),
        ("TYPE", "HTTP"),
        ("TYPE", "stdout "),
        ("TYPE", "s"),
        ("TYPE", ""),
        ("JAEGER", ""),
        ("JAEGER", "127.0.0.1"),
        ("JAEGER", ":4318"),
        ("JAEGER", "127.0.0.1:"),
        ("JAEGER", "127.0.0.1:0"),
        ("JAEGER", "127.0.0.1:65536"),
        ("JAEGER", "127.0.0.1:http"),
        ("JAEGER", "http://127.0.0.1:4318"),
        ("JAEGER", "127.0.0.1:4318/v1/traces"),
        ("JAEGER", "127.0.0.1:4318?a"),
        ("JAEGER", "user:secret@127.0.0.1:4318"),
        ("JAEGER", "a b:4318"),
        ("JAEGER", "127.0.0.1:4318\n"),
        ("JAEGER", "[::1:4318"),
        ("ENV", "a\nb"),
        ("SVC", "a\x1b[31m"),
        ("VER", "v1\udcff"),
    ],
)
def test_wrong_values(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment(COMPLETE | {name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is ")
    assert problem.isascii()
    assert problem.isprintable()
    assert len(problem) < 250


def test_all_faults_are_told_at_once_with_exit_code_2() -> None:
    ended = run(HOST="a b", PORT="x", SVC="\n", TYPE="tcp", JAEGER="nowhere")
    assert ended.returncode == 2
    assert ended.stdout == ""
    first, *problems = ended.stderr.splitlines()
    assert first == "traced-api cannot start:"
    assert [line.split()[0] for line in problems] == ["HOST", "PORT", "SVC", "TYPE", "JAEGER"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "TYPE is not set: it must be http"),
        ({"TYPE": "invalid"}, "TYPE is 'invalid': it must be http"),
        ({"TYPE": "http"}, "JAEGER is not set: with TYPE=http it must be host:port"),
        ({"TYPE": "stdout", "PORT": "99999"}, "PORT is '99999': it must be a number from 1 to 65535"),
        ({"TYPE": "stdout", "OTEL_BSP_SCHEDULE_DELAY": "0"}, "an OTEL_* variable is wrong: schedule_delay"),
    ],
)
def test_exit_code_2_and_one_sentence(settings: dict[str, str], sentence: str) -> None:
    ended = run(**settings)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"traced-api cannot start:\n  {sentence}")
    assert len(ended.stderr.splitlines()) == 2


def test_a_taken_port_is_one_sentence() -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        port = str(taken.getsockname()[1])
        ended = run(TYPE="stdout", PORT=port)
    assert ended.returncode == 1
    sentence = f"cannot listen on HOST 127.0.0.1, PORT {port}: Address already in use"
    assert ended.stderr == f"traced-api cannot start:\n  {sentence}\n"
