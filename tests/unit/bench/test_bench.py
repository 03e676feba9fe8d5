# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's own reckoning: what is counted, what has to come out, what is said of it."""

from __future__ import annotations

import pytest

from bench.competitors import CURATOR, GO, MODULE, OURS, URI, Competitor
from bench.relay import FromClient, Relay
from bench.report import Measured, Row, Rows
from bench.scenarios import SCENARIOS, Scenario, ages_of

SMALL, LARGE = SCENARIOS[0], SCENARIOS[1]
REQUESTS = (
    b"POST /_aliases HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n  ",
    b"GET /prod-*?filter_path=*.aliases HTTP/1.1\r\nHost: x\r\n\r\n",
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_requests_are_counted_however_the_bytes_come(size: int) -> None:
    """A body that looks like a request is not one."""
    relay = Relay()
    client = FromClient(relay, "127.0.0.1", 9200)
    data = b"".join(REQUESTS)
    for start in range(0, len(data), size):
        client.count(data[start : start + size])
    assert relay.take() == (["POST /_aliases", "GET /prod-*?filter_path=*.aliases"], 0)
    assert relay.take() == ([], 0)


def test_a_request_that_cannot_be_counted_is_not_passed_over() -> None:
    relay = Relay()
    FromClient(relay, "127.0.0.1", 9200).count(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(AssertionError, match="in chunks"):
        relay.take()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_there_is_something_to_do_in_each_step(scenario: Scenario) -> None:
    before, after = scenario.before, scenario.after
    sets = len(scenario.sets)
    each = 1 if scenario.young else 2
    assert len(before.indices) == scenario.index_count
    assert len(after.indices - before.indices) == sets
    assert sets * each <= len(scenario.doomed) <= sets * each + 1
    gone = {(alias, index) for alias, index in before.aliases - after.aliases if alias.endswith("-read")}
    assert len(gone) == sets * each


def test_larger_scenarios_begin_as_the_smaller_ones() -> None:
    """So that they can be built on them."""
    for few, many in ((1, 333), (333, 334), (334, 1000)):
        assert ages_of(many)[:few] == ages_of(few)


def row(scenario: Scenario, competitor: Competitor, requests: int, wall: float) -> Row:
    return Row(scenario, competitor, (Measured(("GET /",) * requests, 1000, wall, wall, 1_000_000),))


def test_the_reading_says_which_aims_are_missed_and_who_was_not_measured() -> None:
    rows = Rows(
        [
            row(LARGE, GO, 20, 1.0),
            row(LARGE, CURATOR, 200, 1.0),
            row(LARGE, OURS, 10, 2.0),
            row(LARGE, MODULE, 10, 0.5),
        ]
    )
    requests, large, playbook, module, unmeasured = rows.reading().splitlines()
    assert "**Holds** in all 2 comparisons; closest is 0.5" in requests
    assert "**Missed** in 2 of 2" in large
    assert "**Missed** in 2 of 2" in playbook
    assert "**Holds**" in module
    assert unmeasured.startswith(f"- {URI.name} with {LARGE.title}: not measured")


def test_the_reading_says_what_starting_costs() -> None:
    rows = Rows([row(SMALL, GO, 17, 0.3), row(SMALL, MODULE, 8, 0.9), row(SMALL, OURS, 8, 2.4)])
    assert "Python's start-up loses" in rows.reading()
    assert "1.50 s are Ansible's own" in rows.reading()
