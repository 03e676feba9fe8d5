# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What random healthy states cannot show: for each row its accident, made for Jaeger's own tools and for ours.

Each test asserts both outcomes, theirs and ours, so that a row that is no longer true is found.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.modules import Answer, run_module
from tests.support.proxy import LOST_ANSWER, UNAVAILABLE, Fault, Proxy, nth, proxy
from tests.support.servers import Elasticsearch, wait_for
from tests.support.twins import Twins

PROD = ("--index-prefix", "prod", "--skip-dependencies")
SETS = {"index_prefix": "prod", "record_types": ["span", "service"]}
NOW = {"conditions": {"max_age": "0s"}}
READ, WRITE = "prod-jaeger-span-read", "prod-jaeger-span-write"


def span(number: int) -> str:
    """The name of a generation."""
    return f"prod-jaeger-span-{number:06d}"


def make(server: Elasticsearch, name: str, *aliases: str) -> None:
    """An index without shards: quick, and as good as any for what is looked at here."""
    body = {
        "aliases": {alias: {} for alias in aliases},
        "settings": {"index.routing.allocation.enable": "none"},
    }
    server.request("PUT", f"/{name}?wait_for_active_shards=0", body)


def generations(twins: Twins, number: int) -> None:
    """So many generations of spans on both, all readable, the last one written."""
    for server in twins.both_servers:
        for one in range(1, number + 1):
            make(server, span(one), READ, *([WRITE] if one == number else []))


def initialised(twins: Twins) -> None:
    """Both tools' own init."""
    twins.tool("es-rollover", "init", twins.theirs.url, "--shards", "1", "--replicas", "0", *PROD)
    assert ours(twins, "es_rollover_init", shards=1, replicas=0).changed


def ours(twins: Twins, module: str, url: str = "", /, **options: Any) -> Answer:
    """One of our modules on its cluster, or on a proxy in front of it."""
    return run_module(module, server_urls=url or twins.ours.url, **{**SETS, **options})


def readable(server: Elasticsearch) -> set[str]:
    """What the read alias of the spans shows."""
    return {index for alias, index in server.aliases() if alias == READ}


@pytest.mark.difference("atomic")
def test_a_503_after_the_rollover(twins: Twins) -> None:
    """Theirs hides a generation for good; ours has no second request that could fail."""
    initialised(twins)
    with proxy(twins.theirs.url, nth("POST", "_aliases", UNAVAILABLE)) as faulty:
        assert twins.try_tool("es-rollover", "rollover", faulty.url, "--conditions", "{}", *PROD) != 0
    twins.tool("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", *PROD)
    assert readable(twins.theirs) == {span(1), span(3)}
    with proxy(twins.ours.url, nth("POST", "_aliases", UNAVAILABLE, times=99)) as faulty:
        assert ours(twins, "es_rollover", faulty.url, **NOW).changed
    with proxy(twins.ours.url, nth("POST", "_rollover", LOST_ANSWER)) as faulty:
        assert ours(twins, "es_rollover", faulty.url, **NOW).changed
        assert faulty.faults
    assert readable(twins.ours) == {span(1), span(2), span(3)}


@pytest.mark.difference("two-rollovers")
def test_two_rollovers_at_once(twins: Twins) -> None:
    """The first one is held up after it has looked (ours) or rolled (theirs), and the second one overtakes it."""
    initialised(twins)
    held = nth("POST", "_rollover", Fault(seconds=4))
    with ThreadPoolExecutor(1) as pool, proxy(twins.theirs.url, held) as slow:
        command = ("es-rollover", "rollover", slow.url, "--conditions", "{}", *PROD)
        first = pool.submit(twins.try_tool, *command)
        wait_for(lambda: span(2) in twins.theirs.indices())
        twins.tool("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", *PROD)
        assert first.result() == 0
    assert readable(twins.theirs) == {span(1), span(3)}
    held = nth("GET", "jaeger-", Fault(seconds=4))
    with ThreadPoolExecutor(1) as pool, proxy(twins.ours.url, held) as slow:
        overtaken = pool.submit(lambda: ours(twins, "es_rollover", slow.url, **NOW))
        wait_for(lambda: bool(slow.faults))
        time.sleep(1)  # it has been answered, but does not know it yet
        assert ours(twins, "es_rollover", **NOW).changed
        assert not overtaken.result().changed
        assert not overtaken.result().message
    assert readable(twins.ours) == {span(1), span(2)}
    assert len(twins.ours.indices()) == 4


