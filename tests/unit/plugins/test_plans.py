# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the domain, as tables; and properties that hold for whatever state there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import (
    MAX_NAMES_BYTES,
    Adopt,
    CreateIndex,
    DeleteIndices,
    PutTemplate,
    Rollover,
    Snapshot,
    UpdateAliases,
    merge,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import (
    lookback_cutoff,
    retention_cutoff,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import RefusedError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    READABLE,
    DataStreamSet,
    IndexSet,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import (
    PROBLEM_KINDS,
    AgeRule,
    Plan,
    RetentionRule,
    plan_init,
    plan_lookback,
    plan_restore,
    plan_retention,
    plan_rollover,
    problems,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import UNBORN, Index, State, view
from ansible_collections.tracestack.jaeger.plugins.module_utils._templates import template
from tests.support.states import NOW, SERVICE, SPAN, generations, index

DAY = timedelta(days=1)
TEMPLATE = template(SPAN, shards=2, replicas=1)


def after(state: State, plan: Plan) -> State:
    for action in plan.actions:
        state = action.predict(state)
    return state


def rule(cutoff: datetime, ttl: timedelta = timedelta(hours=12), age_from: str = "written") -> AgeRule:
    return AgeRule.at(NOW, cutoff, age_from, ttl)


def hidden(plan: Plan) -> list[str]:
    return [
        name[-6:]
        for action in plan.actions
        if isinstance(action, UpdateAliases)
        for name, _alias in action.remove
    ]


def deleted(plan: Plan) -> list[str]:
    return [name for action in plan.actions if isinstance(action, DeleteIndices) for name in action.names]


# init


def test_init_of_nothing_makes_template_index_and_aliases_in_two_steps() -> None:
    plan = plan_init(view(State({}), SPAN), TEMPLATE, NOW)
    assert plan.actions == (
        PutTemplate(TEMPLATE, "there is none"),
        CreateIndex(
            "prod-jaeger-span-000001",
            {"prod-jaeger-span-read": None, "prod-jaeger-span-write": None},
            "the set has no index yet",
            TEMPLATE,
            {"prod-jaeger-span-read": {}},
        ),
    )


def test_init_again_does_nothing() -> None:
    state = after(State({}), plan_init(view(State({}), SPAN), TEMPLATE, NOW))
    assert plan_init(view(state, SPAN), TEMPLATE, NOW) == Plan()


def test_init_with_other_shards_replaces_the_template_only() -> None:
    state = after(State({}), plan_init(view(State({}), SPAN), TEMPLATE, NOW))
    other = template(SPAN, shards=3, replicas=1)
    assert plan_init(view(state, SPAN), other, NOW).actions == (
        PutTemplate(other, "it differs from Jaeger's for these options"),
    )


@pytest.mark.parametrize(
    ("state", "added"),
    [
        pytest.param(generations(SPAN, DAY), [], id="healthy"),
        pytest.param(
            generations(SPAN, 9 * DAY, DAY).drop(["prod-jaeger-span-000001"]), [], id="first one cleaned"
        ),
        pytest.param(
            generations(SPAN, 9 * DAY, DAY, readable=(1,)).put(
                index("prod-jaeger-span-000002", DAY, "prod-jaeger-span-read")
            ),
            [("prod-jaeger-span-000002", "prod-jaeger-span-write")],
            id="lost write alias goes to the newest",
        ),
        pytest.param(
            State({}).put(index("prod-jaeger-span-000001", DAY)),
            [
                ("prod-jaeger-span-000001", "prod-jaeger-span-write"),
                ("prod-jaeger-span-000001", "prod-jaeger-span-read"),
            ],
            id="half-made set",
        ),
        pytest.param(
            generations(SPAN, 9 * DAY, DAY).put(
                index("prod-jaeger-span-000002", DAY, "prod-jaeger-span-write")
            ),
            [
                ("prod-jaeger-span-000001", "prod-jaeger-span-read"),
                ("prod-jaeger-span-000002", "prod-jaeger-span-read"),
            ],
            id="lost read alias",
        ),
        pytest.param(
            generations(SPAN, 9 * DAY, DAY, readable=(1,)).put(
                index("prod-jaeger-span-000002", DAY, "prod-jaeger-span-write")
            ),
            [("prod-jaeger-span-000002", "prod-jaeger-span-read")],
            id="write index is not readable",
        ),
    ],
)
def test_init_repairs(state: State, added: list[tuple[str, str]]) -> None:
    state = replace(state, templates={TEMPLATE.name: TEMPLATE})
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW)
    assert not [action for action in plan.actions if not isinstance(action, UpdateAliases)]
    assert [
        entry[:2] for action in plan.actions if isinstance(action, UpdateAliases) for entry in action.add
    ] == added
    assert plan_init(view(after(state, plan), SPAN), TEMPLATE, NOW) == Plan()


@pytest.mark.parametrize("name", ["prod-jaeger-span-write", "prod-jaeger-span-read"])
def test_an_index_with_an_alias_name_is_refused_by_all(name: str) -> None:
    one = view(State({}).put(index(name, DAY)), SPAN)
    planners: list[Callable[[], Plan]] = [
        lambda: plan_init(one, TEMPLATE, NOW),
        lambda: plan_rollover(one, {}),
        lambda: plan_lookback(one, rule(NOW)),
        lambda: plan_retention(one, RetentionRule(rule(NOW))),
    ]
    for planner in planners:
        with pytest.raises(RefusedError, match=f"{name} is an index, not an alias"):
            planner()


def test_a_write_alias_on_two_unmarked_indices_is_refused() -> None:
    state = State({}).put(
        *(index(f"prod-jaeger-span-00000{n}", DAY, "prod-jaeger-span-write") for n in (1, 2))
    )
    with pytest.raises(
        RefusedError, match="points to prod-jaeger-span-000001, prod-jaeger-span-000002 and none"
    ):
        plan_rollover(view(state, SPAN), {})


# rollover


@pytest.mark.parametrize(
    ("state", "old", "new"),
    [
        (generations(SPAN, DAY), 1, 2),
        (generations(SPAN, 9 * DAY, 2 * DAY, DAY), 3, 4),
        # restored by hand above the write index: the next name must still be free
        (generations(SPAN, DAY).put(index("prod-jaeger-span-000007", 9 * DAY)), 1, 8),
        (generations(SPAN, *[DAY] * 3).drop(["prod-jaeger-span-000001", "prod-jaeger-span-000002"]), 3, 4),
    ],
)
def test_rollover_names_the_next_generation_and_makes_it_readable(state: State, old: int, new: int) -> None:
    plan = plan_rollover(view(state, SPAN), {"max_age": "2d"})
    assert plan.actions == (
        Rollover(
            "prod-jaeger-span-write",
            f"prod-jaeger-span-{old:06d}",
            f"prod-jaeger-span-{new:06d}",
            {"prod-jaeger-span-read": None},
            {"max_age": "2d"},
            specs={"prod-jaeger-span-read": {}},
        ),
    )


def test_rollover_first_heals_a_write_index_that_cannot_be_read() -> None:
    state = generations(SPAN, 9 * DAY, DAY, readable=(1,)).put(
        index("prod-jaeger-span-000002", DAY, "prod-jaeger-span-write")
    )
    first, second = plan_rollover(view(state, SPAN), {}).actions
    assert isinstance(first, UpdateAliases)
    assert first.add == (("prod-jaeger-span-000002", "prod-jaeger-span-read", None),)
    assert isinstance(second, Rollover)


def test_rollover_without_a_write_alias_says_what_to_do() -> None:
    with pytest.raises(
        RefusedError, match=r"no index is behind the write alias prod-jaeger-span-write.*es_rollover_init"
    ):
        plan_rollover(view(State({}), SPAN), {})


@pytest.mark.parametrize("flag", [None, True])
def test_after_a_rollover_the_write_alias_is_on_the_new_index_and_both_are_readable(
    flag: bool | None,
) -> None:
    state = State({}).put(
        index("prod-jaeger-span-000001", DAY, "prod-jaeger-span-read", "prod-jaeger-span-write", flag=flag)
    )
    one = view(after(state, plan_rollover(view(state, SPAN), {})), SPAN)
    assert one.write_index is not None
    assert one.write_index.name == "prod-jaeger-span-000002"
    assert [member.readable for member in one.generations] == [True, True]
    assert one.write_index.aliases["prod-jaeger-span-write"] is flag


def test_rollover_of_a_write_index_of_another_name_begins_with_the_first_generation() -> None:
    state = State({}).put(index("made-by-hand", DAY, "prod-jaeger-span-read", "prod-jaeger-span-write"))
    (action,) = plan_rollover(view(state, SPAN), {"max_age": "1d"}).actions
    assert isinstance(action, Rollover)
    assert (action.old_index, action.new_index) == ("made-by-hand", "prod-jaeger-span-000001")


def test_rollover_refuses_a_name_that_would_not_parse() -> None:
    state = generations(SPAN, DAY).put(index("prod-jaeger-span-9999999", 9 * DAY))
    with pytest.raises(RefusedError, match="prod-jaeger-span-10000000 would not be a name of the set"):
        plan_rollover(view(state, SPAN), {"max_age": "1d"})


def test_the_priority_of_a_legacy_template_does_not_matter() -> None:
    wanted = template(SPAN, shards=2, replicas=1, priority=500)
    state = replace(generations(SPAN, DAY), templates={wanted.name: replace(wanted, priority=None)})
    assert plan_init(view(state, SPAN), wanted, NOW) == Plan()


def test_what_another_init_has_made_gets_no_alias_without_a_look_at_the_whole_set() -> None:
    """It may have been rolled over since: the write alias would be on two indices."""
    aliases = {"prod-jaeger-span-read": None, "prod-jaeger-span-write": None}
    create = CreateIndex("prod-jaeger-span-000001", aliases, "", TEMPLATE)
    half_made = State({}).put(index("prod-jaeger-span-000001", DAY, "prod-jaeger-span-read"))
    assert create.remaining(half_made) is None


NOW_MARK = "prod-jaeger-span-written-until-20260610t153046z"


def written(write: tuple[int, ...], *, closed: int = 0, block: str = "") -> State:
    """Three generations of 30, 20 and 10 days, all readable, of which some are behind the write alias; the last may be unusable."""
    state = generations(SPAN, 30 * DAY, 20 * DAY, 10 * DAY, readable=(1, 2, 3))
    for number in (1, 2, 3):
        name = SPAN.generation_name(number)
        one = state.indices[name].without_alias(SPAN.write_alias)
        one = one.with_alias(SPAN.write_alias) if number in write else one
        blocks = frozenset({block} if block and number == 3 else ())
        state = state.put(replace(one, closed=number == closed, blocks=blocks))
    return replace(state, templates={TEMPLATE.name: TEMPLATE})


@pytest.mark.parametrize(
    ("state", "target", "moved_from"),
    [
        pytest.param(written((2, 3)), 3, [2], id="on two, none marked"),
        pytest.param(written((1, 2)), 3, [1, 2], id="on two older ones"),
        pytest.param(written(()), 3, [], id="lost"),
        pytest.param(written((), closed=3), 4, [], id="lost, the newest closed"),
        pytest.param(written((), block="write"), 4, [], id="lost, the newest blocked"),
        pytest.param(written((2, 3), block="read_only"), 4, [2, 3], id="on two, the newest blocked"),
        pytest.param(written((3,), closed=3), 4, [3], id="on a closed one"),
        pytest.param(
            written((3,), block="read_only_allow_delete"), 0, [], id="on one that a full disk blocks"
        ),
        pytest.param(written((2,)), 0, [], id="on an older one"),
    ],
)
def test_a_repair_leaves_the_write_alias_on_one_index_that_can_be_written_and_says_until_when_others_were(
    state: State, target: int, moved_from: list[int]
) -> None:
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW)
    if not target:
        assert plan.actions == ()
        return
    found = view(after(state, plan), SPAN)
    assert [one.name for one in found.state.behind(SPAN.write_alias)] == [SPAN.generation_name(target)]
    assert found.write_index is not None
    assert not found.write_index.unwritable
    assert found.write_index == found.generations[-1].index
    assert all(member.readable for member in found.generations)
    marked = [member for member in found.generations if NOW_MARK in member.index.aliases]
    assert [member.number for member in marked] == moved_from
    assert {member.written_until for member in marked} <= {NOW.replace(second=46, microsecond=0), UNBORN}
    assert hidden(plan_lookback(found, rule(NOW - 7 * DAY))) == [
        f"{number:06d}" for number in (1, 2) if number not in moved_from and number != target
    ]
    # In one step, whatever another run has done meanwhile; and that is looked at anew where it was not what was read.
    *_others, moved = [action for action in plan.actions if isinstance(action, UpdateAliases)]
    assert moved.alone == ((SPAN.write_alias, SPAN.pattern),)
    elsewhere = found.state.put(index("prod-jaeger-span-000009", DAY, SPAN.write_alias))
    assert moved.remaining(found.state) is None
    again = moved.remaining(elsewhere)
    assert again is not None
    assert [one.name for one in again.predict(elsewhere).behind(SPAN.write_alias)] == [
        SPAN.generation_name(target)
    ]


