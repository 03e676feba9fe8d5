# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role jaeger in a cluster, as far as none is needed: what it would apply, and what it refuses before it asks one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.jaeger_role import rendered
from tests.support.modules import run_module
from tests.support.playbooks import set_up
from tests.support.servers import Elasticsearch, free_port

NEVER = "0 0 31 2 *"
SECRET = "wrong-4711"


def custom_resource(folder: Path, **variables: Any) -> dict[str, Any]:
    """The operator's resource, without what does not matter here."""
    resource: dict[str, Any] = rendered(folder, "_jaeger_cr", **variables)["_jaeger_cr"]
    return resource


def test_the_tutorials_resource(tmp_path: Path) -> None:
    resource = custom_resource(
        tmp_path,
        jaeger_elasticsearch_urls=["https://traces.example.org"],
        index_lifecycle_shards=2,
        jaeger_query_resources={"limits": {"memory": "64Mi"}},
    )
    assert resource["kind"] == "Jaeger"
    assert resource["metadata"] == {"name": "jaeger", "namespace": "observability"}
    spec = resource["spec"]
    assert set(spec) == {"annotations", "strategy", "collector", "query", "storage"}
    assert spec["strategy"] == "production"
    assert spec["collector"]["maxReplicas"] == 2
    assert spec["collector"]["resources"] == {"limits": {"cpu": "100m", "memory": "128Mi"}}
    assert spec["query"]["resources"] == {"limits": {"memory": "64Mi"}}
    assert spec["storage"] == {
        "type": "elasticsearch",
        "options": {
            "es": {
                "server-urls": "https://traces.example.org",
                "version": 7,
                "index-prefix": "prod",
                "use-aliases": True,
                "create-index-templates": False,
                "num-shards": 2,
                "num-replicas": 1,
            }
        },
        "esRollover": {"schedule": NEVER},
        "esIndexCleaner": {"enabled": False, "schedule": NEVER},
        "dependencies": {"enabled": False, "schedule": NEVER},
    }


def test_new_pods_are_ready_before_old_ones_end(tmp_path: Path) -> None:
    """The operator's own way is the opposite one."""
    spec = custom_resource(tmp_path)["spec"]
    for part in ("collector", "query"):
        assert spec[part]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }


def test_the_operator_stays_in_charge_if_told_so(tmp_path: Path) -> None:
    storage = custom_resource(tmp_path, jaeger_maintenance_by="operator")["spec"]["storage"]
    assert set(storage) == {"type", "options"}


def test_streaming(tmp_path: Path) -> None:
    spec = custom_resource(
        tmp_path,
        jaeger_strategy="streaming",
        jaeger_kafka_brokers=["kafka-0.kafka:9092", "kafka-1.kafka:9092"],
        jaeger_kafka_topic="spans",
    )["spec"]
    assert spec["strategy"] == "streaming"
    brokers = "kafka-0.kafka:9092,kafka-1.kafka:9092"
    assert spec["collector"]["options"] == {
        "kafka.producer.brokers": brokers,
        "kafka.producer.topic": "spans",
    }
    assert spec["ingester"]["options"] == {"kafka.consumer.brokers": brokers, "kafka.consumer.topic": "spans"}
    assert spec["storage"]["options"]["es"]["use-aliases"] is True


def test_all_in_one(tmp_path: Path) -> None:
    spec = custom_resource(tmp_path, jaeger_strategy="allInOne")["spec"]
    assert set(spec) == {"annotations", "strategy", "allInOne", "storage"}
    assert spec["storage"]["esRollover"] == {"schedule": NEVER}


def test_what_is_added_is_merged_and_wins(tmp_path: Path) -> None:
    added = {"ingress": {"enabled": False}, "storage": {"options": {"es": {"timeout": "30s"}}}}
    spec = custom_resource(tmp_path, jaeger_cr_spec=added)["spec"]
    assert spec["ingress"] == {"enabled": False}
    assert spec["storage"]["options"]["es"]["timeout"] == "30s"
    assert spec["storage"]["options"]["es"]["index-prefix"] == "prod"


