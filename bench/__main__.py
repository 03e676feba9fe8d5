# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m bench: measure everyone in the same run on the same server, and write docs/benchmarks.md."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.competitors import ENVIRONMENT, Competitor, Pass
from bench.relay import Relay
from bench.scenarios import State
from tests.support.servers import ROOT, Elasticsearch

LAUNCHER = [sys.executable, "-I", "-S", str(ROOT / "bench" / "measure.py")]


@dataclass(frozen=True)
class Measured:
    """One pass of one competitor. wall is in seconds, peak in bytes."""

    requests: tuple[str, ...]
    bytes_down: int
    wall: float
    peak: int


class BenchmarkError(Exception):
    """A competitor did not do its work, so there is nothing to compare."""


def measure(competitor: Competitor, work: Pass, server: Elasticsearch, relay: Relay) -> Measured:
    """Run one pass and see to it that the cluster is then as it has to be."""
    log = work.folder / f"{competitor.key}.log"
    log.unlink(missing_ok=True)
    commands = competitor.commands(work)
    request = {"commands": commands, "env": ENVIRONMENT, "cwd": str(ROOT), "log": str(log)}
    relay.take()
    done = subprocess.run(LAUNCHER, input=json.dumps(request), capture_output=True, text=True, check=True)
    requests, bytes_down = relay.take()
    answer = json.loads(done.stdout)
    difference = State.of(server).difference(work.scenario.after)
    if any(answer["codes"]) or difference:
        said = log.read_text(errors="replace")[-3000:]
        raise BenchmarkError(f"{competitor.name}, {work.scenario.name}: {difference}\n{said}")
    return Measured(tuple(requests), bytes_down, answer["wall"], answer["peak"] * 1024)