def test_a_closed_write_index_is_not_rolled_over() -> None:
    with pytest.raises(RefusedError, match="prod-jaeger-span-000003, the write index, is closed"):
        plan_rollover(view(written((3,), closed=3), SPAN), {"max_age": "1d"})


FILTERED = {"filter": {"term": {"tenant": "a"}}, "is_hidden": True}


def test_an_alias_is_given_on_as_it_is() -> None:
    """Elsewhere the server refuses a hidden alias without is_hidden, and a filter that is lost shows what it hid."""
    state = written((3,))
    for number in (1, 2, 3):
        one = state.indices[SPAN.generation_name(number)]
        spec = {"filter": {"term": {"tenant": "old"}}, "is_hidden": True} if number == 1 else FILTERED
        state = state.put(one.with_alias(SPAN.read_alias, None, spec))
    found = view(after(state, plan_rollover(view(state, SPAN), {})), SPAN)
    assert found.write_index is not None
    assert found.write_index.specs == {SPAN.read_alias: FILTERED}
    unread = state.put(state.indices[SPAN.generation_name(3)].without_alias(SPAN.read_alias))
    mended = after(unread, plan_init(view(unread, SPAN), TEMPLATE, NOW))
    assert mended.indices[SPAN.generation_name(3)].specs == {SPAN.read_alias: FILTERED}
    restored = state.put(index("prod-jaeger-span-000004", 40 * DAY))
    shown = after(restored, plan_init(view(restored, SPAN), TEMPLATE, NOW, frozenset({"generations"})))
    assert shown.indices["prod-jaeger-span-000004"].specs == {SPAN.read_alias: FILTERED}


