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
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src"
HOST = "127.0.0.1"
Span = dict[str, Any]


def free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as probe:
        return int(probe.getsockname()[1])


def process_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our settings and nothing else that the service could read."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
    return kept | {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"} | dict(settings)


@dataclass(frozen=True)
class Api:
    """A running service."""

    port: int
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

    def log(self) -> str:
        return self.stderr.read_text()

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
            port = free_port()
            out, err = directory / f"{port}.out", directory / f"{port}.err"
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "traced_api"],
                    env=process_environment({"HOST": HOST, "PORT": str(port), "TYPE": "stdout"} | settings),
                    stdout=stdout if stdout is not None else stack.enter_context(out.open("wb")),
                    stderr=stack.enter_context(err.open("wb")),
                )
            )
            stack.callback(process.kill)
            api = Api(port, process, out, err)
            wait_for(api)
            return api

        yield start_one


def wait_for(api: Api, seconds: float = 15) -> None:
    """Until it accepts a connection."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert api.process.poll() is None, api.log()
        try:
            socket.create_connection((HOST, api.port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the service does not listen on port {api.port}: {api.log()}")
