# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Jaeger with its spans in memory, which tells how many it got from whom."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.api.process import pinned_to
from tests.support.servers import all_in_one

# The oldest traces make room for new ones: what arrived is counted, not looked up.
FLAGS = ("--memory.max-traces=20000", "--collector.queue-size=200000", "--log-level=error")
COUNTER = re.compile(r"^jaeger_collector_spans_received_total\{(.*)\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Collector:
    """A running collector."""

    address: str  # of its OTLP/HTTP receiver, host:port
    metrics: str

    def received(self, service: str) -> int:
        """How many spans of this service have reached it. It counts before it answers."""
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            return count_received(answer.read().decode(), service)


def count_received(metrics: str, service: str) -> int:
    """The spans of a service in the collector's metrics."""
    label = f'svc="{service}"'
    return sum(
        round(float(value)) for labels, value in COUNTER.findall(metrics) if label in labels.split(",")
    )


@contextmanager
def collector(cores: str, folder: Path) -> Iterator[Collector]:
    """Run a Jaeger on these processors until the block ends; the load generators there come first."""
    with all_in_one("memory", folder, *FLAGS, launcher=pinned_to(cores, ["nice", "-n", "10"])) as running:
        yield Collector(urlsplit(running.otlp_url).netloc, running.metrics_url)
