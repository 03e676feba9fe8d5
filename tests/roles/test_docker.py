# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method docker as far as it goes without a Docker daemon: the container that Docker would be asked for.

A listener stands where the daemon would. It has the image, has no container, and refuses to make one: the tests look at
what community.docker sent. That Docker then runs it is not tested (docs/verified.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.modules import run_module
from tests.support.playbooks import play_on
from tests.support.servers import Elasticsearch
from tests.support.serving import serving

ELASTICSEARCH_IMAGE = "docker.elastic.co/elasticsearch/elasticsearch:7.17.1"
JAEGER_IMAGE = "jaegertracing/all-in-one:1.57"
IMAGE_ID = "sha256:" + "0" * 64


class Listener(ThreadingHTTPServer):
    """Keeps the requests for new containers: name and definition."""

    created: list[tuple[str, dict[str, Any]]]


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self.answer(
                200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0.0", "Os": "linux"}
            )
        elif self.path.endswith("/info"):
            self.answer(200, {"Name": "listener"})
        elif "/containers/json?" in self.path:
            self.answer(200, [])
        elif "/images/json?" in self.path:
            self.answer(200, [{"Id": IMAGE_ID, "RepoTags": [ELASTICSEARCH_IMAGE, JAEGER_IMAGE]}])
        elif "/images/" in self.path:
            self.answer(200, {"Id": IMAGE_ID, "Config": {}, "Os": "linux"})
        else:
            self.answer(404, {"message": "there is none"})

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if address.path.endswith("/containers/create"):
            self.server.created.append((parse_qs(address.query)["name"][0], content))
        self.answer(507, {"message": "no space left on device"})

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def docker() -> Iterator[Listener]:
    """The listener, running."""
    server = Listener(("127.0.0.1", 0), Handler)
    server.created = []
    with serving(server):
        yield server


PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: "tracestack.jaeger.{{ inventory_hostname }}"
"""


def test_the_containers_are_the_tutorial_s(docker: Listener, es: Elasticsearch, tmp_path: Path) -> None:
    """Jaeger's has the same arguments as the process."""
    init = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not init.message
    hosts: dict[str, dict[str, Any]] = {
        "elasticsearch": {"elasticsearch_method": "docker", "elasticsearch_port": 9201},
        "jaeger": {
            "jaeger_method": "docker",
            "elasticsearch_url": es.url,
            "jaeger_elasticsearch_username": "jaeger",
            "jaeger_elasticsearch_password": "unseen-4711",
        },
    }
    playbook, home = tmp_path / "docker.yml", tmp_path / "home"
    playbook.write_text(PLAYBOOK)
    environment = {"DOCKER_HOST": f"tcp://127.0.0.1:{docker.server_address[1]}"}
    run = play_on(hosts, playbook, {"tracestack_home": str(home)}, env=environment)
    errors = run.errors
    assert set(errors) == set(hosts)
    for role, other in (("elasticsearch", "embedded"), ("jaeger", "native")):
        assert "no space left on device" in errors[role]
        assert errors[role].endswith(f"or set {role}_method to {other}.")
    assert not home.exists()

    created = dict(docker.created)
    assert len(docker.created) == len(created) == 2
    asked = created["trace-elastic"]
    assert asked["Image"] == ELASTICSEARCH_IMAGE
    assert {"discovery.type=single-node", "ES_JAVA_OPTS=-Xms512m -Xmx512m"} <= set(asked["Env"])
    host = asked["HostConfig"]
    assert host["PortBindings"] == {"9200/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9201"}]}
    assert host["Binds"] == ["trace-elastic:/usr/share/elasticsearch/data:rw"]

    asked = created["trace-jaeger"]
    assert asked["Image"] == JAEGER_IMAGE
    assert asked["HostConfig"]["NetworkMode"] == "host"
    assert {
        f"--es.server-urls={es.url}",
        "--es.index-prefix=prod",
        "--es.use-aliases=true",
        "--es.create-index-templates=false",
        "--query.http-server.host-port=127.0.0.1:16686",
    } <= set(asked["Cmd"])
    assert not [each for each in asked["Cmd"] if "host-port" in each and "127.0.0.1:" not in each]
    assert {"SPAN_STORAGE_TYPE=elasticsearch", "ES_PASSWORD=unseen-4711"} <= set(asked["Env"])
    assert "unseen-4711" not in " ".join(asked["Cmd"])
    assert "unseen-4711" not in run.output
