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
from tests.support.playbooks import play_on
from tests.support.servers import Elasticsearch, free_port

NEVER = "0 0 31 2 *"
SECRET = "wrong-4711"


SET_UP = """
- hosts: all
  gather_facts: false
  roles: [tracestack.jaeger.elasticsearch_exposure, tracestack.jaeger.jaeger]
"""
VERSIONS = ("1.57.0", "2.2.0")
METHODS = ("operator", "kubernetes")
Rendered = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", name="rendered")
def rendered_cases(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Variables of the role as a play sees them, for each case: what the operator is given, or what is named here."""
    folder = tmp_path_factory.mktemp("rendered")
    authority = folder / "ca.pem"
    authority.write_text("authority")
    credentials = {"jaeger_elasticsearch_username": "jaeger", "jaeger_elasticsearch_password": SECRET}
    added = {"ingress": {"enabled": False}, "storage": {"options": {"es": {"timeout": "30s"}}}}
    cases: dict[str, dict[str, Any]] = {
        "defaults": {},
        "tutorial": {
            "jaeger_elasticsearch_urls": ["https://traces.example.org"],
            "index_lifecycle_shards": 2,
            "jaeger_query_resources": {"limits": {"memory": "64Mi"}},
        },
        "operator in charge": {"jaeger_maintenance_by": "operator"},
        "streaming": {
            "jaeger_strategy": "streaming",
            "jaeger_kafka_brokers": ["kafka-0.kafka:9092", "kafka-1.kafka:9092"],
            "jaeger_kafka_topic": "spans",
        },
        "allInOne": {"jaeger_strategy": "allInOne"},
        "added": {"jaeger_cr_spec": added},
        "secret": credentials,
        "secret changed": {**credentials, "__jaeger_secret_versions": "18"},
        "file": {
            "names": ["_jaeger_around"],
            "jaeger_version": "2.2.0",
            "jaeger_elasticsearch_urls": ["https://a:9200", "https://b:9200"],
            "jaeger_index_prefix": "prod",
        },
    }
    for version in VERSIONS:
        cases[version] = {
            **credentials,
            "names": ["_jaeger_deployments", "_jaeger_around", "_jaeger_services", "_jaeger_made_secrets"],
            "jaeger_version": version,
            "jaeger_elasticsearch_ca_path": str(authority),
            "jaeger_image_pull_secrets": ["registry"],
        }
    for method in METHODS:
        cases[method] = {
            "names": ["_jaeger_permissions"],
            "jaeger_method": method,
            "jaeger_namespace": "traces",
        }
    return rendered(
        folder, {name: {"__kubernetes_version": "v1.28.15", **own} for name, own in cases.items()}
    )


def test_the_tutorials_resource(rendered: Rendered) -> None:
    resource = rendered["tutorial"]["_jaeger_cr"]
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


def test_new_pods_are_ready_before_old_ones_end(rendered: Rendered) -> None:
    """The operator's own way is the opposite one."""
    spec = rendered["defaults"]["_jaeger_cr"]["spec"]
    for part in ("collector", "query"):
        assert spec[part]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }


def test_the_operator_stays_in_charge_if_told_so(rendered: Rendered) -> None:
    storage = rendered["operator in charge"]["_jaeger_cr"]["spec"]["storage"]
    assert set(storage) == {"type", "options"}


def test_streaming(rendered: Rendered) -> None:
    spec = rendered["streaming"]["_jaeger_cr"]["spec"]
    assert spec["strategy"] == "streaming"
    brokers = "kafka-0.kafka:9092,kafka-1.kafka:9092"
    assert spec["collector"]["options"] == {
        "kafka.producer.brokers": brokers,
        "kafka.producer.topic": "spans",
    }
    assert spec["ingester"]["options"] == {"kafka.consumer.brokers": brokers, "kafka.consumer.topic": "spans"}
    assert spec["storage"]["options"]["es"]["use-aliases"] is True


def test_all_in_one(rendered: Rendered) -> None:
    spec = rendered["allInOne"]["_jaeger_cr"]["spec"]
    assert set(spec) == {"annotations", "strategy", "allInOne", "storage"}
    assert spec["storage"]["esRollover"] == {"schedule": NEVER}


def test_what_is_added_is_merged_and_wins(rendered: Rendered) -> None:
    spec = rendered["added"]["_jaeger_cr"]["spec"]
    assert spec["ingress"] == {"enabled": False}
    assert spec["storage"]["options"]["es"]["timeout"] == "30s"
    assert spec["storage"]["options"]["es"]["index-prefix"] == "prod"


