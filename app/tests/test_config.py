# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service accepts as its environment, and how it refuses the rest."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from traced_api.config import Config, ConfigError, from_environment

from app.tests.service import HOST, Api, process_environment
from tests.support.servers import free_port

COMPLETE = {
    "HOST": "0.0.0.0",
    "PORT": "8001",
    "ENV": "production",
    "SVC": "users",
    "VER": "v1.2.3",
    "TYPE": "http",
    "JAEGER": "jaeger-collector.observability:4318",
    "WORKERS": "2",
    "METRICS_HOST": "0.0.0.0",
    "METRICS_PORT": "9465",
    "OTEL_BSP_MAX_QUEUE_SIZE": "1000",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
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
        workers=2,
        metrics_host="0.0.0.0",
        metrics_port=9465,
        environment="production",
        service="users",
        version="v1.2.3",
        exporter="http",
        collector="jaeger-collector.observability:4318",
        queue_size=1000,
        batch_size=100,
        schedule_delay=200,
    )


@pytest.mark.parametrize("unset", [{}, dict.fromkeys(COMPLETE, "")], ids=["absent", "empty"])
def test_defaults_stand_for_what_is_absent_or_empty(unset: dict[str, str]) -> None:
    assert from_environment(unset | {"TYPE": "stdout"}) == Config(
        host="127.0.0.1",
        port=8000,
        workers=1,
        metrics_host="127.0.0.1",
        metrics_port=9464,
        environment="",
        service="",
        version="",
        exporter="stdout",
        collector="",
        queue_size=16384,
        batch_size=512,
        schedule_delay=1000,
    )


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp", "JAEGER": "a:1"}, "exporter", "http"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "exporter", "stdout"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "exporter", "none"),
        ({"OTEL_TRACES_EXPORTER": "none", "TYPE": "stdout"}, "exporter", "stdout"),
        ({"TYPE": "http", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://a:4318"}, "collector", ""),
        ({"TYPE": "none", "OTEL_SERVICE_NAME": "users"}, "service", "users"),
        ({"TYPE": "none", "OTEL_SERVICE_NAME": "users", "SVC": "short"}, "service", "short"),
        ({"TYPE": "none", "OTEL_EXPORTER_PROMETHEUS_PORT": "9999"}, "metrics_port", 9999),
    ],
)
def test_opentelemetrys_own_variables_hold_where_the_short_ones_are_not_set(
    given: dict[str, str], field: str, value: object
) -> None:
    assert getattr(from_environment(given), field) == value


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
        ("TYPE", "none"),
        ("METRICS_PORT", "0"),
        ("WORKERS", "64"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/base"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_TRACES_SAMPLER_ARG", "1"),
        ("OTEL_PROPAGATORS", "tracecontext, baggage"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, tenant=a"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", __file__),
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
        ("WORKERS", "0"),
        ("WORKERS", "65"),
        ("METRICS_HOST", "a b"),
        ("METRICS_PORT", "65536"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://a"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "half"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "-3"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "x"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "garbage"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=\u20ac"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "nope"),
        ("OTEL_PYTHON_CONTEXT", "nope"),
        ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "nope"),
        ("HOST", "a..b"),
        ("HOST", "a" * 64),
        ("JAEGER", "a..b:4318"),
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
        (
            {"TYPE": "stdout", "OTEL_BSP_SCHEDULE_DELAY": "0"},
            "OTEL_BSP_SCHEDULE_DELAY is '0': it must be a whole",
        ),
        ({"TYPE": "stdout", "OTEL_PROPAGATORS": "b3"}, "OTEL_PROPAGATORS is 'b3': it must be a list"),
        (
            {"TYPE": "stdout", "PORT": "9464"},
            "PORT and METRICS_PORT are both 9464: each needs one of its own",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin': it must be http"),
    ],
)
def test_exit_code_2_and_one_sentence(settings: dict[str, str], sentence: str) -> None:
    ended = run(**settings)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"traced-api cannot start:\n  {sentence}")
    assert len(ended.stderr.splitlines()) == 2


@pytest.mark.parametrize("kind", ["", "METRICS_"])
def test_a_taken_port_is_one_sentence(kind: str) -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        port = str(taken.getsockname()[1])
        ended = run(**{"TYPE": "stdout", "PORT": str(free_port()), f"{kind}PORT": port})
    assert ended.returncode == 1
    sentence = f"cannot listen on {kind}HOST 127.0.0.1, {kind}PORT {port}: Address already in use"
    assert ended.stderr.endswith(f"traced-api cannot start:\n  {sentence}\n")
    assert "Traceback" not in ended.stderr


def test_two_services_do_not_share_a_port(start: Callable[..., Api]) -> None:
    """Granian's workers do (SO_REUSEPORT), and so would two services."""
    ended = run(TYPE="none", METRICS_PORT="0", PORT=str(start().port))
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr


def test_an_unknown_host_is_one_sentence() -> None:
    ended = run(TYPE="none", HOST="nowhere.invalid", METRICS_PORT="0")
    assert ended.returncode == 1
    assert "cannot listen on HOST nowhere.invalid, PORT 8000: " in ended.stderr
    assert "Traceback" not in ended.stderr
