# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode foretells is what comes, for random states and options; and a second run has nothing to do."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.modules import check_module, run_module
from tests.support.servers import Elasticsearch

TYPES = ("span", "service")
PREFIXES = tuple(f"p{number}" for number in range(12))
DAYS = (31, 22, 16, 11, 8, 5, 3, 1)
SEED = int(os.environ.get("TRACESTACK_SEED", random.randrange(10**6)))


def build(es: Elasticsearch, dice: random.Random) -> None:
    """Index sets of many prefixes along one time line: healthy ones mostly, and what years make of them."""
    newest: dict[str, int] = {}
    for day in DAYS:
        es.set_clock(f"-{day}d")
        for base in (f"{prefix}-jaeger-{kind}" for prefix in PREFIXES for kind in TYPES):
            if dice.random() < 0.55:
                newest[base] = newest.get(base, 0) + dice.choice((1, 1, 1, 2))
                put(es, f"{base}-{newest[base]:06d}", *([f"{base}-read"] if dice.random() < 0.8 else []))
            if dice.random() < 0.1:
                date = f"{datetime.now(UTC) - timedelta(days=day):%Y-%m-%d}"
                put(es, f"{base}-{date}", *([f"{base}-read"] if dice.random() < 0.5 else []))
            if dice.random() < 0.03:
                put(es, f"{base}-{dice.choice(('000001-backup', 'x', '0000012'))}-{day}")
    es.set_clock("+0d")
    add = [
        {"add": {"index": f"{base}-{number:06d}", "alias": f"{base}-{end}"}}
        for base, number in newest.items()
        for end in ("read", "write")
        if dice.random() < 0.95
    ]
    es.request("POST", "/_aliases", {"actions": add})


def put(es: Elasticsearch, name: str, *aliases: str) -> None:
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    es.request("PUT", f"/{name}", {"settings": settings, "aliases": {alias: {} for alias in aliases}})


def wishes(dice: random.Random) -> list[dict[str, Any]]:
    """Random work for each prefix; what rolls does so by an age that no new index has."""
    found = []
    for prefix in PREFIXES:
        work: dict[str, Any] = {"index_prefix": prefix, "record_types": list(TYPES)}
        if dice.random() < 0.8:
            work["conditions"] = {"max_age": f"{dice.randint(1, 9)}d"}
        if dice.random() < 0.8:
            unit = dice.choice(("days", "weeks", "hours", "months"))
            work["lookback"] = {"unit": unit, "unit_count": dice.randint(0, 9)}
        limits = {
            "days": dice.randint(0, 30),
            "max_generations": dice.randint(1, 5),
            "max_size": dice.choice(("1b", "1gb")),
        }
        chosen = dice.sample(sorted(limits), dice.randint(1, 3))
        work["retention"] = {
            **{limit: limits[limit] for limit in chosen},
            "min_generations": dice.randint(0, 3),
            "only_unreadable": dice.random() < 0.7,
            "include_dated": dice.random() < 0.5,
        }
        found.append(work)
    return found


@pytest.mark.parametrize("place", range(3))
def test_check_mode_foretells_what_comes(es: Elasticsearch, place: int) -> None:
    print(f"TRACESTACK_SEED={SEED}")
    dice = random.Random(SEED + place)
    build(es, dice)
    options = {
        "server_urls": es.url,
        "index_sets": wishes(dice),
        "age_from": dice.choice(("written", "creation")),
        "service_cache_ttl": dice.choice(("0s", "12h", "9d")),
    }
    before = (es.indices(), es.aliases())
    checked = check_module("es_maintenance", **options)
    assert (es.indices(), es.aliases()) == before
    done = run_module("es_maintenance", **options)
    for key in ("actions", "kept", "failures", "diff"):
        assert checked.result[key] == done.result[key], f"seed {SEED}, place {place}"
    assert len(done.result["actions"]) > 20
    stored = {entry["index"] for one in done.result["index_sets"] for entry in one["indices"]}
    assert stored <= es.indices()
    gone = set(done.actions("delete_index"))
    assert before[0] - es.indices() == gone
    again = run_module("es_maintenance", **options)
    assert again.result["actions"] == [], f"seed {SEED}, place {place}"
    assert again.result["failures"] == done.result["failures"]