@pytest.mark.difference("patterns")
def test_a_template_of_another_prefix(twins: Twins) -> None:
    """Preprod's next generation may get prod's shards: two templates of one order catch it, and which wins is chance."""
    for prefix, shards in (("preprod", 1), ("prod", 3)):
        flags = ("--shards", str(shards), "--index-prefix", prefix, "--replicas", "0")
        twins.tool("es-rollover", "init", twins.theirs.url, *flags)
        ours(twins, "es_rollover_init", index_prefix=prefix, shards=shards, replicas=0)
    twins.tool("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", "--index-prefix", "preprod")
    assert ours(twins, "es_rollover", index_prefix="preprod", **NOW).changed
    new = "preprod-jaeger-span-000002"
    assert {*shards_of_templates(twins.theirs, new)} == {"1", "3"}
    assert shards_of_templates(twins.ours, new) == ["1"]
    settings = twins.ours.get(f"/{new}/_settings?flat_settings=true")[new]["settings"]
    assert settings["index.number_of_shards"] == "1"


def shards_of_templates(server: Elasticsearch, index: str) -> list[str]:
    """The number of shards that each template that catches the index has."""
    found = server.get("/_template/*jaeger*?flat_settings=true").values()
    caught = [body for body in found if any(fnmatch(index, pattern) for pattern in body["index_patterns"])]
    return [body["settings"]["index.number_of_shards"] for body in caught]


@pytest.mark.difference("unit")
def test_a_unit_that_is_none(twins: Twins) -> None:
    """A typo takes all but the write index out of sight; here nothing happens."""
    twins.set_clock("-2m")
    generations(twins, 2)
    twins.set_clock("+0d")
    twins.tool("es-rollover", "lookback", twins.theirs.url, "--unit", "day", "--unit-count", "7", *PROD)
    assert readable(twins.theirs) == {span(2)}
    assert "unit" in ours(twins, "es_lookback", unit="day", unit_count=7).message
    assert readable(twins.ours) == {span(1), span(2)}


@pytest.mark.difference("negative")
def test_negative_counts(twins: Twins) -> None:
    """A cut-off in the future hides and deletes all but the write index."""
    generations(twins, 3)
    twins.tool("es-rollover", "lookback", twins.theirs.url, "--unit", "hours", "--unit-count", "-2", *PROD)
    assert readable(twins.theirs) == {span(3)}
    twins.tool("es-index-cleaner", "--rollover", "--index-prefix", "prod", "--", "-1", twins.theirs.url)
    assert twins.theirs.indices() == {span(3)}
    assert "unit_count" in ours(twins, "es_lookback", unit="hours", unit_count=-2).message
    assert "days" in ours(twins, "es_index_cleaner", days=-1).message
    assert readable(twins.ours) == {span(1), span(2), span(3)}


@pytest.mark.difference("prefix-form")
def test_a_prefix_with_its_dash(twins: Twins) -> None:
    """The tools add a second dash, and no collector finds what they made."""
    twins.tool("es-rollover", "init", twins.theirs.url, "--shards", "1", "--index-prefix", "prod-")
    assert "prod--jaeger-span-000001" in twins.theirs.indices()
    assert "'prod'" in ours(twins, "es_rollover_init", index_prefix="prod-").message
    assert twins.ours.indices() == set()


@pytest.mark.difference("names")
def test_a_prefix_that_is_a_pattern(twins: Twins) -> None:
    """Every index that begins so is deleted, the ones that are written too; here a pattern is no prefix."""
    generations(twins, 2)
    command = ("--rollover", "--index-prefix", "prod*", "0")
    twins.tool("es-index-cleaner", *command, twins.theirs.url)
    assert twins.theirs.indices() == set()
    assert "no pattern" in ours(twins, "es_index_cleaner", index_prefix="prod*", days=0).message
    assert twins.ours.indices() == {span(1), span(2)}


@pytest.mark.difference("names")
def test_what_begins_like_a_generation(twins: Twins) -> None:
    """A copy that somebody made is no generation."""
    strangers = {f"{span(1)}-backup", "prod-jaeger-span-0000017-restored-by-hand"}
    for server in twins.both_servers:
        for name in strangers:
            make(server, name)
    generations(twins, 2)
    twins.tool("es-index-cleaner", "0", twins.theirs.url, "--rollover", "--index-prefix", "prod")
    assert twins.theirs.indices() == {span(2)}
    options = {"age_from": "creation", "only_unreadable": False}
    assert ours(twins, "es_index_cleaner", days=0, **options).changed
    assert twins.ours.indices() == {span(2), *strangers}


