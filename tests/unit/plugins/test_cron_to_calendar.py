# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cron_to_calendar: the same times as a cron library and systemd itself have, and a clear word for all else."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime
from itertools import islice

import pytest
from ansible.errors import AnsibleFilterError
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.tracestack.jaeger.plugins.filter.cron_to_calendar import cron_to_calendar

BASE = datetime(2026, 11, 24, 12, 34, 56)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@pytest.mark.parametrize(
    ("line", "calendar"),
    [
        ("5 0 * * *", "*-*-* 0:5:00"),
        ("* * * * *", "*-*-* *:*:00"),
        ("*/15 6-18/6 * * *", "*-*-* 6,12,18:0,15,30,45:00"),
        ("5 0 1,15 jan-mar *", "*-1,2,3-1,15 0:5:00"),
        ("5 0 * * mon-fri", "Mon,Tue,Wed,Thu,Fri *-*-* 0:5:00"),
        ("5 0 * * 0,7", "Sun *-*-* 0:5:00"),
        ("5 0 * * 5-7", "Sun,Fri,Sat *-*-* 0:5:00"),
        ("0 0 29 2 *", "*-2-29 0:0:00"),
    ],
)
def test_fields(line: str, calendar: str) -> None:
    assert cron_to_calendar(line) == calendar


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("5 0 * *", "'5 0 * *' has 4 fields and not five: minute, hour, day, month, weekday."),
        ("60 0 * * *", "minute is '60': 60 is not a number from 0 to 59."),
        ("5 24 * * *", "hour is '24': 24 is not a number from 0 to 23."),
        ("5 0 0 * *", "day is '0': 0 is not a number from 1 to 31."),
        ("5 0 * 13 *", "month is '13': 13 is not a number from 1 to 12 or a name from jan to dec."),
        ("5 0 * * 8", "weekday is '8': 8 is not a number from 0 to 7 or a name from sun to sat."),
        ("5 0 * * mo", "weekday is 'mo': mo is not a number from 0 to 7 or a name from sun to sat."),
        ("30-10 0 * * *", "minute is '30-10': the range 30-10 ends before it begins."),
        ("*/0 0 * * *", "minute is '*/0': a step is 1 or more."),
        ("5/15 0 * * *", "minute is '5/15': a step needs a range, such as 5-59/15."),
        (
            "-5 0 * * *",
            "minute is '-5': use numbers, ranges such as 1-5, lists such as 1,5, and steps such as */15.",
        ),
        (
            "5, 0 * * *",
            "minute is '5,': use numbers, ranges such as 1-5, lists such as 1,5, and steps such as */15.",
        ),
        (
            "\u0665 0 * * *",
            "minute is '\u0665': use numbers, ranges such as 1-5, lists such as 1,5, and steps such as */15.",
        ),
        ("5 0 31 4,jun *", "day is '31' and month is '4,jun': there is no such day."),
        (
            "5 0 1 * mon",
            "day is '1' and weekday is 'mon': give one of them. cron would run on days that are either, which a systemd timer cannot.",
        ),
    ],
)
def test_what_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{re.escape(sentence)}$"):
        cron_to_calendar(line)


def field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A field as people write them: a list of numbers, names, ranges and steps."""
    number = st.integers(low, high)
    word = number.map(lambda n: names[n - low] if names and n - low < len(names) else str(n))
    bounds = st.tuples(number, number).map(sorted)
    # cronsim takes 3-3/2, a range of one, for 3-59/2; cron does not.
    wide = bounds.filter(lambda pair: pair[0] < pair[1])
    parts = st.one_of(
        word,
        bounds.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(wide, st.integers(1, 40)).map(lambda one: f"{one[0][0]}-{one[0][1]}/{one[1]}"),
        st.integers(1, 40).map(lambda step: f"*/{step}"),
    )
    return st.one_of(st.just("*"), st.lists(parts, min_size=1, max_size=4).map(",".join))


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Five fields of which at most one says which day."""
    day, weekday = draw(
        st.one_of(
            st.tuples(field(1, 28), st.just("*")),  # a day that each month has
            st.tuples(st.just("*"), field(0, 6, DAYS)),
            st.tuples(st.just("*"), field(0, 7)),
        )
    )
    return " ".join([draw(field(0, 59)), draw(field(0, 23)), day, draw(field(1, 12, MONTHS)), weekday])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
@settings(max_examples=100, deadline=None)
@given(lines())
def test_systemd_runs_it_when_cron_does(line: str) -> None:
    assert elapses(cron_to_calendar(line)) == [one.isoformat(" ") for one in islice(CronSim(line, BASE), 5)]


def elapses(calendar: str) -> list[str]:
    """The next five times, as systemd reckons them."""
    done = subprocess.run(
        [
            "systemd-analyze",
            "calendar",
            "--iterations=5",
            f"--base-time={BASE:%Y-%m-%d %H:%M:%S} UTC",
            calendar,
        ],
        env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w{3} (\S+ \S+) UTC", done.stdout)