# lookback

WEEK = [10 * DAY, 6 * DAY, 3 * DAY, DAY]


@pytest.mark.parametrize(
    ("unit", "count", "age_from", "gone"),
    [
        ("days", 7, "written", []),  # the first one was written until 6 days ago
        ("days", 5, "written", ["000001"]),
        ("days", 2, "written", ["000001", "000002"]),
        ("days", 0, "written", ["000001", "000002", "000003"]),
        ("days", 7, "creation", ["000001"]),
        ("days", 5, "creation", ["000001", "000002"]),
        ("days", 0, "creation", ["000001", "000002", "000003"]),
        ("years", 3000, "written", []),
    ],
)
def test_lookback(unit: str, count: int, age_from: str, gone: list[str]) -> None:
    state = generations(SPAN, *WEEK, readable=(1, 2, 3))
    plan = plan_lookback(view(state, SPAN), rule(lookback_cutoff(NOW, unit, count), age_from=age_from))
    assert hidden(plan) == gone
    assert len(plan.actions) == (1 if gone else 0)
    assert [kept.index[-6:] for kept in plan.kept] == [
        n for n in ("000001", "000002", "000003", "000004") if n not in gone
    ]


def test_lookback_counts_from_the_end_of_writing() -> None:
    """An index of 40 days whose last span came two seconds ago stays (fault 7 of the peers)."""
    state = generations(SPAN, 40 * DAY, timedelta(seconds=2), readable=(1,))
    assert hidden(plan_lookback(view(state, SPAN), rule(lookback_cutoff(NOW, "seconds", 5)))) == []
    assert hidden(plan_lookback(view(state, SPAN), rule(lookback_cutoff(NOW, "seconds", 1)))) == ["000001"]


def test_lookback_of_the_service_set_waits_for_the_collectors_cache() -> None:
    hours = [timedelta(hours=hour) for hour in (40, 14, 11)]
    state = generations(SERVICE, *hours, readable=(1, 2))
    cutoff = lookback_cutoff(NOW, "seconds", 1)
    assert hidden(plan_lookback(view(state, SERVICE), rule(cutoff))) == ["000001"]
    assert hidden(plan_lookback(view(state, SERVICE), rule(cutoff, ttl=timedelta(0)))) == ["000001", "000002"]
    plan = plan_lookback(view(state, SERVICE), rule(cutoff, age_from="creation"))
    assert hidden(plan) == ["000001"]
    assert "service_cache_ttl" in plan.kept[0].reason


def test_without_a_cache_the_service_set_that_was_just_rolled_over_is_hidden_like_any_other() -> None:
    """In one run with the rollover (es_maintenance) the next generation is not born yet when the lookback is planned."""
    state = generations(SERVICE, 9 * DAY, readable=(1,))
    for action in plan_rollover(view(state, SERVICE), {"max_age": "0s"}).actions:
        state = action.predict(state)
    cutoff = lookback_cutoff(NOW, "days", 7)
    assert hidden(plan_lookback(view(state, SERVICE), rule(cutoff, timedelta(0), "creation"))) == ["000001"]
    assert hidden(plan_lookback(view(state, SERVICE), rule(cutoff, age_from="creation"))) == []


@pytest.mark.parametrize(("milliseconds", "gone"), [(0, []), (-1, ["000001"])])
def test_the_cut_off_itself_is_not_too_old(milliseconds: int, gone: list[str]) -> None:
    late = timedelta(milliseconds=milliseconds)
    off = timedelta(0)
    written = generations(SERVICE, 9 * DAY, DAY - late, readable=(1,))
    assert hidden(plan_lookback(view(written, SERVICE), rule(NOW - DAY, off))) == gone
    created = generations(SERVICE, DAY - late, timedelta(hours=1), readable=(1,))
    assert hidden(plan_lookback(view(created, SERVICE), rule(NOW - DAY, off, "creation"))) == gone
    cached = generations(SERVICE, 9 * DAY, timedelta(hours=12) - late, readable=(1,))
    assert hidden(plan_lookback(view(cached, SERVICE), rule(NOW))) == gone


def test_a_higher_number_that_is_older_has_not_ended_the_writing() -> None:
    """Restored by hand above the write index: the write index's predecessor is as young as it is."""
    state = generations(SPAN, 10 * DAY, timedelta(minutes=1), readable=(1,)).put(
        index("prod-jaeger-span-000009", 90 * DAY)
    )
    assert hidden(plan_lookback(view(state, SPAN), rule(lookback_cutoff(NOW, "days", 7)))) == []


