# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger, method kubernetes: real collectors and query services in a real cluster, on a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.jaeger_role import Role
from tests.support.kubernetes import Cluster
from tests.support.modules import run_module
from tests.support.servers import Elasticsearch, wait_for

PASSWORD = "s3cr3t-4711"
# Without the operator's kind, which the role asks for, its modules ask for all kinds anew. That may fail where others change them.
pytestmark = pytest.mark.xdist_group("whole cluster")
MADE = "deployments,services,hpa,pdb,configmaps,secrets,serviceaccounts"


@pytest.fixture
def role(cluster: Cluster, namespace: str, es: Elasticsearch, es_for_pods: str, tmp_path: Path) -> Role:
    """The role, with its index sets initialised."""
    cluster.images("jaeger")
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not answer.message
    return Role(cluster, namespace, es, es_for_pods, tmp_path, {"jaeger_method": "kubernetes"})


def test_from_nothing_to_nothing(role: Role) -> None:
    """Check mode, for real, again; other pods under load; absent, absent again. Elasticsearch here knows no passwords and takes any."""
    with_password = {"jaeger_elasticsearch_username": "jaeger", "jaeger_elasticsearch_password": PASSWORD}
    foretold = role.done("--check", "--diff", "-vvvv", **with_password)
    assert foretold.count("changed") > 0
    assert role.names(MADE) == set()
    first = role.done("--diff", "-vvvv", **with_password)
    assert PASSWORD not in foretold.output + first.output
    assert role.names(MADE) == {
        "deployment.apps/jaeger-collector-plain",
        "deployment.apps/jaeger-query-plain",
        "service/jaeger-collector",
        "service/jaeger-collector-headless",
        "service/jaeger-query",
        "horizontalpodautoscaler.autoscaling/jaeger-collector-plain",
        "poddisruptionbudget.policy/jaeger-collector-plain",
        "poddisruptionbudget.policy/jaeger-query-plain",
        "secret/jaeger-elasticsearch",
        "serviceaccount/jaeger-plain",
    }
    with role.load() as load:
        load.wait_for_more()
    assert load.refused == [0]
    assert load.lost() == set()
    assert all(role.finds(trace) for trace in sorted(load.accepted())[:3])
    assert role.query("/api/services")["data"] == ["load"]
    assert role.done(**with_password).count("changed") == 0
    no_span_is_lost(role, with_password)
    assert role.done(jaeger_state="absent").count("changed") > 0
    assert role.names(MADE) == set()
    assert role.done(jaeger_state="absent").count("changed") == 0
    assert "prod-jaeger-span-000001" in role.es.indices()


def no_span_is_lost(role: Role, with_password: dict[str, str]) -> None:
    """Under load, another password, then version 2, which is a larger program, and back: every accepted trace is found."""
    collectors = "app.kubernetes.io/component=collector"
    role.cluster.images("jaeger2")
    before = role.names("pods")
    with role.load() as load:
        another = {**with_password, "jaeger_elasticsearch_password": "new-" + PASSWORD}
        changed = role.done("--diff", "-vvvv", **another)
        load.wait_for_more()
        assert changed.count("changed") == 2, "the Secret, and the Deployments"
        assert PASSWORD not in changed.output
        wait_for(lambda: not before & role.names("pods"), 120)
        larger = {"jaeger_collector_resources": {"limits": {"memory": "256Mi"}}}
        role.done(jaeger_version="2.2.0", **larger, **another)
        wait_for(lambda: role.images(collectors) == {"jaegertracing/jaeger:2.2.0"})
        load.wait_for_more()
        role.done(**another)
        wait_for(lambda: role.images(collectors) == {"jaegertracing/jaeger-collector:1.57"})
        load.wait_for_more()
    assert load.lost() == set()
    assert load.refused == [0]


def test_what_is_wrong_is_said_and_a_second_run_goes_through(
    role: Role, new_namespace: Callable[[], str]
) -> None:
    """An address of Elasticsearch that is none for pods, an image that is nowhere, a Secret that is not there, a user who may nothing."""
    token, kubeconfig = nobody(role)
    wrong: dict[str, dict[str, Any]] = {
        "address": {"elasticsearch_url": "http://host.minikube.internal:1"},
        "image": {"jaeger_collector_image": "jaegertracing/jaeger-collector:9.9"},
        "secret": {"jaeger_secret_name": "vault"},
        "user": {"kubernetes_kubeconfig": str(kubeconfig), "jaeger_namespace": role.namespace},
    }
    places = {host: {"jaeger_namespace": new_namespace()} for host in ("address", "image", "secret")}
    run = role.on(
        {host: {**places.get(host, {}), "jaeger_timeout": 40, **own} for host, own in wrong.items()}
    )
    errors = run.errors
    assert set(errors) == set(wrong), run.output
    assert errors["address"].startswith("Jaeger 1.57.0 is not ready after 40 s.")
    assert "(exit code 1)" in errors["address"]  # it has ended, waits, or has just been started again
    assert "no Elasticsearch node available" in errors["address"]
    assert errors["image"].startswith("Jaeger 1.57.0 is not ready after 40 s.")
    assert "jaegertracing/jaeger-collector:9.9" in errors["image"]
    assert "ErrImagePull" in errors["image"] or "ImagePullBackOff" in errors["image"]
    assert errors["secret"] == (
        f"There is no Secret vault in the namespace {places['secret']['jaeger_namespace']}: make it with ES_USERNAME, ES_PASSWORD, "
        "or correct jaeger_secret_name."
    )
    # The cluster is asked before anything is changed, and all that is forbidden is named.
    assert f"may not create deployments.apps in namespace {role.namespace}" in errors["user"]
    assert "patch services" in errors["user"]
    assert run.recap["user"]["changed"] == 0
    assert token not in run.output
    corrected = role.on(places)
    assert (corrected.code, corrected.count("failed")) == (0, 0), corrected.output


def nobody(role: Role) -> tuple[str, Path]:
    """The token of a user who may nothing, and a kubeconfig with it."""
    cluster = role.cluster
    cluster.kubectl("create", "serviceaccount", "nobody", f"--namespace={role.namespace}")
    token = cluster.kubectl("create", "token", "nobody", f"--namespace={role.namespace}")
    kubeconfig = role.folder / "nobody"
    kubeconfig.write_text(cluster.kubectl("config", "view", "--raw", "--flatten"))
    own = f"--kubeconfig={kubeconfig}"
    cluster.kubectl(own, "config", "set-credentials", "nobody", f"--token={token}")
    cluster.kubectl(own, "config", "set-context", "--current", "--user=nobody")
    return token, kubeconfig
