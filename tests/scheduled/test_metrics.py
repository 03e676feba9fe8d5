# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of scheduled runs in a real Pushgateway and a real Prometheus, its promtool, and what reads them there."""

from __future__ import annotations

import json
import re
import socket
import stat
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import PROBLEM_KINDS
from tests.support.listeners import hook_server
from tests.support.prometheus import Prometheus, get, prometheus, promtool, pushgateway
from tests.support.scheduled import NOTHING_TO_DO, Runner
from tests.support.servers import ROOT, wait_for

MONITORING = ROOT / "monitoring"
PROGRAMS_OWN = {"push_time_seconds", "push_failure_time_seconds"}
ODD = b"""# TYPE jaeger_es_deleted_total counter
jaeger_es_deleted_total{cluster="eu"} 5
jaeger_es_deleted_total{cluster="eu",prefix="prod",record_type="span"} -7
jaeger_es_deleted_total{cluster="eu",prefix="prod",record_type="service"} NaN
"""
HOSTILE = 'a"b\\c\nd{x="y"} 1 # HELP'


def index_set(prefix: str, *sizes: int, problems: tuple[str, ...] = ()) -> dict[str, Any]:
    """An index set as es_index_info tells it: generations of these sizes, all but the first one readable."""
    return {
        "index_prefix": prefix,
        "record_type": "span",
        "read_alias": f"{prefix}-jaeger-span-read",
        "problems": ["in words" for _each in problems],
        "problem_kinds": list(problems),
        "indices": [
            {"index": f"{prefix}-{number}", "generation": number, "readable": number > 1, "size_bytes": size}
            for number, size in enumerate(sizes, 1)
        ],
    }


def cluster(*sets: dict[str, Any], rolled: int = 0, deleted: int = 0, **more: Any) -> dict[str, Any]:
    """A cluster as the callback plugin tells it; actions are those of the first set."""
    whose = {"index_prefix": sets[0]["index_prefix"], "record_type": "span"} if sets else {}
    actions = [{"action": "rollover", **whose}] * rolled + [{"action": "delete_index", **whose}] * deleted
    result = {"actions": actions, "index_sets": list(sets)}
    good = {"failed": False, "unreachable": False, "msg": "", "result": result}
    return {**good, "state": {"index_sets": list(sets)}, **more}


def script(runner: Runner, **clusters: dict[str, Any]) -> str:
    """A script that leaves these results."""
    path = runner.folder / "results.json"
    path.write_text(json.dumps({"clusters": clusters}))
    return f'cp {path} "$TRACESTACK_MAINTENANCE_RESULTS"'


def values(text: str) -> dict[str, float]:
    """The samples of a text, by name and labels as they stand there."""
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _other, value in lines}