def test_an_index_that_was_written_again_is_as_young_as_its_own_rollover() -> None:
    """Fault 3 of the peers puts the write alias back on an old index; the server knows when it was rolled away."""
    state = generations(SPAN, 60 * DAY, 50 * DAY, 40 * DAY, timedelta(minutes=1), readable=(1, 2, 3))
    written_again = replace(state.indices["prod-jaeger-span-000001"], rolled=NOW - timedelta(minutes=1))
    age = rule(lookback_cutoff(NOW, "days", 7))
    assert hidden(plan_lookback(view(state, SPAN), age)) == ["000001", "000002"]
    assert hidden(plan_lookback(view(state.put(written_again), SPAN), age)) == ["000002"]


def test_lookback_never_takes_the_newest_without_a_write_alias() -> None:
    state = State({}).put(
        index("prod-jaeger-span-000001", 40 * DAY, "prod-jaeger-span-read"),
        index("prod-jaeger-span-000002", 30 * DAY, "prod-jaeger-span-read"),
    )
    assert hidden(plan_lookback(view(state, SPAN), rule(NOW))) == ["000001"]


def test_lookback_takes_old_dated_indices_too() -> None:
    state = generations(SPAN, DAY).put(
        index("prod-jaeger-span-2026-06-01", 9 * DAY, "prod-jaeger-span-read"),
        index("prod-jaeger-span-2026-06-10", timedelta(hours=1), "prod-jaeger-span-read"),
    )
    plan = plan_lookback(view(state, SPAN, NOW), rule(lookback_cutoff(NOW, "days", 0)))
    assert hidden(plan) == ["-06-01"]


@pytest.mark.parametrize(("count", "gone"), [(0, ["000001", "000002"]), (1, ["000001"])])
def test_what_the_run_has_just_rolled_over_was_written_until_now(count: int, gone: list[str]) -> None:
    """A cut-off that is still to come hides it at once, and leaves nothing of it to the next run."""
    state = generations(SPAN, 9 * DAY, 5 * DAY, readable=(1, 2))
    state = after(state, plan_rollover(view(state, SPAN), {"max_age": "4d"}))
    plan = plan_lookback(view(state, SPAN), rule(lookback_cutoff(NOW, "days", count)))
    assert hidden(plan) == gone


# retention

PERIODIC: dict[str, Any] = {"dated": True, "generations": False}


@pytest.mark.parametrize(
    ("days", "readable", "only_unreadable", "age_from", "gone"),
    [
        (0, (), True, "written", [1, 2, 3]),
        (3, (), True, "written", [1, 2]),
        (5, (), True, "written", [1]),
        (7, (), True, "written", []),
        (7, (), True, "creation", [1]),
        (0, (1, 2, 3), True, "written", []),
        (0, (3,), True, "written", [1, 2]),
        (0, (1, 2, 3), False, "written", [1, 2, 3]),
    ],
)
def test_retention(
    days: int, readable: tuple[int, ...], only_unreadable: bool, age_from: str, gone: list[int]
) -> None:
    one = view(generations(SPAN, *WEEK, readable=readable), SPAN)
    age = rule(retention_cutoff(NOW, days), age_from=age_from)
    plan = plan_retention(one, RetentionRule(age, only_unreadable=only_unreadable))
    assert deleted(plan) == [SPAN.generation_name(number) for number in gone]


def test_retention_leaves_strangers_alone_and_says_so() -> None:
    names = [
        "prod-jaeger-span-000001-backup",
        "prod-jaeger-span-0000017-restored-by-hand",
        "prod-jaeger-span-archive-000001",
        "preprod-jaeger-span-000001",
        "prod-jaeger-span-2020-01-01",
    ]
    state = generations(SPAN, 9 * DAY, DAY).put(*(index(name, 99 * DAY) for name in names))
    plan = plan_retention(
        view(state, SPAN, NOW), RetentionRule(rule(retention_cutoff(NOW, 0)), only_unreadable=False)
    )
    assert deleted(plan) == ["prod-jaeger-span-000001"]
    assert [kept.index for kept in plan.kept] == [*names[:2], "prod-jaeger-span-000002"]


@pytest.mark.parametrize(
    ("alias", "flag", "ignored", "reason"),
    [
        ("x-write", None, "*", "a write index"),
        ("x-write", False, "*", ""),
        ("x", True, "*", "a write index"),
        ("x", None, "*", ""),
        ("team[1]", None, "team[1]", ""),
        ("team1", None, "team[1]", "behind the alias"),
        ("audit-jaeger-span-read", None, "", "behind the alias"),
        ("audit-jaeger-span-read", None, "audit-*-read", ""),
        ("audit-jaeger-span-read", None, "audit", "behind the alias"),
        ("legal-hold", None, "audit-*", "behind the alias"),
        ("on-all", None, "", ""),
        ("prod-jaeger-span-adopting", None, "", ""),
        (NOW_MARK, None, "", "written until 2026-06-10T15:30:46Z"),
        ("prod-jaeger-span-readable-until-20260610t153045z", None, "", ""),
        ("prod-jaeger-span-readable-until-20260610t153046z", None, "*", "to stay readable until"),
        ("prod-jaeger-service-readable-until-20260610t153045z", None, "", "behind the alias"),
        ("prod-jaeger-span-readable-until-20269999t153046z", None, "", "behind the alias"),
    ],
)
def test_retention_spares_what_an_alias_needs(
    alias: str, flag: bool | None, ignored: str, reason: str
) -> None:
    state = generations(SPAN, 9 * DAY, DAY)
    old, newest = state.indices["prod-jaeger-span-000001"], state.indices["prod-jaeger-span-000002"]
    one = view(state.put(replace(old, aliases={alias: flag}), newest.with_alias("on-all")), SPAN, NOW)
    names = tuple(filter(None, [ignored]))
    limit = RetentionRule(rule(NOW - timedelta(hours=20)), only_unreadable=False, ignored_aliases=names)
    plan = plan_retention(one, limit)
    assert len(deleted(plan)) == (0 if reason else 1)
    assert plan.kept[0].reason.startswith(reason)
    needed = [problem.text for problem in problems(one, names) if problem.kind == "held_by_alias"]
    assert len(needed) == (1 if reason == "behind the alias" else 0)
    assert all(alias in text for text in needed)


