# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role rollover_schedule, method kubernetes, on a real cluster: the CronJob's pod does the work, restricted, with both Secrets."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster_plays import InNamespace, role
from tests.support.kubernetes import Cluster
from tests.support.machine import Machine, machine
from tests.support.modules import run_module
from tests.support.playbooks import Run
from tests.support.servers import Elasticsearch, wait_for

NAME = "localhost"
OBJECT = f"jaeger-es-maintenance-{NAME}"
SECRET = "nobody-sees-4711"
KINDS = "cronjob,job,pod,serviceaccount,secret"


@dataclass(frozen=True)
class Schedule(InNamespace):
    """The role on a namespace of the cluster that lets only what is restricted run."""

    image: str
    home: Path
    url: str

    def variables(self, **given: Any) -> dict[str, Any]:
        """What the role is run with, given without its name."""
        mine = {
            "kubernetes_kubeconfig": str(self.cluster.kubeconfig),
            "rollover_schedule_method": "kubernetes",
            "rollover_schedule_kubernetes_namespace": self.namespace,
            "rollover_schedule_kubernetes_image": self.image,
            "rollover_schedule_kubernetes_secret": "elasticsearch",
            "rollover_schedule_random_delay": 0,
            "_rollover_schedule_record_dirs": {"system": f"{self.home}/etc", "user": f"{self.home}/config"},
            "index_lifecycle_server_urls": [self.url],
            "index_lifecycle_username": "jaeger",
            "index_lifecycle_password_file": "/etc/jaeger-es-maintenance/secret/password",
            "index_lifecycle_conditions": {"max_age": "0s"},
        }
        return mine | {f"rollover_schedule_{name}": value for name, value in given.items()}

    def run(self, *arguments: str, **given: Any) -> Run:
        """Run the role."""
        return role("rollover_schedule", self.variables(**given), *arguments)

    def names(self) -> set[str]:
        """All that the namespace has of ours."""
        return self.names_of(KINDS) - {"Secret/elasticsearch"}

    def run_now(self, name: str) -> tuple[int, str]:
        """Start the CronJob's job by hand; the exit code and the log of its pod's first try."""
        self.kubectl("create", "job", name, f"--from=cronjob/{OBJECT}")
        wait_for(lambda: bool(self._ended(name)), 120)
        return int(self._ended(name)["exitCode"]), self.kubectl("logs", f"job/{name}")

    def _ended(self, name: str) -> dict[str, Any]:
        pods = self.get("pods", f"--selector=job-name={name}")
        states = [one["state"] for pod in pods["items"] for one in pod["status"].get("containerStatuses", [])]
        return dict(states[0].get("terminated") or {}) if states else {}


@pytest.fixture
def sets(es: Elasticsearch) -> Elasticsearch:
    """Index sets of the prefix prod, each with its first generation."""
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert answer.changed, answer.output
    return es


