# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of the histories that tests/unit/plugins/test_histories.py invents, on a real server.

There the planners are held against a record that the test keeps itself (tests/support/histories.py). Here that record is held against
the server: after each step, what is read is what the record says, and the documents are where it says.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import Cluster, ConnectionOptions
from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import retention_cutoff
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import RefusedError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import patterns_of
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import (
    AgeRule,
    Plan,
    RetentionRule,
    plan_init,
    plan_lookback,
    plan_retention,
    plan_rollover,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Index, State
from ansible_collections.tracestack.jaeger.plugins.module_utils._templates import template
from ansible_collections.tracestack.jaeger.plugins.module_utils._tracing import Trace
from tests.support.histories import DAY, FILTERED, SETS, World
from tests.support.modules import run_module
from tests.support.servers import Elasticsearch

SPAN = SETS[0]
NONE = dict.fromkeys(
    ("username", "password", "api_key", "bearer_token", "ca_path", "client_cert", "client_key")
)
STEPS = 20


class Mirror:
    """A world, and a server that the same is done to."""

    def __init__(self, es: Elasticsearch, seed: int) -> None:
        self.es = es
        self.random = random.Random(seed)
        self.world = World(datetime.now(UTC).replace(microsecond=0) - 90 * DAY)
        self.told: list[str] = []
        options = ConnectionOptions(
            (es.url,),
            **NONE,
            server_name=None,
            validate_certs=True,
            timeout=30,
            retries=0,
            otlp_endpoint=None,
        )
        self.cluster = Cluster(options, Trace())

    def step(self) -> None:
        """Something happens, and then the server has what the world has."""
        kinds = ("ours", "ours", "ours", "written", "dated", "by hand", "by hand")
        kind = self.random.choice(kinds if self.told else ("ours", "dated"))
        self.wait(self.random.choice([3600, 86400, 3 * 86400]))
        {"ours": self.ours, "written": self.written, "dated": self.dated, "by hand": self.by_hand}[kind]()
        found = self.cluster.read(patterns_of(SETS))
        found = found.with_rollovers(self.cluster.rollover_times(patterns_of(SETS)))
        assert same(found, self.world.state()), (self.told, found, self.world.state())

    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)
        self.es.set_clock(f"{int(self.world.clock.timestamp() - time.time())}s")

    def written(self) -> None:
        behind = self.world.behind(SPAN.write_alias)
        if len(behind) == 1 and self.world.records[behind[0]].takes:
            self.es.request("POST", f"/{SPAN.write_alias}/_doc?refresh=true", {"traceID": "1"})
        self.told.append("written")
        self.world.write(SPAN)

    def dated(self) -> None:
        name, aliases = self.world.today(SPAN), self.random.random() < 0.5
        known = name in self.world.records
        before = len(self.world.records[name].documents) if known else 0
        self.world.write_dated(SPAN, aliases=aliases)
        self.told.append(f"dated {name}")
        record = self.world.records.get(name)
        if record is None:
            return
        if not known:
            settings = {"number_of_shards": 1, "number_of_replicas": 0}
            self.es.request("PUT", f"/{name}", {"settings": settings, "aliases": record.aliases})
        if len(record.documents) > before:
            self.es.request("POST", f"/{name}/_doc?refresh=true", {"traceID": "1"})

    def by_hand(self) -> None:
        names = sorted(self.world.records)
        name = self.random.choice(names)
        what = self.random.choice(("alone", "also", "lose", "close", "block", "filter", "other", "hold"))
        self.told.append(f"{what} {name}")
        before = {index: dict(record.aliases) for index, record in self.world.records.items()}
        if what in ("alone", "also"):
            self.world.put_write_alias(SPAN, name, alone=what == "alone")
        elif what == "lose":
            self.world.lose_write_alias(SPAN)
        elif what == "close":
            closed = not self.world.records[name].closed
            self.world.close(name, closed=closed)
            self.es.request("POST", f"/{name}/_{'close' if closed else 'open'}")
        elif what == "block":
            blocked = not self.world.records[name].blocks
            self.world.block(name, blocked=blocked)
            self.es.request("PUT", f"/{name}/_settings", {"index.blocks.write": True if blocked else None})
        elif (
            what == "filter" and not self.world.records[name].closed
        ):  # Elasticsearch 7.17.1: null_pointer_exception
            self.world.show(SPAN, name, {"filter": FILTERED["filter"]})
        elif what == "other":
            self.world.name_also("legal-hold", [name])
        elif what == "hold":
            self.world.hold(SPAN, name, 5)
        after = {index: record.aliases for index, record in self.world.records.items()}
        actions: list[dict[str, Any]] = [
            {"remove": {"index": index, "alias": alias}}
            for index in before
            for alias in set(before[index]) - set(after[index])
        ]
        actions += [
            {"add": {"index": index, "alias": alias, **body}}
            for index in after
            for alias, body in after[index].items()
            if before[index].get(alias, "none") != body
        ]
        if actions:
            self.es.request("POST", "/_aliases", {"actions": actions})

    def ours(self) -> None:
        """A module, and what its planner gives in the world."""
        now, one = self.world.clock, self.world.view(SPAN, self.world.clock)
        what = self.random.choice(
            ("init", "roll", "lookback", "clean") if one.write_index else ("init", "lookback")
        )
        age = AgeRule.at(now, retention_cutoff(now, 3), "written", timedelta(hours=12))
        plan, options = Plan(), dict[str, Any]()
        try:
            if what == "init":
                options = {"shards": 1, "replicas": 0}
                module, plan = "es_rollover_init", plan_init(one, template(SPAN, 1, 0), now)
            elif what == "roll":
                module, options = "es_rollover", {"conditions": {"max_age": "0s"}}
                plan = plan_rollover(one, options["conditions"])
            elif what == "lookback":
                module, plan = "es_lookback", plan_lookback(one, age)
                options = {"unit": "days", "unit_count": 3}
            else:
                module, plan = "es_index_cleaner", plan_retention(one, RetentionRule(age, None, 4))
                options = {"days": 3, "max_generations": 4}
        except RefusedError:
            pass  # and so does the module
        self.told.append(what)
        if not self.world.records and what != "init":
            return
        answer = run_module(
            module, server_urls=self.es.url, index_prefix=SPAN.prefix, record_types=["span"], **options
        )
        for action in plan.actions:
            self.world.apply(action)
        assert acted(answer.result.get("actions", [])) == acted(
            [entry for action in plan.actions for entry in action.describe()]
        ), (self.told, answer.message)


