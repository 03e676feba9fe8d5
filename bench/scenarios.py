# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster looks like before a daily pass and after it, how it gets there, and how it gets back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.support.servers import Elasticsearch

RECORD_TYPES = ("span", "service", "dependencies")
# By Jaeger's reckoning: too old is what was created so many days ago.
LOOKBACK_DAYS = 7
RETENTION_DAYS = 11
CLOCK_SECONDS = 0.3  # Elasticsearch looks at the clock every 200 ms


@dataclass(frozen=True)
class IndexSet:
    """One record type of one prefix, with the age in days of each generation, oldest first."""

    prefix: str
    record_type: str
    ages: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.prefix}-jaeger-{self.record_type}"

    def generation(self, number: int) -> str:
        return f"{self.name}-{number:06d}"


@dataclass(frozen=True)
class State:
    """Indices, and (alias, index) pairs."""

    indices: frozenset[str]
    aliases: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, server: Elasticsearch) -> State:
        """What the server has now."""
        return cls(frozenset(server.indices()), frozenset(server.aliases()))

    def difference(self, other: State) -> str:
        """What is not equal, shortened; empty if all is."""
        indices = sorted(self.indices ^ other.indices)
        aliases = sorted(self.aliases ^ other.aliases)
        return f"{len(indices)} indices {indices[:6]}, {len(aliases)} aliases {aliases[:6]}" * (self != other)


@dataclass(frozen=True)
class Scenario:
    """So many prefixes, with so many generations of each record type; measured so many times.

    seconds: no further round begins after so long. slow names those who are measured once only, or, if they are
    mapped to False, not at all in a usual run, because a pass of theirs takes minutes.
    """

    name: str
    prefixes: tuple[str, ...]
    generations: tuple[int, int, int]
    repeats: int
    seconds: int
    slow: Mapping[str, bool] = field(default_factory=dict)

    def passes(self, competitor: str, *, full: bool) -> int:
        """How often this competitor is measured at most."""
        return self.repeats if competitor not in self.slow else int(full or self.slow[competitor])

    @property
    def title(self) -> str:
        """As in "20 prefixes, 600 indices"."""
        prefixes = len(self.prefixes)
        return f"{prefixes} prefix{'es' * (prefixes > 1)}, {self.index_count:,} indices"

    @property
    def index_count(self) -> int:
        return len(self.prefixes) * sum(self.generations)

    @property
    def young(self) -> bool:
        """One generation: what is hidden and deleted is what was the write index a moment before."""
        return max(self.generations) == 1

    @property
    def sets(self) -> tuple[IndexSet, ...]:
        return tuple(
            IndexSet(prefix, record_type, ages_of(count))
            for prefix in self.prefixes
            for record_type, count in zip(RECORD_TYPES, self.generations, strict=True)
        )

    @property
    def before(self) -> State:
        """The write index is the newest; what is as old as eight days or less is readable."""
        indices, aliases = set(), set()
        for each in self.sets:
            newest = len(each.ages)
            for number, age in enumerate(each.ages, 1):
                indices.add(each.generation(number))
                if age <= LOOKBACK_DAYS + 1 or number == newest:
                    aliases.add((f"{each.name}-read", each.generation(number)))
            aliases.add((f"{each.name}-write", each.generation(newest)))
        return State(frozenset(indices), frozenset(aliases))

    @property
    def after(self) -> State:
        """Each set has one generation more; what is too old to be found or to be kept is not."""
        indices, aliases = set(), set()
        for each in self.sets:
            newest = len(each.ages) + 1
            for number, age in enumerate((*each.ages, 0), 1):
                if age < RETENTION_DAYS:
                    indices.add(each.generation(number))
                if age < LOOKBACK_DAYS:
                    aliases.add((f"{each.name}-read", each.generation(number)))
            aliases.add((f"{each.name}-write", each.generation(newest)))
        return State(frozenset(indices), frozenset(aliases))

    @property
    def doomed(self) -> tuple[str, ...]:
        """What the pass deletes."""
        return tuple(sorted(self.before.indices - self.after.indices))


def prefixes(count: int) -> tuple[str, ...]:
    """Names of so many prefixes."""
    return ("prod",) if count == 1 else tuple(f"team-{number:03d}" for number in range(1, count + 1))


SCENARIOS = (
    Scenario("one-3", prefixes(1), (1, 1, 1), 5, 90),
    Scenario("one-1000", prefixes(1), (334, 333, 333), 3, 90),
    Scenario("one-3000", prefixes(1), (1000, 1000, 1000), 3, 120),
    Scenario("many-20", prefixes(20), (10, 10, 10), 5, 120, {"uri": True}),
    Scenario("many-100", prefixes(100), (10, 10, 10), 3, 150, {"curator": True, "uri": False}),
)