def check(text: str) -> None:
    """What promtool has to say about it: nothing."""
    checked = promtool("check", "metrics", stdin=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Pushgateway."""
    with pushgateway(tmp_path_factory.mktemp("pushgateway")) as url:
        yield url


@pytest.fixture(scope="module")
def server(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with our rules that scrapes the Pushgateway every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(MONITORING / "alerts.yml")],
        "scrape_configs": [
            {
                "job_name": "pushgateway",
                "honor_labels": True,
                "static_configs": [{"targets": [gateway.removeprefix("http://")]}],
            }
        ],
    }
    with prometheus(tmp_path_factory.mktemp("prometheus"), config) as running:
        yield running


def test_textfile(runner: Runner) -> None:
    file = runner.folder / "x.prom"
    job = runner.playbook(
        script(
            runner,
            eu=cluster(index_set("prod", 1000, 200, 30), index_set("test", 5), rolled=2, deleted=3),
            us=cluster(index_set(HOSTILE, 1, problems=("red", "red", "blocked"))),
        ),
        metrics={"textfile": str(file)},
    )
    before = time.time()
    assert runner.run(job).stderr == ""
    text = file.read_text()
    check(text)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in runner.folder.glob("*.prom*")] == ["x.prom"]
    found = values(text)
    prod, test = (f'{{cluster="eu",prefix="{name}",record_type="span"}}' for name in ("prod", "test"))
    assert found[f"jaeger_es_generation{prod}"] == 3
    assert found[f"jaeger_es_generations{prod}"] == 3
    assert found[f"jaeger_es_stored_bytes{prod}"] == 1230
    assert found[f"jaeger_es_readable_bytes{prod}"] == 230
    assert found[f"jaeger_es_deleted_total{prod}"] == 3
    assert found[f"jaeger_es_rolled_over_total{prod}"] == 2
    assert found[f"jaeger_es_deleted_total{test}"] == 0
    assert found['jaeger_es_problems{cluster="us",kind="red"}'] == 2
    assert found['jaeger_es_problems{cluster="us",kind="blocked"}'] == 1
    assert found['jaeger_es_problems{cluster="eu",kind="red"}'] == 0
    assert found['jaeger_es_last_run_success{cluster="eu"}'] == 1
    assert before <= found['jaeger_es_last_success_timestamp_seconds{cluster="eu"}'] <= time.time()
    assert 0 < found['jaeger_es_last_run_duration_seconds{cluster="eu"}'] < 20


def test_what_counts_goes_on(runner: Runner) -> None:
    """Over runs that do something, that fail, that never came to results, and that are refused the lock."""
    file = runner.folder / "x.prom"
    deleted = 'jaeger_es_deleted_total{cluster="%s",prefix="prod",record_type="span"}'
    success, when = "jaeger_es_last_run_success", "jaeger_es_last_success_timestamp_seconds"
    prod = index_set("prod", 1)

    def after(work: str) -> dict[str, float]:
        runner.run(runner.playbook(work, metrics={"textfile": str(file)}))
        check(file.read_text())
        return values(file.read_text())

    first = after(script(runner, eu=cluster(prod, deleted=2), us=cluster(prod, deleted=1)))
    bad = cluster(prod, deleted=5, failed=True, msg="1 of 2 index sets failed")
    second = after(script(runner, eu=bad, us=cluster(prod, deleted=1)) + "; exit 2")
    assert [second[deleted % name] for name in ("eu", "us")] == [7, 2]
    assert [second[f'{success}{{cluster="{name}"}}'] for name in ("eu", "us")] == [0, 1]
    assert second[f'{when}{{cluster="eu"}}'] == first[f'{when}{{cluster="eu"}}']
    assert second[f'{when}{{cluster="us"}}'] > first[f'{when}{{cluster="us"}}']
    third = after("exit 9")
    assert [third[deleted % name] for name in ("eu", "us")] == [7, 2]
    assert [third[f'{success}{{cluster="{name}"}}'] for name in ("eu", "us")] == [0, 0]
    assert third[f'{when}{{cluster="us"}}'] == second[f'{when}{{cluster="us"}}']
    assert not any(name.startswith("jaeger_es_stored_bytes") for name in third)
    fourth = after(script(runner, us=cluster(prod, deleted=1)))
    assert fourth[deleted % "us"] == 3
    assert deleted % "eu" not in fourth  # no longer in the inventory


def test_a_first_run_without_results(runner: Runner) -> None:
    file = runner.folder / "x.prom"
    runner.run(runner.playbook("exit 9", metrics={"textfile": str(file)}))
    check(file.read_text())
    assert values(file.read_text())['jaeger_es_last_run_success{cluster="prod"}'] == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"jaeger_es_deleted_total{cluster=", True),
        (b"\xff\xfe\x00garbage", True),
        (b"<html>\n</html>\n", True),
        (ODD, False),
        (b"", False),
    ],
)
def test_a_textfile_that_is_broken(runner: Runner, content: bytes, told: bool) -> None:
    """Its counters begin anew, which is told; single samples that cannot be ours count as nothing."""
    file = runner.folder / "x.prom"
    file.write_bytes(content)
    work = script(runner, eu=cluster(index_set("prod", 1), deleted=2))
    done = runner.run(runner.playbook(work, metrics={"textfile": str(file)}))
    assert done.returncode == 0
    check(file.read_text())
    found = values(file.read_text())
    assert found['jaeger_es_deleted_total{cluster="eu",prefix="prod",record_type="span"}'] == 2
    assert ("was broken: its counters begin anew" in done.stderr) == told


def test_a_textfile_of_somebody_else(runner: Runner) -> None:
    file = runner.folder / "x.prom"
    theirs = "# TYPE node_backup_age_seconds gauge\nnode_backup_age_seconds 5\n"
    file.write_text(theirs)
    work = script(runner, eu=cluster(index_set("prod", 1)))
    done = runner.run(runner.playbook(work, metrics={"textfile": str(file)}))
    assert done.returncode == 0
    assert done.stderr == (
        f"warning: prod: no metrics to the textfile: {file} has metrics that are not ours (node_backup_age_seconds)\n"
    )
    assert file.read_text() == theirs


def test_a_textfile_that_cannot_be_written(runner: Runner) -> None:
    work = script(runner, eu=cluster(index_set("prod", 1)))
    done = runner.run(runner.playbook(work, metrics={"textfile": f"{runner.folder}/nosuch/x.prom"}))
    assert done.returncode == 0
    assert f"{runner.folder}/nosuch/x.prom cannot be written: No such file or directory" in done.stderr
    victim = runner.folder / "victim"
    victim.write_text("")
    link = runner.folder / "link.prom"
    link.symlink_to(victim)
    assert runner.run(runner.playbook(work, metrics={"textfile": str(link)})).stderr == ""
    assert victim.read_text() == ""
    assert not link.is_symlink()


def test_without_the_library(runner: Runner) -> None:
    """It is imported only when metrics are asked for; where it is not there, that is told."""
    hidden = runner.folder / "hidden"
    (hidden / "prometheus_client").mkdir(parents=True)
    (hidden / "prometheus_client" / "__init__.py").write_text("raise ImportError(name='prometheus_client')\n")
    command = "import sys; sys.path.insert(0, sys.argv.pop(1)); import jaeger_es_maintenance.__main__ as m; sys.exit(m.main())"
    wanted: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, ""),
        (
            {"metrics": {"textfile": f"{runner.folder}/x.prom"}},
            "warning: prod: no metrics: the library prometheus_client is missing\n",
        ),
    )
    for keys, said in wanted:
        job = runner.playbook(NOTHING_TO_DO, **keys)
        words = ["-c", command, str(hidden), "scheduled", "--job", str(job), "--now"]
        done = runner.python_run(*words)
        assert (done.returncode, done.stderr) == (0, said)


def test_pushgateway(runner: Runner, gateway: str, server: Prometheus) -> None:
    """What counts lives on there; another job's metrics are neither read nor touched; rules and dashboard work on it."""
    prod = index_set("prod", 2_000_000_000, 5, problems=("no_write_index",))
    for deleted in (2, 3):
        work = script(
            runner, eu=cluster(prod, deleted=deleted, rolled=1), us=cluster(index_set("", 7), rolled=1)
        )
        done = runner.run(runner.playbook(work, metrics={"pushgateway": gateway}))
        assert (done.returncode, done.stderr) == (0, "")
    failing = script(runner, eu=cluster(prod, deleted=90, failed=True, msg="no"))
    other = runner.job(
        "other.json",
        name="other",
        playbook={"command": ["sh", "-c", failing]},
        metrics={"pushgateway": gateway},
    )
    assert runner.run(other).returncode == 1
    text = get(f"{gateway}/metrics")
    check(text)
    labels = 'cluster="eu",instance="%s",job="jaeger_es_maintenance",prefix="prod",record_type="span"'
    found = values(text)
    assert found[f"jaeger_es_deleted_total{{{labels % 'prod'}}}"] == 5
    assert found[f"jaeger_es_deleted_total{{{labels % 'other'}}}"] == 90

    expected = {("JaegerMaintenanceFailed", "eu"), ("JaegerDataAtRisk", "eu")}
    wait_for(lambda: server.alerts() == expected, 60)
    groups = server.ask("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    told = {name for name in server.ask("label/__name__/values") if name.startswith("jaeger_es_")}
    assert told == exported()

    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for title, expression in expressions(dashboard):
        used = set(re.findall(r"\b(?:jaeger|push|node|up)\w*", re.sub(r'"[^"]*"', "", expression)))
        assert used, title
        assert used <= told, title
        wait_for(partial(has_value, server, expression), 30)  # an increase wants two samples
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert match is not None
            found_values = server.ask(f"label/{match[2]}/values", **{"match[]": filled(match[1])})
            assert found_values, variable["name"]


def has_value(server: Prometheus, expression: str) -> bool:
    """Whether a query finds anything."""
    return bool(server.query(expression))


def exported() -> set[str]:
    """The names of all metrics that there can be."""
    from jaeger_es_maintenance.metrics import COUNTERS, GAUGES

    return {*GAUGES, *(f"{name}_total" for name in COUNTERS)}


def filled(expression: str) -> str:
    """An expression as Grafana sends it with all clusters and prefixes."""
    return expression.replace("$cluster", ".*").replace("$prefix", ".*")


def expressions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All that a dashboard asks Prometheus, with the title of the panel."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], filled(target["expr"])


def test_the_dashboard_is_whole() -> None:
    """Its panels do not overlap and have numbers of their own; data sources and variables are those it has itself."""
    text = (MONITORING / "dashboard.json").read_text()
    dashboard = json.loads(text)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _other in cells) < 24
    variables = {one["name"] for one in dashboard["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", text)) == variables
    targets = [target for panel in panels for target in panel["targets"]]
    assert {one["datasource"]["uid"] for one in (*panels, *targets)} == {"${datasource}"}


def test_a_pushgateway_that_is_down(runner: Runner) -> None:
    """Neither refused, nor silent, nor something else: the run is what it was, and the textfile is written."""
    file = runner.folder / "x.prom"
    work = script(runner, eu=cluster(index_set("prod", 1)))

    def told(url: str) -> str:
        metrics = {"textfile": str(file), "pushgateway": url}
        file.unlink(missing_ok=True)
        done = runner.run(runner.playbook(work, metrics=metrics))
        assert done.returncode == 0
        check(file.read_text())
        return done.stderr.removeprefix("warning: prod: no metrics to the Pushgateway: ").strip()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert told(f"http://127.0.0.1:{port}") == "no answer within 10 s"
    assert told(f"http://127.0.0.1:{port}") == "Connection refused"
    with hook_server() as hook:
        assert told(hook.url) == "its /metrics are not those of a Pushgateway"


def test_rules() -> None:
    checked = promtool("check", "rules", str(MONITORING / "alerts.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tried = promtool("test", "rules", str(ROOT / "tests" / "scheduled" / "alerts_test.yml"))
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_rule_is_tried() -> None:
    """Each alert fires in the tests of the rules, in its own words, and is quiet where all is well."""
    alerts = set(re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text()))
    tests = (ROOT / "tests" / "scheduled" / "alerts_test.yml").read_text()
    assert alerts == set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels", tests))
    assert alerts == set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", tests))


def test_every_kind_of_problem_is_tried() -> None:
    tests = (ROOT / "tests" / "scheduled" / "alerts_test.yml").read_text()
    assert set(PROBLEM_KINDS) == set(re.findall(r"kind: (\w+)}", tests))