@pytest.mark.difference("time-zone")
def test_a_host_in_another_time_zone(twins: Twins) -> None:
    """Their day begins at the midnight of the host; ours, like their cleaner's, at that of UTC."""
    now = datetime.now(UTC)
    zone = "Pacific/Kiritimati"  # UTC+14
    here = now.replace(hour=0, minute=0, second=0, microsecond=0)
    there = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    between = here + (there.astimezone(UTC) - here) / 2
    twins.set_clock(f"-{int((now - between) / timedelta(seconds=1))}s")
    generations(twins, 2)
    twins.set_clock("+0d")
    environment = {"TZ": zone}
    command = ("es-rollover", "lookback", twins.theirs.url, "--unit", "days", "--unit-count", "1", *PROD)
    assert twins.try_tool(*command, env=environment) == 0
    ours(twins, "es_lookback", unit="days", unit_count=1, age_from="creation")
    left = {True: {span(2)}, False: {span(1), span(2)}}
    assert readable(twins.theirs) == left[between < there]
    assert readable(twins.ours) == left[between < here]
    assert readable(twins.ours) != readable(twins.theirs)


@pytest.mark.difference("lost-write-alias")
def test_init_after_a_lost_write_alias(twins: Twins) -> None:
    """Theirs goes back to the first generation, and no rollover is possible any more."""
    initialised(twins)
    for _time in range(2):
        twins.tool("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", *PROD)
        ours(twins, "es_rollover", **NOW)
    for server in twins.both_servers:
        server.request("DELETE", f"/{span(3)}/_alias/{WRITE}")
    initialised(twins)
    assert (WRITE, span(1)) in twins.theirs.aliases()
    assert (WRITE, span(3)) in twins.ours.aliases()
    assert twins.try_tool("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", *PROD) != 0
    assert ours(twins, "es_rollover", **NOW).changed
    assert (WRITE, span(4)) in twins.ours.aliases()


@pytest.mark.difference("init-read-alias")
def test_init_beside_dated_indices_that_are_readable(twins: Twins) -> None:
    """Whoever puts dated indices behind the read alias first does not see what is written after init."""
    for server in twins.both_servers:
        make(server, "prod-jaeger-span-2026-01-02", READ)
    initialised(twins)
    assert (WRITE, span(1)) in twins.theirs.aliases()
    assert readable(twins.theirs) == {"prod-jaeger-span-2026-01-02"}
    assert (WRITE, span(1)) in twins.ours.aliases()
    assert readable(twins.ours) == {"prod-jaeger-span-2026-01-02", span(1)}


@pytest.mark.difference("concrete")
def test_init_after_a_collector_has_written(twins: Twins) -> None:
    """Theirs leaves a template and an index without alias; ours says what is in the way and touches nothing of the set."""
    twins.both("PUT", f"/{WRITE}/_doc/1", {"traceID": "1"})
    command = ("es-rollover", "init", twins.theirs.url, "--shards", "1", *PROD)
    assert twins.try_tool(*command) != 0
    assert span(1) in twins.theirs.indices()
    assert not any(index == span(1) for _alias, index in twins.theirs.aliases())
    assert WRITE in ours(twins, "es_rollover_init", shards=1).message
    assert {name for name in twins.ours.indices() if "-span-" in name} == {WRITE}
    assert "prod-jaeger-span" not in twins.ours.get("/_template")


@pytest.mark.difference("closed")
def test_init_where_the_newest_generation_is_closed(twins: Twins) -> None:
    """Nothing can be written where theirs puts the write alias."""
    initialised(twins)
    twins.both("POST", f"/{span(1)}/_close")
    for server in twins.both_servers:
        server.request("DELETE", f"/{span(1)}/_alias/{WRITE}")
    initialised(twins)
    assert (WRITE, span(1)) in twins.theirs.aliases()
    assert {index for alias, index in twins.ours.aliases() if alias == WRITE} == {span(2)}
    with pytest.raises(AssertionError, match="index_closed_exception"):
        twins.theirs.request("POST", f"/{WRITE}/_doc", {"traceID": "1"})
    twins.ours.request("POST", f"/{WRITE}/_doc", {"traceID": "1"})


