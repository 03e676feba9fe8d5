# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the API: what is read from other programs' output, and what is said of the figures."""

from __future__ import annotations

import pytest

from bench.api.collector import count_received
from bench.api.load import parse_wrk
from bench.api.process import cpu_ticks, peak_bytes
from bench.api.report import Measured, Row, Spans, Steady, reading, share, table
from bench.api.services import DOWN, FASTAPI, FLASK, GO, OURS, UNTRACED, Service
from bench.page import HEAD, replaced, whole
from bench.say import BenchmarkError

WRK = """\
Running 4s test @ http://127.0.0.1:8000/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    14.05ms    2.32ms  41.11ms   91.04%
    Req/Sec     1.14k    53.10     1.21k    82.50%
  Latency Distribution
     50%  950.00us
     75%   14.32ms
     90%   15.80ms
     99%    1.03s
  4550 requests in 4.01s, 572.25KB read
"""


def test_the_output_of_wrk() -> None:
    load = parse_wrk(WRK + "  Non-2xx or 3xx responses: 455\nRequests/sec:   1134.66\n")
    assert (load.requests, load.seconds, load.wrong) == (4550, 4.01, 0)
    assert (load.p50, load.p99) == pytest.approx((0.00095, 1.03))
    assert load.rate == pytest.approx(1134.66, rel=1e-3)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("  Non-2xx or 3xx responses: 4550\n", 4095),
        ("", 455),  # no user at all was refused
        ("  Socket errors: connect 0, read 7, write 0, timeout 2\n  Non-2xx or 3xx responses: 450\n", 9),
    ],
    ids=["all refused", "none refused", "broken connections"],
)
def test_wrong_answers_to_wrk(more: str, wrong: int) -> None:
    assert parse_wrk(WRK + more).wrong == wrong


def test_an_output_that_is_not_wrks() -> None:
    with pytest.raises(BenchmarkError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_what_linux_says_of_a_process() -> None:
    """A program's name may hold anything."""
    assert cpu_ticks("42 (a) (b 1) S 1 42 42 0 -1 4194560 900 0 0 0 120 34 7 8 20 0 5 0 100") == 154
    assert peak_bytes("Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  100 kB\n") == 102400


def test_spans_are_counted_for_one_service() -> None:
    name = "jaeger_collector_spans_received_total"
    metrics = (
        f'{name}{{debug="false",format="proto",svc="ours-1",transport="http"}} 1.2e+06\n'
        f'{name}{{debug="true",format="proto",svc="ours-1",transport="http"}} 5\n'
        f'{name}{{debug="false",format="proto",svc="ours-11",transport="http"}} 7\n'
    )
    assert count_received(metrics, "ours-1") == 1_200_005
    assert count_received(metrics, "flask-1") == 0


def test_a_share_of_100_percent_is_all_of_them() -> None:
    assert share(Spans(3_000_000, 3_000_000)) == "100 %"
    assert share(Spans(3_000_000, 2_999_999)) == "99.999 %"
    assert share(Spans(0, 0)) == ""


def row(service: Service, rate: float, p99: float = 0.01, lost: int = 0) -> Row:
    """One round of a service that uses its core to the full."""
    spans = Spans(3000, 3000 - lost)
    steady = Steady(rate * 0.7, p99 / 4, p99 / 2, 0.0001, 0, spans)
    measured = Measured(rate, 1 / rate, p99 / 2, p99, 50_000_000, 0, spans, steady)
    return Row(service, (measured,))


def rows(**changed: Row) -> list[Row]:
    """Figures with which every aim holds, but for those that are given."""
    usual = {
        "ours": row(OURS, 2000),
        "flask": row(FLASK, 700, 0.03),
        "fastapi": row(FASTAPI, 900, 0.02),
        "go": row(GO, 10_000, 0.002),
        "untraced": row(UNTRACED, 3000),
        "down": row(DOWN, 1900, 0.02),
    }
    return list((usual | changed).values())


def test_the_reading_when_all_aims_hold() -> None:
    said = reading(rows()).splitlines()
    assert [line.count("**Holds**") for line in said[:5]] == [1] * 5
    assert "2,000 against 700 (Flask (gunicorn)) and 900" in said[0]
    assert "33.3%" in said[3]
    assert "3,000 of 3,000 arrived" in said[4]
    assert "5.0 times" in said[5]
    assert "95% of the requests per second" in said[6]


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"flask": row(FLASK, 2100, 0.03)}, [0]),
        ({"fastapi": row(FASTAPI, 900, 0.009)}, [1, 2]),
        ({"untraced": row(UNTRACED, 3200)}, [3]),
        ({"ours": row(OURS, 2000, lost=1)}, [4]),
    ],
    ids=["requests", "p99", "tracing", "spans"],
)
def test_the_reading_says_which_aims_are_missed(changed: dict[str, Row], missed: list[int]) -> None:
    said = reading(rows(**changed)).splitlines()
    assert [number for number, line in enumerate(said) if "**Missed**" in line] == missed


def test_the_reading_says_what_others_lost() -> None:
    assert "70 % of their saturation: Go net/http 9 of 3,000." in reading(rows(go=row(GO, 10_000, lost=9)))
    assert "Spans lost by others" not in reading(rows())


def test_the_reading_says_whose_core_was_not_its_own() -> None:
    spans = Spans(3000, 3000)
    half = Measured(700, 0.5 / 700, 0.02, 0.03, 50_000_000, 0, spans, Steady(490, 0.01, 0.02, 0, 0, spans))
    assert "at saturation**: Flask (gunicorn) 50%." in reading(rows(flask=Row(FLASK, (half,))))
    assert "at saturation**" not in reading(rows())


def test_every_line_of_a_table_has_the_columns_of_its_header() -> None:
    saturation, steady = (part.splitlines() for part in table(rows()).split("\n\n"))
    assert {line.count("|") for line in saturation} == {10}
    assert {line.count("|") for line in steady} == {7}
    assert len(saturation) == len(steady) == 2 + len(rows())


def test_a_section_of_the_page_is_replaced_alone() -> None:
    page = whole(["## One\n\n### Part\n\nold\n", "## Two\n\nkept\n"])
    assert replaced(page, "## One\n\nnew\n") == f"{HEAD}\n## One\n\nnew\n\n## Two\n\nkept\n"
    assert replaced(page, "## Three\n\nnew\n") == f"{page}\n## Three\n\nnew\n"
