# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for tests, started by the same helper as the role elasticsearch (server.py)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / ".local" / "elasticsearch" / "dist"
HELPER = ROOT / "roles" / "elasticsearch" / "files" / "embedded" / "server.py"
VERSION = "7.17.1"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Elasticsearch:
    """A running server. clock, if there is one, holds the offset that its clock is moved by, such as -40d."""

    url: str
    clock: Path | None = None

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One request with the standard library, so that tests do not look through the client they test."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self.url + quote(path, safe="/?=&,_*%"), data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{method} {path}: {refused.code} {refused.read().decode()}") from None

    def get(self, path: str) -> Any:
        """GET, as JSON."""
        return self.request("GET", path)

    def aliases(self) -> set[tuple[str, str]]:
        """All (alias, index) pairs."""
        return {(row["alias"], row["index"]) for row in self.get("/_cat/aliases?format=json&h=alias,index")}

    def indices(self) -> set[str]:
        """The names of all indices."""
        return {row["index"] for row in self.get("/_cat/indices?format=json&h=index&expand_wildcards=all")}

    def set_clock(self, offset: str) -> None:
        """Move the server's clock: -40d, +0d."""
        assert self.clock is not None, "started without a clock"
        self.clock.write_text(offset + "\n")

    def wipe(self) -> None:
        """Delete every index and template."""
        names = sorted(self.indices())
        for start in range(0, len(names), 50):
            self.request("DELETE", "/" + ",".join(names[start : start + 50]))
        for name in self.get("/_template"):
            if not name.startswith("."):
                self.request("DELETE", f"/_template/{name}")


@contextmanager
def elasticsearch(folder: Path, *, clock: bool = False) -> Iterator[Elasticsearch]:
    """Run a real Elasticsearch on a free port, with its data in this folder, until the block ends."""
    helper = [sys.executable, str(HELPER)]
    release = ["--version", VERSION, "--dist", str(DIST)]
    subprocess.run([*helper, "build", *release], check=True, capture_output=True)
    port = free_port()
    server = Elasticsearch(f"http://127.0.0.1:{port}", folder / "clock" if clock else None)
    command = [*helper, "run", *release, "--data", str(folder / "data"), "--port", str(port)]
    if server.clock:
        folder.mkdir(parents=True, exist_ok=True)
        server.set_clock("+0d")
        command += ["--clock", str(server.clock)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        waiting = subprocess.run([*helper, "wait", "--url", server.url, "--timeout", "120"], check=False)
        assert waiting.returncode == 0, (folder / "server.log").read_text()
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any], seconds: float = 20) -> None:
    """End a process that a test started: SIGTERM, and SIGKILL if it does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def go_tools(folder: Path) -> Path:
    """Jaeger's own es-rollover and es-index-cleaner, built from the module that the role jaeger builds from."""
    module = ROOT / "roles" / "jaeger" / "files" / "native"
    packages = [f"github.com/jaegertracing/jaeger/cmd/{name}" for name in ("es-rollover", "es-index-cleaner")]
    command = ["go", "build", "-trimpath", "-o", f"{folder}{os.sep}", *packages]
    subprocess.run(
        command, cwd=module, check=True, capture_output=True, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    return folder
