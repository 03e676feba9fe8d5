# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's reckoning: when an index is due, how fast a set grows, what counts as new, and how it is all said."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tracestack.jaeger.plugins.filter.report_page import report_page
from ansible_collections.tracestack.jaeger.plugins.filter.report_summary import report_summary
from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import UNITS, lookback_cutoff
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Index
from ansible_collections.tracestack.jaeger.plugins.plugin_utils import _report_words as words
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_chart import Axis, life_of, overview
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_data import clusters
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_due import first_moment
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_hosts import results_of
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_page import fingerprint, gather
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_problems import problems_of
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_tonight import in_short, steps_of
from tests.report.told import NOW, entry, of_state, told
from tests.support.servers import ROOT
from tests.support.states import SPAN, generations

TEMPLATES = str(ROOT / "roles/report/templates")
SECOND = timedelta(seconds=1)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)), st.sampled_from(UNITS), st.integers(0, 90))
def test_an_index_is_due_at_the_first_moment_at_which_a_run_would_take_it(
    when: datetime, unit: str, count: int
) -> None:
    instant = when.replace(tzinfo=UTC)
    due = first_moment(instant, unit, count)
    assert due is not None
    assert lookback_cutoff(due, unit, count) > instant
    assert lookback_cutoff(due - SECOND, unit, count) <= instant


def test_what_is_never_due_has_no_date() -> None:
    assert first_moment(NOW, "years", 9000) is None


def test_what_goes_tonight_is_due_and_nothing_else() -> None:
    """The dates and the planners say the same, in each set."""
    for one in clusters({"eu": told({"prod": 30})}, NOW)[0].sets:
        deleted = {each.name for each in one.generations if each.tonight == "deleted"}
        assert deleted == {each.name for each in one.generations if each.deleted and each.deleted <= NOW}
        assert deleted
        hidden = [each for each in one.generations if each.tonight == "hidden"]
        assert all(each.hidden and each.hidden <= NOW for each in hidden)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (12 * 2**30, "12.0 GB"),
        (150 * 2**20, "150 MB"),
    ],
)
def test_sizes(count: int, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("tails", "said"),
    [
        ([], ""),
        (["000001"], "000001"),
        (["000001", "000002"], "000001, 000002"),
        (["000001", "000002", "000003", "000007"], "000001 to 000003, 000007"),
        (["2026-01-01", "x", "000009"], "2026-01-01, x, 000009"),
    ],
)
def test_ranges(tails: list[str], said: str) -> None:
    assert words.ranges(tails) == said


def test_rules_are_told_in_words() -> None:
    wanted = entry(
        "prod",
        conditions={"max_age": "1d", "max_size": "50gb", "min_docs": 1, "max_docs": None},
        retention={"days": 14, "max_size": "500gb", "max_generations": None, "min_generations": 3},
    )
    assert words.rules(wanted) == [
        "rolls over at max_age 1d or max_size 50gb, but not before min_docs 1",
        "readable for 7 days after its last write",
        "deleted 14 days after its last write, when the set takes more than 500gb and never the newest 3",
    ]


def test_the_fingerprint_does_not_change_while_only_time_goes_by() -> None:
    now = told({"prod": 5})
    later: dict[str, Any] = copy.deepcopy(now)
    for one in later["info"]["index_sets"]:
        for each in one["indices"]:
            each["age_seconds"] += 60
    assert fingerprint(now) == fingerprint(later)
    later["info"]["index_sets"][0]["indices"][0]["docs"] += 1
    assert fingerprint(now) != fingerprint(later)


def test_hosts_of_one_cluster_are_shown_once_each_with_its_own_rules() -> None:
    found = {name: told({"prod": 3, "staging": 3}, [entry(name)]) for name in ("prod", "staging")}
    (one,) = clusters(found, NOW)
    assert one.name == "prod, staging"
    assert len(one.sets) == 6
    assert all(each.entry and each.entry["index_prefix"] == each.prefix for each in one.sets)


def test_a_set_that_nobody_looks_after_is_a_note() -> None:
    (one,) = clusters({"eu": told({"prod": 3, "staging": 3}, [entry("prod")])}, NOW)
    (note,) = problems_of(one, dict.fromkeys(one.sets, ""), "")
    assert not note.urgent
    assert note.headline == "3 index sets are not looked after"


