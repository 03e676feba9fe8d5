# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: what is a prefix, what is a generation, what is a day, and what is somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    IndexSet,
    check_date_separator,
    check_prefix,
    find_index_set,
    index_sets,
)


@pytest.mark.parametrize(
    "prefix", ["prod", "a", "team-a", "prod.eu", "ürün", "prod+eu", "prod(eu", "jaeger", "x" * 200]
)
def test_good_prefix(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


def test_no_prefix() -> None:
    assert check_prefix(None) == ""
    assert IndexSet("", "span").write_alias == "jaeger-span-write"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("", "is empty: leave the option out"),
        ("   ", "is empty: leave the option out"),
        ("*", "has the character '*'"),
        ("prod*", "has the character '*'"),
        ("prod,dev", "has the character ','"),
        ("pr od", "has the character ' '"),
        ("prod\n", r"has the character '\n'"),
        ("prod/_all", "has the character '/'"),
        ("a?b", "has the character '?'"),
        ("<prod-{now/d}>", "has the character"),
        ("a#b", "has the character '#'"),
        ("remote:prod", "has the character ':'"),
        ("Prod", "upper-case letters: index names are lower case, try 'prod'"),
        ("-prod", "starts with '-'"),
        ("_all", "starts with '_'"),
        ("+prod", "starts with '+'"),
        (".prod", "starts with '.'"),
        ("prod-", "Jaeger adds the dash itself, so give 'prod'"),
        ("x" * 230, "is too long"),
        ("ü" * 120, "is too long"),
    ],
)
def test_bad_prefix(prefix: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_prefix(prefix)
    assert said in str(refused.value)
    assert str(refused.value).startswith("index_prefix ")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("prod-jaeger-span-000001", 1),
        ("prod-jaeger-span-000999", 999),
        ("prod-jaeger-span-999999", 999999),
        ("prod-jaeger-span-1000000", 1000000),
        ("prod-jaeger-span-0000017", None),
        ("prod-jaeger-span-00001", None),
        ("prod-jaeger-span-20260530", None),
        ("prod-jaeger-span-000001-backup", None),
        ("prod-jaeger-span-000001\n", None),
        ("prod-jaeger-span-" + "\u0661" * 6, None),
        ("prod-jaeger-span-archive-000001", None),
        ("preprod-jaeger-span-000001", None),
        ("prod-jaeger-service-000001", None),
        ("prod-jaeger-span-write", None),
        ("jaeger-span-000001", None),
    ],
)
def test_generation_of(name: str, number: int | None) -> None:
    assert IndexSet("prod", "span").generation_of(name) == number


@pytest.mark.parametrize(
    ("tail", "separator", "last"),
    [
        ("2026-05-30", "-", "2026-05-30T23:59:59.999+00:00"),
        ("2026.05.30", ".", "2026-05-30T23:59:59.999+00:00"),
        ("20260530", "", "2026-05-30T23:59:59.999+00:00"),
        ("2026-05-30-07", "-", "2026-05-30T07:59:59.999+00:00"),
        ("2026-05-30", ".", None),
        ("2026-5-30", "-", None),
        ("2026-02-30", "-", None),
        ("2026-05-30-24", "-", None),
        ("2026-05-30-backup", "-", None),
        ("2026%05%30", "%", "2026-05-30T23:59:59.999+00:00"),
        ("000001", "-", None),
        ("000001", "", None),
    ],
)
def test_period_of(tail: str, separator: str, last: str | None) -> None:
    period = IndexSet("prod", "span").period_of(f"prod-jaeger-span-{tail}", separator)
    assert (period and period[1].isoformat(timespec="milliseconds")) == last


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("prod-jaeger-span-000001", IndexSet("prod", "span")),
        ("jaeger-span-000001", IndexSet("", "span")),
        ("prod-jaeger-span-archive-000001", IndexSet("prod", "span-archive")),
        ("a-jaeger-b-jaeger-service-2026-05-30", IndexSet("a-jaeger-b", "service")),
        ("prod-jaeger-span-read", IndexSet("prod", "span")),
        ("prod-jaeger-span-archive-write", IndexSet("prod", "span-archive")),
        ("prod-jaeger-span-000001-backup", None),
        ("prod-jaeger-other-000001", None),
        ("prodjaeger-span-000001", None),
    ],
)
def test_find_index_set(name: str, found: IndexSet | None) -> None:
    assert find_index_set(name) == found


@given(
    st.text(min_size=1, max_size=30),
    st.sampled_from(["span", "service", "span-archive"]),
    st.integers(1, 9_999_999),
)
def test_what_is_made_parses_back(prefix: str, record_type: str, number: int) -> None:
    index_set = IndexSet(prefix, record_type)
    assert index_set.generation_of(index_set.generation_name(number)) == number


@given(st.text(max_size=12))
def test_what_parses_is_what_would_be_made(tail: str) -> None:
    index_set = IndexSet("prod", "span")
    number = index_set.generation_of(f"prod-jaeger-span-{tail}")
    assert number is None or index_set.generation_name(number) == f"prod-jaeger-span-{tail}"


@pytest.mark.parametrize("separator", ["/", "*", "1", "a", "\n", ",", " "])
def test_bad_date_separator(separator: str) -> None:
    with pytest.raises(ConfigurationError, match="index_date_separator is "):
        check_date_separator(separator)


def test_no_record_type_is_not_every_record_type() -> None:
    with pytest.raises(ConfigurationError, match="record_types is empty"):
        index_sets("prod", [], False)


def test_index_sets() -> None:
    assert [one.record_type for one in index_sets("prod", None, False)] == ["span", "service", "dependencies"]
    assert [one.record_type for one in index_sets("prod", ["sampling", "sampling"], False)] == ["sampling"]
    assert [one.base for one in index_sets("prod", None, True)] == ["prod-jaeger-span-archive"]
    assert index_sets("prod", None, True)[0].template == "prod-jaeger-span"
