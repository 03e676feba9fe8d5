# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real container registry for tests, with one user, at an address of this machine that the test cluster reaches."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.docker import program
from tests.support.go_programs import REGISTRY
from tests.support.kubernetes_parts import REGISTRY as ADDRESS
from tests.support.servers import stop, wait_for


@dataclass(frozen=True)
class Registry:
    """A running registry. It speaks plain HTTP, as the test cluster's node and docker() know."""

    address: str
    user: str
    password: str

    def answers(self) -> bool:
        """Whether it is there and wants a password."""
        try:
            urllib.request.urlopen(f"http://{self.address}/v2/", timeout=5).close()
        except urllib.error.HTTPError as refused:
            return refused.code == 401
        except OSError:
            return False
        return False


@contextmanager
def registry(folder: Path, user: str = "tracestack", password: str = "only-for-tests") -> Iterator[Registry]:
    """Run one until the block ends, with its files in this folder. The test cluster has to run, as the address is its."""
    folder.mkdir(parents=True, exist_ok=True)
    users = [program("htpasswd", "apache2-utils"), "-niB", user]
    listed = subprocess.run(users, input=password, capture_output=True, text=True, check=True).stdout
    (folder / "users").write_text(listed.strip() + "\n")
    settings = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": ADDRESS, "secret": "only-for-tests"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "users")}},
    }
    (folder / "settings.yml").write_text(json.dumps(settings))
    running = Registry(ADDRESS, user, password)
    with (folder / "registry.log").open("wb") as log:
        command = [str(REGISTRY.build()), "serve", str(folder / "settings.yml")]
        variables = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=variables)
    try:
        wait_for(lambda: process.poll() is not None or running.answers())
        assert process.poll() is None, (folder / "registry.log").read_text()
        yield running
    finally:
        stop(process)
