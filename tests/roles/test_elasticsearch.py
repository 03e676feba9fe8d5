# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role elasticsearch: each thing that keeps it from starting is one sentence, and nothing is started or stored."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import files, path_without, processes, set_up
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import Elasticsearch, free_port
from tests.support.serving import serving

EXTERNAL = {"elasticsearch_method": "external"}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"elasticsearch_method": "podman"},
            "value of elasticsearch_method must be one of: embedded, docker, external, got: podman",
        ),
        (
            {"elasticsearch_heap": "half"},
            "elasticsearch_heap is half; a heap size is a whole number with k, m or g, such as 512m.",
        ),
        ({"elasticsearch_port": 65536}, "elasticsearch_port is 65536; a port is between 1 and 65535."),
        (
            {**EXTERNAL, "elasticsearch_url": "localhost:9200"},
            "elasticsearch_url is localhost:9200; it must begin with http:// or https:// and a host.",
        ),
        (
            {**EXTERNAL, "elasticsearch_url": "elastic:pw-4711@localhost:9200/?apikey=key-4711"},
            (
                "elasticsearch_url has a user name or a query in it: put user name and password into elasticsearch_username "
                "and elasticsearch_password."
            ),
        ),
        (
            {"elasticsearch_method": "docker"},
            (
                "Elasticsearch cannot run in Docker: Docker does not answer here. Check that `docker info` works for this "
                "user, or set elasticsearch_method to embedded."
            ),
        ),
    ],
    ids=["method", "heap", "port", "url", "secret in the url", "no Docker daemon"],
)
def test_a_wrong_setting_changes_nothing(tmp_path: Path, variables: dict[str, Any], sentence: str) -> None:
    home = tmp_path / "home"
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    run = set_up("elasticsearch", home, variables, env=nowhere)
    assert run.error == sentence
    assert "4711" not in run.output
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.parametrize("more", [(), ("--check",)], ids=["", "check mode"])
def test_external_checks_that_it_answers_and_changes_nothing(
    es: Elasticsearch, tmp_path: Path, more: tuple[str, ...]
) -> None:
    home = tmp_path / "home"
    with proxy(es.url) as seen:
        run = set_up("elasticsearch", home, {**EXTERNAL, "elasticsearch_url": seen.url}, *more)
    assert run.code == 0, run.output
    assert run.count("changed") == 0
    assert seen.requests == ([] if more else ["GET /_cluster/health"])
    assert not home.exists()


def test_external_that_refuses_the_password(es: Elasticsearch, tmp_path: Path) -> None:
    """The embedded server knows no passwords, so the refusal is the proxy's."""
    refuses = nth("GET", "/_cluster/health", Fault(reaches=False, status=401), times=100)
    variables = {**EXTERNAL, "elasticsearch_username": "jaeger", "elasticsearch_password": "wrong-4711"}
    with proxy(es.url, refuses) as seen:
        run = set_up("elasticsearch", tmp_path, {**variables, "elasticsearch_url": seen.url}, "-vvvv")
    assert run.error == (
        f"{seen.url} is not an Elasticsearch that is ready: "
        "it refuses the user name or password (elasticsearch_username, elasticsearch_password)."
    )
    assert seen.requests == ["GET /_cluster/health"]
    assert "wrong-4711" not in run.output