def acted(actions: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What was done, in short; not the marks, whose names have the second in them."""
    told = [tuple(entry.get(name) for name in ("action", "index", "alias")) for entry in actions]
    return [entry for entry in told if "written-until" not in str(entry[2])]


def same(found: State, expected: State) -> bool:
    """Whether two states are alike; times, in names too, may differ by the seconds that a step takes."""
    pairs = [(index, expected.indices.get(name)) for name, index in found.indices.items()]
    return found.indices.keys() == expected.indices.keys() and all(
        other and alike(index, other) for index, other in pairs
    )


def alike(one: Index, other: Index) -> bool:
    """Whether two indices are alike."""

    def told(index: Index) -> Any:
        flags = {
            ("written-until" if "written-until" in name else name): flag
            for name, flag in index.aliases.items()
        }
        return flags, index.specs, index.blocks, index.closed, index.rolled is None

    times = ((one.created, other.created), (one.rolled or one.created, other.rolled or other.created))
    return told(one) == told(other) and all(abs(a - b) < timedelta(minutes=2) for a, b in times)


@pytest.mark.every_server("what a server says of an index is its own")
def test_the_record_of_the_histories_is_what_a_server_has(es: Elasticsearch) -> None:
    told: set[str] = set()
    for seed in range(6):
        es.wipe()
        mirror = Mirror(es, seed)
        for _step in range(STEPS):
            mirror.step()
        es.set_clock("+0d")
        for name, record in mirror.world.records.items():
            if not record.closed:
                assert es.get(f"/{name}/_count")["count"] == len(record.documents), (name, mirror.told)
        told.update(step.split()[0] for step in mirror.told)
    assert {"init", "roll", "lookback", "clean", "close", "also", "hold"} <= told