@pytest.mark.difference("alias-as-it-is")
@pytest.mark.difference("other-alias")
@pytest.mark.difference("brought-back")
def test_aliases_that_say_more_and_aliases_of_others(twins: Twins) -> None:
    """A hidden, filtered read alias; then another alias on an old generation; then one that an operator shows again."""
    body = {"is_hidden": True, "filter": {"term": {"operationName": "x"}}}
    twins.set_clock("-40d")
    initialised(twins)
    twins.both("POST", "/_aliases", {"actions": [{"add": {"index": span(1), "alias": READ, **body}}]})
    twins.set_clock("-30d")
    rolls = ("es-rollover", "rollover", twins.theirs.url, "--conditions", "{}", *PROD)
    assert twins.try_tool(*rolls) != 0
    assert readable(twins.theirs) == {span(1)}
    assert ours(twins, "es_rollover", **NOW).changed
    assert twins.ours.get(f"/{span(2)}/_alias/{READ}")[span(2)]["aliases"][READ] == body
    twins.wipe()
    twins.set_clock("-40d")
    generations(twins, 2)
    twins.set_clock("-20d")
    for server in twins.both_servers:
        make(server, span(3), READ)
        add = [
            {"add": {"index": span(1), "alias": "legal-hold"}},
            {"add": {"index": span(3), "alias": WRITE}},
        ]
        server.request(
            "POST", "/_aliases", {"actions": [*add, {"remove": {"index": span(2), "alias": WRITE}}]}
        )
    twins.set_clock("+0d")
    until = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    spans = {"index_prefix": "prod", "indices": [span(2)], "readable_until": until}
    assert run_module("es_restore", server_urls=twins.ours.url, **spans).changed
    twins.tool("es-rollover", "lookback", twins.theirs.url, "--unit", "days", "--unit-count", "7", *PROD)
    assert ours(twins, "es_lookback", unit="days", unit_count=7).changed
    assert readable(twins.theirs) == {span(3)}
    assert readable(twins.ours) == {span(2), span(3)}
    twins.tool("es-index-cleaner", "7", twins.theirs.url, "--index-prefix", "prod", "--rollover")
    assert not ours(twins, "es_index_cleaner", days=7).changed
    assert twins.theirs.indices() == {span(3)}
    assert twins.ours.indices() == {span(1), span(2), span(3)}
    assert ours(twins, "es_index_cleaner", days=7, ignored_aliases=["*"]).changed
    assert twins.ours.indices() == {span(2), span(3)}


@pytest.mark.difference("vanished")
def test_an_index_that_vanishes_before_it_is_deleted(twins: Twins) -> None:
    """One name that is gone keeps all of theirs; here it is simply gone."""
    generations(twins, 4)

    def snatch(server: Elasticsearch) -> AbstractContextManager[Proxy]:
        def choose(method: str, _path: str) -> None:
            if method == "DELETE" and span(2) in server.indices():
                server.request("DELETE", f"/{span(2)}")

        return proxy(server.url, choose)

    with snatch(twins.theirs) as front:
        command = ("es-index-cleaner", "0", front.url, "--rollover", "--index-prefix", "prod")
        assert twins.try_tool(*command) != 0
    assert twins.theirs.indices() == {span(1), span(3), span(4)}
    with snatch(twins.ours) as front:
        options = {"age_from": "creation", "only_unreadable": False}
        assert ours(twins, "es_index_cleaner", front.url, days=0, **options).changed
    assert twins.ours.indices() == {span(4)}


@pytest.mark.difference("url-length")
def test_a_long_prefix_that_is_not_ascii(twins: Twins) -> None:
    """They count the names' bytes before they are encoded; ours after."""
    prefix = "日本語" * 12
    base = f"{prefix}-jaeger-span"
    names = [f"{base}-{number:06d}" for number in range(1, 16)]
    for server in twins.both_servers:
        for name in names:
            make(server, name, *([f"{base}-write"] if name == names[-1] else []))
    assert twins.try_tool("es-index-cleaner", "0", twins.theirs.url, "--rollover", "--index-prefix", prefix)
    assert twins.theirs.indices() == set(names)
    assert ours(twins, "es_index_cleaner", index_prefix=prefix, days=0, age_from="creation").changed
    assert twins.ours.indices() == {names[-1]}


@pytest.mark.difference("clocks")
def test_a_server_whose_clock_is_behind(twins: Twins) -> None:
    """An index that has just been made is three days old for the host; ours believes the earlier clock."""
    for server in twins.both_servers:
        server.set_server_clock("-3d")
    generations(twins, 2)
    twins.tool("es-rollover", "lookback", twins.theirs.url, "--unit", "days", "--unit-count", "1", *PROD)
    assert readable(twins.theirs) == {span(2)}
    assert not ours(twins, "es_lookback", unit="days", unit_count=1, age_from="creation").changed
    assert readable(twins.ours) == {span(1), span(2)}
