# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role index_lifecycle, by the scheduled playbook: check mode, the real thing, again; bad input; secrets."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.collector import collector
from tests.support.modules import run_module
from tests.support.playbooks import Run, play
from tests.support.proxy import proxy
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


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"index_lifecycle_conditions": "daily"},
            (
                "argument 'index_lifecycle_conditions' is of type str and we were unable "
                "to convert to dict: dictionary requested, could not parse JSON or key=value"
            ),
        ),
        (
            {"index_lifecycle_conditions": ["max_age"]},
            "argument 'index_lifecycle_conditions' is of type list and we were unable to convert to dict: ",
        ),
        (
            {"index_lifecycle_conditions": {"max_days": 2}},
            "Unsupported parameters for (tracestack.jaeger.es_maintenance) module: index_sets.conditions.max_days. ",
        ),
        (
            {"index_lifecycle_conditions": {"max_age": "2 days"}},
            "index_sets[0].conditions.max_age is '2 days': give a number and a unit, such as 2d or 12h.",
        ),
        (
            {"index_lifecycle_lookback_unit": "fortnights"},
            (
                "value of index_lifecycle_lookback_unit must be one of: seconds, minutes, "
                "hours, days, weeks, months, years, got: fortnights"
            ),
        ),
        (
            {"index_lifecycle_lookback_unit_count": -1},
            "index_sets[0].lookback.unit_count is -1: it must be 0 or more.",
        ),
        (
            {"index_lifecycle_retention_days": -1},
            "index_sets[0].retention.days is -1: it must be 0 or more.",
        ),
        (
            {"index_lifecycle_service_cache_ttl": "soon"},
            "service_cache_ttl is 'soon': give a number and one of s, m, h, d, such as 12h.",
        ),
        ({"index_lifecycle_index_prefix": "prod*"}, "index_sets[0]: index_prefix 'prod*' "),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_changes_nothing(
    sets: Elasticsearch, variables: dict[str, Any], sentence: str
) -> None:
    """Nothing, not even by the steps before the one that it is for."""
    before = state(sets)
    with proxy(sets.url) as seen:
        run = play(ROLLOVER, {"elasticsearch_url": seen.url, **variables})
    assert run.error.startswith(sentence)
    assert run.count("failed") == 1
    assert run.count("changed") == 0
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


def test_one_variable_makes_a_trace_of_the_run(sets: Elasticsearch) -> None:
    """Below the span that Ansible's own environment names; without the variable nobody asks for it."""
    env = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with collector() as receiver:
        run = play(ROLLOVER, {"elasticsearch_url": sets.url}, "--check", env=env)
        assert run.code == 0, run.output
        assert receiver.paths == []
        variables = {"elasticsearch_url": sets.url, "index_lifecycle_otlp_endpoint": receiver.endpoint}
        run = play(ROLLOVER, variables, env=env)
    assert run.code == 0, run.output
    assert "WARNING" not in run.output
    whole = receiver.one("es_maintenance")
    assert (whole.trace, whole.parent) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert [span.name for span in receiver.below(whole)] == [
        "cat.tasks",
        "read",
        "rollover",
        "lookback",
        "clean",
    ]


def test_a_trace_that_nobody_takes_is_a_warning(sets: Elasticsearch) -> None:
    variables = {
        "elasticsearch_url": sets.url,
        "index_lifecycle_otlp_endpoint": f"http://127.0.0.1:{free_port()}",
    }
    run = play(ROLLOVER, variables)
    assert run.code == 0, run.output
    assert run.output.count("The trace of this run could not be exported to http://127.0.0.1:") == 1
    assert run.count("changed") == 1


@pytest.mark.parametrize("source", ["password", "password_file", "api_key", "bearer_token"])
def test_a_secret_is_used_and_never_shown(sets: Elasticsearch, tmp_path: Path, source: str) -> None:
    """With all that Ansible can print; in check mode too, and with an error that shows the role's arguments.

    While the module waits for its first answer, neither a process's command line nor a temporary file has it.
    """
    secret = "bm9ib2R5LXNlZXMtNDcxMQ=="
    file = tmp_path / "secret"
    file.write_text(secret + "\n")
    value = str(file) if source.endswith("_file") else secret
    variables = {f"index_lifecycle_{source}": value}
    sent = f"{'Bearer' if source == 'bearer_token' else 'ApiKey'} {secret}"
    if source.startswith("password"):
        variables["index_lifecycle_username"] = "jaeger"
        sent = "Basic " + base64.b64encode(f"jaeger:{secret}".encode()).decode()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    places = ("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TMP")
    leaks: list[list[str]] = []

    def look(_method: str, _path: str) -> None:
        leaks.append(where_it_shows(secret, temporary))

    with proxy(sets.url, look) as seen:
        variables["elasticsearch_url"] = seen.url
        env = dict.fromkeys(places, str(temporary))
        run = play(ROLLOVER, variables, "-vvvv", "--diff", "--check", env=env)
    assert run.code == 0, run.output
    assert run.count("changed") == 1
    assert leaks
    assert not any(leaks)
    assert where_it_shows(secret, temporary) == []
    assert seen.authorizations == {sent}
    wrong = play(ROLLOVER, {**variables, "index_lifecycle_conditions": "daily"}, "-vvvv")
    assert wrong.error.startswith("argument 'index_lifecycle_conditions' is of type str")
    for output in (run.output, wrong.output):
        assert secret not in output
        assert sent.split()[1] not in output


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
