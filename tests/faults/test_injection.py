# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault at every request of every module, and then one clean run, which must put everything right.

A new scenario is an entry in SCENARIOS. Nothing here knows which requests a module makes: an undisturbed run is
recorded first, and each of its requests gets each of the faults, in a corner of the server of its own.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.corners import SPAN, Builder, Corner, build, difference
from tests.support.modules import Answer, Run, run_module, start_module
from tests.support.proxy import (
    LOST_ANSWER,
    LOST_REQUEST,
    TOO_MANY,
    UNAVAILABLE,
    UNAVAILABLE_AFTERWARDS,
    Chooser,
    Fault,
    proxy,
)
from tests.support.servers import Elasticsearch, wait_for
from tests.support.starts import (
    PAST_DAYS,
    SECOND,
    collector_came_first,
    dated_indices,
    half_made,
    hidden_generations,
    hidden_generations_and_repository,
    lost_read_alias,
    lost_write_alias,
    nothing,
    three_generations,
    two_prefixes,
    two_sets,
    unread_dated_indices,
    unreadable_write_index,
)

STALL = 30.0
_PATIENCE = re.compile(r"[?&]master_timeout=\d+s")


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    passes: it happens once, and the run has to get over it by itself. kills: so does the run end. options: what the
    module is told in addition. reads: whether it also makes a difference to a request that changes nothing.
    """

    fault: Fault
    passes: bool = True
    kills: bool = False
    reads: bool = True
    options: dict[str, Any] = field(default_factory=dict)


IMPATIENT = {"timeout": 10}  # the client waits some seconds longer than that, and less than STALL
BRIEF = {"retries": 1}
KINDS = {
    "the request is lost": Kind(LOST_REQUEST),
    "the answer is lost": Kind(LOST_ANSWER),
    "503": Kind(UNAVAILABLE),
    "503 after it was done": Kind(UNAVAILABLE_AFTERWARDS, reads=False),
    "429": Kind(TOO_MANY),
    "the answer stalls": Kind(Fault(seconds=STALL)),
    "the answer stalls for longer than timeout": Kind(Fault(seconds=STALL), options=IMPATIENT, reads=False),
    "the request stalls for longer than timeout": Kind(Fault(held=STALL), options=IMPATIENT),
    "killed before the server has it": Kind(LOST_REQUEST, passes=False, kills=True),
    "killed before the answer": Kind(LOST_ANSWER, passes=False, kills=True),
    "no answer from here on": Kind(LOST_REQUEST, passes=False, options=BRIEF),
    "503 from here on": Kind(UNAVAILABLE, passes=False, options=BRIEF),
}


@dataclass(frozen=True)
class Scenario:
    """A module, what it is told and what it finds.

    options are those for a prefix. hidden are the documents that it takes out of sight because that is what it was
    asked for, and deleted those that it deletes. alias: a collector writes through an alias, not into an index that is
    in its place.
    """

    module: str
    options: Callable[[str], dict[str, Any]]
    build: Builder
    hidden: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    changes: bool = True
    alias: bool = True

    @property
    def expired(self) -> frozenset[str]:
        """What need not be found afterwards."""
        return self.hidden | self.deleted

    def run(self, corner: Corner, url: str = "") -> Answer:
        """The module, with nothing in its way, or through this URL."""
        return run_module(self.module, server_urls=url or corner.es.url, **self.options(corner.prefix))


def spans(**options: Any) -> Callable[[str], dict[str, Any]]:
    """Options for the spans of one prefix."""
    return lambda prefix: {"index_prefix": prefix, "record_types": ["span"], **options}


def spans_and_services(**options: Any) -> Callable[[str], dict[str, Any]]:
    """Options for two index sets of one prefix."""
    return lambda prefix: {"index_prefix": prefix, "record_types": ["span", "service"], **options}


def night(prefix: str) -> dict[str, Any]:
    """All that a night has to do to the spans of two prefixes."""
    steps = {
        "conditions": {"max_age": "1d"},
        "lookback": {"unit": "days", "unit_count": 7},
        "retention": {"days": 8},
    }
    prefixes = (prefix, f"{prefix}-b")
    return {"index_sets": [{"index_prefix": one, "record_types": ["span"], **steps} for one in prefixes]}


def by_size(prefix: str) -> dict[str, Any]:
    """Retention by the size of a set: nothing that is not written now fits."""
    retention = {"max_size": "1b", "only_unreadable": False}
    return {"index_sets": [{"index_prefix": prefix, "record_types": ["span"], "retention": retention}]}


def with_snapshot(prefix: str) -> dict[str, Any]:
    """A cleaner that keeps what it deletes."""
    return {"index_prefix": prefix, "record_types": ["span"], "days": 7, "snapshot_repository": prefix}


def named(*tails: str, base: str = SPAN) -> frozenset[str]:
    """The documents of these indices."""
    return frozenset(f"{base}-{tail}" for tail in tails)


SCENARIOS = {
    "init": Scenario("es_rollover_init", spans_and_services(shards=1, replicas=0), nothing),
    "init, lost write alias": Scenario("es_rollover_init", spans(shards=1), lost_write_alias),
    "init, lost read alias": Scenario("es_rollover_init", spans(shards=1), lost_read_alias),
    "init, half-made set": Scenario("es_rollover_init", spans(shards=1), half_made),
    "rollover": Scenario("es_rollover", spans_and_services(conditions={"max_age": "1d"}), two_sets),
    "rollover, unreadable write index": Scenario(
        "es_rollover", spans(conditions={"max_age": "1d"}), unreadable_write_index
    ),
    "lookback": Scenario(
        "es_lookback", spans(unit="days", unit_count=7), three_generations, hidden=named("000001")
    ),
    "cleaner": Scenario("es_index_cleaner", spans(days=7), hidden_generations, deleted=named("000001")),
    "cleaner, dated": Scenario(
        "es_index_cleaner",
        spans(days=7, strategy="periodic", only_unreadable=False),
        dated_indices,
        deleted=named(*PAST_DAYS),
    ),
    "cleaner with snapshot": Scenario(
        "es_index_cleaner", with_snapshot, hidden_generations_and_repository, deleted=named("000001")
    ),
    "maintenance": Scenario(
        "es_maintenance",
        night,
        two_prefixes,
        deleted=named("000001") | named("000001", base=SECOND),
    ),
    "maintenance by size": Scenario(
        "es_maintenance", by_size, three_generations, deleted=named("000001", "000002")
    ),
    "adoption of an index": Scenario(
        "es_rollover_init",
        spans(shards=1, replicas=0, adopt=["concrete"]),
        collector_came_first,
        alias=False,
    ),
    "adoption of dated indices": Scenario(
        "es_rollover_init", spans(shards=1, replicas=0, adopt=["dated"]), unread_dated_indices
    ),
    "info": Scenario(
        "es_index_info", lambda prefix: {"index_prefix": prefix}, three_generations, changes=False
    ),
}


@dataclass(frozen=True)
class Reference:
    """The undisturbed run: which documents it found, its requests, which of them are changes, and what it left."""

    before: set[str]
    requests: tuple[str, ...]
    changes: frozenset[str]
    state: Any


@dataclass(frozen=True)
class Case:
    """One fault at one request, in a corner of its own: where this request is made for the nth time."""

    corner: Corner
    kind: Kind
    request: str
    nth: int
    label: str


class Wrong(Exception):
    """A case did not go as it must."""


def must(truth: bool, otherwise: str) -> None:
    """An assertion whose message is all that there is to say."""
    if not truth:
        raise Wrong(otherwise)


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_clean_run_after_any_fault_puts_everything_right(
    es: Elasticsearch, name: str, record_property: Callable[[str, object], None]
) -> None:
    scenario = SCENARIOS[name]
    reference = undisturbed(scenario, Corner(es, "u0000"))
    cases = list(all_cases(es, reference))
    build(scenario.build, [case.corner for case in cases])
    stalls = [case for case in cases if case.kind.fault.seconds or case.kind.fault.held]
    others = [case for case in cases if case not in stalls]
    # Who stalls waits and does not work: all of them at once, beside the others.
    with ThreadPoolExecutor(max(len(stalls), 1)) as waiting, ThreadPoolExecutor(3) as working:
        tried = [
            *waiting.map(lambda case: outcome(scenario, reference, case), stalls),
            *working.map(lambda case: outcome(scenario, reference, case), others),
        ]
    wrong = [f"{case.label}: {what}" for case, what in zip(stalls + others, tried, strict=True) if what]
    kinds = Counter(case.label.partition(" at ")[0] for case in cases)
    record_property("faults injected", len(cases))
    print(f"{name}: {len(cases)} faults at {len(reference.requests)} requests: {json.dumps(kinds)}")
    assert not wrong, f"{len(wrong)} of {len(cases)} went wrong:\n" + "\n".join(wrong)


def undisturbed(scenario: Scenario, corner: Corner) -> Reference:
    """Run the scenario with nothing in its way."""
    build(scenario.build, [corner])
    before = corner.readable()
    with proxy(corner.es.url) as seen:
        answer = scenario.run(corner, seen.url)
    assert not answer.message
    assert answer.changed == scenario.changes
    again = scenario.run(corner)
    assert not again.message
    assert not again.changed, "a second undisturbed run finds something to do"
    assert corner.documents("-read", "") == [
        corner.written - scenario.expired,
        corner.written - scenario.deleted,
    ]
    reference = Reference(
        before,
        tuple(words(corner, request) for request in seen.requests),
        frozenset(words(corner, request) for request in seen.changes()),
        corner.state(),
    )
    corner.clear()
    return reference


def words(corner: Corner, request: str) -> str:
    """A request in the words that it has in each corner and under each option."""
    return _PATIENCE.sub("", corner.relative(request))


def all_cases(es: Elasticsearch, reference: Reference) -> Iterator[Case]:
    """Each fault at each request. How often a question is repeated until the answer is yes differs: it counts once."""
    number = itertools.count(1)
    asked: Counter[str] = Counter()
    for request, _repeated in itertools.groupby(reference.requests):
        asked[request] += 1
        for name, kind in KINDS.items():
            if kind.reads or request in reference.changes:
                corner = Corner(es, f"c{next(number):04d}")
                yield Case(corner, kind, request, asked[request], f"{name} at {request}")


def outcome(scenario: Scenario, reference: Reference, case: Case) -> str:
    """Nothing if a case goes well, otherwise what is wrong."""
    try:
        try_case(scenario, reference, case)
    except (Wrong, AssertionError) as wrong:
        return str(wrong) or repr(wrong)
    case.corner.clear()
    return ""


def try_case(scenario: Scenario, reference: Reference, case: Case) -> None:
    """The run with the fault, then one without, then one that finds nothing to do."""
    corner = case.corner
    killed: Future[Run] = Future()
    with proxy(corner.es.url, choose(case, killed)) as flawed:
        options = scenario.options(corner.prefix) | case.kind.options
        run = start_module(scenario.module, server_urls=flawed.url, **options)
        killed.set_result(run)
        check_answer(scenario, case, run.wait())
        must(len(flawed.faults) > 0, "the request was never made")
        lost = reference.before - scenario.expired - corner.readable()
        must(not lost, f"after the fault these are not found: {sorted(lost)}")
        corner.writes("meanwhile", alias=scenario.alias)
        clean = scenario.run(corner)
        must(not clean.message, f"the clean run failed: {clean.message}")
        wait_for(lambda: flawed.under_way == 0)
    if case.kind.fault.held:
        # What the first run had sent has come only now, after a run that found everything right: the fault is over here.
        # An adoption's write block then sits on the generation that the alias has been put on.
        clean = scenario.run(corner)
        must(not clean.message, f"the run after the late request failed: {clean.message}")
        other = [a for a in clean.result.get("actions", []) if a["action"] != "end_write_block"]
        must(not other, f"the run after the late request did something: {other}")
    check_documents(scenario, corner)
    third = scenario.run(corner)
    must(not third.message, f"the third run failed: {third.message}")
    must(not third.changed, f"the third run did something: {third.result.get('actions')}")
    differs = difference(reference.state, corner.state())
    must(not differs, f"the state differs: {differs}")
    check_documents(scenario, corner)


def choose(case: Case, killed: Future[Run]) -> Chooser:
    """The case's fault at its place, or from there on."""
    kind = case.kind
    fault = kind.fault
    if kind.kills:
        fault = Fault(fault.reaches, fault.status, then=lambda: killed.result().kill())
    asked: list[str] = []
    done: list[str] = []

    def chooser(method: str, path: str) -> Fault | None:
        request = words(case.corner, f"{method} {path}")
        if not asked or asked[-1] != request:
            asked.append(request)
        reached = asked.count(case.request) >= case.nth
        if reached and not (kind.passes or kind.kills):
            return fault
        now = reached and request == case.request and not done
        if now:
            done.append(request)
        return fault if now else None

    return chooser


def check_answer(scenario: Scenario, case: Case, answer: Answer | None) -> None:
    """What the run with the fault said: nothing if it was killed, and else a yes or one clear sentence."""
    must((answer is None) == case.kind.kills, f"killed, or not: {answer}")
    if answer is None:
        return
    must(is_clear(answer.message), f"not a clear sentence: {answer.message}")
    if case.kind.passes:
        must(not answer.message, f"a passing fault made it fail: {answer.message}")
        must(answer.changed == scenario.changes, f"it says changed: {answer.changed}")
    else:
        must(answer.message != "", "it says that it succeeded, with a server that is gone")


def is_clear(message: str) -> bool:
    """One line, without what only a programmer can read."""
    jargon = ("\n", "Unforeseen", "Traceback", "object at 0x", "<class", "Error(")
    return len(message) < 600 and not any(word in message for word in jargon)


def check_documents(scenario: Scenario, corner: Corner) -> None:
    """Each document is found, or it is what the run was asked to hide or to delete."""
    readable, stored = corner.documents("-read", "")
    hidden = corner.written - scenario.expired - readable
    must(not hidden, f"these are not found: {sorted(hidden)}")
    gone = corner.written - scenario.deleted - stored
    must(not gone, f"these are gone: {sorted(gone)}")
