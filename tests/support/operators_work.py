# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Jaeger operator 1.56 makes of its resource, made by the test: its image cannot be had here.

The objects are real ones, with the names, arguments, labels and owners that were seen with the real operator, in its order, and
run real programs: init of Jaeger's own es-rollover, Jaeger's collector and query service. What they do is not played. That
an operator does this and nothing else is what a test with these objects takes for granted.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.cluster_images import BUSYBOX
from tests.support.jaeger_role import Role
from tests.support.servers import jaeger_programs

NAME = "jaeger"
COLLECTOR_PORTS = {
    "http-zipkin": 9411,
    "grpc-jaeger": 14250,
    "http-c-tchan-trft": 14267,
    "http-c-binary-trft": 14268,
    "admin-http": 14269,
    "grpc-otlp": 4317,
    "http-otlp": 4318,
}
QUERY_PORTS = {"http-query": 16686, "grpc-query": 16685, "admin-http": 16687}


@dataclass
class OperatorsWork:
    """Makes what the operator makes, in a thread, whenever the resource has changed."""

    role: Role
    schedules: dict[str, str] = field(default_factory=dict)  # of further cron jobs
    revision: str = ""
    failures: list[BaseException] = field(default_factory=list)

    def step(self) -> None:
        """Look at the resource and act on it, if it is there and new."""
        shown = self._attempt("get", "jaeger", NAME, "--output=json")
        if shown.returncode != 0:
            self.revision = ""
            return
        resource = json.loads(shown.stdout)
        revision = resource["spec"]["annotations"]["tracestack.jaeger/revision"]
        if revision != self.revision:
            self.make(resource)
            self.revision = revision

    def make(self, resource: dict[str, Any]) -> None:
        """All that it makes, in its order: first the Job, and nothing else until that is complete."""
        owner = {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "name": resource["metadata"]["name"],
            "uid": resource["metadata"]["uid"],
            "controller": True,
        }
        spec = resource["spec"]
        es = spec["storage"]["options"]["es"]
        if self._attempt("get", "job", f"{NAME}-es-rollover-create-mapping").returncode != 0:
            self._initialise(es)
            self._apply(self._job(owner, es))
            self._kubectl(
                "wait", "--for=condition=complete", f"job/{NAME}-es-rollover-create-mapping", "--timeout=60s"
            )
        rollover = spec["storage"].get("esRollover", {}).get("schedule", "0 0 * * *")
        schedules = {f"{NAME}-es-rollover": rollover, f"{NAME}-es-lookback": rollover, **self.schedules}
        self._apply(*(self._cron_job(owner, name, schedule) for name, schedule in schedules.items()))
        for name, component, ports, headless in (
            (f"{NAME}-collector-headless", "collector", COLLECTOR_PORTS, True),
            (f"{NAME}-collector", "collector", COLLECTOR_PORTS, False),
            (f"{NAME}-query", "query", QUERY_PORTS, False),
        ):
            self._service(owner, name, component, ports, headless=headless)
        self._apply(
            *(self._deployment(owner, component, spec, es) for component in ("collector", "query")),
        )

    def _initialise(self, es: dict[str, Any]) -> None:
        """What the Job does: init of Jaeger's own tool, on the same Elasticsearch by its address for this machine."""
        environment = {
            **os.environ,
            "INDEX_PREFIX": es["index-prefix"],
            "SHARDS": str(es["num-shards"]),
            "REPLICAS": str(es["num-replicas"]),
        }
        tool = jaeger_programs("es-rollover") / "es-rollover"
        subprocess.run([tool, "init", self.role.es.url], env=environment, check=True, capture_output=True)

    def _job(self, owner: dict[str, Any], es: dict[str, Any]) -> dict[str, Any]:
        name = f"{NAME}-es-rollover-create-mapping"
        container = {"name": name, "image": BUSYBOX, "command": ["true"], "args": ["init", es["server-urls"]]}
        pod = {"restartPolicy": "OnFailure", "containers": [container]}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": self._metadata(owner, name, "job-es-rollover-create-mapping"),
            "spec": {"template": {"spec": pod}},
        }

    def _cron_job(self, owner: dict[str, Any], name: str, schedule: str) -> dict[str, Any]:
        container = {"name": name, "image": BUSYBOX, "command": ["true"]}
        pod = {"restartPolicy": "OnFailure", "containers": [container]}
        return {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": self._metadata(owner, name, f"cronjob-{name.removeprefix(NAME + '-')}"),
            "spec": {
                "schedule": schedule,
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {"template": {"spec": pod}}},
            },
        }

    def _service(
        self, owner: dict[str, Any], name: str, component: str, ports: dict[str, int], *, headless: bool
    ) -> None:
        """Updated when it bears the operator's labels; else created, which fails where somebody else has one of this name."""
        spec: dict[str, Any] = {
            "selector": self._labels(f"{NAME}-{component}", component),
            "ports": [{"name": key, "port": port, "targetPort": port} for key, port in ports.items()],
        } | ({"clusterIP": "None"} if headless else {})
        metadata = self._metadata(owner, name, f"service-{component}")
        labels = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/managed-by=jaeger-operator"
        shown = json.loads(self._kubectl("get", "services", f"--selector={labels}", "--output=json"))
        mine = {each["metadata"]["name"]: each for each in shown["items"]}
        if name in mine:
            old = mine[name]
            old["metadata"]["labels"] |= metadata["labels"]
            old["metadata"]["ownerReferences"] = metadata["ownerReferences"]
            spec["clusterIP"] = old["spec"]["clusterIP"]
            self._kubectl("replace", "--filename=-", stdin=json.dumps({**old, "spec": spec}))
        else:
            service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
            self._kubectl("create", "--filename=-", stdin=json.dumps(service))

    def _deployment(
        self, owner: dict[str, Any], component: str, spec: dict[str, Any], es: dict[str, Any]
    ) -> dict[str, Any]:
        name = f"{NAME}-{component}"
        labels = self._labels(name, component)
        admin = {"collector": 14269, "query": 16687}[component]
        probe = {"httpGet": {"path": "/", "port": admin}}
        container = {
            "name": name,
            "image": f"jaegertracing/jaeger-{component}:1.57",
            "args": sorted(f"--es.{key}={_text(value)}" for key, value in es.items()),
            "env": [{"name": "SPAN_STORAGE_TYPE", "value": "elasticsearch"}],
            "readinessProbe": {**probe, "initialDelaySeconds": 1},
            "lifecycle": spec[component].get("lifecycle"),
            "resources": spec[component]["resources"],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata(owner, name, component),
            "spec": {
                "selector": {"matchLabels": labels},
                "strategy": spec[component]["strategy"],
                "template": {
                    "metadata": {"labels": labels, "annotations": spec["annotations"]},
                    "spec": {"containers": [container], "enableServiceLinks": False},
                },
            },
        }

    def _metadata(self, owner: dict[str, Any], name: str, component: str) -> dict[str, Any]:
        return {
            "name": name,
            "namespace": self.role.namespace,
            "labels": self._labels(name, component),
            "ownerReferences": [owner],
        }

    def _labels(self, name: str, component: str) -> dict[str, str]:
        return {
            "app": "jaeger",
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": NAME,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "jaeger",
            "app.kubernetes.io/managed-by": "jaeger-operator",
        }

    def _apply(self, *resources: dict[str, Any]) -> None:
        whole = {"apiVersion": "v1", "kind": "List", "items": list(resources)}
        self._kubectl("apply", "--filename=-", stdin=json.dumps(whole))

    def _kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self.role.cluster.kubectl(f"--namespace={self.role.namespace}", *arguments, stdin=stdin)

    def _attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.role.cluster.attempt(f"--namespace={self.role.namespace}", *arguments)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def operators_work(role: Role, **schedules: str) -> Iterator[OperatorsWork]:
    """Act on the namespace's resource until the block ends. schedules are of cron jobs that the operator makes beside its usual ones."""
    work = OperatorsWork(role, {f"{NAME}-{name.replace('_', '-')}": each for name, each in schedules.items()})
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            try:
                work.step()
            except BaseException as failed:
                work.failures.append(failed)
            time.sleep(1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield work
    finally:
        over.set()
        thread.join(120)