def test_a_changed_secret_changes_the_pods_and_nothing_else(rendered: Rendered) -> None:
    old, new = (rendered[name]["_jaeger_cr"] for name in ("secret", "secret changed"))
    annotations = [each["spec"].pop("annotations") for each in (old, new)]
    assert annotations[0] != annotations[1]
    assert old == new
    assert old["spec"]["storage"]["secretName"] == "jaeger-elasticsearch"
    assert SECRET not in json.dumps([old, new])


@pytest.mark.parametrize("version", VERSIONS)
def test_pods_of_the_method_kubernetes(rendered: Rendered, version: str) -> None:
    """They may nothing, take over without a gap, and have their secrets from files."""
    found = rendered[version]
    public = {name: each for name, each in found.items() if name != "_jaeger_made_secrets"}
    assert len(public) == 3
    assert SECRET not in json.dumps(public)
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


@pytest.mark.parametrize("method", METHODS)
def test_rights_are_asked_for_in_the_namespace_alone(rendered: Rendered, method: str) -> None:
    asked = rendered[method]["_jaeger_permissions"]
    assert {permission["namespace"] for permission in asked} == {"traces"}


def test_version_2_reads_its_storage_from_a_file(rendered: Rendered) -> None:
    around = rendered["file"]["_jaeger_around"]
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


def test_what_is_refused_before_a_cluster_is_asked(es: Elasticsearch, tmp_path: Path) -> None:
    """There is none. Settings that do not go together; an Elasticsearch that does not answer at the address for here."""
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert not answer.message
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "unknown strategy": (
            {"jaeger_method": "operator", "jaeger_strategy": "daemonset"},
            "value of jaeger_strategy must be one of: production, allInOne, streaming, got: daemonset",
        ),
        "strategy of the other method": (
            {"jaeger_method": "kubernetes", "jaeger_strategy": "allInOne"},
            (
                "The method kubernetes has no strategy allInOne: leave jaeger_strategy at production, "
                "or set jaeger_method to operator."
            ),
        ),
        "no Kafka": (
            {"jaeger_method": "operator", "jaeger_strategy": "streaming"},
            (
                "The strategy streaming needs Kafka's bootstrap servers in jaeger_kafka_brokers, such as "
                "[kafka-bootstrap.kafka:9092]; without them the operator would want to make a Kafka."
            ),
        ),
        "unknown master": (
            {"jaeger_method": "operator", "jaeger_maintenance_by": "nobody"},
            "value of jaeger_maintenance_by must be one of: collection, operator, got: nobody",
        ),
        "password in a URL": (
            {"elasticsearch_url": "http://elastic:pw-4711@es:9200"},
            (
                "jaeger_elasticsearch_urls or jaeger_elasticsearch_check_urls has a user name or a query in it: put user name "
                "and password into jaeger_elasticsearch_username and jaeger_elasticsearch_password."
            ),
        ),
        "absent process": (
            {"jaeger_state": "absent"},
            (
                "jaeger_state absent is for the methods operator and kubernetes: playbooks/down.yml stops what the "
                "method native has started."
            ),
        ),
    }
    for method in METHODS:
        local = f"http://127.0.0.1:{free_port()}"
        cases[f"{method}, no Elasticsearch"] = (
            {
                "jaeger_method": method,
                "elasticsearch_url": "http://host.minikube.internal:9200",
                "elasticsearch_local_url": local,
            },
            f"Elasticsearch does not answer at {local} (jaeger_elasticsearch_check_urls): [Errno 111] Connection refused",
        )
        cases[f"{method}, no cluster"] = (
            {
                "jaeger_method": method,
                "elasticsearch_url": es.url,
                "kubernetes_kubeconfig": f"/no/such/config/{method}",
            },
            (
                f"There is no kubeconfig /no/such/config/{method} that this user can read: set kubernetes_kubeconfig or "
                "KUBECONFIG to the path of one."
            ),
        )
    (tmp_path / "set_up.yml").write_text(SET_UP)
    hosts = {name: variables for name, (variables, _sentence) in cases.items()}
    run = play_on(hosts, tmp_path / "set_up.yml", {"tracestack_home": str(tmp_path / "home")}, "-vvv")
    assert "pw-4711" not in run.output
    assert run.refusals() == {name: sentence for name, (_variables, sentence) in cases.items()}