def test_external_where_nobody_listens(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    run = set_up("elasticsearch", tmp_path, {**EXTERNAL, "elasticsearch_url": url})
    assert run.error == (
        f"{url} is not an Elasticsearch that is ready: nobody answers ([Errno 111] Connection refused), "
        "check elasticsearch_url."
    )
    assert run.count("changed") == 0


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no Elasticsearch: JSON with a status of its own, a page, or nothing there."""

    def do_GET(self) -> None:
        kind = self.path.strip("/").split("/")[0]
        content = {"json": b'{"status": "ok"}', "page": b"<html>Hello</html>"}.get(kind)
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "application/json" if kind == "json" else "text/html")
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("json", "its answer is not that of Elasticsearch (elasticsearch_url)."),
        ("page", "its answer is not that of Elasticsearch (elasticsearch_url)."),
        ("none", "it answers with HTTP status 404 (elasticsearch_url)."),
    ],
)
def test_external_that_is_not_elasticsearch(tmp_path: Path, path: str, reason: str) -> None:
    with stranger() as url:
        run = set_up("elasticsearch", tmp_path, {**EXTERNAL, "elasticsearch_url": f"{url}/{path}"})
    assert run.error == f"{url}/{path} is not an Elasticsearch that is ready: {reason}"
    assert run.count("changed") == 0


def program(folder: Path, name: str, script: str) -> Path:
    """A program of this name in this folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def assert_refused(
    home: Path, variables: dict[str, Any], sentence: str, env: dict[str, str] | None = None
) -> None:
    """The role fails with this sentence, having started nothing and left nothing but its helper."""
    before = files(home)
    run = set_up("elasticsearch", home, variables, env=env)
    assert run.error == sentence
    assert run.count("failed") == 1
    assert {path for path in files(home) - before if not path.startswith("elasticsearch/embedded/")} == set()
    assert processes(home) == []


def test_missing_java(tmp_path: Path) -> None:
    sentence = "Java is missing (no-such-java is not in PATH): apt-get install openjdk-17-jdk-headless."
    assert_refused(tmp_path / "home", {"elasticsearch_java": "no-such-java"}, sentence)


def test_old_java(tmp_path: Path) -> None:
    java = program(tmp_path / "jdk", "java", """echo 'openjdk version "11.0.25" 2024-10-15' >&2""")
    sentence = f"{java} is Java 11, but 17 or newer is needed: apt-get install openjdk-17-jdk-headless."
    assert_refused(tmp_path / "home", {"elasticsearch_java": str(java)}, sentence)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("mvn", "Maven is missing (mvn is not in PATH): apt-get install maven."),
        (
            "javac",
            "The Java compiler is missing (javac is not in PATH): apt-get install openjdk-17-jdk-headless.",
        ),
    ],
)
def test_missing_build_tool(tmp_path: Path, missing: str, sentence: str) -> None:
    environment = path_without(tmp_path / "bin", missing)
    home = tmp_path / "home"
    assert_refused(home, {"elasticsearch_dist_dir": str(home / "dist")}, sentence, environment)


def test_too_little_disk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = set_up("elasticsearch", home, {"elasticsearch_minimum_free_disk_mb": 10**9})
    said = re.fullmatch(
        re.escape(f"{home}/elasticsearch has ")
        + r"(\d+)"
        + re.escape(
            " MB free, but Elasticsearch needs 1000000000 MB (elasticsearch_minimum_free_disk_mb): "
            "free some space, or set elasticsearch_home to a bigger disk."
        ),
        run.error,
    )
    assert said, run.error
    assert abs(int(said[1]) - shutil.disk_usage(home).free / 2**20) < 1000
    assert processes(home) == []


def test_a_data_folder_of_somebody_else(tmp_path: Path) -> None:
    data = tmp_path / "letters"
    data.mkdir()
    (data / "to-ada.txt").write_text("Dear Ada")
    sentence = (
        f"{data} holds files that are not of this role: set elasticsearch_data_dir to a new or empty folder."
    )
    assert_refused(tmp_path / "home", {"elasticsearch_data_dir": str(data)}, sentence)
    assert files(data) == {"to-ada.txt"}


@pytest.mark.xdist_group("home")
def test_a_taken_port(home: Path, taken_port: int, holder: str) -> None:
    before = processes(home)
    run = set_up("elasticsearch", home, {"elasticsearch_port": taken_port})
    assert run.error == (
        f"elasticsearch cannot listen on 127.0.0.1: port {taken_port} (elasticsearch_port) is held by {holder}. "
        "Stop what holds it, or set the variable to another port."
    )
    assert not (home / "elasticsearch" / "data").exists()
    assert processes(home) == before
