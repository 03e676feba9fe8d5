# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planners promise, over histories that no table has: each promise holds at each step of each of them.

Derandomised; TRACESTACK_HISTORIES=N tries so many random ones instead.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import DeleteIndices, UpdateAliases
from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import retention_cutoff
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import RefusedError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import READABLE, IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import (
    AgeRule,
    Plan,
    RetentionRule,
    plan_init,
    plan_lookback,
    plan_retention,
    plan_rollover,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Index, Member, View
from ansible_collections.tracestack.jaeger.plugins.module_utils._templates import template
from tests.support.histories import DAY, FILTERED, SETS, World

RANDOM = int(os.environ.get("TRACESTACK_HISTORIES", "0"))
TTL = timedelta(hours=12)
SET = st.sampled_from(
    [SETS[0], SETS[0], SETS[1], SETS[1], *SETS]
)  # one history in several sets is seldom a long one
PICK = st.integers(0, 30)
# Seconds that have gone by since the step before.
LATER = st.sampled_from([1, 3600, 12 * 3600, 86400, 86400, 2 * 86400, 5 * 86400])
AGE_FROM = st.sampled_from(["written", "written", "creation"])
DAYS = st.sampled_from([0, 1, 3, 7, 14])


class Histories(RuleBasedStateMachine):
    """Anything happens to a cluster, and our runs among it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.skew = timedelta(0)

    def pick(self, one: IndexSet, number: int) -> str:
        """One of the set's indices, or nothing."""
        names = sorted(name for name in self.world.records if one.generation_of(name) or one.period_of(name))
        return names[number % len(names)] if names else ""

    @property
    def now(self) -> datetime:
        """The time of a run: the earlier one of the server's clock and the host's."""
        return min(self.world.clock, self.world.clock + self.skew)

    def documented_cutoff(self, days: int) -> datetime:
        """The coming midnight minus so many days."""
        return datetime.combine(self.now.date(), datetime.min.time(), UTC) + (1 - days) * DAY

    # What others do

    @initialize(begun=st.sampled_from(["rolled", "rolled", "dated", "dated aliases", "not"]))
    def begin(self, begun: str) -> None:
        """How it all began: with generations already, with days, with days behind aliases, or with nothing."""
        for one in SETS:
            if begun == "rolled":
                self.init(one, 0, shown=False)
            elif begun != "not":
                self.world.write_dated(one, aliases=begun == "dated aliases")
        for _time in range(3 if begun == "rolled" else 0):
            self.roll(SETS[0], 4 * 86400)
            self.roll(SETS[1], 1)

    def wait(self, seconds: int) -> None:
        """Time goes by, and collectors write all the time."""
        for one in SETS:
            self.world.write(one)
        self.world.wait(seconds)
        for one in SETS:
            self.world.write(one)

    @rule(hours=st.sampled_from([0, 0, 0, -50, 50]))
    def set_the_host_s_clock(self, hours: int) -> None:
        self.skew = timedelta(hours=hours)

    @rule(one=SET, later=LATER, aliases=st.sampled_from([False, False, True]))
    def write_dated(self, one: IndexSet, later: int, aliases: bool) -> None:
        self.wait(later)
        self.world.write_dated(one, aliases=aliases)

    @rule(one=SET, later=LATER, number=PICK, what=st.sampled_from("abbccdefghijk"), on=st.booleans())
    def by_hand(self, one: IndexSet, later: int, number: int, what: str, on: bool) -> None:
        """What people do to an index."""
        self.wait(later)
        world, name = self.world, self.pick(one, number)
        if not name:
            return
        if what == "a" and name not in world.written(one):
            world.write_by_name(name)
        elif what in "bc":
            world.put_write_alias(one, name, alone=what == "b")
        elif what == "d":
            world.lose_write_alias(one)
        elif what == "e":
            world.close(name, closed=on)
        elif what == "f":
            world.block(name, blocked=on)
        elif what == "g":
            for each in {name, *world.behind(one.read_alias)}:
                world.show(one, each, FILTERED if on else {})
        elif what == "h":
            world.name_also("legal-hold", [name])
        elif what == "i":
            world.name_also("dashboard", {*world.generations(one), *world.written(one)} if on else [name])
        elif what == "j":
            world.hold(one, name, days=2 if on else 20)
        elif what == "k" and world.gone:
            world.restore(sorted(world.gone)[number % len(world.gone)])

    @rule(
        one=SET,
        later=LATER,
        number=PICK,
        moved=st.booleans(),
        spoilt=st.sampled_from(["", "", "closed", "blocked"]),
        night=st.booleans(),
    )
    def muddle(  # noqa: PLR0917
        self, one: IndexSet, later: int, number: int, moved: bool, spoilt: str, night: bool
    ) -> None:
        """The write alias goes to another index, then to the newest generation as well, or that is spoilt; then init, or a night."""
        name, generations = self.pick(one, number), self.world.generations(one)
        if not generations:
            return
        if moved:
            self.world.put_write_alias(one, name, alone=True)
            self.wait(later)
            self.world.put_write_alias(one, generations[-1], alone=False)
        if spoilt == "closed":
            self.world.close(generations[-1], closed=True)
        elif spoilt == "blocked":
            self.world.block(generations[-1], blocked=True)
        if not night:
            self.init(one, 1, shown=False)
        self.night(one, 3600, 3)

    @rule(one=SET, later=LATER)
    def overtaken(self, one: IndexSet, later: int) -> None:
        """The write alias is lost; an init has looked, and another one, and a rollover, come before it acts."""
        self.world.lose_write_alias(one)
        stale = plan_init(self.world.view(one, self.now), template(one, 1, 0), self.world.clock)
        self.init(one, 1, shown=False)
        self.roll(one, later)
        for action in stale.actions:
            if isinstance(action, UpdateAliases):  # the server refuses to make an index anew
                self.world.apply(action)
        assert len(self.world.behind(one.write_alias)) == 1
        again = plan_init(self.world.view(one, self.now), template(one, 1, 0), self.world.clock, moved=True)
        self.perform(one, again)
        found = self.world.view(one, self.now)
        assert found.write_index == found.generations[-1].index

    # What we do

    @rule(one=SET, later=LATER, shown=st.sampled_from([False, False, True]))
    def init(self, one: IndexSet, later: int, shown: bool) -> None:
        self.wait(later)
        adopt = frozenset({"dated", "generations"} if shown else ())

        def plan() -> Plan:
            return plan_init(
                self.world.view(one, self.world.clock), template(one, 1, 0), self.world.clock, adopt
            )

        made = plan()
        spec, readable = (
            self.world.view(one, self.now).spec_of(one.read_alias),
            self.world.behind(one.read_alias),
        )
        self.perform(one, made)
        assert plan().actions == ()
        shown_now = set(self.world.behind(one.read_alias)) - set(readable)
        assert all(self.world.records[name].aliases[one.read_alias] == spec for name in shown_now)
        found = self.world.view(one, self.now)
        assert found.write_index is not None
        assert not found.write_index.closed
        assert one.read_alias in found.write_index.aliases
        if any(isinstance(action, UpdateAliases) and action.alone for action in made.actions):
            assert not found.write_index.unwritable
            assert found.write_index == found.generations[-1].index

    @rule(one=SET, later=LATER)
    def roll(self, one: IndexSet, later: int) -> None:
        self.wait(later)
        before = self.world.view(one, self.now)
        try:
            plan = plan_rollover(before, {})
        except RefusedError:
            assert before.write_index is None or before.write_index.closed
            return
        spec = before.spec_of(one.read_alias)
        self.perform(one, plan)
        found = self.world.view(one, self.now)
        assert found.write_index is not None
        assert not found.write_index.unwritable
        assert found.write_index.created == self.world.clock
        assert found.write_index == found.generations[-1].index
        assert found.write_index.aliases.keys() == {one.read_alias, one.write_alias}
        assert found.write_index.specs.get(one.read_alias, {}) == spec
        assert before.write_index is not None
        if "dashboard" in before.write_index.aliases:  # which a template puts on each new index
            self.world.name_also("dashboard", [found.write_index.name])

    @rule(one=SET, later=LATER, days=DAYS, age_from=AGE_FROM)
    def look_back(self, one: IndexSet, later: int, days: int, age_from: str) -> None:
        self.wait(later)
        cutoff = self.documented_cutoff(days)
        age = AgeRule.at(self.now, retention_cutoff(self.now, days), age_from, TTL)
        before = self.world.view(one, self.now)
        plan = plan_lookback(before, age)
        taken = [
            entry for action in plan.actions if isinstance(action, UpdateAliases) for entry in action.remove
        ]
        hidden = {name for name, alias in taken if alias == one.read_alias}
        assert all(one.marks(READABLE, [alias]) or alias == one.read_alias for _name, alias in taken)
        self.check_account(before, plan, hidden, [member for member in before.members if member.readable])
        self.check_documents(one, hidden, cutoff, age_from)
        self.check_protected(one, hidden)
        free = [
            m for m in before.members if m.readable and not self.bound(one, m) and not m.index.aliases_blocked
        ]
        self.check_order(
            age,
            [m for m in free if m.index.name not in hidden],
            [m for m in before.members if m.index.name in hidden],
        )
        self.perform(one, plan)
        assert plan_lookback(self.world.view(one, self.now), age).actions == ()
        assert not any(one.marks(READABLE, self.world.records[name].aliases) for name in hidden)

    @rule(
        one=SET,
        days=st.one_of(st.none(), DAYS),
        most=st.one_of(st.none(), st.integers(1, 4)),
        size=st.one_of(st.none(), st.integers(0, 900)),
        least=st.integers(0, 3),
        age_from=AGE_FROM,
        which=st.sampled_from([(True, True), (True, False), (False, True)]),
        only_unreadable=st.booleans(),
        ignored=st.sampled_from([(), ("legal-*",), ("*",)]),
    )
    def clean(  # noqa: PLR0917
        self,
        one: IndexSet,
        days: int | None,
        most: int | None,
        size: int | None,
        least: int,
        age_from: str,
        which: tuple[bool, bool],
        *,
        only_unreadable: bool,
        ignored: tuple[str, ...],
    ) -> None:
        cutoff = None if days is None else self.documented_cutoff(days)
        reckoned = None if days is None else retention_cutoff(self.now, days)
        age = AgeRule.at(self.now, reckoned, age_from, TTL)
        limits = RetentionRule(age, size, most, least, only_unreadable, *which, ignored_aliases=ignored)
        before = self.world.view(one, self.now)
        members = [m for m in before.members if which[m.number is None]]
        plan = plan_retention(before, limits)
        gone = {name for action in plan.actions if isinstance(action, DeleteIndices) for name in action.names}
        self.check_account(before, plan, gone, members)
        self.check_documents(one, gone, cutoff if most is None and size is None else None, age_from)
        self.check_protected(one, gone)
        needed = {name: self.needing(one, name, ignored) for name in self.world.records}
        assert not any(needed[name] for name in gone)
        assert all(needed[kept.index] for kept in plan.kept if kept.reason.startswith("behind the alias"))
        assert not (
            only_unreadable and any(one.read_alias in self.world.records[name].aliases for name in gone)
        )
        free = [
            member
            for member in members
            if not self.bound(one, member)
            and not needed[member.index.name]
            and not (only_unreadable and member.readable)
            and member.index.name not in gone
        ]
        self.check_order(age, free, [m for m in members if m.index.name in gone])
        kept = sorted(members, key=lambda m: age.by_age(members).index(m))[-least:] if least else []
        assert gone.isdisjoint(m.index.name for m in kept)
        if most is not None:  # the newest so many, by their age, are not too many
            newest = age.by_age(members)[-most:]
            only = [m for m in newest if m.index.name in gone]
            assert not only or cutoff is not None or size is not None
        self.perform(one, plan)
        assert plan_retention(self.world.view(one, self.now), limits).actions == ()

    @rule(one=SET, later=LATER, days=st.sampled_from([3, 7]))
    def night(self, one: IndexSet, later: int, days: int) -> None:
        """The whole of it, as most do it."""
        self.roll(one, later)
        self.look_back(one, 0, days, "written")
        self.clean(one, 2 * days, None, None, 0, "written", (True, True), only_unreadable=True, ignored=())

    # What holds

    def perform(self, one: IndexSet, plan: Plan) -> None:
        """Apply a plan; what each action foretells is what comes, but for times that only the server knows."""
        for action in plan.actions:
            foretold = action.predict(self.world.view(one, self.now).state)
            self.world.apply(action)
            found = self.world.view(one, self.now).state
            assert {n: timeless(i) for n, i in found.indices.items()} == {
                n: timeless(i) for n, i in foretold.indices.items()
            }

    def check_account(self, before: View, plan: Plan, taken: set[str], members: list[Member]) -> None:
        """Each index is either acted on or kept, once; with a reason that is true of it."""
        kept = [one.index for one in plan.kept]
        assert sorted([*kept, *taken]) == sorted([*(m.index.name for m in members), *before.strangers])
        by_name = {member.index.name: member for member in members}
        for one in plan.kept:
            member = by_name.get(one.index)
            if member is None:
                assert one.reason.startswith("its name is not that of")
                continue
            says = one.reason.startswith
            written = member.written_until is None or bool(self.world.written(before.index_set) & {one.index})
            assert says(("still being written", "a write index")) == written or not says(
                "still being written"
            )
            assert not says("to stay readable until") or (member.readable_until or self.now) > self.now
            assert not says("still readable") or member.readable

    def check_documents(self, one: IndexSet, taken: set[str], cutoff: datetime | None, age_from: str) -> None:
        """Nothing is taken that has a document on this side of the cut-off, or a service that a collector does not write again yet."""
        known = {
            name: [d.at for d in self.world.records[name].documents if not d.unknowable] for name in taken
        }
        if one.record_type == "service":
            assert not [name for name in taken if any(at >= self.now - TTL for at in known[name])]
        if cutoff is not None and age_from == "written":
            assert not [name for name in taken if any(at >= cutoff for at in known[name])]

    def check_protected(self, one: IndexSet, taken: set[str]) -> None:
        """What is written, or is to stay readable, is not taken."""
        assert taken.isdisjoint(self.world.written(one))
        held = {
            name
            for name in taken
            for until in one.marks(READABLE, self.world.records[name].aliases).values()
            if until > self.now
        }
        assert not held

    def check_order(self, age: AgeRule, kept: list[Member], taken: list[Member]) -> None:
        """Of what nothing but its age, size or number keeps, nothing is older than what is taken."""

        def born(member: Member) -> datetime:
            return (
                member.index.created
                if age.age_from == "creation"
                else member.written_until or datetime.max.replace(tzinfo=UTC)
            )

        assert not kept or not taken or min(map(born, kept)) >= max(map(born, taken))

    def bound(self, one: IndexSet, member: Member) -> bool:
        """Whether something else than its age, size or number keeps an index."""
        record = self.world.records[member.index.name]
        marks = one.marks(READABLE, record.aliases).values()
        service = one.record_type == "service" and (member.written_until or self.now) >= self.now - TTL
        writes = any(alias.endswith("-write") for alias in record.aliases)
        return member.written_until is None or writes or service or any(until > self.now for until in marks)

    def needing(self, one: IndexSet, name: str, ignored: tuple[str, ...]) -> set[str]:
        """Others' aliases that would lose an index, and are not to be ignored."""
        mine = {alias for alias in self.world.records[name].aliases if one.owns(alias)}
        write = self.world.behind(one.write_alias)
        current = [
            *(write if len(write) == 1 else []),
            self.world.today(one),
        ]  # on two it does not say which is the write index
        if not any(other in self.world.records for other in current) and not self.world.generations(one):
            newest = self.world.view(one, self.now).members[-1:]  # of dated indices that nobody writes to now
            current = [member.index.name for member in newest if member.index.name != name]
        written = {
            a for other in current if other in self.world.records for a in self.world.records[other].aliases
        }
        passed = {"*": {"legal-hold", "dashboard"}, "legal-*": {"legal-hold"}}
        return (
            set(self.world.records[name].aliases) - mine - written - {a for i in ignored for a in passed[i]}
        )


def timeless(index: Index) -> Index:
    """An index without what only the server can know before."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return replace(index, created=epoch, rolled=index.rolled and epoch, size=None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=RANDOM or 400,
    stateful_step_count=30,
    derandomize=not RANDOM,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
