# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger, method operator, on a real cluster: the real definition of the resource takes it, and what comes of it is checked.

The operator itself does not run here (docs/verified.md). Where a test needs what it makes, the test makes it
(tests/support/operators_work.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.jaeger_role import Role, rendered
from tests.support.kubernetes import Cluster
from tests.support.modules import check_module, run_module
from tests.support.operators_work import operators_work
from tests.support.servers import Elasticsearch, wait_for

INDEX_SETS = {"index_prefix": "prod", "shards": 1, "replicas": 0}
MADE = "jaegers,deployments,services,hpa,pdb,configmaps,secrets,serviceaccounts,jobs,cronjobs"

pytestmark = [pytest.mark.usefixtures("definition"), pytest.mark.xdist_group("whole cluster")]


@pytest.fixture(scope="module")
def manifest(shared_manifests: Path) -> list[dict[str, Any]]:
    """The operator's own manifest."""
    text = (shared_manifests / "jaeger-operator-v1.56.0.yaml").read_text()
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.fixture(scope="module")
def definition(cluster: Cluster, manifest: list[dict[str, Any]]) -> None:
    """The definition of the resource, without the webhooks: nobody would answer these. It may stay."""
    (found,) = [each for each in manifest if each["kind"] == "CustomResourceDefinition"]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(found))
    established = ("wait", "--for=condition=established", "crd/jaegers.jaegertracing.io", "--timeout=1s")
    wait_for(lambda: cluster.attempt(*established).returncode == 0)


@pytest.fixture
def role(
    cluster: Cluster, namespace: str, es: Elasticsearch, es_for_pods: str, tmp_path: Path
) -> Iterator[Role]:
    """The role, with its index sets initialised."""
    cluster.images("jaeger")
    answer = run_module("es_rollover_init", server_urls=es.url, **INDEX_SETS)
    assert not answer.message
    yield Role(cluster, namespace, es, es_for_pods, tmp_path, {"jaeger_method": "operator"})
    cluster.kubectl("delete", "jaegers", "--all", f"--namespace={namespace}", "--wait=false")