@pytest.mark.parametrize(
    ("days", "gone"),
    [(0, ["2026-05-30", "2026-06-09"]), (1, ["2026-05-30", "2026-06-09"]), (2, ["2026-05-30"]), (30, [])],
)
def test_retention_of_dated_indices(days: int, gone: list[str]) -> None:
    dates = {"2026-05-30": 11 * DAY, "2026-06-09": timedelta(hours=20), "2026-06-10": timedelta(hours=1)}
    state = State({}).put(*(index(f"prod-jaeger-span-{date}", age) for date, age in dates.items()))
    plan = plan_retention(
        view(state, SPAN, NOW), RetentionRule(rule(retention_cutoff(NOW, days)), **PERIODIC)
    )
    assert deleted(plan) == [f"prod-jaeger-span-{date}" for date in gone]


def test_a_dated_index_that_was_filled_late_is_as_young_as_its_birth() -> None:
    state = State({}).put(index("prod-jaeger-span-2026-01-01", 2 * DAY))
    plan = plan_retention(view(state, SPAN, NOW), RetentionRule(rule(retention_cutoff(NOW, 14)), **PERIODIC))
    assert deleted(plan) == []


@pytest.mark.parametrize(
    ("rolled", "kept"),
    [(None, False), (timedelta(seconds=1), True), (8 * DAY, False), (-timedelta(seconds=1), True)],
)
def test_a_dated_index_behind_the_write_alias_was_written_until_it_was_rolled(
    rolled: timedelta | None, kept: bool
) -> None:
    """The run that rolls it over neither hides nor deletes it, and neither does the next one."""
    dated = index("prod-jaeger-span-2026-04-26", 45 * DAY, SPAN.read_alias)
    state = generations(SPAN, timedelta(seconds=1)).put(
        replace(dated, rolled=None if rolled is None else NOW - rolled)
    )
    if rolled is not None and rolled < timedelta(0):  # in this very run
        state = State({}).put(dated.with_alias(SPAN.write_alias))
        state = after(state, plan_rollover(view(state, SPAN, NOW), {}))
    one = view(state, SPAN, NOW)
    assert hidden(plan_lookback(one, rule(NOW - 7 * DAY))) == ([] if kept else ["-04-26"])
    limit = RetentionRule(rule(NOW - 7 * DAY), only_unreadable=False, dated=True)
    assert deleted(plan_retention(one, limit)) == ([] if kept else ["prod-jaeger-span-2026-04-26"])


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({"max_generations": 2}, ["000001"]),
        ({"max_generations": 1}, ["000001", "2026-06-09"]),
        ({"max_size": 20}, ["000001"]),
        ({"max_generations": 1, "min_generations": 2}, ["000001"]),
    ],
)
def test_numbers_and_sizes_count_from_what_was_written_last(limits: dict[str, Any], gone: list[str]) -> None:
    """Yesterday's dated index is younger than a generation that ended 18 days ago."""
    state = generations(SPAN, 20 * DAY, 18 * DAY).put(index("prod-jaeger-span-2026-06-09", 2 * DAY))
    state = state.put(*(replace(one, size=10) for one in state.indices.values()))
    forever = AgeRule.at(NOW, None, "written", timedelta(0))
    one = view(state, SPAN, NOW)
    found = deleted(plan_retention(one, RetentionRule(forever, dated=True, **limits)))
    assert found == [f"prod-jaeger-span-{tail}" for tail in gone]
    assert [member.index.name[-6:] for member in one.members] == ["000001", "-06-09", "000002"]


def test_what_was_brought_back_stays_until_its_time() -> None:
    """A mark on the index itself, which each run reads; when it has ended it goes with the read alias."""
    state = generations(SPAN, 90 * DAY, 60 * DAY, 30 * DAY, DAY, readable=(1, 2))
    for number, days in ((1, 1), (2, -1)):
        name = SPAN.generation_name(number)
        state = state.put(state.indices[name].with_alias(SPAN.mark(READABLE, NOW + days * DAY)))
    one = view(state, SPAN)
    plan = plan_lookback(one, rule(NOW - 7 * DAY))
    assert "to stay readable until 2026-06-11T15:30:46Z" in plan.kept[0].reason
    (action,) = plan.actions
    assert isinstance(action, UpdateAliases)
    ended = "prod-jaeger-span-readable-until-20260609t153046z"
    assert action.remove == tuple((SPAN.generation_name(2), alias) for alias in (SPAN.read_alias, ended))
    limit = RetentionRule(rule(NOW - 7 * DAY), None, 1, only_unreadable=False)
    assert deleted(plan_retention(one, limit)) == [SPAN.generation_name(2), SPAN.generation_name(3)]
    assert problems(view(after(state, plan), SPAN)) == []


def test_a_lookback_shows_again_what_another_run_hid_before_its_time() -> None:
    mark = SPAN.mark(READABLE, NOW + DAY)
    state = generations(SPAN, 9 * DAY, DAY)
    state = state.put(state.indices[SPAN.generation_name(1)].with_alias(mark))
    plan = plan_lookback(view(state, SPAN), rule(NOW - 7 * DAY))
    assert view(after(state, plan), SPAN).generations[0].readable
    assert plan_lookback(view(after(state, plan), SPAN), rule(NOW - 7 * DAY)).actions == ()


def test_an_alias_of_a_quiet_dated_set_follows_its_newest_index() -> None:
    """The job that writes dependencies comes after midnight: none is written when the night looks."""
    names = [f"prod-jaeger-span-2026-06-0{day}" for day in range(1, 6)]
    state = State({}).put(*(index(name, 9 * DAY, "team-dash") for name in names))
    old = state.put(state.indices[names[0]].with_alias("legal-hold"))
    one, limit = view(old, SPAN, NOW), RetentionRule(rule(NOW - 6 * DAY), **PERIODIC)
    assert deleted(plan_retention(one, limit)) == names[1:3]
    assert [problem.kind for problem in problems(one)] == ["held_by_alias"]
    assert problems(one, ("legal-hold",)) == []