def ages_of(count: int) -> tuple[int, ...]:
    """Two to be deleted, two to be hidden; of the rest half, but not more than 163, is stored only, the others readable.

    Beside the cut-offs there is one generation a day, so that one reckoning of ages differs from another by
    just one day: the tools count from an index's creation, our modules from the end of its writing.
    """
    if count == 1:
        return (12,)
    stored = min((count - 6) // 2, 163)
    return (12, 11, 10, *[9] * stored, 8, 7, 6, *[5] * (count - 6 - stored))


def settle(server: Elasticsearch) -> None:
    """Let a node of 512 MB hold thousands of shards, and put them back quickly."""
    settings = {
        "cluster.max_shards_per_node": 20000,
        "cluster.routing.allocation.node_concurrent_recoveries": 100,
        "cluster.routing.allocation.node_initial_primaries_recoveries": 100,
    }
    server.request("PUT", "/_cluster/settings", {"persistent": settings})
    server.request("PUT", "/_snapshot/bench", {"type": "fs", "settings": {"location": "bench"}})


def build(server: Elasticsearch, scenario: Scenario, jaeger: Path) -> None:
    """Make the state before the pass, as Jaeger's own init and real rollovers would have made it.

    What is there already is kept if it is a part of that: 3,000 indices begin with the 1,000 of the scenario before.
    Each set is rolled once more than needed and taken back, for that leaves its mark on the write index; so
    it is the same for who comes first and who comes second.
    """
    if not server.indices() <= scenario.before.indices:
        server.wipe()
    there = server.indices()
    fresh = [each for each in scenario.prefixes if f"{each}-jaeger-span-000001" not in there]
    with ThreadPoolExecutor(4) as pool:
        for age in sorted({age for each in scenario.sets for age in each.ages}, reverse=True):
            server.set_server_clock(f"-{age}d")
            time.sleep(CLOCK_SECONDS)
            if age == 12:
                list(pool.map(partial(initialise, server, jaeger), fresh))
            list(pool.map(partial(roll, server, there, age), scenario.sets))
        list(pool.map(lambda each: roll_to(server, each, len(each.ages) + 1), scenario.sets))
    server.set_server_clock("+0d")
    time.sleep(CLOCK_SECONDS)
    indices = {"indices": ",".join(scenario.doomed), "include_global_state": False}
    server.request("PUT", f"/_snapshot/bench/{scenario.name}?wait_for_completion=true", indices)
    restore(server, scenario)


def initialise(server: Elasticsearch, jaeger: Path, prefix: str) -> None:
    """Templates, first generations and aliases of a prefix, by Jaeger's own tool."""
    flags = ["--index-prefix", prefix, "--shards", "1", "--replicas", "0"]
    subprocess.run([jaeger / "es-rollover", "init", server.url, *flags], check=True, capture_output=True)


def roll(server: Elasticsearch, there: set[str], age: int, index_set: IndexSet) -> None:
    """Roll to each generation of this age that is not there; the first is init's."""
    for number, each in enumerate(index_set.ages, 1):
        if each == age and number > 1 and index_set.generation(number) not in there:
            roll_to(server, index_set, number)


def roll_to(server: Elasticsearch, index_set: IndexSet, number: int) -> None:
    """Make this generation the write index."""
    path = f"/{index_set.name}-write/_rollover/{index_set.generation(number)}?wait_for_active_shards=0"
    body = {"aliases": {f"{index_set.name}-read": {}}, "conditions": {"max_age": "0s"}}
    assert server.request("POST", path, body)["rolled_over"]


def restore(server: Elasticsearch, scenario: Scenario) -> None:
    """Bring the cluster back to the state before the pass.

    What was deleted comes from a snapshot, with the dates that it was born and rolled over.
    """
    wanted = scenario.before
    for names in batches(State.of(server).indices - wanted.indices):
        server.request("DELETE", "/" + ",".join(names))
    for names in batches(wanted.indices - State.of(server).indices):
        path = f"/_snapshot/bench/{scenario.name}/_restore?wait_for_completion=true"
        body = {"indices": ",".join(names), "include_aliases": False}
        answer = server.request("POST", path, body)
        assert not answer["snapshot"]["shards"]["failed"], answer
    now = State.of(server)
    changes = [("remove", *each) for each in now.aliases - wanted.aliases]
    changes += [("add", *each) for each in wanted.aliases - now.aliases]
    actions = [{what: {"alias": alias, "index": index}} for what, alias, index in sorted(changes)]
    if actions:
        server.request("POST", "/_aliases", {"actions": actions})
    assert not (difference := State.of(server).difference(wanted)), f"not restored: {difference}"


def batches(names: Iterable[str]) -> Iterable[list[str]]:
    """Names in groups that fit into a URL."""
    ordered = sorted(names)
    return (ordered[start : start + 50] for start in range(0, len(ordered), 50))
