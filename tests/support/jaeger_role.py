# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role jaeger's methods for a cluster: what it would apply, runs of it, and clients while it renews what they speak to."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kubernetes import Cluster
from tests.support.playbooks import Run, play, play_on
from tests.support.servers import ROOT, Elasticsearch, wait_for

ROLE = ROOT / "roles" / "jaeger"
RENDER = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: tracestack.jaeger.jaeger, tasks_from: settings.yml, public: true}
    - ansible.builtin.copy:
        content: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | to_json }}"
        dest: "{{ answer }}"
        mode: "0600"
"""
APPLY = """
- hosts: "{{ hosts | default('jaeger') }}"
  gather_facts: false
  roles: [tracestack.jaeger.jaeger]
"""
# Sends one trace after the other, through a connection that it keeps and through new ones in turn, and notes which were accepted. What
# does not get through the kept one, as the server has just closed that, is sent again through a new one, as any exporter does.
CLIENT = """
import http.client, json, pathlib, sys, time, uuid
host, accepted, stop = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])

def send(connection, trace):
    now = time.time_ns()
    span = {"traceId": trace, "spanId": trace[:16], "name": "work", "kind": 1,
            "startTimeUnixNano": str(now - 1000), "endTimeUnixNano": str(now)}
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "load"}}]}
    body = json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]})
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        return answer.status == 200 and not said.get("partialSuccess")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return False

def new():
    return http.client.HTTPConnection(host, timeout=10)

kept, refused = new(), 0
with accepted.open("w", buffering=1) as noted:
    while not stop.exists():
        for keep in (True, False):
            trace = uuid.uuid4().hex
            done = keep and send(kept, trace)
            if not done:
                fresh = new()
                done = send(fresh, trace)
                fresh.close()
            if done:
                print(trace, file=noted)
            else:
                refused += 1
        time.sleep(0.02)
print(refused)
"""


def rendered(folder: Path, hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Variables of the role as a play sees them, by host, each of which has variables of its own: those in names, or _jaeger_cr."""
    playbook = folder / "render.yml"
    playbook.write_text(RENDER)
    (folder / "templates").symlink_to(ROLE / "templates")
    usual = {"names": ["_jaeger_cr"], "__jaeger_secret_versions": "17", "role_path": str(ROLE)}
    each = {
        host: {**usual, "answer": str(folder / f"{number}.json"), **own}
        for number, (host, own) in enumerate(hosts.items())
    }
    run = play_on(each, playbook, {})
    assert run.code == 0, run.output
    return {host: json.loads(Path(variables["answer"]).read_text()) for host, variables in each.items()}


@dataclass(frozen=True)
class Role:
    """The role, for a namespace of a cluster and an Elasticsearch that pods reach at another address than we do."""

    cluster: Cluster
    namespace: str
    es: Elasticsearch
    url_for_pods: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *arguments: str, **variables: Any) -> Run:
        """Run it."""
        return play(self._playbook(), {**self._usual(), **variables}, *arguments)

    def on(self, hosts: Mapping[str, Mapping[str, Any]], *arguments: str) -> Run:
        """Run it on these hosts, each of which has variables of its own, and should have a namespace."""
        each = {host: {**self._usual(), **own} for host, own in hosts.items()}
        return play_on(each, self._playbook(), {"hosts": "all"}, *arguments)

    def _playbook(self) -> Path:
        playbook = self.folder / "apply.yml"
        playbook.write_text(APPLY)
        return playbook

    def _usual(self) -> dict[str, Any]:
        return {
            "kubernetes_kubeconfig": str(self.cluster.kubeconfig),
            "jaeger_namespace": self.namespace,
            "elasticsearch_url": self.url_for_pods,
            "elasticsearch_local_url": self.es.url,
            "jaeger_shards": 1,
            "jaeger_replicas": 0,
            "jaeger_timeout": 180,
            **self.settings,
        }

    def done(self, *arguments: str, **variables: Any) -> Run:
        """Run it; it goes well."""
        run = self(*arguments, **variables)
        assert run.code == 0, run.error or run.output[-3000:]
        return run

    def names(self, kinds: str) -> set[str]:
        """What there is of these kinds in the namespace, as kind/name, without what every namespace has."""
        shown = self.cluster.kubectl("get", kinds, "--namespace", self.namespace, "--output=name").split()
        return {
            name for name in shown if name not in {"configmap/kube-root-ca.crt", "serviceaccount/default"}
        }

    def images(self, label: str) -> set[str]:
        """The images of the pods with this label that are not about to end."""
        pods = self.cluster.get("pods", "--namespace", self.namespace, f"--selector={label}")["items"]
        return {
            container["image"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            for container in pod["spec"]["containers"]
        }

    def query(self, path: str) -> Any:
        """What the query service answers, through its Service."""
        service = f"/api/v1/namespaces/{self.namespace}/services/jaeger-query:16686/proxy"
        return json.loads(self.cluster.kubectl("get", "--raw", service + path))

    def finds(self, trace: str) -> bool:
        """Whether the query service finds this trace."""
        service = f"/api/v1/namespaces/{self.namespace}/services/jaeger-query:16686/proxy"
        return self.cluster.attempt("get", "--raw", f"{service}/api/traces/{trace}").returncode == 0

    @contextmanager
    def load(self) -> Iterator[Load]:
        """A client that sends traces to the Service all the time, until the block ends."""
        (self.folder / "client.py").write_text(CLIENT)
        address = self.cluster.get("service/jaeger-collector", "--namespace", self.namespace)["spec"][
            "clusterIP"
        ]
        accepted, stop = self.folder / "accepted", self.folder / "stop"
        stop.unlink(missing_ok=True)
        accepted.unlink(missing_ok=True)
        load = Load(self, accepted)
        arguments = (f"{address}:4318", str(accepted), str(stop))

        def send() -> None:
            load.refused.append(
                int(self.cluster.inside(sys.executable, str(self.folder / "client.py"), *arguments))
            )

        client = threading.Thread(target=send)
        client.start()
        try:
            load.wait_for_more()
            yield load
        finally:
            stop.touch()
            client.join(60)
        assert load.refused, "the client failed"


@dataclass(frozen=True)
class Load:
    """A running client, and what it was told. refused gets the number of its requests that failed."""

    role: Role
    file: Path
    refused: list[int] = field(default_factory=list)

    def accepted(self) -> set[str]:
        """The traces that the collector has accepted until now."""
        return set(self.file.read_text().split()) if self.file.exists() else set()

    def wait_for_more(self) -> None:
        """Until ten more were accepted."""
        before = len(self.accepted())
        wait_for(lambda: len(self.accepted()) >= before + 10)

    def lost(self) -> set[str]:
        """The traces that were accepted and are not found. The collector writes every 200 ms."""
        end = time.monotonic() + 30
        while (lost := self.accepted() - self.stored()) and time.monotonic() < end:
            time.sleep(1)
        return lost

    def stored(self) -> set[str]:
        """The traces that the read alias has."""
        es = self.role.es
        es.request("POST", "/prod-jaeger-span-read/_refresh")
        asked = {"size": 0, "aggs": {"traces": {"terms": {"field": "traceID", "size": 65000}}}}
        buckets = es.request("POST", "/prod-jaeger-span-read/_search", asked)["aggregations"]["traces"][
            "buckets"
        ]
        return {str(bucket["key"]) for bucket in buckets}
