# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daily pass: everyone in the same run on the same server."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.competitors import COMPETITORS, CURATOR_VENV, ENVIRONMENT, Competitor, Pass
from bench.relay import Relay, relay
from bench.report import Measured, Row, Rows
from bench.say import BenchmarkError, say
from bench.scenarios import Scenario, State, build, restore, settle
from bench.venvs import RESULTS, install
from tests.support.servers import ROOT, Elasticsearch, elasticsearch, jaeger_programs

LAUNCHER = [sys.executable, "-I", "-S", str(ROOT / "bench" / "measure.py")]
PINS = ROOT / "bench" / "requirements-curator.txt"
RAW = RESULTS / "results.json"
VERSION = "7.17.1"
BUSY = ". **Other work kept this machine busy: of these figures only requests, bytes, CPU and memory mean anything**"
MEMORY_FOLDER = Path("/dev/shm")

SECTION = """\
## The daily pass

Measured on {date}.

One full daily pass: every index set rolls over, old generations leave the read alias, older ones are deleted. Everyone has
to reach the same indices and aliases. With 3 indices there is one generation of each record type, which is rolled,
hidden and deleted in one pass; else two generations of each set are hidden and two deleted. 20 and 100 prefixes have 10
generations of 3 record types each. The indices are empty, of one shard, made with Jaeger's own templates.

| | |
|---|---|
{machine}
### Figures of the daily pass

The median of the passes. kB are 1,000 bytes on the wire, headers included, compressed where the client asked for it. CPU is
what the programs of the pass used themselves, the server apart: it depends least on what else the machine does. Peak is the
largest resident set of any single process of the pass.

{table}
### Reading of the daily pass

{reading}"""


def measure(competitor: Competitor, work: Pass, server: Elasticsearch, counted: Relay) -> Measured:
    """Run one pass and see to it that the cluster is then as it has to be."""
    log = work.folder / f"{competitor.key}.log"
    log.unlink(missing_ok=True)
    request = {
        "commands": competitor.commands(work),
        "env": ENVIRONMENT,
        "cwd": str(ROOT),
        "log": str(log),
    }
    counted.take()
    done = subprocess.run(LAUNCHER, input=json.dumps(request), capture_output=True, text=True, check=True)
    requests, bytes_down = counted.take()
    answer = json.loads(done.stdout)
    difference = State.of(server).difference(work.scenario.after)
    if any(answer["codes"]) or difference:
        said = log.read_text(errors="replace")[-3000:]
        raise BenchmarkError(f"{competitor.name}, {work.scenario.title}: {difference}\n{said}")
    return Measured(tuple(requests), bytes_down, answer["wall"], answer["cpu"], answer["peak"] * 1024)


def run(scenario: Scenario, server: Elasticsearch, folder: Path, jaeger: Path, full: bool) -> Iterator[Row]:
    """All passes of a scenario, in turns, so that a slow moment of the machine hits everyone."""
    start = time.monotonic()
    build(server, scenario, jaeger)
    say(f"{scenario.title}: built in {time.monotonic() - start:.0f} s")
    found: dict[str, list[Measured]] = {competitor.key: [] for competitor in COMPETITORS}
    measuring = time.monotonic()
    with relay(server.url) as counted:
        for turn in range(scenario.repeats):
            if turn and time.monotonic() - measuring > scenario.seconds:
                break
            for competitor in COMPETITORS:
                if turn >= scenario.passes(competitor.key, full=full):
                    continue
                measured = measure(competitor, Pass(scenario, counted.url, folder, jaeger), server, counted)
                found[competitor.key].append(measured)
                say(
                    f"  {competitor.name}: {len(measured.requests)} requests, {measured.bytes_down} bytes, "
                    f"{measured.wall:.2f} s ({measured.cpu:.2f} s CPU), {measured.peak / 1e6:.0f} MB"
                )
                restore(server, scenario)
    say(f"{scenario.title}: {time.monotonic() - start:.0f} s in all")
    for competitor in COMPETITORS:
        if found[competitor.key]:
            yield Row(scenario, competitor, tuple(found[competitor.key]))


def run_all(scenarios: Sequence[Scenario], full: bool) -> Rows:
    """Every scenario on one server, whose data is in memory if there is room: the disk is no competitor."""
    jaeger = jaeger_programs("es-rollover", "es-index-cleaner")
    where = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as name:
        folder = Path(name)
        with elasticsearch(
            folder / "elasticsearch", clock=True, release=f"elasticsearch-{VERSION}", heap="4g"
        ) as server:
            settle(server)
            return Rows(
                [row for scenario in scenarios for row in run(scenario, server, folder, jaeger, full)]
            )


def machine(load: float, seconds: float) -> str:
    """Rows of a table: on what and with what. load is what it was at the start."""
    late = os.getloadavg()[2]
    busy = late > 2 * (os.cpu_count() or 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    curator = next(line for line in PINS.read_text().splitlines() if line.startswith("elasticsearch-curator"))
    place = "in memory (/dev/shm)" if os.access(MEMORY_FOLDER, os.W_OK) else "on disk"
    rows = {
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}",
        "load": f"{load:.1f} at the start, {late:.1f} in the last 15 minutes{BUSY * busy}",
        "server": f"Elasticsearch {VERSION}, one node, 4 GB of heap, data {place}, loopback",
        "Go tools": "Jaeger v1.57.0",
        "curator": f"{curator.split()[0].partition('==')[2]}, the newest that speaks to Elasticsearch 7.17",
        "Ansible": f"ansible-core {version('ansible-core')}, Python {platform.python_version()}",
        "this run": f"{seconds / 60:.0f} minutes",
    }
    return "".join(f"| {name} | {text} |\n" for name, text in rows.items())


def run_daily(scenarios: Sequence[Scenario], full: bool) -> str:
    """Measure these scenarios, print the table and what it says, and return the section for the page."""
    install(CURATOR_VENV.name, PINS)
    load, start = os.getloadavg()[0], time.monotonic()
    rows = run_all(scenarios, full)
    print(rows.table(), rows.reading(), sep="\n")
    RAW.parent.mkdir(parents=True, exist_ok=True)
    RAW.write_text(json.dumps({"/".join(key): list(map(vars, row.passes)) for key, row in rows.rows.items()}))
    about = machine(load, time.monotonic() - start)
    date = datetime.now(UTC).date().isoformat()
    return SECTION.format(date=date, machine=about, table=rows.table(), reading=rows.reading())
