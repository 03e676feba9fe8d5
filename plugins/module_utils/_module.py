# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From a module's options to its result: read once, plan each index set, apply, report.

One index set's failure does not keep the others from being tried. Exceptions become fail_json here and nowhere
else.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import Action, Description, Outcome
from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import (
    Cluster,
    ConnectionOptions,
    secrets_in_urls,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    AuthenticationFailedError,
    JaegerStorageError,
    MissingLibraryError,
    OutcomeUnknownError,
    RefusedError,
    RequestFailedError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import UNBORN, State, View, view

# What the server answers when another run was faster, or somebody deleted what we were about to touch.
_RACES = ("resource_already_exists_exception", "index_not_found_exception", "aliases_not_found_exception")
_OVERTAKEN = Outcome(False, "another run did it first")
_MAX_CLOCK_SKEW_SECONDS = 60
_MAX_SECONDS_BEHIND = 3600

Planner = Callable[[View, datetime], Plan]


@dataclass(frozen=True)
class Job:
    """What a module wants done: a planner over index sets, and what has to be read for it.

    ages: the planner asks how old an index is. births: it makes indices, which get the server's time.
    """

    index_sets: Sequence[IndexSet]
    plan: Planner
    templates: bool = False
    ages: bool = False
    births: bool = False
    may_be_missing: bool = False
    date_separator: str = "-"


@dataclass
class Report:
    """What a run did, or would do. before and after are of all index sets together."""

    cluster: dict[str, str] = field(default_factory=dict)
    actions: list[Description] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    before: State = field(default_factory=lambda: State({}))
    after: State = field(default_factory=lambda: State({}))


def run_module(spec: ArgumentSpec, prepare: Callable[[Mapping[str, Any]], Job]) -> None:
    """Run a module that changes index sets, from its argument spec to its exit."""
    module = AnsibleModule(**spec.to_kwargs(), supports_check_mode=True)
    with clear_errors(module):
        options = connection_options(module)
        job = prepare(module.params)
        report = run(Cluster(options), job, module.check_mode)
        for warning in report.warnings:
            module.warn(warning)
        result = _result(report, job)
        if module._diff:
            result["diff"] = {"before": _picture(report.before, job), "after": _picture(report.after, job)}
    if report.failures:
        told = "; ".join(f"{_label(failure)}: {failure['msg']}" for failure in report.failures)
        msg = f"{len(report.failures)} of {len(job.index_sets)} index sets failed: {told}"
        module.fail_json(msg=msg, **result)
    module.exit_json(**result)


def connection_options(module: AnsibleModule) -> ConnectionOptions:
    """The connection options; whatever is secret in them is never shown from here on."""
    module.no_log_values.update(secrets_in_urls(module.params["server_urls"]))
    options = ConnectionOptions.from_params(module.params, os.environ)
    module.no_log_values.update(options.secrets)
    return options


@contextmanager
def clear_errors(module: AnsibleModule) -> Iterator[None]:
    """End the module with one clear sentence for each error; the only place where that is done."""
    try:
        yield
    except MissingLibraryError as missing:
        module.fail_json(msg=missing_required_lib(missing.library), exception=missing.trace)
    except JaegerStorageError as problem:
        module.fail_json(msg=str(problem))
    except Exception as unforeseen:
        # Neither the error's own words nor its trace are shown: both may hold a secret.
        place = traceback.extract_tb(unforeseen.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}, line {place.lineno}"
        module.fail_json(
            msg=f"Unforeseen {type(unforeseen).__name__} in {where}. Please report this as a defect."
        )


def run(cluster: Cluster, job: Job, check_mode: bool) -> Report:
    """Read once, then plan and apply set by set."""
    patterns = [index_set.pattern for index_set in job.index_sets]
    templates = sorted({index_set.template for index_set in job.index_sets}) if job.templates else []
    state = cluster.read(patterns, templates)
    if not state.indices and not job.may_be_missing:
        names = ", ".join(patterns)
        raise RefusedError(f"there is no index {names}: check index_prefix, or run es_rollover_init first.")
    report = Report(cluster={"distribution": cluster.info.distribution, "version": cluster.info.version})
    now = _now(cluster, job, report)
    if job.ages:
        state = _with_rollovers(cluster, state, patterns, report)
    report.before = report.after = state
    for index_set in job.index_sets:
        try:
            plan = job.plan(view(state, index_set, now, job.date_separator), now)
            _note_kept(report, index_set, plan)
            for action in plan.actions:
                _do(cluster, action, index_set, check_mode, report)
        except JaegerStorageError as problem:
            entry = {
                "index_prefix": index_set.prefix,
                "record_type": index_set.record_type,
                "msg": str(problem),
            }
            report.failures.append(entry)
    return report


def _now(cluster: Cluster, job: Job, report: Report) -> datetime:
    """The earlier of the server's clock and ours: an index is too old only when both say so.

    Nothing is born while the server's clock is far behind: its predecessor would seem to have ended long ago.
    """
    theirs = cluster.now()
    ours = datetime.fromtimestamp(time.time(), theirs.tzinfo)
    behind = (ours - theirs).total_seconds()
    clocks = (
        f"The server's clock says {theirs:%Y-%m-%d %H:%M:%S}Z, this host's says {ours:%Y-%m-%d %H:%M:%S}Z"
    )
    if job.births and behind > _MAX_SECONDS_BEHIND:
        raise RefusedError(
            f"{clocks}: an index that is made now would get a wrong birth date, and the one before it would seem older "
            "than it is. Set the clocks, then run again."
        )
    if abs(behind) > _MAX_CLOCK_SKEW_SECONDS:
        report.warnings.append(f"{clocks}: ages are counted by the earlier one.")
    return min(ours, theirs)


def _with_rollovers(cluster: Cluster, state: State, patterns: list[str], report: Report) -> State:
    try:
        return cluster.read_rollovers(state, patterns)
    except AuthenticationFailedError:
        report.warnings.append(
            "This user may not read the cluster state (privilege monitor), so ages are told by birth dates alone: a write "
            "alias that was put back on an older index in between goes unnoticed."
        )
        return state


def _note_kept(report: Report, index_set: IndexSet, plan: Plan) -> None:
    report.kept += [
        {"index": kept.index, "record_type": index_set.record_type, "reason": kept.reason}
        for kept in plan.kept
    ]


def _do(cluster: Cluster, action: Action, index_set: IndexSet, check_mode: bool, report: Report) -> None:
    outcome = _preview(cluster, action) if check_mode else _apply(cluster, action, index_set, report)
    told = action.describe()
    if outcome.changed:
        report.after = action.predict(report.after)
        report.actions += [
            {**entry, "index_prefix": index_set.prefix, "record_type": index_set.record_type}
            for entry in told
        ]
    else:
        subject = str(told[0].get("old_index") or told[0].get("index", ""))
        entry = {"index": subject, "record_type": index_set.record_type, "reason": outcome.reason}
        report.kept.append(entry)


def _preview(cluster: Cluster, action: Action) -> Outcome:
    try:
        return action.preview(cluster)
    except RequestFailedError as refused:
        if refused.kind in _RACES:
            return _OVERTAKEN
        raise


def _apply(cluster: Cluster, action: Action, index_set: IndexSet, report: Report) -> Outcome:
    """Apply an action; where its outcome is unknown or another run was faster, read again before going on.

    What remains of it is sent again. Where nothing remains it was this run, if ever an outcome was unknown; else it
    was another one, and the state that was read replaces the one that this run knew.
    """
    done = _OVERTAKEN
    attempt = 0
    while True:
        try:
            return action.apply(cluster)
        except OutcomeUnknownError as unknown:
            problem: JaegerStorageError = unknown
            done = Outcome(True)
        except RequestFailedError as refused:
            if refused.kind not in _RACES:
                raise
            problem = refused
        cluster.pause(attempt)
        fresh = cluster.read([index_set.pattern])
        remaining = action.remaining(fresh)
        if remaining is None:
            if done is _OVERTAKEN:
                mine = [name for name in report.after.indices if name.startswith(f"{index_set.base}-")]
                report.after = report.after.drop(mine).put(*fresh.indices.values())
            return done
        if attempt >= cluster.retries:
            raise problem
        action = remaining
        attempt += 1


def _result(report: Report, job: Job) -> dict[str, Any]:
    return {
        "changed": bool(report.actions),
        "actions": report.actions,
        "kept": report.kept,
        "failures": report.failures,
        "cluster": report.cluster,
        "index_sets": [
            describe(view(report.after, index_set, None, job.date_separator)) for index_set in job.index_sets
        ],
    }


def describe(one: View) -> dict[str, Any]:
    """An index set as modules return it. Instants are ISO 8601 in UTC; null where there is none yet."""
    write_index = one.write_index
    return {
        "index_prefix": one.index_set.prefix,
        "record_type": one.index_set.record_type,
        "read_alias": one.index_set.read_alias,
        "write_alias": one.index_set.write_alias,
        "write_index": write_index.name if write_index else None,
        "indices": [
            {
                "index": member.index.name,
                "generation": member.number,
                "created": _iso(member.index.created),
                "written_until": _iso(member.written_until),
                "readable": member.readable,
            }
            for member in (*one.dated, *one.generations)
        ],
    }


def _picture(state: State, job: Job) -> dict[str, Any]:
    """The state for a person's eyes: which index each alias holds, what is stored, which templates there are."""
    picture: dict[str, Any] = {}
    for index_set in job.index_sets:
        one = view(state, index_set, None, job.date_separator)
        members = (*one.dated, *one.generations)
        picture[index_set.write_alias] = one.write_index.name if one.write_index else None
        picture[index_set.read_alias] = [member.index.name for member in members if member.readable]
        picture[f"{index_set.base} (stored)"] = [member.index.name for member in members]
    if job.templates:
        picture["templates"] = {
            name: {
                "index_patterns": list(t.index_patterns),
                "settings": dict(t.settings),
                "mappings": t.mappings,
            }
            for name, t in sorted(state.templates.items())
        }
    return picture


def _iso(instant: datetime | None) -> str | None:
    known = instant is not None and instant != UNBORN
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z") if instant and known else None


def _label(failure: Mapping[str, str]) -> str:
    return f"{failure['index_prefix'] or 'no prefix'}/{failure['record_type']}"
