# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger: what keeps it from starting is one sentence; method binary runs a given program."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.modules import run_module
from tests.support.playbooks import play, processes, set_up
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import ROOT, Elasticsearch, Jaeger, answers, free_port, jaeger_programs, wait_for

DEFAULTS: dict[str, Any] = yaml.safe_load((ROOT / "roles/jaeger/defaults/main.yml").read_text())


@pytest.fixture
def storage(es: Elasticsearch) -> Elasticsearch:
    """Elasticsearch with the index sets of the prefix prod."""
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not answer.message
    return es


def free_ports() -> dict[str, int]:
    """A free port for each that the role opens."""
    return {name: free_port() for name in DEFAULTS if name.endswith("_port")}


def test_unknown_method(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = set_up("jaeger", home, {"jaeger_method": "helm"})
    assert run.error == (
        "value of jaeger_method must be one of: native, binary, docker, operator, kubernetes, got: helm"
    )
    assert not home.exists()


def test_elasticsearch_that_does_not_answer(tmp_path: Path) -> None:
    home = tmp_path / "home"
    url = f"http://127.0.0.1:{free_port()}"
    run = set_up("jaeger", home, {"elasticsearch_url": url})
    assert run.error == (
        f"Elasticsearch does not answer at {url} (jaeger_elasticsearch_urls): [Errno 111] Connection refused"
    )
    assert run.count("changed") == 0
    assert not home.exists()


def test_elasticsearch_that_refuses_the_password(es: Elasticsearch, tmp_path: Path) -> None:
    """The embedded server knows no passwords, so the refusal is the proxy's."""
    refuses = nth("GET", "/_alias/", Fault(reaches=False, status=401), times=100)
    secrets = {"jaeger_elasticsearch_username": "jaeger", "jaeger_elasticsearch_password": "wrong-4711"}
    with proxy(es.url, refuses) as seen:
        run = set_up("jaeger", tmp_path, {**secrets, "elasticsearch_url": seen.url}, "-vvvv")
    assert run.error == (
        f"{seen.url} refuses the user name or password "
        "(jaeger_elasticsearch_username, jaeger_elasticsearch_password)."
    )
    assert run.count("changed") == 0
    assert "wrong-4711" not in run.output


def test_missing_write_alias(es: Elasticsearch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = set_up("jaeger", home, {"elasticsearch_url": es.url})
    assert run.error == (
        f"{es.url} has no alias prod-jaeger-span-write, and Jaeger would write an index of that name: initialise the "
        "index sets first (module es_rollover_init), or correct jaeger_index_prefix."
    )
    assert run.count("changed") == 0
    assert es.indices() == set()
    assert not home.exists()


def test_no_docker_daemon(storage: Elasticsearch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    variables = {"jaeger_method": "docker", "elasticsearch_url": storage.url}
    run = set_up("jaeger", home, variables, env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert run.error == (
        "Jaeger cannot run in Docker: Docker does not answer here. "
        "Check that `docker info` works for this user, or set jaeger_method to native."
    )
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"jaeger_binary": "/bin/jaeger", "jaeger_binary_url": "http://127.0.0.1/jaeger"},
        {"jaeger_binary_url": "http://127.0.0.1/jaeger"},
    ],
    ids=["neither", "both", "no checksum"],
)
def test_method_binary_that_is_not_told_which(
    storage: Elasticsearch, tmp_path: Path, variables: dict[str, Any]
) -> None:
    home = tmp_path / "home"
    run = set_up("jaeger", home, {"jaeger_method": "binary", "elasticsearch_url": storage.url, **variables})
    assert run.error == (
        "The method binary needs either jaeger_binary, or jaeger_binary_url with jaeger_binary_checksum "
        "(sha256:… or sha512:…)."
    )
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"jaeger_method": "binary", "jaeger_binary": "/no/such/jaeger"},
            "/no/such/jaeger is not a program that can be run (jaeger_binary, jaeger_binary_url).",
        ),
        (
            {"jaeger_method": "binary", "jaeger_binary": "/etc/passwd"},
            "/etc/passwd is not a program that can be run (jaeger_binary, jaeger_binary_url).",
        ),
        (
            {"jaeger_method": "binary", "jaeger_binary": "/usr/bin"},
            "/usr/bin is not a program that can be run (jaeger_binary, jaeger_binary_url).",
        ),
        (
            {"jaeger_go_executable": "no-such-go"},
            (
                "Jaeger is built by Go 1.24 or newer, but no-such-go is missing: "
                "run bin/bootstrap and put .venv/bin into PATH, or set jaeger_go_executable."
            ),
        ),
        (
            {"jaeger_version": "1.60.0"},
            (
                "The method native cannot build Jaeger 1.60.0: "
                "set jaeger_version to 1.57.0, or jaeger_method to binary or docker."
            ),
        ),
    ],
    ids=["no such program", "not executable", "a folder", "no Go", "version"],
)
def test_a_missing_program_or_tool_changes_nothing(
    storage: Elasticsearch, tmp_path: Path, variables: dict[str, Any], sentence: str
) -> None:
    home = tmp_path / "home"
    own = {"elasticsearch_url": storage.url, "jaeger_dist_dir": str(home / "dist")}
    run = set_up("jaeger", home, {**own, **variables})
    assert run.error == sentence
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert not home.exists()


