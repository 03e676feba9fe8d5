# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One scheduled run: wait a random time, take the lock, do the work in a child with an end, tell what came of it."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaeger_es_maintenance.child import Child, EndedError, pause, run_child, signals_waited_for
from jaeger_es_maintenance.job import Job, read_job
from jaeger_es_maintenance.lock import BusyError, Lock, LockError
from jaeger_es_maintenance.logs import Logs
from jaeger_es_maintenance.outcome import (
    BUSY,
    DONE,
    ENDED,
    FAILED,
    OVERTIME,
    Outcome,
    bad,
    clusters_of_results,
)

_OURS = (sys.executable, "-I", "-m", "jaeger_es_maintenance")
_TELLING = ("--options", "-", "--json", "--check=false")
_MAINTAIN = (*_OURS, "maintain", *_TELLING)
_LOOK = (*_OURS, "info", *_TELLING)
RESULTS = "TRACESTACK_MAINTENANCE_RESULTS"
_NOTHING_TOLD = (
    "it looked after no cluster (with a playbook: no host matched, or the callback "
    "tracestack.jaeger.maintenance_summary is not enabled)"
)


def run_job(path: str, now: bool) -> int:
    """Do what a job file says. Returns the exit code."""
    job = read_job(path)
    logs = Logs(job)
    with signals_waited_for():
        began = time.monotonic()
        try:
            if not now:
                pause(random.uniform(0, job.random_delay))
            began = time.monotonic()
            lock = Lock(job.lock) if job.lock else None
        except BusyError as busy:
            outcome = Outcome(BUSY, str(busy))
        except LockError as problem:
            outcome = Outcome(FAILED, str(problem))
        except EndedError:
            outcome = Outcome(ENDED, "ended from outside before it began", time.monotonic() - began)
        else:
            outcome = _worked(_Work(job, lock, began))
            if job.metrics.wanted:
                _publish(job, outcome, logs)
        _tell(job, outcome, logs)
    return (
        outcome.code
    )  # the lock is free when this process ends: nobody else begins before the last word is told


def _tell(job: Job, outcome: Outcome, logs: Logs) -> None:
    level = logging.INFO if outcome.good else logging.ERROR
    logs.tell(level, outcome.line(job.name), outcome.as_json(job.name))
    for warning in outcome.warnings():
        logs.tell(logging.WARNING, warning)
    if not outcome.good:
        from jaeger_es_maintenance.notices import notify  # takes a while to load

        notify(job, outcome, logs)


def _worked(work: _Work) -> Outcome:
    try:
        return work.outcome()
    except OSError as problem:  # no memory for a process, no folder for its results
        where = f"{problem.filename}: " if problem.filename else ""
        return Outcome(FAILED, f"it could not be started: {where}{problem.strerror}")
    except Exception as unforeseen:
        return Outcome(FAILED, _defect(unforeseen))


def _publish(job: Job, outcome: Outcome, logs: Logs) -> None:
    try:
        from jaeger_es_maintenance.metrics import publish

        publish(job, outcome, logs)
    except ImportError as missing:
        logs.tell(logging.WARNING, f"{job.name}: no metrics: the library {missing.name} is missing")
    except Exception as unforeseen:  # results that are not of the form that was agreed on
        logs.tell(logging.WARNING, f"{job.name}: no metrics: {_defect(unforeseen)}")


def _defect(unforeseen: Exception) -> str:
    """Without the error's own words, which may hold a secret."""
    place = traceback.extract_tb(unforeseen.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}, line {place.lineno}"
    return f"unforeseen {type(unforeseen).__name__} in {where}; please report this as a defect"


@dataclass(frozen=True)
class _Work:
    job: Job
    lock: Lock | None
    began: float

    def outcome(self) -> Outcome:
        """Do the work."""
        if self.job.playbook:
            return self._playbook(self.job.playbook.command, self.job.playbook.environment)
        return self._module()

    def _module(self) -> Outcome:
        options = self.job.options or {}
        child = self._run(_MAINTAIN, os.environ, json.dumps(options, default=str).encode())
        result = _last_json(child.stdout)
        if result is None:
            return self._judge(child, {})
        one = {
            "failed": bool(result.get("failed")),
            "unreachable": False,
            "msg": str(result.get("msg", "")),
            "result": result,
            "state": None,
        }
        notes: tuple[str, ...] = ()
        # A run that found no server has no index sets: to ask it again would take as long again.
        if self.job.metrics.wanted and result.get("index_sets") and not (child.told or child.overtime):
            child, one["state"], notes = self._look(child, options)
        return self._judge(child, {self.job.name: one}, notes)

    def _look(
        self, child: Child, options: Mapping[str, Any]
    ) -> tuple[Child, dict[str, Any] | None, tuple[str, ...]]:
        """How it looks afterwards. What goes wrong here is told, and does not make the run a failure."""
        looked = self._run(_LOOK, os.environ, json.dumps(options, default=str).encode())
        if looked.told:
            return looked, None, ()
        state = _last_json(looked.stdout)
        if state is None or state.get("failed"):
            why = (
                "max_runtime is over" if looked.overtime else (state or {}).get("msg") or _last_words(looked)
            )
            return child, None, (f"{self.job.name}: no metrics of the indices: {why}",)
        return child, state, ()

    def _playbook(self, command: tuple[str, ...], environment: Mapping[str, str]) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="jaeger-es-maintenance-") as folder:
            results = Path(folder, "results.json")
            child = self._run(command, {**os.environ, **environment, RESULTS: str(results)})
            clusters = clusters_of_results(results)
        return self._judge(child, clusters)

    def _run(self, command: tuple[str, ...], environment: Mapping[str, str], content: bytes = b"") -> Child:
        return run_child(
            command,
            content=content,
            environment=environment,
            until=self.began + self.job.max_runtime if self.job.max_runtime else None,
            inherited=self.lock.fd if self.lock else None,
            started=self.lock.name_child if self.lock else lambda _pid: None,
        )

    def _judge(self, child: Child, clusters: Mapping[str, Any], notes: tuple[str, ...] = ()) -> Outcome:
        """What came of it, from how the child ended and what it has left."""
        seconds = self._seconds()
        if child.told:
            return Outcome(
                ENDED, "ended from outside; what was begun, the next run finishes", seconds, clusters
            )
        if child.overtime:
            limit = f"it took longer than max_runtime ({self.job.max_runtime:g} s) and was ended"
            return Outcome(OVERTIME, f"{limit}; what was begun, the next run finishes", seconds, clusters)
        if any(map(bad, clusters.values())):
            return Outcome(FAILED, "", seconds, clusters, notes)
        if child.code:
            return Outcome(FAILED, _last_words(child), seconds, clusters)
        if not clusters:
            return Outcome(FAILED, _NOTHING_TOLD, seconds)
        return Outcome(DONE, "", seconds, clusters, notes)

    def _seconds(self) -> float:
        return time.monotonic() - self.began


def _last_json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads((text.strip().splitlines() or [""])[-1])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last_words(child: Child) -> str:
    """Why a child that left no reason may have failed: the last line that it wrote."""
    how = f"it ended with exit code {child.code}"
    if child.code < 0:
        how = f"it was ended by signal {-child.code} ({signal.Signals(-child.code).name})"
    for text in (child.stderr, child.stdout):
        if lines := [line.strip() for line in text.splitlines() if line.strip()]:
            return f"{how}: {lines[-1]}"
    return how
