# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role index_lifecycle, by the scheduled playbook: check mode, the real thing, again; bad input; secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.collector import collector
from tests.support.modules import run_module
from tests.support.playbooks import Run, play, play_on
from tests.support.proxy import Proxy, proxy
from tests.support.servers import ROOT, Elasticsearch, free_port

ROLLOVER = "playbooks/rollover.yml"
RECORDS = ("span", "service", "dependencies")


@pytest.fixture
def sets(es: Elasticsearch) -> Elasticsearch:
    """Index sets of the prefix prod, as after nights without runs: the next one has something to do in each step.

    Generation 1 was written until 30 days ago and is out of sight, 2 until 10 days ago, 3 is being written.
    """
    for clock, module, options in (
        ("-40d", "es_rollover_init", {"shards": 1, "replicas": 0}),
        ("-30d", "es_rollover", {"conditions": {"max_age": "0s"}}),
        ("-20d", "es_lookback", {"unit": "days", "unit_count": 7}),
        ("-10d", "es_rollover", {"conditions": {"max_age": "0s"}}),
    ):
        es.set_clock(clock)
        answer = run_module(module, server_urls=es.url, index_prefix="prod", **options)
        assert answer.changed, answer.output
    es.set_clock("+0d")
    return es


def rollover_on(
    folder: Path, hosts: Mapping[str, dict[str, Any]], *arguments: str, env: dict[str, str] | None = None
) -> Run:
    """The scheduled playbook on these hosts."""
    group = folder / "group.json"
    group.write_text(json.dumps({"elasticsearch": {"hosts": dict.fromkeys(hosts)}}))
    return play_on(hosts, ROLLOVER, {}, "--inventory", str(group), *arguments, env=env)


def diff_lines(run: Run) -> list[str]:
    """What the user sees of the tasks' diffs: the lines that go and those that come."""
    return [" ".join(line.split()) for line in re.findall(r"^[-+] .*$", run.output, re.MULTILINE)]


def state(es: Elasticsearch) -> tuple[set[str], set[tuple[str, str]], Any]:
    return es.indices(), es.aliases(), es.get("/_template/prod-jaeger-*")


def test_check_mode_tells_the_plan_and_the_real_run_does_just_that(sets: Elasticsearch) -> None:
    before = state(sets)
    with proxy(sets.url) as seen:
        checked = play(ROLLOVER, {"elasticsearch_url": seen.url}, "--check", "--diff")
    assert checked.code == 0, checked.output
    assert checked.count("changed") == 1
    assert seen.changes() == []
    assert state(sets) == before
    assert sorted(diff_lines(checked)) == sorted(line for record in RECORDS for line in expected_diff(record))
    for record in RECORDS:
        for words in (
            f"roll over to prod-jaeger-{record}-000004: its conditions are met",
            f"take out of sight prod-jaeger-{record}-000002: older than the cut-off ",
            f"delete prod-jaeger-{record}-000001: older than the cut-off ",
        ):
            assert words in " ".join(checked.output.split())

    done = play(ROLLOVER, {"elasticsearch_url": sets.url}, "--diff")
    assert done.code == 0, done.output
    assert diff_lines(done) == diff_lines(checked)
    assert sets.indices() == {
        f"prod-jaeger-{record}-00000{number}" for record in RECORDS for number in (2, 3, 4)
    }
    assert sets.aliases() == {
        (f"prod-jaeger-{record}-{alias}", f"prod-jaeger-{record}-00000{number}")
        for record in RECORDS
        for alias, number in (("read", 3), ("read", 4), ("write", 4))
    }

    after = state(sets)
    again = play(ROLLOVER, {"elasticsearch_url": sets.url}, "--diff")
    assert again.code == 0, again.output
    assert again.count("changed") == 0
    assert diff_lines(again) == []
    assert state(sets) == after


def expected_diff(record: str) -> list[str]:
    """Roll over to 4; take 2 out of sight; delete 1."""
    base = f"prod-jaeger-{record}"
    return [
        *(f"+ - {base}-000004", f"+ - {base}-000004"),
        *(f"- {base}-write: {base}-000003", f"+ {base}-write: {base}-000004"),
        f"- - {base}-000002",
        f"- - {base}-000001",
    ]