@pytest.mark.parametrize(
    ("flags", "left", "marked"),
    [
        ((False, False, True), [1, 2, 3], [3]),
        ((False, False, False), [1, 2, 3], [1, 2, 3]),
        ((None, None, None), [1, 2], [1, 2]),
    ],
)
def test_what_a_flag_says_has_not_been_written_is_not_marked(
    flags: tuple[bool | None, ...], left: list[int], marked: list[int]
) -> None:
    state = written((), closed=3 if flags[2] is not None else 0)
    for number, flag in enumerate(flags, 1):
        state = state.put(state.indices[SPAN.generation_name(number)].with_alias(SPAN.write_alias, flag))
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW, ilm=flags[2] is not None)
    *_others, moved = [action for action in plan.actions if isinstance(action, UpdateAliases)]
    assert [name[-1] for name, alias in moved.remove if alias == SPAN.write_alias] == [str(n) for n in left]
    assert [name[-1] for name, alias, _flag in moved.add if alias == NOW_MARK] == [str(n) for n in marked]


def test_beside_a_marked_write_index_no_other_looks_as_if_it_were_written() -> None:
    state = written((1,))
    state = state.put(state.indices[SPAN.generation_name(3)].with_alias(SPAN.write_alias, True))
    found = after(state, plan_init(view(state, SPAN), TEMPLATE, NOW))
    assert [one.name[-1] for one in found.behind(SPAN.write_alias)] == ["3"]
    assert NOW_MARK in found.indices[SPAN.generation_name(1)].aliases


def test_a_read_alias_on_what_was_brought_back_alone_is_lost() -> None:
    state = written((3,))
    for number in (1, 2, 3):
        one = state.indices[SPAN.generation_name(number)].without_alias(SPAN.read_alias)
        held = one.with_alias(SPAN.mark(READABLE, NOW + DAY)).with_alias(SPAN.read_alias)
        state = state.put(held if number == 1 else one)
    found = view(after(state, plan_init(view(state, SPAN), TEMPLATE, NOW)), SPAN)
    assert all(member.readable for member in found.generations)


def test_a_write_alias_on_strangers_alone_is_looked_for_nowhere_else() -> None:
    """The pattern would find no index, which the server refuses."""
    state = State({}).put(*(index(name, DAY, SPAN.write_alias) for name in ("old-a", "old-b")))
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW)
    assert [one.name for one in after(state, plan).behind(SPAN.write_alias)] == ["old-b"]
    assert not any(action.alone for action in plan.actions if isinstance(action, UpdateAliases))


@pytest.mark.parametrize(
    ("state", "index_set", "said"),
    [
        (written((2,), closed=3), SPAN, "000003 is closed: end that first"),
        (written((2,), block="read_only"), SPAN, r"000003 is blocked \(read_only\): end that first"),
        (State({}).put(index(SPAN.read_alias, DAY)), SPAN, "is an index, not an alias"),
        (State({}), IndexSet("x" * 215, "span"), "would have more than 255 bytes"),
    ],
)
def test_what_cannot_be_brought_back_is_refused_before_anything_is_restored(
    state: State, index_set: IndexSet, said: str
) -> None:
    wanted = [index_set.generation_name(3)]
    with pytest.raises(RefusedError, match=said):
        plan_restore(view(state, index_set), wanted, NOW + DAY, ("repository", "snapshot", 1))


SIZES = (500, 400, 300, 200, 100)


def sized(*, readable: tuple[int, ...] = ()) -> State:
    """Five generations a day apart, ever smaller: 500, 400, 300, 200, 100 bytes."""
    state = generations(SPAN, *(n * DAY for n in (5, 4, 3, 2, 1)), readable=readable)
    return state.put(
        *(replace(state.indices[SPAN.generation_name(n)], size=size) for n, size in enumerate(SIZES, 1))
    )


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({"max_generations": 5}, []),
        ({"max_generations": 4}, [1]),
        ({"max_generations": 1}, [1, 2, 3, 4]),
        ({"max_size": 1500}, []),
        ({"max_size": 1499}, [1]),
        ({"max_size": 999}, [1, 2]),
        ({"max_size": 0}, [1, 2, 3, 4]),
        ({"max_size": 0, "min_generations": 3}, [1, 2]),
        ({"max_generations": 1, "min_generations": 4}, [1]),
        ({"max_generations": 3, "max_size": 1499}, [1, 2]),
        ({"max_generations": 4, "max_size": 999}, [1, 2]),
    ],
)
def test_retention_by_number_and_size(limits: dict[str, Any], gone: list[int]) -> None:
    forever = AgeRule.at(NOW, None, "written", timedelta(0))
    plan = plan_retention(view(sized(), SPAN), RetentionRule(forever, **limits))
    assert deleted(plan) == [SPAN.generation_name(number) for number in gone]
    assert len(plan.kept) == 5 - len(gone)


def test_whichever_limit_bites_first_is_told() -> None:
    age = rule(retention_cutoff(NOW, 4))
    plan = plan_retention(view(sized(readable=(3,)), SPAN), RetentionRule(age, 1000, 3))
    (action,) = plan.actions
    assert isinstance(action, DeleteIndices)
    said = list(action.why.values())
    assert "older than the cut-off" in said[0]
    assert "max_generations" in said[1]
    assert [kept.index[-1] for kept in plan.kept] == ["3", "4", "5"]
    smaller = plan_retention(view(sized(readable=(3,)), SPAN), RetentionRule(age, 599))
    assert deleted(smaller) == [SPAN.generation_name(n) for n in (1, 2)]
    assert "still readable" in smaller.kept[0].reason


def test_the_service_set_is_protected_from_every_limit() -> None:
    state = generations(SERVICE, 2 * DAY, timedelta(hours=3))
    forever = AgeRule.at(NOW, None, "written", timedelta(hours=12))
    plan = plan_retention(view(state, SERVICE), RetentionRule(forever, max_generations=1))
    assert plan.actions == ()
    assert "service_cache_ttl" in plan.kept[0].reason


def test_a_snapshot_comes_before_the_deletion_of_just_the_same() -> None:
    age = rule(retention_cutoff(NOW, 0))
    plan = plan_retention(view(sized(), SPAN), RetentionRule(age, snapshot=("backup", "stamp", 60)))
    snapshot, deletion = plan.actions
    assert isinstance(snapshot, Snapshot)
    assert isinstance(deletion, DeleteIndices)
    assert snapshot.names == deletion.names
    assert snapshot.snapshot("one", "run").startswith("jaeger-retention-stamp-")
    assert snapshot.snapshot("one", "run") != snapshot.snapshot("two", "run")


