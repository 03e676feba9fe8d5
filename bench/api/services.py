# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part, and how each is installed and started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.venvs import RESULTS, install
from tests.support.servers import ROOT

HERE = ROOT / "bench" / "api"
OUR_PINS = ROOT / "app" / "requirements.txt"
PEER_PINS = HERE / "requirements.txt"
CONTRACT_SPANS = 3  # of each request: the server's, user.Find and user.isValid
KEPT = ("PATH", "LANG", "HOME")  # of our own environment: no OTEL_* variable changes what is measured


@dataclass(frozen=True)
class Programs:
    """What has been installed and built for the benchmark."""

    ours: Path
    peers: Path
    go: Path


@dataclass(frozen=True)
class Start:
    """What a service is told: its port, the collector's host:port, and the name to export spans under."""

    programs: Programs
    port: int
    collector: str
    name: str


@dataclass(frozen=True)
class Service:
    """One that takes part. spans is how many it exports for each request."""

    key: str
    name: str
    command: Callable[[Start], list[str]]
    settings: Callable[[Start], Mapping[str, str]]
    spans: int = CONTRACT_SPANS
    collector_up: bool = True

    def environment(self, start: Start) -> dict[str, str]:
        """All that the service finds in its environment."""
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(self.settings(start))


def our_command(start: Start) -> list[str]:
    return [str(start.programs.ours / "bin" / "python"), "-m", "traced_api"]


def our_settings(exporter: str) -> Callable[[Start], Mapping[str, str]]:
    """Our API with one worker process and this TYPE."""
    return lambda start: {
        "PYTHONPATH": str(ROOT / "app" / "src"),
        "TYPE": exporter,
        "JAEGER": start.collector,
        "HOST": "127.0.0.1",
        "PORT": str(start.port),
        "SVC": start.name,
        "WORKERS": "1",
        "METRICS_PORT": "0",
    }


def flask_command(start: Start) -> list[str]:
    options = ["--workers", "1", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning"]
    address = ["--bind", f"127.0.0.1:{start.port}"]
    return [
        str(start.programs.peers / "bin" / "gunicorn"),
        *address,
        *options,
        "bench.api.peers.flask_service:app",
    ]


def fastapi_command(start: Start) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    address = ["--host", "127.0.0.1", "--port", str(start.port)]
    return [
        str(start.programs.peers / "bin" / "uvicorn"),
        *address,
        *options,
        "bench.api.peers.fastapi_service:app",
    ]


def go_command(start: Start) -> list[str]:
    return [str(start.programs.go / "service")]


def otel_settings(start: Start) -> Mapping[str, str]:
    """OpenTelemetry's own variables, which the SDKs read."""
    return {
        "PYTHONPATH": str(ROOT),
        "ADDRESS": f"127.0.0.1:{start.port}",
        "GOMAXPROCS": "1",
        "OTEL_SERVICE_NAME": start.name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{start.collector}",
    }


OURS = Service("ours", "traced-api", our_command, our_settings("http"))
UNTRACED = Service("ours-none", "traced-api, TYPE=none", our_command, our_settings("none"), spans=0)
DOWN = Service(
    "ours-down", "traced-api, collector down", our_command, our_settings("http"), collector_up=False
)
FLASK = Service("flask", "Flask (gunicorn)", flask_command, otel_settings)
FASTAPI = Service("fastapi", "FastAPI (uvicorn)", fastapi_command, otel_settings)
GO = Service("go", "Go net/http", go_command, otel_settings)
SERVICES = (OURS, FLASK, FASTAPI, GO, UNTRACED, DOWN)


def install_all() -> Programs:
    """Install what is not there yet, and build the Go programs."""
    return Programs(install("api-ours", OUR_PINS), install("api-peers", PEER_PINS), build_go())


def go_program() -> str:
    """The go to use: GO names it, as in the role jaeger; else that of PATH, where .venv's comes first."""
    return os.environ.get("GO", "go")


def go_environment() -> dict[str, str]:
    """What go runs in: with no other toolchain, and no other modules than go.sum has."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    flags = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    return {**os.environ, **flags, "PATH": path}


def build_go() -> Path:
    """The folder with the Go service and the load generator; go itself knows what is up to date."""
    folder = RESULTS / "api-go"
    folder.mkdir(parents=True, exist_ok=True)
    command = [go_program(), "build", "-trimpath", "-o", str(folder), "./service", "./load"]
    subprocess.run(command, cwd=HERE / "go", env=go_environment(), check=True)
    return folder
