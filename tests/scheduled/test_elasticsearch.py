# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled runs against a real Elasticsearch: what they say and count, what they cost, and a clock that jumps."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.drop_in import drop_in, environment
from tests.support.modules import run_module
from tests.support.prometheus import promtool
from tests.support.proxy import Fault, proxy
from tests.support.scheduled import NOTHING_TO_DO, Runner
from tests.support.servers import Elasticsearch

NIGHT = {
    "conditions": {"max_age": "1d"},
    "lookback": {"unit": "days", "unit_count": 2},
    "retention": {"days": 4},
}


def options(url: str, *prefixes: str) -> dict[str, Any]:
    """A night for the spans and services of these prefixes."""
    kinds = {"record_types": ["span", "service"], **NIGHT}
    return {"server_urls": [url], "index_sets": [{"index_prefix": prefix, **kinds} for prefix in prefixes]}


def initialise(es: Elasticsearch, *prefixes: str) -> None:
    """Sets of one generation."""
    for prefix in prefixes:
        made = run_module("es_rollover_init", server_urls=[es.url], index_prefix=prefix, shards=1, replicas=0)
        assert made.message == ""


def samples(file: Path) -> dict[str, float]:
    """What the textfile says of the set of spans, by metric, and of the cluster."""
    text = file.read_text()
    checked = promtool("check", "metrics", stdin=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    found = {}
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
        if 'record_type="span"' in labels or labels.count("=") == 1:
            found[name] = float(value)
        elif kind := re.search(r'kind="(\w+)"', labels):
            found[kind[1]] = float(value)
    return found


def test_six_nights(es: Elasticsearch, runner: Runner) -> None:
    """Rolled over each day, hidden after two, deleted after four; the metrics say so, and so does the log."""
    file, log = runner.folder / "x.prom", runner.folder / "log"
    es.set_clock("-6d")
    initialise(es, "prod")
    job = runner.job(
        options=options(es.url, "prod"),
        metrics={"textfile": str(file)},
        log={"file": str(log)},
        max_runtime=300,
    )
    for day in range(-5, 1):
        es.set_clock(f"{day:+}d")
        done = runner.run(job, environment({}, es.clock) if es.clock else {})
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log.read_text()
    found = samples(file)
    state = run_module("es_index_info", server_urls=[es.url]).result
    (spans,) = [one for one in state["index_sets"] if one["record_type"] == "span"]
    assert found["jaeger_es_generation"] == spans["indices"][-1]["generation"] == 7
    assert found["jaeger_es_generations"] == len(spans["indices"])
    assert found["jaeger_es_stored_bytes"] == sum(index["size_bytes"] for index in spans["indices"])
    readable = [index for index in spans["indices"] if index["readable"]]
    assert 0 < len(readable) < len(spans["indices"])
    assert found["jaeger_es_readable_bytes"] == sum(index["size_bytes"] for index in readable)
    assert found["jaeger_es_rolled_over_total"] == 6
    assert found["jaeger_es_deleted_total"] == 7 - len(spans["indices"]) > 0
    assert (found["jaeger_es_last_run_success"], found["no_write_index"], found["red"]) == (1, 0, 0)
    lines = log.read_text().splitlines()
    assert len(lines) == 6
    assert re.search(r"done in \d+\.\d s: prod: 2 rolled over, 2 out of sight, 2 deleted$", lines[-1])


def test_a_failure_and_what_is_wrong(es: Elasticsearch, runner: Runner) -> None:
    """One set of two cannot be rolled over: the reason first, what was done all the same, and its kind in the metrics."""
    file = runner.folder / "x.prom"
    initialise(es, "prod")
    es.request(
        "POST", "/_aliases", {"actions": [{"remove": {"index": "*", "alias": "prod-jaeger-span-write"}}]}
    )
    job = runner.job(
        options={
            **options(es.url, "prod"),
            "index_sets": [
                {"index_prefix": "prod", "record_types": ["span", "service"], "conditions": {"max_age": "0s"}}
            ],
        },
        metrics={"textfile": str(file)},
    )
    done = runner.run(job)
    assert done.returncode == 1
    assert re.match(
        r"error: failed after \d+\.\d s: prod: 1 of 2 index sets failed: prod/span: ", done.stderr
    )
    assert done.stderr.endswith(" (1 rolled over)\n")
    found = samples(file)
    assert (found["jaeger_es_last_run_success"], found["no_write_index"]) == (0, 1)


def test_what_it_costs(es: Elasticsearch, runner: Runner) -> None:
    """No request more than the plain maintain without metrics; with them those of one look at the indices."""
    initialise(es, "prod")
    with proxy(es.url) as way:

        def asked() -> list[str]:
            found = list(way.requests)
            way.requests.clear()
            return found

        content = runner.folder / "options.json"
        content.write_text(json.dumps(options(way.url, "prod")))
        assert drop_in("maintain", "--options", str(content)).returncode == 0
        plain = asked()
        keys: dict[str, Any] = {"options": options(way.url, "prod"), "lock": f"{runner.folder}/lock"}
        assert runner.run(runner.job(**keys, max_runtime=60)).returncode == 0
        assert asked() == plain
        metrics = {"textfile": f"{runner.folder}/x.prom"}
        assert runner.run(runner.job(**keys, metrics=metrics)).returncode == 0
        measured = asked()
    assert measured[: len(plain)] == plain
    assert len(measured) - len(plain) == 4
    assert all(request.startswith("GET ") for request in measured[len(plain) :])


def test_a_look_that_fails_does_not_make_it_a_failure(es: Elasticsearch, runner: Runner) -> None:
    file = runner.folder / "x.prom"
    initialise(es, "prod")
    sizes = Fault(reaches=False, status=500)
    with proxy(es.url, lambda _method, path: sizes if "_cat/indices" in path else None) as way:
        job = runner.job(options=options(way.url, "prod"), metrics={"textfile": str(file)})
        done = runner.run(job)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: prod: no metrics of the indices: ")
    found = samples(file)
    assert found["jaeger_es_last_run_success"] == 1
    assert "jaeger_es_stored_bytes" not in found


def test_a_clock_that_jumps(runner: Runner) -> None:
    """A day forward and two back, while it works: durations and max_runtime do not mind."""
    clock = runner.folder / "clock"

    def ran(jump: str) -> dict[str, Any]:
        clock.write_text("+0d\n")
        script = (
            f"sleep 0.5; echo {jump} > {clock}.fresh; mv {clock}.fresh {clock}; sleep 0.5; {NOTHING_TO_DO}"
        )
        job = runner.playbook(script, max_runtime=30, log={"stdout": True, "format": "json"})
        done = runner.run(job, environment({"FAKETIME_NO_CACHE": "1"}, clock))
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        told: dict[str, Any] = json.loads(line)
        return told

    now = subprocess.run(
        ["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=True
    ).stdout.strip()
    for jump in ("+1d", "-2d"):
        told = ran(jump)
        assert 1 <= told["seconds"] < 15
        assert told["time"][:10] != now  # the jump was seen
