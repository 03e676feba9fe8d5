# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two that send requests: wrk as fast as the service answers, and a generator of our own at a given rate."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.api.process import pinned_to
from bench.say import BenchmarkError

CONNECTIONS = 16
MIX = Path(__file__).with_name("mix.lua")
BAD_SHARE = 0.1  # so many requests of mix.lua and of go/load are answered with 400
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Load:
    """What came of some seconds of requests. Latencies are in seconds; wrong are answers that are not the contract's."""

    requests: int
    seconds: float
    p50: float
    p99: float
    wrong: int
    late_p99: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)  # 0 is no answer; wrk does not say

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """End with a sentence that says what to do if there is no wrk."""
    if shutil.which("wrk") is None:
        sys.exit(
            "bench: wrk is missing. Install it (Debian, Ubuntu: apt-get install wrk), or use `make bench`."
        )


def wrk(port: int, seconds: int, cores: str) -> Load:
    """Saturate the service: each connection sends its next request as soon as the last one is answered."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(MIX)]
    done = subprocess.run(
        pinned_to(cores, [*command, f"http://127.0.0.1:{port}/"]), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"wrk failed: {done.stdout}{done.stderr}")
    return parse_wrk(done.stdout)


def parse_wrk(output: str) -> Load:
    """Read what wrk --latency prints."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", output)
    shares = {
        share: number(*found) for share, *found in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", output)
    }
    if total is None or not {"50", "99"} <= shares.keys():
        raise BenchmarkError(f"wrk said something unknown:\n{output}")
    requests = int(total[1])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    unlike = abs(int(refused[1] if refused else 0) - round(requests * BAD_SHARE))
    wrong = (unlike if unlike > CONNECTIONS else 0) + sum(map(int, broken.groups() if broken else ()))
    return Load(requests, number(total[2], total[3]), shares["50"], shares["99"], wrong)


def number(digits: str, unit: str) -> float:
    """Seconds of a number with a unit of wrk's."""
    return float(digits) * UNITS[unit]


def steady(program: Path, port: int, rate: float, seconds: int, cores: str) -> Load:
    """Send so many requests a second, however fast they are answered (go/load)."""
    command = [str(program), f"-address=127.0.0.1:{port}", f"-rate={rate}", f"-duration={seconds}s"]
    done = subprocess.run(pinned_to(cores, command), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the load generator failed: {done.stderr}")
    return Load(**json.loads(done.stdout))