def test_a_wrong_setting_changes_nothing(sets: Elasticsearch, tmp_path: Path) -> None:
    """Nothing, not even by the steps before the one that it is for."""
    cases: dict[str, tuple[Any, str]] = {
        "conditions daily": (
            {"index_lifecycle_conditions": "daily"},
            (
                "argument 'index_lifecycle_conditions' is of type str and we were unable "
                "to convert to dict: dictionary requested, could not parse JSON or key=value"
            ),
        ),
        "conditions list": (
            {"index_lifecycle_conditions": ["max_age"]},
            "argument 'index_lifecycle_conditions' is of type list and we were unable to convert to dict: ",
        ),
        "conditions max_days": (
            {"index_lifecycle_conditions": {"max_days": 2}},
            "Unsupported parameters for (tracestack.jaeger.es_maintenance) module: index_sets.conditions.max_days. ",
        ),
        "conditions max_age": (
            {"index_lifecycle_conditions": {"max_age": "2 days"}},
            "index_sets[0].conditions.max_age is '2 days': give a number and a unit, such as 2d or 12h.",
        ),
        "lookback_unit": (
            {"index_lifecycle_lookback_unit": "fortnights"},
            (
                "value of index_lifecycle_lookback_unit must be one of: seconds, minutes, "
                "hours, days, weeks, months, years, got: fortnights"
            ),
        ),
        "lookback_unit_count": (
            {"index_lifecycle_lookback_unit_count": -1},
            "index_sets[0].lookback.unit_count is -1: it must be 0 or more.",
        ),
        "retention_days": (
            {"index_lifecycle_retention_days": -1},
            "index_sets[0].retention.days is -1: it must be 0 or more.",
        ),
        "service_cache_ttl": (
            {"index_lifecycle_service_cache_ttl": "soon"},
            "service_cache_ttl is 'soon': give a number and one of s, m, h, d, such as 12h.",
        ),
        "index_prefix": ({"index_lifecycle_index_prefix": "prod*"}, "index_sets[0]: index_prefix 'prod*' "),
    }
    before = state(sets)
    with proxy(sets.url) as seen:
        hosts = {
            name: {"elasticsearch_url": seen.url, **variables}
            for name, (variables, _sentence) in cases.items()
        }
        refusals = rollover_on(tmp_path, hosts).refusals()
    wrong = {
        name: refusals.get(name, "")
        for name, (_variables, sentence) in cases.items()
        if not refusals.get(name, "").startswith(sentence)
    }
    assert wrong == {}
    assert seen.changes() == []
    assert state(sets) == before


def test_module_defaults_reach_every_module(es: Elasticsearch, tmp_path: Path) -> None:
    """One group, group/tracestack.jaeger.jaeger, says where the cluster is: no task repeats it."""
    own: dict[str, dict[str, Any]] = {
        "es_rollover_init": {"shards": 1, "replicas": 0},
        "es_rollover": {"conditions": {"max_age": "0s"}},
        "es_lookback": {"unit": "days", "unit_count": 7},
        "es_index_cleaner": {"days": 14},
        "es_maintenance": {"index_sets": [{"conditions": {"max_age": "1d"}, "retention": {"days": 14}}]},
        "es_index_info": {},
        "es_restore": {"indices": ["only-jaeger-span-000002"], "readable_until": "2100-01-01"},
    }
    assert set(own) == {path.stem for path in (ROOT / "plugins/modules").glob("es_*.py")}
    tasks: list[dict[str, Any]] = [{f"tracestack.jaeger.{name}": own[name], "register": name} for name in own]
    found = "es_index_info.index_sets | map(attribute='write_index') | sort"
    wanted = [f"only-jaeger-{record}-000002" for record in ("dependencies", "service", "span")]
    tasks.append({"ansible.builtin.assert": {"that": f"{found} == {wanted}"}})
    play_of_all = {
        "hosts": "elasticsearch",
        "gather_facts": False,
        "module_defaults": {
            "group/tracestack.jaeger.jaeger": {"server_urls": [es.url], "index_prefix": "only"}
        },
        "tasks": tasks,
    }
    playbook = tmp_path / "defaults.yml"
    playbook.write_text(yaml.safe_dump([play_of_all]))
    run = play(playbook, {})
    assert run.code == 0, run.output
    assert run.count("ok") == len(tasks)


