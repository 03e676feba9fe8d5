# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance image in pods: the operator's job and cron jobs, and the chart's, with another image name."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.kubernetes import Cluster
from tests.support.servers import Elasticsearch, wait_for

KINDS = ("span", "service", "dependencies")
HARDENED = {
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.fixture
def jobs(cluster: Cluster, namespace: str, maintenance_image: str, es_for_pods: str) -> Jobs:
    """Runs the image's jobs in a namespace that lets only what is restricted run."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    secret = ["create", "secret", "generic", "jaeger-secret", "--from-literal=ES_USERNAME=jaeger"]
    cluster.kubectl("--namespace", namespace, *secret, "--from-literal=ES_PASSWORD=s3cret-4711")
    return Jobs(cluster, namespace, maintenance_image, es_for_pods)


class Jobs:
    """Cron jobs as the operator makes them, each of which is run once, now."""

    def __init__(self, cluster: Cluster, namespace: str, image: str, url: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.image = image
        self.url = url

    def run(
        self, name: str, *arguments: str, env: dict[str, str], pod: dict[str, Any] | None = None
    ) -> tuple[int, str]:
        """Make the cron job and start it; the exit code and the log of its pod's first try."""
        container = {
            "name": name,
            "image": self.image,
            "args": list(arguments),
            "env": [{"name": key, "value": value} for key, value in env.items()],
            "envFrom": [{"secretRef": {"name": "jaeger-secret"}}],
            "securityContext": HARDENED,
        }
        spec = {"restartPolicy": "Never", "securityContext": POD | (pod or {}), "containers": [container]}
        job = {"spec": {"backoffLimit": 0, "template": {"spec": spec}}}
        cron = {"schedule": "10 0 * * *", "concurrencyPolicy": "Forbid", "jobTemplate": job}
        made = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": cron}
        self._kubectl("apply", "--filename", "-", stdin=json.dumps(made))
        self._kubectl("create", "job", f"{name}-now", f"--from=cronjob/{name}")
        wait_for(lambda: bool(self._ended(name)), 120)
        return int(self._ended(name)["exitCode"]), self._kubectl("logs", f"job/{name}-now")

    def _ended(self, name: str) -> dict[str, Any]:
        pods = self.cluster.get("--namespace", self.namespace, "pods", f"--selector=job-name={name}-now")
        states = [one["state"] for pod in pods["items"] for one in pod["status"].get("containerStatuses", [])]
        return dict(states[0].get("terminated") or {}) if states else {}

    def _kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)


def test_the_chart_s_jobs_and_the_operator_s(jobs: Jobs, es: Elasticsearch) -> None:
    """One image for both, with the arguments, environments, user and Secret of each."""
    code, log = jobs.run("too-early", "rollover", jobs.url, env={"INDEX_PREFIX": "prd"})
    assert code == 1
    assert log.startswith("error: there is no index prd-jaeger-")  # a failed job says why first
    assert es.indices() == set()
    the_chart_s(jobs, es)
    es.wipe()
    the_operator_s(jobs, es)


def the_chart_s(jobs: Jobs, es: Elasticsearch) -> None:
    """Its user, its flags, its variables."""
    env = {"ES_SERVER_URLS": jobs.url, "ES_NODES": jobs.url}
    chart = {"runAsUser": 1000}
    code, log = jobs.run("init", "init", jobs.url, "--index-prefix=prod", env=env, pod=chart)
    assert code == 0, log
    conditions = {"CONDITIONS": '{"max_age": "1d"}'}
    code, log = jobs.run(
        "rollover", "rollover", jobs.url, "--index-prefix=prod", env=env | conditions, pod=chart
    )
    assert (code, log.splitlines()[-1]) == (0, "done: nothing to do")
    assert es.indices() == {f"prod-jaeger-{kind}-000001" for kind in KINDS}


def the_operator_s(jobs: Jobs, es: Elasticsearch) -> None:
    """Its arguments, environment and Secret, in its order."""
    prod = {"INDEX_PREFIX": "prod"}
    code, log = jobs.run("create-mapping", "init", jobs.url, env=prod | {"SHARDS": "1", "REPLICAS": "0"})
    assert code == 0, log
    code, log = jobs.run("es-rollover", "rollover", jobs.url, env=prod | {"CONDITIONS": '{"max_age": "0s"}'})
    assert code == 0, log
    assert {alias for alias, index in es.aliases() if index == "prod-jaeger-span-000002"} == {
        "prod-jaeger-span-read",
        "prod-jaeger-span-write",
    }
    time.sleep(1.1)  # whole seconds count
    at_once = {"SERVICE_CACHE_TTL": "0s"}
    back = {"UNIT": "seconds", "UNIT_COUNT": "0"}
    code, log = jobs.run("es-lookback", "lookback", jobs.url, env=prod | back | at_once)
    assert log.splitlines()[-1] == "done: 3 changes"
    code, log = jobs.run("es-index-cleaner", "0", jobs.url, env=prod | {"ROLLOVER": "true"} | at_once)
    assert (code, log.splitlines()[-1]) == (0, "done: 3 changes")
    assert es.indices() == {f"prod-jaeger-{kind}-000002" for kind in KINDS}