def test_the_real_definition_takes_the_resource(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Strictly: a field that the definition does not have would be refused."""
    cases: dict[str, dict[str, Any]] = {
        "production": {},
        "all-in-one": {"jaeger_strategy": "allInOne"},
        "streaming": {"jaeger_strategy": "streaming", "jaeger_kafka_brokers": ["kafka:9092"]},
        "operator-in-charge": {"jaeger_maintenance_by": "operator", "jaeger_index_prefix": ""},
        "secrets": {"jaeger_secret_name": "vault", "jaeger_ca_secret_name": "authority"},
    }
    usual = {"jaeger_method": "operator", "jaeger_namespace": namespace}
    hosts = {host: {**usual, **own} for host, own in cases.items()}
    strict = ("create", "--validate=strict", "--dry-run=server", "--output=json", "--filename=-")
    resources = {host: told["_jaeger_cr"] for host, told in rendered(tmp_path, hosts).items()}
    stored = {
        host: json.loads(cluster.kubectl(*strict, stdin=json.dumps(each)))["spec"]
        for host, each in resources.items()
    }
    assert stored == {host: each["spec"] for host, each in resources.items()}
    assert len({json.dumps(each) for each in stored.values()}) == len(cases)


def test_what_does_not_come_about(
    role: Role, manifest: list[dict[str, Any]], new_namespace: Callable[[], str]
) -> None:
    """A field that the resource does not have; webhooks that nobody answers; an operator that does nothing."""
    unanswered, idle = new_namespace(), new_namespace()
    hosts: dict[str, dict[str, Any]] = {
        "field": {"jaeger_cr_spec": {"colector": {"maxReplicas": 3}}},
        "webhooks": {
            "jaeger_namespace": unanswered,
            "kubernetes_apply_retries": 2,
            "kubernetes_apply_delay": 1,
        },
        "idle": {"jaeger_namespace": idle, "jaeger_timeout": 5, "jaeger_operator_namespace": idle},
    }
    # The operator's own configuration of webhooks, while no operator runs. It holds for one namespace alone.
    (found,) = [each for each in manifest if each["kind"] == "ValidatingWebhookConfiguration"]
    name = f"{unanswered}-jaeger"
    found = {**found, "metadata": {"name": name}}
    for webhook in found["webhooks"]:
        webhook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": unanswered}}
    role.cluster.kubectl("create", "--filename=-", stdin=json.dumps(found))
    try:
        run = role.on(hosts)
    finally:
        role.cluster.kubectl("delete", "validatingwebhookconfiguration", name)
    errors = run.errors
    assert set(errors) == set(hosts), run.output
    assert ".spec.colector: field not declared in schema" in errors["field"]
    assert role.names("jaegers") == set()
    assert "vjaeger.kb.io" in errors["webhooks"]
    assert {host: run.recap[host]["changed"] for host in hosts} == {"field": 0, "webhooks": 0, "idle": 1}
    assert errors["idle"].startswith(
        f"The operator has not acted on the resource jaeger of kind Jaeger in the namespace {idle} within 5 s: "
        "it has not made the Job jaeger-es-rollover-create-mapping (the resource's state: none)."
    )
    assert (
        f"Deployment jaeger-operator is not in namespace {idle}" in errors["idle"]
    )  # its pods are looked at
    role.cluster.kubectl("delete", "jaegers", "--all", f"--namespace={idle}", "--wait=false")


def test_one_master_and_the_way_to_the_other_method_and_back(role: Role) -> None:
    """With what the operator makes, made by the test: our templates after its init, its cron jobs never; and what if not."""
    foretold = role.done("--check", "--diff")
    assert foretold.count("changed") == 1
    assert role.names(MADE) == set()
    with operators_work(role) as work:
        first = role.done()
        assert not work.failures
        assert first.count("changed") == 2, "the resource, and the templates that the Job had written anew"
        assert not check_module("es_rollover_init", server_urls=role.es.url, **INDEX_SETS).changed
        with role.load() as load:
            load.wait_for_more()
        assert load.lost() == set()
        second = role.done()
        assert second.count("changed") == 0
        jobs = role.names("jobs")
        assert jobs == {"job.batch/jaeger-es-rollover-create-mapping"}, "no cron job has run"
        no_span_is_lost(role)
        assert not work.failures
    with operators_work(role, es_index_cleaner="55 23 * * *") as work:
        work.schedules |= {"jaeger-es-rollover": "0 0 * * *"}
        run = role(jaeger_cr_spec={"collector": {"maxReplicas": 3}})
        assert not work.failures
    assert run.error.startswith(
        "Index sets need one master, but the operator would run jaeger-es-index-cleaner, jaeger-es-rollover as well"
    )
    assert role.done(jaeger_state="absent").count("changed") > 0
    assert role.names(MADE) == set()
    assert role.done(jaeger_state="absent").count("changed") == 0


def no_span_is_lost(role: Role) -> None:
    """Under load, on the way to the method kubernetes and back. The Services stay the same ones."""
    services = role.names("services")
    with role.load() as load:
        role.done(jaeger_method="kubernetes")
        load.wait_for_more()
        assert role.names("services") == services
        assert role.names("jaegers,cronjobs,jobs") == set()
        assert role.names("deployments") == {
            "deployment.apps/jaeger-collector-plain",
            "deployment.apps/jaeger-query-plain",
        }
        assert role.done(jaeger_method="kubernetes").count("changed") == 0
        role.done()
        load.wait_for_more()
    assert load.lost() == set()
    assert load.refused == [0]
    assert role.names("services") == services
    assert role.names("deployments") == {"deployment.apps/jaeger-collector", "deployment.apps/jaeger-query"}
    assert role.names("hpa,pdb") == set()
