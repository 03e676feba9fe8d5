# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus, its Pushgateway and promtool: Debian's packages, unpacked into .local.

They are not installed: as packages they would be services of this machine that start with it.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.support.servers import ROOT, free_port, stop, wait_for

FOLDER = ROOT / ".local" / "prometheus"
PACKAGES = ("prometheus", "prometheus-pushgateway")


def program(name: str) -> str:
    """The path of prometheus, promtool or prometheus-pushgateway; the first call fetches all three."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "root" / "usr" / "bin" / name
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _fetch()
    return str(path)


def _fetch() -> None:
    download = ["apt-get", "download", "-q", *PACKAGES]
    if subprocess.run(download, cwd=FOLDER, capture_output=True, check=False).returncode:
        subprocess.run(
            ["apt-get", "update", "-q"], capture_output=True, check=False
        )  # a machine without lists
        done = subprocess.run(download, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(download)}: {done.stderr}"
    for package in FOLDER.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, FOLDER / "root"], check=True)
        package.unlink()


def promtool(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    command = [program("promtool"), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=300)


def get(url: str, **query: str) -> str:
    """What is there."""
    with urllib.request.urlopen(f"{url}?{urlencode(query)}" if query else url, timeout=30) as answer:
        return str(answer.read().decode())


def _answers(url: str) -> bool:
    try:
        get(url)
    except OSError:
        return False
    return True


@contextmanager
def _running(folder: Path, url: str, *command: str) -> Iterator[None]:
    """A program, until the block ends."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        wait_for(lambda: process.poll() is not None or _answers(url), 60)
        assert process.poll() is None, Path(log.name).read_text()
        yield
    finally:
        stop(process)


@contextmanager
def pushgateway(folder: Path) -> Iterator[str]:
    """A Pushgateway; its URL."""
    address = f"127.0.0.1:{free_port()}"
    command = (program("prometheus-pushgateway"), f"--web.listen-address={address}")
    with _running(folder, f"http://{address}/-/ready", *command):
        yield f"http://{address}"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of its API."""
        answer = json.loads(get(f"{self.url}/api/v1/{path}", **query))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and values that an expression has now."""
        data = self.ask("query", query=expression)
        assert data["resultType"] in ("vector", "scalar"), data
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    def alerts(self) -> set[tuple[str, str]]:
        """The name and the cluster of each alert that fires."""
        found = self.ask("alerts")["alerts"]
        firing = [one["labels"] for one in found if one["state"] == "firing"]
        return {(labels["alertname"], labels.get("cluster", "")) for labels in firing}


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[Prometheus]:
    """A Prometheus with this configuration."""
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(dict(config)))
    checked = promtool("check", "config", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    address = f"127.0.0.1:{free_port()}"
    command = (
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    )
    with _running(folder, f"http://{address}/-/ready", *command):
        yield Prometheus(f"http://{address}")
