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

from tests.support.cluster_images import BUSYBOX
from tests.support.cluster_plays import InNamespace, role
from tests.support.kubernetes import Cluster
from tests.support.machine import Machine, machine
from tests.support.modules import run_module
from tests.support.playbooks import Run
from tests.support.servers import Elasticsearch, wait_for

NAME = "localhost"
NEVER = "0 0 31 2 *"  # of the cron jobs that an operator is told to make (roles/jaeger)
OBJECT = f"jaeger-es-maintenance-{NAME}"
SECRET = "nobody-sees-4711"
KINDS = "cronjob,job,pod,serviceaccount,secret"
OURS_NOT = {"Secret/elasticsearch", "CronJob/never"}


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
        return self.names_of(KINDS) - OURS_NOT

    def run_now(self, name: str) -> tuple[int, str]:
        """Start the CronJob's job by hand; the exit code and the log of its pod's first try."""
        self.kubectl("create", "job", name, f"--from=cronjob/{OBJECT}")
        wait_for(lambda: bool(self.ended(name)), 120)
        return int(self.ended(name)["exitCode"]), self.kubectl("logs", f"job/{name}")

    def ended(self, name: str) -> dict[str, Any]:
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
    """Check, refused, do, check, do again; by the cluster's own clock within a minute or so; what a run says; absent."""
    schedule.kubectl("create", "cronjob", "never", f"--image={BUSYBOX}", f"--schedule={NEVER}", "--", "true")
    every_minute = {"minute": "*", "hour": "*", "kubernetes_time_zone": "Europe/Vienna"}
    assert changed(schedule.run("--check", "--diff", **every_minute))
    assert schedule.names() == set()
    is_refused(schedule)
    every_minute["webhook_url"] = f"https://example.org/{SECRET}"
    done = schedule.run("--diff", "-vvvv", **every_minute)
    assert changed(done)
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert form not in done.output
    assert not changed(schedule.run(**every_minute))
    assert not changed(schedule.run("--check", "--diff", **every_minute))

    cron = schedule.get(f"cronjob/{OBJECT}")["spec"]
    assert (cron["schedule"], cron["concurrencyPolicy"]) == ("* * * * *", "Forbid")
    assert cron["timeZone"] == "Europe/Vienna"
    pod = cron["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    wait_for(lambda: "prod-jaeger-span-000002" in sets.indices(), 150)
    # The controller that has run ours would have run this one by now.
    assert "lastScheduleTime" not in schedule.get("cronjob/never")["status"]
    says_what_it_does(schedule, sets)
    assert changed(schedule.run(state="absent"))
    assert schedule.names() == set()
    assert not changed(schedule.run(state="absent"))


def is_refused(schedule: Schedule) -> None:
    """A namespace that is not there, and a time zone: each a clear failure, after which the next run goes through."""
    hosts = {
        "namespace": {"kubernetes_namespace": "nowhere-4711"},
        NAME: {"kubernetes_time_zone": "Mars/Olympus"},
    }
    variables = {host: schedule.variables(**given) for host, given in hosts.items()}
    # One of the role's own, over which a host's would not win.
    places = {"_rollover_schedule_record_dirs": variables[NAME]["_rollover_schedule_record_dirs"]}
    run = role("rollover_schedule", places, on=variables)
    assert set(run.errors) == set(hosts), run.output
    namespace, zone = run.errors["namespace"], run.errors[NAME]
    assert namespace.startswith("the schedule jaeger-es-maintenance-namespace cannot be applied: "), namespace
    assert "nowhere-4711" in namespace
    assert "unknown time zone Mars/Olympus" in zone, zone


def says_what_it_does(schedule: Schedule, sets: Elasticsearch) -> None:
    """One line on success; the reason, on failure; JSON on demand."""
    first, *_more = sorted(
        (each["metadata"]["name"] for each in schedule.get("jobs")["items"]),
        key=lambda name: (len(name), name),
    )
    wait_for(lambda: bool(schedule.ended(first)), 120)
    log = schedule.kubectl("logs", f"job/{first}")
    assert schedule.ended(first)["exitCode"] == 0, log
    assert f"{NAME}: 3 rolled over" in log
    assert changed(schedule.run(log_format="json"))
    sets.wipe()
    code, log = schedule.run_now("second")
    assert code == 1, log
    assert "there is no index prod-jaeger-" in log
    facts = json.loads([line for line in log.splitlines() if line.startswith("{")][-1])
    assert facts["level"] == "error"
    assert SECRET not in log
    schedule.kubectl("delete", "job", "second", "--cascade=foreground")


@pytest.fixture
def host(cluster: Cluster) -> Iterator[Machine]:
    """A machine with an /etc of its own, from which the cluster is reached."""
    assert cluster
    with machine() as running:
        yield running


def test_a_switch_to_cron_and_back(schedule: Schedule, host: Machine) -> None:
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
    assert changed(play(variables))
    assert f"CronJob/{OBJECT}" in schedule.names()
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
    assert changed(play(variables))
    assert not host.path(file).exists()
    assert f"CronJob/{OBJECT}" in schedule.names()
    assert not changed(play(variables))
