# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement: everyone in turns, several rounds, the collector and the load on other processors than the service."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.api.collector import Collector, collector
from bench.api.load import CONNECTIONS, require_wrk, steady, wrk
from bench.api.process import Cores, Running, pinned_to, running
from bench.api.report import Measured, Row, Spans, Steady, reading, section, table
from bench.api.services import (
    HERE,
    SERVICES,
    Programs,
    Service,
    Start,
    go_environment,
    go_program,
    install_all,
)
from bench.say import BenchmarkError, say
from bench.venvs import RESULTS, pinned
from tests.support.servers import ROOT, free_port

ROUNDS = 3
WARM_UP_SECONDS, SATURATION_SECONDS, STEADY_SECONDS = 2, 4, 5
STEADY_SHARE = 0.7
RAW = RESULTS / "api.json"


@dataclass
class Bench:
    """What all measurements share. Each start of a service gets a name of its own, under which its spans are counted."""

    programs: Programs
    collector: Collector
    cores: Cores
    folder: Path
    starts: int = field(default=0)

    @contextmanager
    def running(self, service: Service) -> Iterator[tuple[Running, str]]:
        """A service that runs until the block ends, and its name of this time."""
        self.starts += 1
        name = f"{service.key}-{self.starts}"
        port = free_port()
        address = self.collector.address if service.collector_up else f"127.0.0.1:{free_port()}"
        start = Start(self.programs, port, address, name)
        command = pinned_to(self.cores.service, service.command(start))
        with running(command, service.environment(start), port, self.folder / f"{name}.log", ROOT) as process:
            yield process, name

    def spans(self, service: Service, name: str, requests: int) -> Spans:
        """What arrived from a service that has ended."""
        expected = requests * service.spans if service.collector_up else 0
        return Spans(expected, self.collector.received(name))

    def check(self, service: Service) -> None:
        """See to it that the service keeps the contract, spans included."""
        with self.running(service) as (process, name):
            answers = [ask(process.port, user) for user in ("b", "a")]
        if answers != [(200, b""), (400, b"")]:
            raise BenchmarkError(f"{service.name} does not keep the contract: it answered {answers}")
        spans = self.spans(service, name, len(answers))
        if spans.received != spans.expected:
            raise BenchmarkError(f"{service.name}: {spans.received} spans instead of {spans.expected}")

    def measure(self, service: Service) -> Measured:
        """One round of a service."""
        with self.running(service) as (process, name):
            warm_up = wrk(process.port, WARM_UP_SECONDS, self.cores.others)
            before = process.cpu()
            load = wrk(process.port, SATURATION_SECONDS, self.cores.others)
            cpu, peak = process.cpu() - before, process.peak()
        return Measured(
            rate=load.rate,
            cpu=cpu / load.requests,
            p50=load.p50,
            p99=load.p99,
            peak=peak,
            wrong=load.wrong,
            spans=self.spans(service, name, warm_up.requests + load.requests),
            steady=self.steady(service, load.rate * STEADY_SHARE) if service.collector_up else None,
        )

    def steady(self, service: Service, rate: float) -> Steady:
        """Some seconds at a rate below saturation, and the spans of every single request of them."""
        program = self.programs.go / "load"
        with self.running(service) as (process, name):
            warm_up = steady(program, process.port, rate, 1, self.cores.others)
            load = steady(program, process.port, rate, STEADY_SECONDS, self.cores.others)
        if warm_up.wrong or load.wrong:
            said = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
            say(
                f"  {service.name}: answers {warm_up.statuses}, then {load.statuses} (0 is none); its log ends:\n{said}"
            )
        return Steady(
            rate=rate,
            p50=load.p50,
            p99=load.p99,
            late_p99=load.late_p99,
            wrong=warm_up.wrong + load.wrong,
            spans=self.spans(service, name, warm_up.requests + load.requests),
        )


def ask(port: int, user: str) -> tuple[int, bytes]:
    """The status and the body of the answer for this user."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/users/{user}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def run() -> str:
    """Measure everyone, print the table and what it says, and return the section for the page."""
    require_wrk()
    programs = install_all()
    load, start = os.getloadavg()[0], time.monotonic()
    rounds: dict[str, list[Measured]] = {service.key: [] for service in SERVICES}
    cores = Cores.of_this_machine()
    with (
        tempfile.TemporaryDirectory(prefix="bench-api-") as name,
        collector(cores.others, Path(name)) as jaeger,
    ):
        bench = Bench(programs, jaeger, cores, Path(name))
        for service in SERVICES:
            bench.check(service)
        for turn in range(ROUNDS):
            say(f"The API: round {turn + 1} of {ROUNDS}")
            for service in SERVICES:
                measured = bench.measure(service)
                rounds[service.key].append(measured)
                say(f"  {service.name}: {measured.summary()}")
    rows = [Row(service, tuple(rounds[service.key])) for service in SERVICES]
    RAW.parent.mkdir(parents=True, exist_ok=True)
    RAW.write_text(
        json.dumps({row.service.key: [asdict(each) for each in row.rounds] for row in rows}, indent=1)
    )
    print(table(rows), reading(rows), sep="\n")
    date = datetime.now(UTC).date().isoformat()
    return section(rows, date, machine(cores, load, time.monotonic() - start))


def machine(cores: Cores, load: float, seconds: float) -> str:
    """Rows of a table: on what and with what. load is what it was at the start."""
    command = [go_program(), "env", "GOVERSION"]
    go = subprocess.run(command, env=go_environment(), capture_output=True, text=True, check=True)
    tracing = next(line for line in (HERE / "go" / "go.mod").read_text().splitlines() if "otel/sdk " in line)
    rows = {
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}; service on core {cores.service}, "
        f"collector and load on {cores.others}",
        "Python": platform.python_version(),
        "traced-api": pinned(ROOT / "app" / "requirements.in"),
        "Flask, FastAPI": pinned(HERE / "requirements.in"),
        "Go": f"{go.stdout.strip().removeprefix('go')}, OpenTelemetry {tracing.split()[1]}",
        "collector": "Jaeger v1.57.0 all-in-one, spans in memory",
        "wrk": f"one thread, {CONNECTIONS} connections",
        "load": f"{load:.1f} at the start",
        "this run": f"{ROUNDS} rounds, {seconds / 60:.1f} minutes",
    }
    return "".join(f"| {name} | {text} |\n" for name, text in rows.items())
