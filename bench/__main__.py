# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a daily pass and the API, each against others in the same run, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.api.load import require_wrk
from bench.api.run import run as run_api
from bench.api.services import SERVICES
from bench.competitors import COMPETITORS
from bench.daily import run_daily
from bench.page import PAGE, replaced, whole
from bench.say import BenchmarkError, say
from bench.scenarios import SCENARIOS
from bench.venvs import RESULTS
from tests.support.servers import ROOT

API = "api"


def print_list() -> None:
    """What can be measured, and who takes part."""
    for scenario in SCENARIOS:
        print(f"{scenario.name:<34} {scenario.title}")
    print(f"{API:<34} the HTTP API of app/")
    for each in (*COMPETITORS, *SERVICES):
        print(each.name)


def write(page: str) -> None:
    """Write docs/benchmarks.md."""
    PAGE.write_text(page)
    say(f"written: {PAGE.relative_to(ROOT)}")


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second benchmark from running at the same time: each would measure the other."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("bench: another benchmark runs; try again when it has ended.")
        yield


def measure(only: list[str], full: bool) -> None:
    """Run what is asked for, everything by default. A part that was measured whole goes into the page."""
    api = not only or API in only
    if api:
        require_wrk()  # now, not after a quarter of an hour
    scenarios = [each for each in SCENARIOS if not only or each.name in only]
    daily = [run_daily(scenarios, full)] if scenarios else []
    if not only:
        write(whole([*daily, run_api()]))
    elif api:
        write(replaced(PAGE.read_text(), run_api()))


def main() -> None:
    """Read the command line and run what it asks for."""
    names = [*(scenario.name for scenario in SCENARIOS), API]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        help="this scenario, without writing the page; or the API, writing its section alone",
    )
    parser.add_argument("--list", action="store_true", help="the scenarios and who takes part")
    parser.add_argument("--full", action="store_true", help="those too whose pass takes many minutes")
    options = parser.parse_args()
    if options.list:
        print_list()
    else:
        try:
            with alone():
                measure(options.only or [], options.full)
        except BenchmarkError as failed:
            sys.exit(f"bench: {failed}")


if __name__ == "__main__":
    main()