def test_a_set_without_any_index_is_drawn() -> None:
    """As after a lost prefix: the module tells the set with what would become of it, and no index."""
    found = told({"prod": 2})
    for one in found["info"]["index_sets"]:
        one["indices"] = []
    page = report_page({"eu": {"__index_lifecycle_info": found["info"]}}, TEMPLATES)
    assert "nothing is readable" in page


def test_a_host_that_was_not_asked_is_a_problem() -> None:
    summary = report_summary({"eu": {}}, TEMPLATES)
    assert summary["sentence"] == "1 problem needs attention."
    assert "It was not asked" in report_page({"eu": {}}, TEMPLATES)


def test_each_thing_that_can_be_wrong_has_a_meaning_of_its_own() -> None:
    """The module's sentences are recognised by a part of them: whoever changes one finds this test."""
    days = [timedelta(days=number) for number in (3, 2, 1)]
    newest = SPAN.generation_name(3)
    healthy = generations(SPAN, *days, readable=(1, 2, 3))
    last = healthy.indices[newest]
    both = last.with_alias(SPAN.write_alias, False)
    states = (
        healthy.put(Index(SPAN.write_alias, NOW)),
        healthy.put(last.without_alias(SPAN.write_alias)),
        healthy.put(both, replace(both, name=SPAN.generation_name(4))),
        healthy.put(last.without_alias(SPAN.read_alias)),
        generations(SPAN, *days, readable=(1, 3)),
        generations(SPAN, *days, readable=(1, 2, 3), write=2),
        healthy.put(replace(last, blocks=frozenset({"write"}))),
        healthy.put(replace(last, health="red")),
    )
    found = []
    for state in states:
        (cluster,) = clusters({"eu": of_state(state, [SPAN], [])}, NOW)
        told_of = [each for each in problems_of(cluster, dict.fromkeys(cluster.sets, ""), "") if each.urgent]
        assert told_of
        found.append(told_of[0].headline)
        assert all(each.advice for each in told_of)
    assert "Something is wrong" not in found
    assert len(set(found)) == len(states) - 1, found  # two ways to have nowhere to write


def test_rules_are_read_as_the_module_reads_them() -> None:
    """Written short, as in an inventory: defaults, other spellings and numbers as text."""
    short = {
        "index_prefix": "prod",
        "lookback": {"unit_count": "7"},
        "retention": {"number_of_days": "14"},
        "conditions": {"max_age": "1d"},
    }
    variables = {
        "__index_lifecycle_info": told({"prod": 30})["info"],
        "__index_lifecycle_asked": {"server_urls": ["http://es:9200"], "index_sets": [short]},
    }
    (one,) = clusters(results_of({"eu": variables}), NOW)
    (usual,) = clusters({"eu": told({"prod": 30})}, NOW)
    for mine, others in zip(one.sets, usual.sets, strict=True):
        assert [(each.hidden, each.deleted) for each in mine.generations] == [
            (each.hidden, each.deleted) for each in others.generations
        ]


def test_the_night_in_one_sentence() -> None:
    found = clusters({"eu": told({"prod": 30})}, NOW)
    assert in_short(found).startswith(
        "Tonight's run rolls over 3 index sets and deletes 45 indices, which frees "
    )
    rollover, delete = steps_of(found[0].sets[0])
    assert (rollover.verb, rollover.which) == ("Roll over", "000030 → 000031")
    assert (delete.verb, delete.which, delete.count) == ("Delete", "000001 to 000015", 15)
    assert in_short([]) == "Nothing will be done tonight."


def test_bars_stay_within_the_picture() -> None:
    for prefixes in ({"a": 1}, {"a": 2}, {"a": 400}):
        for one in clusters({"eu": told(prefixes)}, NOW)[0].sets:
            axis = Axis.over(one.generations, NOW, future=True)
            assert 0 <= axis.place(NOW) <= 100
            for each in one.generations:
                for piece in life_of(each, axis).pieces:
                    assert piece.at >= 0
                    assert piece.width > 0
                    assert piece.at + piece.width <= 100.5
            chart = overview(one.generations, NOW)
            assert sum(path.count("M") for path in chart.paths.values()) <= 170
            assert sum(lane.width for lane in chart.lanes) == pytest.approx(100, abs=2)


def test_a_page_is_made_once_for_one_fingerprint() -> None:
    hosts = {"eu": told({"prod": 3})}
    first = gather(hosts, NOW, TEMPLATES, "A")
    assert first.fingerprint == gather(hosts, NOW + timedelta(hours=1), TEMPLATES, "A").fingerprint
    assert first.fingerprint != gather(hosts, NOW, TEMPLATES, "B").fingerprint
