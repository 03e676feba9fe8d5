# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger, method operator, on a real cluster: the real definition of the resource takes it, and what comes of it is checked.

The operator itself does not run here (docs/verified.md). Where a test needs what it makes, the test makes it
(tests/support/operators_work.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster_images import BUSYBOX
from tests.support.jaeger_role import Role, rendered
from tests.support.kubernetes import Cluster
from tests.support.modules import check_module, run_module
from tests.support.operators_work import operators_work
from tests.support.servers import Elasticsearch, wait_for

NEVER = "0 0 31 2 *"
INDEX_SETS = {"index_prefix": "prod", "shards": 1, "replicas": 0}
MADE = "jaegers,deployments,services,hpa,pdb,configmaps,secrets,serviceaccounts,jobs,cronjobs"

pytestmark = pytest.mark.usefixtures("definition")


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


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"jaeger_strategy": "allInOne"},
        {"jaeger_strategy": "streaming", "jaeger_kafka_brokers": ["kafka:9092"]},
        {"jaeger_maintenance_by": "operator", "jaeger_index_prefix": ""},
        {"jaeger_secret_name": "vault", "jaeger_ca_secret_name": "authority"},
    ],
    ids=["production", "allInOne", "streaming", "operator in charge", "secrets"],
)
def test_the_real_definition_takes_the_resource(
    cluster: Cluster, namespace: str, tmp_path: Path, variables: dict[str, Any]
) -> None:
    """Strictly: a field that the definition does not have would be refused."""
    resource = rendered(tmp_path, "_jaeger_cr", jaeger_namespace=namespace, **variables)["_jaeger_cr"]
    strict = ("create", "--validate=strict", "--dry-run=server", "--output=json", "--filename=-")
    stored = json.loads(cluster.kubectl(*strict, stdin=json.dumps(resource)))
    assert stored["spec"] == resource["spec"]


def test_a_field_that_the_resource_does_not_have(role: Role) -> None:
    run = role(jaeger_cr_spec={"colector": {"maxReplicas": 3}})
    assert ".spec.colector: field not declared in schema" in run.error
    assert run.count("changed") == 0
    assert role.names("jaegers") == set()


def test_webhooks_that_nobody_answers(role: Role, manifest: list[dict[str, Any]]) -> None:
    """The operator's own configuration of them, while no operator runs. It holds for this test's namespace alone."""
    (found,) = [each for each in manifest if each["kind"] == "ValidatingWebhookConfiguration"]
    name = f"{role.namespace}-jaeger"
    found = {**found, "metadata": {"name": name}}
    for webhook in found["webhooks"]:
        webhook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": role.namespace}}
    role.cluster.kubectl("create", "--filename=-", stdin=json.dumps(found))
    try:
        run = role(kubernetes_apply_retries=2, kubernetes_apply_delay=1)
        assert "vjaeger.kb.io" in run.error
        assert run.count("changed") == 0
    finally:
        role.cluster.kubectl("delete", "validatingwebhookconfiguration", name)


def test_an_operator_that_does_nothing(role: Role) -> None:
    """Its pods are looked at: here there are none."""
    run = role(jaeger_timeout=5, jaeger_operator_namespace=role.namespace)
    assert run.error.startswith(
        f"The operator has not acted on the resource jaeger of kind Jaeger in the namespace {role.namespace} within 5 s: "
        "it has not made the Job jaeger-es-rollover-create-mapping (the resource's state: none)."
    )
    assert f"Deployment jaeger-operator is not in namespace {role.namespace}" in run.error


def test_one_master(role: Role) -> None:
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


def test_a_date_that_never_comes(cluster: Cluster, namespace: str) -> None:
    """The real API takes it, and the real controller never runs it: another one beside it does run."""
    for name, schedule in (("never", NEVER), ("always", "* * * * *")):
        options = [f"--image={BUSYBOX}", f"--schedule={schedule}", f"--namespace={namespace}"]
        cluster.kubectl("create", "cronjob", name, *options, "--", "true")
    wait_for(
        lambda: "job.batch/always" in cluster.kubectl("get", "jobs", f"--namespace={namespace}", "-o=name"),
        90,
    )
    time.sleep(2)
    jobs = cluster.kubectl("get", "jobs", f"--namespace={namespace}", "--output=name").split()
    assert all(job.startswith("job.batch/always") for job in jobs)
    assert "lastScheduleTime" not in cluster.get("cronjob/never", f"--namespace={namespace}")["status"]


def test_no_span_is_lost_on_the_way_to_the_method_kubernetes(role: Role) -> None:
    """Under load, with what the operator makes made by the test. The Services stay the same ones."""
    with operators_work(role) as work:
        role.done()
        services = role.names("services")
        with role.load() as load:
            role.done(jaeger_method="kubernetes")
            load.wait_for_more()
        assert not work.failures
    assert load.lost() == set()
    assert load.refused == [0]
    assert role.names("services") == services
    assert role.names("jaegers,cronjobs,jobs") == set()
    assert role.names("deployments") == {
        "deployment.apps/jaeger-collector-plain",
        "deployment.apps/jaeger-query-plain",
    }
    assert role.done(jaeger_method="kubernetes").count("changed") == 0


def test_no_span_is_lost_on_the_way_to_the_method_operator(role: Role) -> None:
    """Likewise, the other way."""
    role.done(jaeger_method="kubernetes")
    services = role.names("services")
    with operators_work(role) as work:
        with role.load() as load:
            role.done()
            load.wait_for_more()
        assert not work.failures
    assert load.lost() == set()
    assert load.refused == [0]
    assert role.names("services") == services
    assert role.names("deployments") == {"deployment.apps/jaeger-collector", "deployment.apps/jaeger-query"}
    assert role.names("hpa,pdb") == set()