def test_one_variable_makes_a_trace_of_the_run(sets: Elasticsearch, tmp_path: Path) -> None:
    """Below the span that Ansible's own environment names; without the variable nobody asks for it.

    A trace that nobody takes is a warning.
    """
    hosts: dict[str, dict[str, Any]] = {}
    for prefix in ("prod", "silent", "refused"):
        hosts[prefix] = {"elasticsearch_url": sets.url, "index_lifecycle_index_prefix": prefix}
        if prefix != "prod":
            answer = run_module("es_rollover_init", server_urls=sets.url, index_prefix=prefix)
            assert not answer.message
            hosts[prefix]["index_lifecycle_conditions"] = {"max_age": "0s"}
    refused = f"http://127.0.0.1:{free_port()}"
    hosts["refused"]["index_lifecycle_otlp_endpoint"] = refused
    env = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with collector() as receiver:
        hosts["prod"]["index_lifecycle_otlp_endpoint"] = receiver.endpoint
        run = rollover_on(tmp_path, hosts, env=env)
    assert run.code == 0, run.output
    assert run.changed == dict.fromkeys(hosts, 1)
    assert run.output.count("WARNING") == 1
    assert run.output.count(f"The trace of this run could not be exported to {refused}") == 1
    whole = receiver.one("es_maintenance")
    assert (whole.trace, whole.parent) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert [span.name for span in receiver.below(whole)] == [
        "cat.tasks",
        "info",
        "read",
        "rollover",
        "lookback",
        "clean",
    ]


def test_a_secret_is_used_and_never_shown(sets: Elasticsearch, tmp_path: Path) -> None:
    """With all that Ansible can print; in check mode too, and with an error that shows the role's arguments.

    While the module waits for its first answer, neither a process's command line nor a temporary file has it.
    """
    secret = "bm9ib2R5LXNlZXMtNDcxMQ=="
    basic = base64.b64encode(f"jaeger:{secret}".encode()).decode()
    file = tmp_path / "secret"
    file.write_text(secret + "\n")
    username = {"index_lifecycle_username": "jaeger"}
    sources: dict[str, tuple[dict[str, str], str]] = {
        "password": ({**username, "index_lifecycle_password": secret}, f"Basic {basic}"),
        "password_file": ({**username, "index_lifecycle_password_file": str(file)}, f"Basic {basic}"),
        "api_key": ({"index_lifecycle_api_key": secret}, f"ApiKey {secret}"),
        "bearer_token": ({"index_lifecycle_bearer_token": secret}, f"Bearer {secret}"),
    }
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = dict.fromkeys(("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TMP"), str(temporary))
    leaks: list[list[str]] = []

    def look(_method: str, _path: str) -> None:
        leaks.append(where_it_shows(secret, temporary))

    seen: dict[str, Proxy] = {}
    hosts: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        for name, (variables, _sent) in sources.items():
            seen[name] = stack.enter_context(proxy(sets.url, look))
            hosts[name] = {**variables, "elasticsearch_url": seen[name].url}
            hosts[f"wrong {name}"] = {**hosts[name], "index_lifecycle_conditions": "daily"}
        url = {
            "elasticsearch_url": f"http://jaeger:{secret}@es:9200/?apikey={secret}",
            "rollover_state": True,
        }
        hosts["wrong url"] = url
        hosts["wrong url, which is not the first fault"] = {**url, "index_lifecycle_client_cert": "/no/such"}
        run = rollover_on(tmp_path, hosts, "-vvvv", "--diff", "--check", env=env)
    assert {name: (counts["failed"], counts["changed"]) for name, counts in run.recap.items()} == {
        name: (1, 0) if name.startswith("wrong") else (0, 1) for name in hosts
    }
    for words in (
        "argument 'index_lifecycle_conditions' is of type str",
        "server_urls: the URL of es carries credentials",
        "parameters are required together: client_cert, client_key",
    ):
        assert any(error.startswith(words) for error in run.errors.values()), words
    assert {name: each.authorizations for name, each in seen.items()} == {
        name: {sent} for name, (_variables, sent) in sources.items()
    }
    assert leaks
    assert not any(leaks)
    assert where_it_shows(secret, temporary) == []
    assert secret not in run.output
    assert basic not in run.output


def where_it_shows(secret: str, folder: Path) -> list[str]:
    """The processes' command lines and the files below a folder that have a secret in them."""
    found: list[str] = []
    for file in (*Path("/proc").glob("[0-9]*/cmdline"), *folder.rglob("*")):
        try:
            if file.is_file() and secret.encode() in file.read_bytes():
                found.append(str(file))
        except OSError:  # it has just ended
            continue
    return found