@pytest.fixture
def schedule(
    cluster: Cluster, namespace: str, maintenance_image: str, es_for_pods: str, tmp_path: Path
) -> Schedule:
    """The role on a fresh namespace."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    secret = ["create", "secret", "generic", "elasticsearch", f"--from-literal=password={SECRET}"]
    cluster.kubectl("--namespace", namespace, *secret)
    return Schedule(cluster, namespace, maintenance_image, tmp_path, es_for_pods)


def changed(run: Run) -> bool:
    """Whether a run that went well changed anything."""
    assert run.code == 0, run.output
    return run.count("changed") > 0


def test_the_cluster_runs_it(schedule: Schedule, sets: Elasticsearch) -> None:
    """Check, do, check, do again; by the cluster's own clock within a minute or so; absent."""
    assert changed(schedule.run("--check", "--diff", minute="*", hour="*"))
    assert schedule.names() == set()
    webhook = f"https://example.org/{SECRET}"
    done = schedule.run("--diff", "-vvvv", minute="*", hour="*", webhook_url=webhook)
    assert changed(done)
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert form not in done.output
    again = {"minute": "*", "hour": "*", "webhook_url": webhook}
    assert not changed(schedule.run(**again))
    assert not changed(schedule.run("--check", "--diff", **again))

    cron = schedule.get(f"cronjob/{OBJECT}")["spec"]
    assert (cron["schedule"], cron["concurrencyPolicy"]) == ("* * * * *", "Forbid")
    pod = cron["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    wait_for(lambda: "prod-jaeger-span-000002" in sets.indices(), 150)
    assert changed(schedule.run(state="absent"))
    assert schedule.names() == set()
    assert not changed(schedule.run(state="absent"))


def test_what_a_run_says(schedule: Schedule, sets: Elasticsearch) -> None:
    """One line on success; the reason, on failure; JSON on demand."""
    assert changed(schedule.run())
    code, log = schedule.run_now("first")
    assert code == 0, log
    assert f"{NAME}: 3 rolled over" in log
    sets.wipe()
    assert changed(schedule.run(log_format="json"))
    code, log = schedule.run_now("second")
    assert code == 1, log
    assert "there is no index prod-jaeger-" in log
    facts = json.loads([line for line in log.splitlines() if line.startswith("{")][-1])
    assert facts["level"] == "error"
    assert SECRET not in log
    assert changed(schedule.run(state="absent"))


def test_what_the_cluster_refuses(schedule: Schedule) -> None:
    """A namespace that is not there, and a time zone: each a clear failure, and the next run goes through."""
    run = schedule.run(kubernetes_namespace="nowhere-4711")
    assert run.error.startswith(f"the schedule {OBJECT} cannot be applied: "), run.error
    assert "nowhere-4711" in run.error
    run = schedule.run(kubernetes_time_zone="Mars/Olympus")
    assert "unknown time zone Mars/Olympus" in run.error, run.error
    assert changed(schedule.run(kubernetes_time_zone="Europe/Vienna"))
    assert schedule.get(f"cronjob/{OBJECT}")["spec"]["timeZone"] == "Europe/Vienna"
    assert changed(schedule.run(state="absent"))
    assert schedule.names() == set()


@pytest.fixture
def host(cluster: Cluster) -> Iterator[Machine]:
    """A machine with an /etc of its own, from which the cluster is reached."""
    assert cluster
    with machine() as running:
        yield running


def test_a_switch_from_cron_and_back(schedule: Schedule, host: Machine) -> None:
    """One schedule at any time; and none is made while the first cannot be removed."""
    variables = schedule.variables()
    del variables["_rollover_schedule_record_dirs"]
    (host.shared / "password").write_text(SECRET)
    os.chmod(host.shared / "password", 0o644)
    cron = variables | {
        "rollover_schedule_method": "cron",
        "index_lifecycle_password_file": str(host.shared / "password"),
    }
    inventory = host.shared / "inventory.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory.write_text(yaml.safe_dump({"elasticsearch": {"hosts": {NAME: local}}}))

    def play(given: dict[str, Any]) -> Run:
        return host.play("playbooks/schedule.yml", given, "--inventory", str(inventory))

    file = f"/etc/cron.d/{OBJECT}"
    assert changed(play(cron))
    assert host.path(file).exists()
    assert changed(play(variables))
    assert not host.path(file).exists()
    assert f"CronJob/{OBJECT}" in schedule.names()
    assert not changed(play(variables))

    kubeconfig = host.path(str(schedule.cluster.kubeconfig))
    kept = kubeconfig.read_text()
    kubeconfig.write_text(kept.replace("192.168.49.2:8443", "127.0.0.1:9"))
    refused = play(cron | {"kubernetes_timeout": 5})
    assert "The cluster does not answer within 5 s" in refused.error, refused.error
    assert not host.path(file).exists()
    kubeconfig.write_text(kept)
    assert changed(play(cron))
    assert host.path(file).exists()
    assert schedule.names() == set()
    assert changed(play(cron | {"rollover_schedule_state": "absent"}))
    assert not host.path(file).exists()
