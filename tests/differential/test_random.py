# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random healthy states, random commands: Jaeger's own tools (v1.57.0) and our modules, step by step.

In half of the cases our modules get the options that docs/differences.md names for Jaeger's way; then the outcomes are
equal. In the others they have their defaults, and each of the two outcomes is what the oracle says: Jaeger's tools
without any row of that table, ours with all of them. The modules' and the tools' own code has no part in the oracle.

TRACESTACK_CASES    how many cases, 200 if unset
TRACESTACK_SEED     the seed; SEED:NUMBER runs one case of it. Without it each run has another, said at its start.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.differential.cases import ROUND, Birth, Case, Round, make
from tests.differential.oracle import (
    ROWS,
    Cluster,
    Idx,
    Operation,
    cutoffs,
    expect,
    period_end,
)
from tests.support.modules import module_host, run_module
from tests.support.servers import Elasticsearch
from tests.support.twins import Twins, comparable, read

SEED, _colon, ONLY = os.environ.get("TRACESTACK_SEED", "unset").partition(":")
CASES = int(os.environ.get("TRACESTACK_CASES", "200"))
NUMBERS = [int(ONLY)] if ONLY else list(range(CASES))
ROUNDS = sorted({number // ROUND for number in NUMBERS})
THREADS = 4
# A command has so many seconds to end before an index's age may come to matter.
CALM = timedelta(seconds=10)
SKEW = timedelta(milliseconds=500)
MODULES = {
    "init": "es_rollover_init",
    "rollover": "es_rollover",
    "lookback": "es_lookback",
    "clean": "es_index_cleaner",
}


@pytest.mark.parametrize("number", ROUNDS, ids=lambda number: f"round{number}")
def test_the_outcomes_are_equal_but_for_the_table(twins: Twins, number: int) -> None:
    """Every failing case is told with the seed that repeats it alone."""
    cases = [make(SEED, one) for one in NUMBERS if one // ROUND == number]
    print(f"TRACESTACK_SEED={SEED}, round {number}: {len(cases)} cases")
    start = time.monotonic()
    build(twins, Round.of(SEED, number), cases)
    built = time.monotonic()
    module_host()  # before there are threads that would each start one
    with ThreadPoolExecutor(THREADS) as pool:
        found = [problem for problem in pool.map(lambda case: problem_of(twins, case), cases) if problem]
    print(f"built in {built - start:.0f} s, worked on in {time.monotonic() - built:.0f} s")
    assert not found, f"{len(found)} of {len(cases)} cases failed\n" + "\n\n".join(found)


@pytest.mark.skipif(bool(ONLY) or CASES < 200, reason="only a whole run shows every row")
def test_every_row_is_shown_by_some_case() -> None:
    """The cases of this seed, thought through without a server."""
    now = datetime.now(UTC)
    shown = set().union(*(make(SEED, number).shows(ROWS, now) for number in NUMBERS))
    assert shown == ROWS, f"TRACESTACK_SEED={SEED}"


def test_jaegers_reckoning_shows_no_row() -> None:
    """Where outcomes have to be equal, the cases keep away from what always differs."""
    now = datetime.now(UTC)
    for number in NUMBERS:
        case = make(SEED, number)
        assert not (case.equal and case.shows(ROWS, now)), str(case)


# The state


def build(twins: Twins, shared: Round, cases: list[Case]) -> None:
    """Make the states of all cases, while both clocks move from the oldest age to now."""
    for name, body in _templates_of_the_tools(twins, cases).items():
        twins.both("PUT", f"/_template/{name}", body)
    with ThreadPoolExecutor(2) as pool:
        made: set[str] = set()
        for age in shared.ages:
            twins.set_clock(f"-{age}s")
            for birth in (birth for case in cases for birth in case.births if birth.age == age):
                _wait_for_a_calm_second()
                name = birth.name(datetime.now(UTC) - timedelta(seconds=age))
                if name not in made:
                    made.add(name)
                    list(pool.map(lambda server, n=name, b=birth: _create(server, n, b), twins.both_servers))
    twins.set_clock("+0d")
    for case in cases:
        for birth in case.births:
            for _document in range(birth.docs):
                twins.both("POST", f"/{birth.base}-write/_doc?refresh=true", {"traceID": "1"})


def _create(server: Elasticsearch, name: str, birth: Birth) -> None:
    """One index. Nobody reads what is not written any more: its shards are left out, which is quicker."""
    aliases = {alias: {} if flag is None else {"is_write_index": flag} for alias, flag in birth.aliases}
    settings = {} if birth.written else {"index.routing.allocation.enable": "none"}
    wait = "" if birth.written else "?wait_for_active_shards=0"
    server.request("PUT", f"/{name}{wait}", {"aliases": aliases, "settings": settings})


def _wait_for_a_calm_second() -> None:
    """The twins' indices are not born on different sides of a minute."""
    left = 60 - time.time() % 60
    if left < 1.5:
        time.sleep(left + 0.1)


def _templates_of_the_tools(twins: Twins, cases: list[Case]) -> dict[str, Any]:
    """The templates that init had made for these states, each for its prefix alone."""
    twins.tool("es-rollover", "init", twins.theirs.url, "--index-prefix", "model", "--adaptive-sampling")
    models = twins.theirs.get("/_template/model-jaeger-*?flat_settings=true")
    twins.wipe()
    found = {}
    for case in cases:
        for kind in ("span",) if case.archive else case.types:
            if not case.births:
                continue
            body = json.loads(json.dumps(models[f"model-jaeger-{kind}"]))
            head = f"{case.prefix}-" if case.prefix else ""
            body["index_patterns"] = [f"{head}jaeger-{kind}-*"]
            body["settings"]["index.number_of_shards"] = str(case.shards)
            body["settings"]["index.number_of_replicas"] = str(case.replicas)
            found[f"{head}jaeger-{kind}"] = body
    return found


# The commands


@dataclass(frozen=True)
class Seen:
    """One prefix of a cluster: what is compared, and what the oracle is told."""

    layout: dict[str, Any]
    templates: dict[str, Any]
    cluster: Cluster

    @property
    def aliases(self) -> dict[str, dict[str, bool | None]]:
        """The aliases of each index, as the oracle has them."""
        return {name: dict(index.aliases) for name, index in self.cluster.items()}


def look(server: Elasticsearch, case: Case) -> Seen:
    """Read what belongs to a case."""
    names = f"{case.prefix}-jaeger-*" if case.prefix else "jaeger-*"
    found = read(server, names)
    docs = {f"{birth.base}-{birth.tail}": birth.docs for birth in case.births}
    cluster = {}
    for name, body in found.items():
        born = int(body["settings"]["index.creation_date"])
        flags = {alias: options.get("is_write_index") for alias, options in body["aliases"].items()}
        cluster[name] = Idx(datetime.fromtimestamp(born / 1000, UTC), flags, docs.get(name, 0))
    start = names.removesuffix("*")
    templates = {name: body for name, body in server.get("/_template").items() if name.startswith(start)}
    for body in templates.values():
        del body["index_patterns"]
    return Seen(comparable(found), templates, cluster)


def problem_of(twins: Twins, case: Case) -> str:
    """What is wrong with a case, or nothing."""
    theirs, ours = look(twins.theirs, case), look(twins.ours, case)
    steps: list[str] = []
    try:
        assert theirs.layout == ours.layout, "the state is not the same"
        for op in case.operations:
            steps.append(f"  {commands(twins, op)}")
            now = wait_for_calm(op, theirs.cluster, ours.cluster)
            their_end, our_end = run_both(twins, case, op)
            end = datetime.now(UTC)
            assert is_calm(op, theirs.cluster, ours.cluster, now, end), (
                f"too slow: {end - now}, an index came of age"
            )
            told = f"{op}\ntheirs before: {theirs.aliases}\nours before: {ours.aliases}"
            expected = {
                "theirs": expect(theirs.cluster, op, now, ()),
                "ours": expect(ours.cluster, op, now, op.rows),
            }
            alike = theirs.layout == ours.layout and expected["theirs"] == expected["ours"]
            theirs, ours = look(twins.theirs, case), look(twins.ours, case)
            compare(theirs, ours, all_of_it=alike or case.equal)
            assert theirs.aliases == expected["theirs"].aliases, f"theirs is not as the oracle says: {told}"
            assert (their_end == 0) == expected["theirs"].succeeds, f"their exit code is {their_end}: {told}"
            assert ours.aliases == expected["ours"].aliases, f"ours is not as the oracle says: {told}"
            assert (our_end == "") == expected["ours"].succeeds, f"our message is {our_end!r}: {told}"
    except AssertionError as failed:
        problem = "\n".join((str(case), *steps, str(failed)))
        print(problem, flush=True)
        return problem
    return ""


def compare(theirs: Seen, ours: Seen, *, all_of_it: bool) -> None:
    """All of it, or but for the table: the mappings and settings of what both have (not: made anew, row init-again)."""
    assert theirs.templates == ours.templates
    if all_of_it:
        assert theirs.layout == ours.layout
        return
    for name in theirs.layout.keys() & ours.layout.keys():
        if abs(theirs.cluster[name].created - ours.cluster[name].created) > CALM:
            continue
        for part in ("mappings", "settings"):
            assert theirs.layout[name][part] == ours.layout[name][part], f"{part} of {name}"


def wait_for_calm(op: Operation, theirs: Cluster, ours: Cluster) -> datetime:
    """Wait until no index comes of age while the two commands run, and return the time."""
    for _half_a_second in range(80):
        now = datetime.now(UTC)
        if is_calm(op, theirs, ours, now, now + CALM):
            return now
        time.sleep(0.5)
    raise AssertionError(f"no calm moment for {op}")


def is_calm(op: Operation, theirs: Cluster, ours: Cluster, start: datetime, end: datetime) -> bool:
    """Whether no index comes of age, nor could have on one of the twins alone, between two instants."""
    births = {index.created for cluster in (theirs, ours) for index in cluster.values()}
    ends = {period for period in map(period_end, ours) if period}
    return not any(
        any(edge(start) - SKEW <= birth <= edge(end) + SKEW for birth in births)
        or any(edge(start) <= period < edge(end) for period in ends)
        for edge in cutoffs(op)
    )


def run_both(twins: Twins, case: Case, op: Operation) -> tuple[int, str]:
    """Their exit code and our message."""
    program, *arguments = their_command(op, twins.theirs.url, case.equal)
    code = twins.try_tool(program, *arguments)
    return code, run_module(MODULES[op.kind], server_urls=twins.ours.url, **our_options(op)).message


def commands(twins: Twins, op: Operation) -> str:
    """Both commands, as they can be typed."""
    return f"{' '.join(their_command(op, twins.theirs.url, False))}  |  {MODULES[op.kind]} {our_options(op)}"


def their_command(op: Operation, url: str, equal: bool) -> list[str]:
    """The command line of Jaeger's tool."""
    common = ["--index-prefix", op.prefix] if op.prefix else []
    common += ["--archive"] if op.archive else []
    if op.kind == "clean":
        kind = [] if op.dated or op.archive else ["--rollover"]
        return ["es-index-cleaner", str(op.days), url, *common, *kind, "--index-date-separator", op.separator]
    common += [] if "dependencies" in op.types else ["--skip-dependencies"]
    common += ["--adaptive-sampling"] if "sampling" in op.types else []
    conditions = {} if equal and op.conditions == {"max_age": "0s"} else op.conditions
    own = {
        "init": ["--shards", str(op.shards), "--replicas", str(op.replicas)],
        "rollover": ["--conditions", json.dumps(conditions)],
        "lookback": ["--unit", op.unit, "--unit-count", str(op.count)],
    }
    return ["es-rollover", op.kind, url, *own[op.kind], *common]


def our_options(op: Operation) -> dict[str, Any]:
    """The module's options."""
    options: dict[str, Any] = {"archive": True} if op.archive else {"record_types": list(op.types)}
    options |= {"index_prefix": op.prefix} if op.prefix else {}
    ages: Mapping[str, Any] = {
        **({"age_from": "creation"} if "age" in op.jaegers else {}),
        **({"service_cache_ttl": "0s"} if "service-cache" in op.jaegers else {}),
        "index_date_separator": op.separator,
    }
    unreadable = {"only_unreadable": False} if "readable" in op.jaegers else {}
    own: dict[str, dict[str, Any]] = {
        "init": {"shards": op.shards, "replicas": op.replicas},
        "rollover": {"conditions": dict(op.conditions)},
        "lookback": {"unit": op.unit, "unit_count": op.count, **ages},
        "clean": {
            "days": op.days,
            "strategy": "periodic" if op.dated else "manual_rollover",
            **ages,
            **unreadable,
        },
    }
    return options | own[op.kind]