def test_a_changed_secret_changes_the_pods_and_nothing_else(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    credentials = {"jaeger_elasticsearch_username": "jaeger", "jaeger_elasticsearch_password": SECRET}
    old = custom_resource(before, **credentials)
    new = custom_resource(after, **credentials, __jaeger_secret_versions="18")
    assert old["spec"].pop("annotations") != new["spec"].pop("annotations")
    assert old == new
    assert old["spec"]["storage"]["secretName"] == "jaeger-elasticsearch"
    assert SECRET not in json.dumps([old, new])


@pytest.mark.parametrize("version", ["1.57.0", "2.2.0"])
def test_pods_of_the_method_kubernetes(tmp_path: Path, version: str) -> None:
    """They may nothing, take over without a gap, and have their secrets from files."""
    names = ("_jaeger_deployments", "_jaeger_around", "_jaeger_services", "_jaeger_made_secrets")
    authority = tmp_path / "ca.pem"
    authority.write_text("authority")
    found = rendered(
        tmp_path,
        *names,
        jaeger_version=version,
        jaeger_elasticsearch_username="jaeger",
        jaeger_elasticsearch_password=SECRET,
        jaeger_elasticsearch_ca_path=str(authority),
        jaeger_image_pull_secrets=["registry"],
    )
    assert SECRET not in json.dumps([found[name] for name in names[:3]])
    assert [each["metadata"]["name"] for each in found["_jaeger_made_secrets"]] == [
        "jaeger-elasticsearch",
        "jaeger-elasticsearch-ca",
    ]
    for deployment in found["_jaeger_deployments"]:
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        pod = deployment["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"startupProbe", "readinessProbe", "livenessProbe", "resources"} <= set(container)
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/etc/jaeger/credentials", "/etc/jaeger/ca"} <= mounted
    kinds = [each["kind"] for each in found["_jaeger_around"]]
    assert kinds.count("PodDisruptionBudget") == 2
    assert kinds.count("HorizontalPodAutoscaler") == 1
    assert kinds.count("ConfigMap") == (2 if version.startswith("2") else 0)
    assert [service["metadata"]["name"] for service in found["_jaeger_services"]] == [
        "jaeger-collector",
        "jaeger-collector-headless",
        "jaeger-query",
    ]


@pytest.mark.parametrize("method", ["operator", "kubernetes"])
def test_rights_are_asked_for_in_the_namespace_alone(tmp_path: Path, method: str) -> None:
    asked = rendered(tmp_path, "_jaeger_permissions", jaeger_method=method, jaeger_namespace="traces")
    assert {permission["namespace"] for permission in asked["_jaeger_permissions"]} == {"traces"}


def test_version_2_reads_its_storage_from_a_file(tmp_path: Path) -> None:
    around = rendered(
        tmp_path,
        "_jaeger_around",
        jaeger_version="2.2.0",
        jaeger_elasticsearch_urls=["https://a:9200", "https://b:9200"],
        jaeger_index_prefix="prod",
    )["_jaeger_around"]
    files = [yaml.safe_load(each["data"]["config.yaml"]) for each in around if each["kind"] == "ConfigMap"]
    assert len(files) == 2
    for file in files:
        assert file["extensions"]["jaeger_storage"]["backends"]["elasticsearch"]["elasticsearch"] == {
            "server_urls": ["https://a:9200", "https://b:9200"],
            "version": 7,
            "use_aliases": True,
            "create_mappings": False,
            "indices": {"index_prefix": "prod"},
        }


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"jaeger_method": "operator", "jaeger_strategy": "daemonset"},
            "value of jaeger_strategy must be one of: production, allInOne, streaming, got: daemonset",
        ),
        (
            {"jaeger_method": "kubernetes", "jaeger_strategy": "allInOne"},
            (
                "The method kubernetes has no strategy allInOne: leave jaeger_strategy at production, "
                "or set jaeger_method to operator."
            ),
        ),
        (
            {"jaeger_method": "operator", "jaeger_strategy": "streaming"},
            (
                "The strategy streaming needs Kafka's bootstrap servers in jaeger_kafka_brokers, such as "
                "[kafka-bootstrap.kafka:9092]; without them the operator would want to make a Kafka."
            ),
        ),
        (
            {"jaeger_method": "operator", "jaeger_maintenance_by": "nobody"},
            "value of jaeger_maintenance_by must be one of: collection, operator, got: nobody",
        ),
        (
            {"jaeger_state": "absent"},
            (
                "jaeger_state absent is for the methods operator and kubernetes: playbooks/down.yml stops what the "
                "method native has started."
            ),
        ),
    ],
    ids=["unknown strategy", "strategy of the other method", "no Kafka", "unknown master", "absent process"],
)
def test_settings_that_do_not_go_together(tmp_path: Path, variables: dict[str, Any], sentence: str) -> None:
    run = set_up("jaeger", tmp_path / "home", variables)
    assert run.error == sentence
    assert run.count("changed") == 0


@pytest.mark.parametrize("method", ["operator", "kubernetes"])
def test_elasticsearch_is_checked_from_here_by_the_address_for_here(tmp_path: Path, method: str) -> None:
    local = f"http://127.0.0.1:{free_port()}"
    variables = {
        "jaeger_method": method,
        "elasticsearch_url": "http://host.minikube.internal:9200",
        "elasticsearch_local_url": local,
    }
    run = set_up("jaeger", tmp_path / "home", variables)
    assert run.error == (
        f"Elasticsearch does not answer at {local} (jaeger_elasticsearch_check_urls): [Errno 111] Connection refused"
    )
    assert run.count("changed") == 0


@pytest.mark.parametrize("method", ["operator", "kubernetes"])
def test_no_cluster(es: Elasticsearch, tmp_path: Path, method: str) -> None:
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not answer.message
    variables = {
        "jaeger_method": method,
        "elasticsearch_url": es.url,
        "kubernetes_kubeconfig": "/no/such/config",
    }
    run = set_up("jaeger", tmp_path / "home", variables)
    assert run.error.startswith("There is no kubeconfig /no/such/config")
    assert run.count("changed") == 0
