# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was and what it has left, as metrics for Prometheus: in a textfile of the node exporter, or at a Pushgateway.

A run is over before anybody scrapes it. So what counts over many runs lives on where it was told: in the textfile or at the
Pushgateway, which are read first. What is found there and is not of our own form counts as nothing.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, push_to_gateway
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from jaeger_es_maintenance.job import Job
from jaeger_es_maintenance.logs import Logs
from jaeger_es_maintenance.outcome import Outcome, bad
from jaeger_es_maintenance.web import ALTOGETHER, SECONDS, TellError, send, within

PUSH_JOB = "jaeger_es_maintenance"
_SET = ("cluster", "prefix", "record_type")
_CLUSTER = ("cluster",)
GAUGES = {
    "jaeger_es_generation": (_SET, "Number of the newest generation."),
    "jaeger_es_generations": (_SET, "Indices that are stored."),
    "jaeger_es_readable_bytes": (_SET, "Size on disk of the indices behind the read alias."),
    "jaeger_es_stored_bytes": (_SET, "Size on disk of all indices."),
    "jaeger_es_held_back_bytes": (_SET, "Size on disk of the hidden indices that others' aliases keep."),
    "jaeger_es_problems": (("cluster", "kind"), "What is wrong with index sets after the run, by kind."),
    "jaeger_es_last_run_timestamp_seconds": (_CLUSTER, "When the last run ended."),
    "jaeger_es_last_run_duration_seconds": (_CLUSTER, "How long it took."),
    "jaeger_es_last_run_success": (_CLUSTER, "1 if it succeeded, 0 if it failed."),
    "jaeger_es_last_success_timestamp_seconds": (_CLUSTER, "When the last run that succeeded ended."),
}
COUNTERS = {
    "jaeger_es_rolled_over": (_SET, "Rollovers."),
    "jaeger_es_deleted": (_SET, "Indices that were deleted."),
}
_ACTIONS = {"rollover": "jaeger_es_rolled_over", "delete_index": "jaeger_es_deleted"}
_LAST_SUCCESS = "jaeger_es_last_success_timestamp_seconds"
_LAST_RUN = "jaeger_es_last_run_timestamp_seconds"
_TEXT_AT_MOST = 64 * 1024 * 1024

Series = dict[tuple[str, ...], float]  # by the values of the labels


@dataclass
class Samples:
    """Metrics by name, each with its values by labels."""

    found: dict[str, Series] = field(default_factory=dict)

    def of(self, name: str) -> Series:
        """The series of one metric."""
        return self.found.setdefault(name, {})

    def take_over(self, other: Samples) -> None:
        """What lives on from another place: of each series the greater value."""
        for name in (*COUNTERS, _LAST_SUCCESS, _LAST_RUN):
            mine = self.of(name)
            for labels, value in other.of(name).items():
                mine[labels] = max(value, mine.get(labels, 0))


def publish(job: Job, outcome: Outcome, logs: Logs) -> None:
    """Tell the metrics of a run. Who cannot be told is named in the log."""
    previous = Samples()
    places: list[tuple[str, Any]] = []
    if job.metrics.textfile:
        places.append(("textfile", _Textfile(job.metrics.textfile)))
    if job.metrics.pushgateway:
        places.append(("Pushgateway", _Pushgateway(job.metrics.pushgateway, job.name)))
    ready = []
    for what, place in places:
        try:
            previous.take_over(place.read(lambda text: logs.tell(logging.WARNING, f"{job.name}: {text}")))
            ready.append((what, place))
        except TellError as problem:
            logs.tell(logging.WARNING, f"{job.name}: no metrics to the {what}: {problem}")
    samples = collect(job.name, outcome, previous, time.time())
    for what, place in ready:
        try:
            place.write(_registry(samples))
        except TellError as problem:
            logs.tell(logging.WARNING, f"{job.name}: no metrics to the {what}: {problem}")


def collect(name: str, outcome: Outcome, previous: Samples, now: float) -> Samples:
    """The metrics after a run, from what came of it and from those before it."""
    samples = Samples()
    clusters = list(outcome.clusters) or [labels[0] for labels in previous.of(_LAST_RUN)] or [name]
    for metric in (*COUNTERS, _LAST_SUCCESS):
        samples.found[metric] = {
            labels: value for labels, value in previous.of(metric).items() if labels[0] in clusters
        }
    for cluster in clusters:
        one = outcome.clusters.get(cluster)
        success = outcome.good or (one is not None and not outcome.reason and not bad(one))
        samples.of(_LAST_RUN)[cluster,] = now
        samples.of("jaeger_es_last_run_duration_seconds")[cluster,] = outcome.seconds
        samples.of("jaeger_es_last_run_success")[cluster,] = float(success)
        if success:
            samples.of(_LAST_SUCCESS)[cluster,] = now
        if one is not None:
            _count(samples, cluster, one["result"] or {})
            if one["state"] is not None:
                _describe(samples, cluster, _sets(one))
    return samples


def _count(samples: Samples, cluster: str, result: Mapping[str, Any]) -> None:
    """The counters; a set that nothing was done to has them too, so that its first time is an increase."""
    done = Counter(
        (_ACTIONS[action["action"]], action["index_prefix"], action["record_type"])
        for action in result.get("actions", [])
        if action.get("action") in _ACTIONS
    )
    named = [(one["index_prefix"], one["record_type"]) for one in result.get("index_sets", [])]
    for prefix, record_type in {*named, *((prefix, kind) for _other, prefix, kind in done)}:
        for metric in COUNTERS:
            series = samples.of(metric)
            labels = (cluster, prefix, record_type)
            series[labels] = series.get(labels, 0) + done[metric, prefix, record_type]


