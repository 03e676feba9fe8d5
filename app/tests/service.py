# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the real service as a process of its own, and speaks real HTTP to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import free_port

SOURCE = Path(__file__).parents[1] / "src"
HOST = "127.0.0.1"
Span = dict[str, Any]


def process_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our settings and nothing else that the service could read."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
    return kept | {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"} | dict(settings)


def handler(seconds: float) -> dict[str, str]:
    """Settings of a service whose handler takes so many seconds, or fails with 0."""
    path = (SOURCE, Path(__file__).parent / "handlers")
    return {"PYTHONPATH": os.pathsep.join(map(str, path)), "HANDLER_SECONDS": str(seconds)}


@dataclass(frozen=True)
class Api:
    """A running service."""

    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=10)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, request: bytes) -> bytes:
        """The whole answer to these very bytes."""
        with closing(socket.create_connection((HOST, self.port), timeout=10)) as connection:
            connection.sendall(request)
            answer = bytearray()
            with suppress(ConnectionResetError):  # the server does not read on in what is too long
                while received := connection.recv(65536):
                    answer += received
            return bytes(answer)

    def stop(self, within: float = 15) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def spans(self) -> list[Span]:
        """Stop the service, and read what it wrote."""
        assert self.stop() == 0
        return [json.loads(line) for line in self.stdout.read_text().splitlines()]

    def metrics(self) -> dict[str, float]:
        """What Prometheus would read: each series as it is written, with its value."""
        with urllib.request.urlopen(f"http://{HOST}:{self.metrics_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def spans_counted(self, result: str) -> float:
        """How many spans were exported, failed or dropped."""
        return self.metrics().get(f'traced_api_spans_total{{result="{result}"}}', 0)

    def memory(self) -> int:
        """Resident bytes of the service's processes, the shared ones counted each time."""
        return sum(_resident(pid) for pid in (self.process.pid, *self.workers()))

    def workers(self) -> list[int]:
        """Ids of the worker processes."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for file in children for pid in file.read_text().split()]

    def log(self) -> str:
        return self.stderr.read_text()

    def logged(self) -> list[dict[str, Any]]:
        """The lines of the log, each of which is a JSON object."""
        return [json.loads(line) for line in self.log().splitlines()]

    def wait_for_log(self, text: str, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.log():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)


@contextmanager
def starter(directory: Path) -> Iterator[Callable[..., Api]]:
    """Start services (TYPE=stdout unless told otherwise); whatever still runs is killed at the end."""
    with ExitStack() as stack:

        def start_one(stdout: int | None = None, **settings: str) -> Api:
            port, metrics_port = free_port(), free_port()
            out, err = directory / f"{port}.out", directory / f"{port}.err"
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "traced_api"],
                    env=process_environment(
                        {"HOST": HOST, "PORT": str(port), "METRICS_PORT": str(metrics_port), "TYPE": "stdout"}
                        | settings
                    ),
                    stdout=stdout if stdout is not None else stack.enter_context(out.open("wb")),
                    stderr=stack.enter_context(err.open("wb")),
                )
            )
            stack.callback(_end, process)
            api = Api(port, metrics_port, process, out, err)
            wait_for(api)
            return api

        yield start_one


def wait_for(api: Api, seconds: float = 15) -> None:
    """Until it answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert api.process.poll() is None, api.log()
        try:
            assert api.get("/readyz") == (200, b"")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the service does not answer on port {api.port}: {api.log()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a service that still runs."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