@pytest.mark.parametrize(
    ("block", "hidden_too", "gone"),
    [
        ("write", [1], [1]),
        ("read_only_allow_delete", [], [1]),
        ("read_only", [], []),
        ("metadata", [], []),
    ],
)
def test_a_blocked_index_does_not_keep_the_others_from_anything(
    block: str, hidden_too: list[int], gone: list[int]
) -> None:
    state = generations(SPAN, 9 * DAY, 8 * DAY, 7 * DAY, readable=(1, 2))
    blocked = replace(state.indices[SPAN.generation_name(1)], blocks=frozenset({block}))
    one = view(state.put(blocked), SPAN)
    age = rule(retention_cutoff(NOW, 0))
    assert hidden(plan_lookback(one, age)) == [SPAN.generation_name(n)[-6:] for n in [*hidden_too, 2]]
    plan = plan_retention(one, RetentionRule(age, only_unreadable=False))
    assert deleted(plan) == [SPAN.generation_name(n) for n in [*gone, 2]]


# adoption


def test_an_index_in_an_aliass_place_is_moved_into_the_next_generation() -> None:
    state = State({}).put(index("prod-jaeger-span-write", DAY))
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW, frozenset({"concrete"}))
    adopt = plan.actions[-1]
    assert isinstance(adopt, Adopt)
    assert (adopt.sources, adopt.target) == (("prod-jaeger-span-write",), "prod-jaeger-span-000001")
    found = view(after(state, plan), SPAN)
    assert found.write_index is not None
    assert found.write_index.name == "prod-jaeger-span-000001"
    assert [member.readable for member in found.generations] == [True]
    assert found.concrete == ()


def test_an_adoption_that_was_cut_off_goes_on_with_the_same_generation() -> None:
    begun = index("prod-jaeger-span-000004", DAY, "prod-jaeger-span-adopting")
    state = generations(SPAN, 3 * DAY, 2 * DAY, readable=(1, 2)).put(
        begun, index("prod-jaeger-span-write", DAY)
    )
    state = state.put(state.indices["prod-jaeger-span-000002"].without_alias("prod-jaeger-span-write"))
    plan = plan_init(view(state, SPAN), TEMPLATE, NOW, frozenset({"concrete"}))
    adopt = plan.actions[-1]
    assert isinstance(adopt, Adopt)
    assert adopt.target == "prod-jaeger-span-000004"
    found = view(after(state, plan), SPAN)
    assert [member.readable for member in found.generations] == [True, True, True]
    assert not found.state.behind("prod-jaeger-span-adopting")


def test_dated_indices_and_restored_generations_come_behind_the_read_alias() -> None:
    state = generations(SPAN, 9 * DAY, DAY).put(index("prod-jaeger-span-2026-06-01", 9 * DAY))
    for adopt, readable in (
        (frozenset({"dated"}), {"2026-06-01", "000002"}),
        (frozenset({"generations"}), {"000001", "000002"}),
        (frozenset({"dated", "generations"}), {"2026-06-01", "000001", "000002"}),
    ):
        found = after(state, plan_init(view(state, SPAN, NOW), TEMPLATE, NOW, adopt))
        names = {one.name.removeprefix("prod-jaeger-span-") for one in found.behind(SPAN.read_alias)}
        assert names == readable


def test_a_write_alias_that_does_not_say_where_is_left_on_the_newest_alone() -> None:
    state = State({}).put(
        *(index(f"prod-jaeger-span-00000{n}", DAY, "prod-jaeger-span-write") for n in (1, 2))
    )
    found = after(state, plan_init(view(state, SPAN), TEMPLATE, NOW))
    assert [one.name for one in found.behind(SPAN.write_alias)] == ["prod-jaeger-span-000002"]
    assert len(found.behind(SPAN.read_alias)) == 2


def test_with_ilm_the_write_index_is_marked() -> None:
    wanted = template(SPAN, 1, 0, ilm_policy="policy")
    assert wanted.settings["index.lifecycle.name"] == "policy"
    assert wanted.settings["index.lifecycle.rollover_alias"] == "prod-jaeger-span-write"
    assert wanted.aliases == {"prod-jaeger-span-read": {}}
    found = after(State({}), plan_init(view(State({}), SPAN), wanted, NOW, ilm=True))
    assert found.indices["prod-jaeger-span-000001"].aliases["prod-jaeger-span-write"] is True


# data streams


def stream_of(*ages: timedelta) -> State:
    """A data stream with so many backing indices."""
    last = len(ages)
    return State({}).put(
        *(Index(STREAM.backing_name(n), NOW - age, {STREAM.base: n == last}) for n, age in enumerate(ages, 1))
    )


STREAM = DataStreamSet("prod", "span")


def test_a_data_stream_rolls_and_its_old_backing_indices_go() -> None:
    one = view(stream_of(9 * DAY, 5 * DAY, DAY), STREAM)
    (rollover,) = plan_rollover(one, {"max_age": "1d"}).actions
    assert isinstance(rollover, Rollover)
    assert (rollover.write_alias, rollover.target) == ("prod.jaeger.spans", None)
    rule_of_week = RetentionRule(rule(retention_cutoff(NOW, 3)), only_unreadable=False)
    assert deleted(plan_retention(one, rule_of_week)) == [".ds-prod.jaeger.spans-000001"]
    assert problems(one) == []


def test_a_data_stream_that_is_not_there_is_not_made() -> None:
    with pytest.raises(RefusedError, match=r"there is no data stream prod\.jaeger\.spans"):
        plan_rollover(view(State({}), STREAM), {"max_age": "1d"})


# requests


def test_what_is_alike_is_one_request() -> None:
    changes = [UpdateAliases("why", remove=((f"i{n}", "alias"),)) for n in range(3)]
    deletions = [DeleteIndices((f"i{n}", f"j{n}"), {}) for n in range(3)]
    snapshots = [Snapshot("one" if n < 2 else "two", (f"i{n}",), "s", 1) for n in range(3)]
    merged = merge([*changes, *deletions, *snapshots])
    assert [(type(request).__name__, list(parts)) for request, parts in merged] == [
        ("UpdateAliases", [0, 1, 2]),
        ("Snapshot", [6, 7]),
        ("Snapshot", [8]),
        ("DeleteIndices", [3, 4, 5]),
    ]


def test_deletions_are_cut_by_the_length_of_their_url() -> None:
    index_set = IndexSet("ürün", "span")
    state = generations(index_set, *[timedelta(days=400 - n) for n in range(300)])
    plan = plan_retention(view(state, index_set, NOW), RetentionRule(rule(retention_cutoff(NOW, 0))))
    assert len(deleted(plan)) == 299
    requests = [request for request, _parts in merge(plan.actions)]
    groups = [request.names for request in requests if isinstance(request, DeleteIndices)]
    sent = [len(quote(",".join(names), safe=",")) for names in groups]
    assert len(groups) > 1
    assert all(2000 < length <= MAX_NAMES_BYTES for length in sent)