def _sets(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The index sets of a cluster that the run looks after; all of them, if it did not say which these are."""
    mine = {index_set["read_alias"] for index_set in (one["result"] or {}).get("index_sets", [])}
    sets = one["state"].get("index_sets", [])
    return [index_set for index_set in sets if not mine or index_set["read_alias"] in mine]


def _describe(samples: Samples, cluster: str, sets: Iterable[Mapping[str, Any]]) -> None:
    """What is stored, and what is wrong. Two sets with the same labels (one of them a data stream) are told as one."""
    from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import PROBLEM_KINDS

    problems = samples.of("jaeger_es_problems")
    problems |= {(cluster, kind): 0 for kind in PROBLEM_KINDS}
    for one in sets:
        labels = (cluster, one["index_prefix"], one["record_type"])
        indices = one["indices"]
        newest = max((index["generation"] or 0 for index in indices), default=0)
        generation = samples.of("jaeger_es_generation")
        generation[labels] = max(newest, generation.get(labels, 0))
        for metric, value in (
            ("jaeger_es_generations", len(indices)),
            ("jaeger_es_stored_bytes", sum(index.get("size_bytes") or 0 for index in indices)),
            (
                "jaeger_es_readable_bytes",
                sum(index.get("size_bytes") or 0 for index in indices if index["readable"]),
            ),
            (
                "jaeger_es_held_back_bytes",
                sum(index.get("size_bytes") or 0 for index in indices if index.get("held_by")),
            ),
        ):
            series = samples.of(metric)
            series[labels] = series.get(labels, 0) + value
        for kind in one.get("problem_kinds", []):
            problems[cluster, kind] = problems.get((cluster, kind), 0) + 1


class _Families(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """The metrics, as prometheus-client wants them."""
        for kind, metrics in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
            for name, (labels, text) in metrics.items():
                family: GaugeMetricFamily | CounterMetricFamily = kind(name, text, labels=labels)
                for values, value in sorted(self._samples.of(name).items()):
                    family.add_metric(values, value)
                if family.samples:
                    yield family


def _registry(samples: Samples) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Families(samples))
    return registry


def understand(text: str, only: Mapping[str, str] | None = None) -> tuple[Samples, set[str]]:
    """Our own metrics in a text, and the names of others. only: labels which they have in addition."""
    samples, others = Samples(), set()
    known = {**GAUGES, **COUNTERS}
    extra = dict(only or {})
    for family in text_string_to_metric_families(text):
        if family.name not in known:
            others.add(family.name)
            continue
        labels = known[family.name][0]
        for sample in family.samples:
            mine = all(sample.labels.get(name) == value for name, value in extra.items())
            good = (
                set(sample.labels) == {*labels, *extra} and math.isfinite(sample.value) and sample.value >= 0
            )
            if mine and good and not sample.name.endswith("_created"):
                samples.of(family.name)[tuple(sample.labels[name] for name in labels)] = sample.value
    return samples, others


@dataclass(frozen=True)
class _Textfile:
    path: str

    def read(self, warn: Any) -> Samples:
        """The metrics of the run before. A file that holds anybody else's is not ours to overwrite."""
        try:
            samples, others = understand(Path(self.path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Samples()
        except OSError as problem:
            raise TellError(f"{self.path} cannot be read: {problem.strerror}") from None
        except Exception:  # prometheus-client raises many kinds
            warn(f"the textfile {self.path} was broken: its counters begin anew")
            return Samples()
        if others:
            raise TellError(f"{self.path} has metrics that are not ours ({', '.join(sorted(others)[:3])})")
        return samples

    def write(self, registry: CollectorRegistry) -> None:
        """Replace the file at once, so that nobody sees half of it. The node exporter is another user: it may read it."""
        folder, name = os.path.split(self.path)
        try:
            fd, fresh = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(generate_latest(registry))
                    os.fchmod(fd, 0o644)
                    os.fsync(fd)
                os.replace(fresh, self.path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(fresh)
                raise
        except OSError as problem:
            raise TellError(f"{self.path} cannot be written: {problem.strerror}") from None


@dataclass(frozen=True)
class _Pushgateway:
    url: str
    name: str

    @property
    def _group(self) -> dict[str, str]:
        return {"instance": self.name}

    def read(self, warn: Any) -> Samples:
        """The metrics of the run before, out of all that the Pushgateway has."""
        request = urllib.request.Request(f"{self.url.rstrip('/')}/metrics")
        text = within(ALTOGETHER, lambda: send(request, _TEXT_AT_MOST)).decode(errors="replace")
        try:
            return understand(text, {"job": PUSH_JOB, **self._group})[0]
        except Exception:
            raise TellError("its /metrics are not those of a Pushgateway") from None

    def write(self, registry: CollectorRegistry) -> None:
        """Put this group of metrics in the place of the one before."""

        def push() -> bool:
            push_to_gateway(self.url, PUSH_JOB, registry, self._group, timeout=SECONDS)
            return True

        within(ALTOGETHER, push)