def test_old_go(storage: Elasticsearch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.20.5\n")
    go.chmod(0o755)
    home = tmp_path / "home"
    own = {"elasticsearch_url": storage.url, "jaeger_dist_dir": str(home / "dist")}
    run = set_up("jaeger", home, {**own, "jaeger_go_executable": str(go)})
    assert run.error == (
        f"Jaeger is built by Go 1.24 or newer, but {go} is go1.20.5: "
        "run bin/bootstrap and put .venv/bin into PATH, or set jaeger_go_executable."
    )
    assert not home.exists()


@pytest.mark.xdist_group("home")
def test_taken_ports_are_all_named(storage: Elasticsearch, home: Path, taken_port: int, holder: str) -> None:
    """The second one is taken by the Elasticsearch that Jaeger stores in."""
    second = int(storage.url.rsplit(":", 1)[1])
    taken = {"jaeger_admin_port": taken_port, "jaeger_query_port": second}
    before = processes(home)
    run = set_up("jaeger", home, {"elasticsearch_url": storage.url, **free_ports(), **taken})
    assert f"port {taken_port} (jaeger_admin_port) is held by {holder}" in run.error
    assert f"port {second} (jaeger_query_port) is held by java (process " in run.error
    assert run.error.startswith("jaeger cannot listen on 127.0.0.1: ")
    assert run.error.endswith("Stop what holds it, or set the variable to another port.")
    assert processes(home) == before


@pytest.mark.xdist_group("home")
def test_method_binary_runs_the_given_program(storage: Elasticsearch, home: Path) -> None:
    """On real Elasticsearch: a span is stored and found; a second run changes nothing; down stops it."""
    ports = free_ports()
    program = jaeger_programs("all-in-one") / "all-in-one"
    variables: dict[str, Any] = {
        "jaeger_method": "binary",
        "jaeger_binary": str(program),
        "elasticsearch_url": storage.url,
        "jaeger_query_url": f"http://127.0.0.1:{ports['jaeger_query_port']}",
        **ports,
    }
    traces = Jaeger(
        variables["jaeger_query_url"], f"http://127.0.0.1:{ports['jaeger_otlp_http_port']}/v1/traces"
    )
    first = set_up("jaeger", home, variables)
    assert first.code == 0, first.output
    trace = uuid.uuid4().hex
    traces.send(trace, "given")
    wait_for(lambda: traces.finds(trace))
    assert any(command.startswith(f"{program} ") for command in commands(ports))
    second = set_up("jaeger", home, variables)
    assert second.code == 0, second.output
    assert second.count("changed") == 0
    down = play("playbooks/down.yml", {"tracestack_home": str(home)})
    assert down.code == 0, down.output
    assert not answers(traces.query_url)
    assert commands(ports) == processes(home) == []


def commands(ports: dict[str, int]) -> list[str]:
    """The command lines of the processes that were given the query port."""
    return processes(Path(f"127.0.0.1:{ports['jaeger_query_port']}"))