# info


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (generations(SPAN, 9 * DAY, DAY, readable=(1,)), []),
        (
            generations(SPAN, *[DAY] * 4, readable=(1, 3)),
            [("generation_hidden", "prod-jaeger-span-000002 is not readable, though an older")],
        ),
        (State({}).put(index("prod-jaeger-span-2026-06-09", DAY)), []),
        (
            State({}).put(index("prod-jaeger-span-write", DAY)),
            [("index_in_place_of_alias", "prod-jaeger-span-write is an index where an alias belongs")],
        ),
        (
            State({}).put(index("prod-jaeger-span-000001", DAY)),
            [("no_write_index", "no index is behind the write alias")],
        ),
        (
            generations(SPAN, 9 * DAY, DAY, write=1),
            [
                (
                    "older_generation_written",
                    "the write alias is on prod-jaeger-span-000001, but prod-jaeger-span-000002",
                )
            ],
        ),
        (
            State({}).put(index("prod-jaeger-span-000001", DAY, "prod-jaeger-span-write")),
            [("write_index_not_readable", "is written but not behind")],
        ),
        (
            State({}).put(
                *(index(f"prod-jaeger-span-00000{n}", DAY, "prod-jaeger-span-write") for n in (1, 2)),
            ),
            [("no_write_index", "2 indices are behind prod-jaeger-span-write and none of them")],
        ),
        (
            State({}).put(
                Index(
                    "prod-jaeger-span-000001",
                    NOW - DAY,
                    {"prod-jaeger-span-write": True, "prod-jaeger-span-read": None},
                    frozenset({"read_only_allow_delete"}),
                    health="red",
                )
            ),
            [("blocked", "is blocked (read_only_allow_delete)"), ("red", "has health red")],
        ),
        (
            written((3,), closed=3),
            [
                ("no_write_index", "the write index, is closed"),
                ("closed", "prod-jaeger-span-000003 is closed"),
            ],
        ),
    ],
)
def test_problems(state: State, said: list[tuple[str, str]]) -> None:
    found = problems(view(state, SPAN))
    assert [one.kind for one in found] == [kind for kind, _other in said]
    assert all(part in one.text for (_other, part), one in zip(said, found, strict=True))
    assert {one.kind for one in found} <= set(PROBLEM_KINDS)


# properties

AGES = st.integers(0, 400 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))
ALIASES = st.sampled_from([(), ("-read",), ("-write",), ("-read", "-write")])
TAILS = st.one_of(
    st.integers(1, 30).map(lambda n: f"{n:06d}"),
    st.dates(datetime(2026, 5, 1).date(), datetime(2026, 6, 12).date()).map(str),
    st.sampled_from(["000001-backup", "0000012", "archive-000001", "x", "2026-13-01"]),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Any state, healthy or not."""
    indices = []
    for tail in draw(st.sets(TAILS, max_size=8)):
        flag = draw(st.sampled_from([None, None, True, False]))
        aliases = {f"{SPAN.base}{end}": flag if end == "-write" else None for end in draw(ALIASES)}
        blocks = frozenset(draw(st.sampled_from([(), (), ("read_only_allow_delete",), ("read_only",)])))
        size = draw(st.integers(0, 2000))
        indices.append(Index(f"{SPAN.base}-{tail}", NOW - draw(AGES), aliases, blocks, size=size))
    return State({}).put(*indices)


RULES = st.builds(
    lambda count, age_from: AgeRule.at(NOW, retention_cutoff(NOW, count), age_from, timedelta(hours=12)),
    st.integers(0, 400),
    st.sampled_from(["written", "creation"]),
)


def plans(state: State, age: AgeRule, only_unreadable: bool) -> list[Plan]:
    """Each planner's plan for a state, if it does not refuse."""
    one = view(state, SPAN, NOW)
    planners: list[Callable[[], Plan]] = [
        lambda: plan_init(one, TEMPLATE, NOW),
        lambda: plan_lookback(one, age),
        lambda: plan_retention(one, RetentionRule(age, only_unreadable=only_unreadable)),
        lambda: plan_retention(one, RetentionRule(age, only_unreadable=only_unreadable, **PERIODIC)),
        lambda: plan_retention(
            one,
            RetentionRule(age, 3000, 2, 2, only_unreadable, dated=True, snapshot=("r", "s", 1)),
        ),
        lambda: plan_init(one, TEMPLATE, NOW, frozenset({"concrete", "dated", "generations"})),
    ]
    found = []
    for planner in planners:
        try:
            found.append(planner())
        except RefusedError:
            found.append(Plan())
    return found


@settings(max_examples=400, deadline=None)
@given(states(), RULES, st.booleans())
def test_no_plan_hides_or_deletes_what_is_written_or_strange(
    state: State, age: AgeRule, only_unreadable: bool
) -> None:
    write_index = state.write_index(SPAN.write_alias)
    for plan in plans(state, age, only_unreadable):
        touched = deleted(plan) + [
            name
            for action in plan.actions
            if isinstance(action, UpdateAliases)
            for name, alias in action.remove
            if alias == SPAN.read_alias
        ]
        assert write_index is None or write_index.name not in touched
        assert all(
            SPAN.generation_of(name) is not None or SPAN.period_of(name) is not None for name in touched
        )
        gone_but_readable = [name for name in deleted(plan) if SPAN.read_alias in state.indices[name].aliases]
        assert not (only_unreadable and gone_but_readable)


@settings(max_examples=400, deadline=None)
@given(states(), RULES, st.booleans())
def test_the_plan_of_the_state_after_a_plan_is_empty(
    state: State, age: AgeRule, only_unreadable: bool
) -> None:
    for place, plan in enumerate(plans(state, age, only_unreadable)):
        again = plans(after(state, plan), age, only_unreadable)[place]
        assert again.actions == ()


@settings(max_examples=200, deadline=None)
@given(states(), RULES, st.booleans())
def test_nothing_remains_of_an_action_in_the_state_that_it_predicts(
    state: State, age: AgeRule, only_unreadable: bool
) -> None:
    for plan in plans(state, age, only_unreadable):
        for action in plan.actions:
            state_after = action.predict(state)
            if not isinstance(action, (PutTemplate, Snapshot)):
                assert action.remaining(state_after) is None
            state = state_after
