# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From a module's options to its result: read once, plan each index set, apply, report.

A run has one step or several, each planned for every index set from what the steps before it have left. What is
alike in a step is one request for all sets. One index set's failure does not keep the others from being tried.
Exceptions become fail_json here and nowhere else.
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import (
    DONE,
    Action,
    DeleteIndices,
    Description,
    Outcome,
    Snapshot,
    UpdateAliases,
    merge,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import (
    Cluster,
    ConnectionOptions,
    secrets_in_urls,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    AuthenticationFailedError,
    ConnectionFailedError,
    JaegerStorageError,
    MissingLibraryError,
    OutcomeUnknownError,
    RefusedError,
    RequestFailedError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import IndexSet, patterns_of
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    UNBORN,
    State,
    Template,
    View,
    view,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._tracing import Trace, traced_run

# What the server answers when another run was faster, or somebody deleted what we were about to touch.
_RACES = ("resource_already_exists_exception", "index_not_found_exception", "aliases_not_found_exception")
_OVERTAKEN = Outcome(False, "another run did it first")
_MAX_CLOCK_SKEW_SECONDS = 60
_MAX_SECONDS_BEHIND = 3600

Planner = Callable[[View, datetime], Plan]


@dataclass(frozen=True)
class Job:
    """What a module wants done: the steps by name, in each of them a planner for each index set that it is about.

    births: indices are made, which get the server's time. sizes: the sets whose planners ask for sizes on disk.
    settles: aliases are put back, so what is there afterwards is read, and what a run that overtook this one has undone is done again.
    after_move: the planners that then take the place of the others, for the sets whose write alias this run has moved.
    ages: whether anything is hidden or deleted for its age. may_be_missing: a set need not have any index yet.
    ilm_policy: one that must be there. separators: what stands in the dates of a set's dated indices, where it is not "-".
    """

    steps: Mapping[str, Mapping[IndexSet, Planner]]
    templates: bool = False
    births: bool = False
    settles: bool = False
    after_move: Mapping[IndexSet, Planner] = field(default_factory=dict)
    ages: bool = True
    may_be_missing: bool = False
    ilm_policy: str | None = None
    sizes: frozenset[IndexSet] = frozenset()
    separators: Mapping[IndexSet, str] = field(default_factory=dict)

    @property
    def index_sets(self) -> list[IndexSet]:
        """The sets of all steps, each one once."""
        return list(dict.fromkeys(index_set for step in self.steps.values() for index_set in step))

    def view(self, state: State, index_set: IndexSet, now: datetime | None = None) -> View:
        """One set's part of the state, as its planners see it."""
        return view(state, index_set, now, self.separators.get(index_set, "-"))


@dataclass
class Report:
    """What a run did, or would do. before and after are the states of the index sets."""

    cluster: dict[str, str] = field(default_factory=dict)
    actions: list[Description] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    before: dict[IndexSet, State] = field(default_factory=dict)
    after: dict[IndexSet, State] = field(default_factory=dict)
    trace_id: str = ""

    @property
    def trace(self) -> dict[str, str]:
        """The result's word about the trace, if there is one."""
        return {"trace_id": self.trace_id} if self.trace_id else {}


class Module(AnsibleModule):
    """A module whose failures do not show what is secret in a URL.

    Ansible checks the options first. Its complaint comes with all of them, and it knows only which options are secret as a whole.
    """

    def __init__(self, spec: ArgumentSpec) -> None:
        AnsibleModule.__init__(self, **spec.to_kwargs(), supports_check_mode=True)

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """End with this sentence."""
        self.no_log_values.update(secrets_in_urls(_urls_in(self.params)))
        super().fail_json(msg, **kwargs)


def _urls_in(value: Any) -> Iterator[str]:
    """The texts that may be URLs, or several, in options that nobody has checked."""
    if isinstance(value, str):
        yield from (text for text in (value, *value.split(",")) if "://" in text or re.search(":.*@", text))
    elif isinstance(value, Mapping):
        yield from _urls_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _urls_in(each)


def run_module(name: str, spec: ArgumentSpec, prepare: Callable[[Mapping[str, Any]], Job]) -> None:
    """Run a module that changes index sets, from its argument spec to its exit."""
    module = Module(spec)
    report = Report()
    with clear_errors(module, report):
        options = connection_options(module)
        job = prepare(module.params)
        with traced(name, module, options, report, job.index_sets) as trace:
            Run(Cluster(options, trace), job, module.check_mode, report).execute()
        for warning in report.warnings:
            module.warn(warning)
        result = _result(report, job)
        if module._diff:
            result["diff"] = {"before": _picture(report.before, job), "after": _picture(report.after, job)}
    if report.failures:
        told = _told(report.failures)
        failed = len({_label(failure) for failure in report.failures})
        msg = f"{failed} of {len(job.index_sets)} index sets failed: {told}"
        module.fail_json(msg=msg, **result)
    module.exit_json(**result)


def connection_options(module: AnsibleModule) -> ConnectionOptions:
    """The connection options; whatever is secret in them is never shown from here on."""
    urls = [*module.params["server_urls"], module.params["otlp_endpoint"] or ""]
    module.no_log_values.update(secrets_in_urls(urls))
    options = ConnectionOptions.from_params(module.params, os.environ)
    module.no_log_values.update(options.secrets)
    return options


@contextmanager
def traced(
    name: str,
    module: AnsibleModule,
    options: ConnectionOptions,
    report: Report,
    index_sets: Sequence[IndexSet],
) -> Iterator[Trace]:
    """What is done in the block is a trace, if the options ask for one."""
    with traced_run(name, options.otlp_endpoint, options.secrets, os.environ, module.warn) as trace:
        report.trace_id = trace.id
        trace.tell(check_mode=module.check_mode, index_sets=[one.base for one in index_sets])
        try:
            with counted(trace, report):
                yield trace
        finally:
            trace.tell(changed=bool(report.actions))


@contextmanager
def counted(trace: Trace, report: Report) -> Iterator[None]:
    """How much the block adds to the report, and whether it failed, is told in the trace."""
    actions, kept, failures = len(report.actions), len(report.kept), len(report.failures)
    try:
        yield
    finally:
        new = report.failures[failures:]
        trace.tell(actions=len(report.actions) - actions, kept=len(report.kept) - kept, failed=bool(new))
        if new:
            trace.fail(_told(new))


@contextmanager
def clear_errors(module: AnsibleModule, report: Report | None = None) -> Iterator[None]:
    """End the module with one clear sentence for each error; the only place where that is done.

    What was done before the error, if report has any of it, is told with it.
    """
    try:
        yield
    except MissingLibraryError as missing:
        module.fail_json(msg=missing_required_lib(missing.library), exception=missing.trace)
    except JaegerStorageError as problem:
        module.fail_json(msg=str(problem), **_so_far(report))
    except Exception as unforeseen:
        # Neither the error's own words nor its trace are shown: both may hold a secret.
        place = traceback.extract_tb(unforeseen.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}, line {place.lineno}"
        msg = f"Unforeseen {type(unforeseen).__name__} in {where}. Please report this as a defect."
        module.fail_json(msg=msg, **_so_far(report))


def _so_far(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {}
    told = {"actions": report.actions, "kept": report.kept, "failures": report.failures}
    return {"changed": bool(report.actions), **told, **report.trace}


class Run:
    """One run of a job: reads once, then plans and applies step by step."""

    def __init__(self, cluster: Cluster, job: Job, check_mode: bool, report: Report) -> None:
        self.cluster = cluster
        self.job = job
        self.check_mode = check_mode
        self.report = report
        self.now = cluster.info.clock
        self.rollovers_known = False
        self.overtaken = False
        self.absent: set[IndexSet] = set()
        self.ages_unknown: JaegerStorageError | None = None

    @property
    def states(self) -> dict[IndexSet, State]:
        """The state of each set now: as read, then as each action leaves it."""
        return self.report.after

    def execute(self) -> None:
        """Do the whole job. The report tells at any moment what has been done."""
        info = self.cluster.info
        self.report.cluster = {"distribution": info.distribution, "version": info.version}
        self.now = self._agreed_time()
        if self.job.ilm_policy:
            self.cluster.check_ilm_policy(self.job.ilm_policy)
        with self._part("read"):
            self._read()
        self._all_steps()
        if self.job.settles and (self.report.actions or self.overtaken) and not self.check_mode:
            with self._part("settle"):
                self._settle()

    def _all_steps(self) -> None:
        for name, step in self.job.steps.items():
            with self._part(name):
                self._step(step)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """A part of the run, which is a span where it is traced."""
        with self.cluster.trace.span(name), counted(self.cluster.trace, self.report):
            yield

    def _settle(self) -> None:
        """Read again and put right what came of an alias that another run had put back and rolled over meanwhile.

        Whoever changes an alias last reads last, so a write alias that two runs have left on two indices does not stay so.
        """
        self._read_again(self.job.index_sets)
        moved = {(told.get("alias"), told["action"]) for told in self.report.actions}
        for name, step in self.job.steps.items():
            with self._part(name):
                self._step(
                    {
                        one: self.job.after_move.get(one, planner)
                        if (one.write_alias, "add_alias") in moved
                        else planner
                        for one, planner in step.items()
                    }
                )

    def _read(self) -> None:
        sets = self.job.index_sets
        templates = sorted({one.template for one in sets}) if self.job.templates else []
        state = self.cluster.read(patterns_of(sets), templates)
        if not state.indices and not self.job.may_be_missing:
            names = ", ".join(one.pattern for one in sets)
            raise RefusedError(
                f"there is no index {names}: check index_prefix, or run es_rollover_init first."
            )
        if self.job.sizes:
            state = self.cluster.read_sizes(state, patterns_of(self.job.sizes))
        parts = state.split(sets)
        self.report.before, self.report.after = parts, dict(parts)
        if not self.job.may_be_missing:
            self._note_absent(parts)

    def _note_absent(self, parts: Mapping[IndexSet, State]) -> None:
        """A prefix without any index is a wrong one: each of its sets has failed."""
        present = {(one.prefix, type(one)) for one, part in parts.items() if part.indices}
        for one in parts:
            if (one.prefix, type(one)) not in present:
                self.absent.add(one)
                self._note_failure(one, RefusedError(f"there is no index {one.pattern}: check index_prefix."))

    def _agreed_time(self) -> datetime:
        """The earlier of the server's clock and ours: an index is too old only when both say so.

        Where nothing is too old, but a moved alias is marked with the time, it is the server's.
        Nothing is born while the server's clock is far behind: its predecessor would seem to have ended long ago.
        """
        theirs = self.cluster.info.clock
        ours = datetime.fromtimestamp(time.time(), theirs.tzinfo)
        behind = (ours - theirs).total_seconds()
        clocks = (
            f"The server's clock says {theirs:%Y-%m-%d %H:%M:%S}Z, this host's says {ours:%Y-%m-%d %H:%M:%S}Z"
        )
        if self.job.births and behind > _MAX_SECONDS_BEHIND:
            raise RefusedError(
                f"{clocks}: an index that is made now would get a wrong birth date, and the one before it would seem "
                "older than it is. Set the clocks, then run again."
            )
        if abs(behind) > _MAX_CLOCK_SKEW_SECONDS:
            self.report.warnings.append(f"{clocks}: ages are counted by the earlier one.")
        return theirs if self.job.settles else min(ours, theirs)

    def _step(self, step: Mapping[IndexSet, Planner]) -> None:
        """Plan every set, then do the first action of each, then the second, and so on."""
        plans = self._plans(step)
        if self.job.ages and not self.rollovers_known and any(_ages(plan) for plan in plans.values()):
            self._read_rollovers()
            plans = self._plans(step)
        if not self.check_mode and any(_deletes_at_once(plan) for plan in plans.values()):
            self._read_again(
                step
            )  # rollovers take their time, and somebody may have asked for an index meanwhile
            plans = self._plans(step)
        for index_set, plan in plans.items():
            self._note_kept(index_set, ((kept.index, kept.reason) for kept in plan.kept))
        todo = {index_set: list(plan.actions) for index_set, plan in plans.items()}
        while todo := {index_set: actions for index_set, actions in todo.items() if actions}:
            now = {index_set: actions.pop(0) for index_set, actions in todo.items()}
            failed = self._do(now)
            kept = {index_set for index_set, action in now.items() if isinstance(action, Snapshot)} - failed
            if kept and not self.check_mode:
                self._look_again({index_set: step[index_set] for index_set in kept}, todo)
            todo = {index_set: actions for index_set, actions in todo.items() if index_set not in failed}

    def _look_again(self, step: Mapping[IndexSet, Planner], todo: dict[IndexSet, list[Action]]) -> None:
        """A snapshot may take an hour: of what is in it, only that is deleted which is still to be deleted then."""
        self._read_again(step)
        plans = self._plans(step)
        for index_set in step:
            plan = plans.get(index_set, Plan())
            still = {name for a in plan.actions if isinstance(a, DeleteIndices) for name in a.names}
            reasons = {kept.index: kept.reason for kept in plan.kept}
            for place, action in enumerate(todo[index_set]):
                if isinstance(action, DeleteIndices):
                    left = [name for name in action.names if name not in still and name in reasons]
                    self._note_kept(index_set, ((name, reasons[name]) for name in left))
                    names = tuple(name for name in action.names if name in still)
                    todo[index_set][place] = replace(action, names=names)
            todo[index_set] = [a for a in todo[index_set] if not isinstance(a, DeleteIndices) or a.names]

    def _read_again(self, index_sets: Iterable[IndexSet]) -> None:
        """The states of these sets as they are now, with what only some reads ask for as it was."""
        sets = list(index_sets)
        for index_set, state in self.cluster.read(patterns_of(sets)).split(sets).items():
            self.states[index_set] = self.states[index_set].refreshed(state)

    def _plans(self, step: Mapping[IndexSet, Planner]) -> dict[IndexSet, Plan]:
        plans: dict[IndexSet, Plan] = {}
        for index_set, planner in step.items():
            if index_set in self.absent:
                continue
            try:
                plan = planner(self.job.view(self.states[index_set], index_set, self.now), self.now)
                if self.ages_unknown and _ages(plan):
                    raise self.ages_unknown
                plans[index_set] = plan
            except JaegerStorageError as problem:
                self._note_failure(index_set, problem)
        return plans

    def _read_rollovers(self) -> None:
        """When the server itself rolled an alias away from each index: an age may be less than it seems."""
        self.rollovers_known = True
        try:
            rolled = self.cluster.rollover_times(patterns_of(self.job.index_sets))
        except AuthenticationFailedError:
            self.report.warnings.append(
                "This user may not read the cluster state (privilege monitor), so ages are told by birth dates alone: a "
                "write alias that was put back on an older index in between goes unnoticed."
            )
            return
        except ConnectionFailedError:
            raise
        except JaegerStorageError as problem:
            self.ages_unknown = problem
            return
        for index_set, state in self.states.items():
            self.states[index_set] = state.with_rollovers(rolled)

    def _do(self, actions: Mapping[IndexSet, Action]) -> set[IndexSet]:
        """One action of each set, in as few requests as there can be. Returns the sets whose action failed."""
        sets = list(actions)
        failed: set[IndexSet] = set()
        requests = [
            (request, {sets[i]: part for i, part in parts.items()})
            for request, parts in merge(list(actions.values()))
        ]
        while requests:
            request, parts = requests.pop(0)
            try:
                outcome = self._preview(request) if self.check_mode else self._apply(request, list(parts))
            except ConnectionFailedError:
                raise  # nobody is there any more: no set can be tried
            except JaegerStorageError as problem:
                if len(parts) > 1 and not isinstance(request, Snapshot):
                    # The one that is refused does not keep the others from what they need.
                    requests += [(alone, {one: part}) for one in parts for alone, part in _alone(parts[one])]
                    continue
                failed.update(parts)
                for one in parts:
                    self._note_failure(one, problem)
            else:
                for one, part in parts.items():
                    self._note(one, part, outcome)
        return failed

    def _preview(self, request: Action) -> Outcome:
        try:
            return request.preview(self.cluster)
        except RequestFailedError as refused:
            if refused.kind in _RACES:
                return _OVERTAKEN
            raise

    def _apply(self, request: Action, members: Sequence[IndexSet]) -> Outcome:
        """Apply a request; where its outcome is unknown or another run was faster, read again before going on.

        What remains of it is sent again. Where nothing remains it was this run, if ever an outcome was unknown; else
        it was another one. The state that was read then replaces the one that this run knew.
        """
        done = _OVERTAKEN
        attempt = 0
        while True:
            try:
                return request.apply(self.cluster)
            except OutcomeUnknownError as unknown:
                problem: JaegerStorageError = unknown
                done = DONE
            except RequestFailedError as refused:
                if refused.kind not in _RACES:
                    raise
                problem = refused
            self.cluster.pause(attempt)
            fresh = self.cluster.read(patterns_of(members))
            remaining = request.remaining(fresh)
            if remaining is None:
                parts = fresh.split(members)
                for index_set in members:
                    self.states[index_set] = self.states[index_set].refreshed(parts[index_set])
                return replace(done, settled=True)
            if attempt >= self.cluster.retries:
                raise problem
            request = remaining
            attempt += 1

    def _note(self, index_set: IndexSet, action: Action, outcome: Outcome) -> None:
        """Report what came of an action, and keep the state after it."""
        action = action.named_by(outcome)
        told = action.describe()
        self.overtaken |= outcome.settled and not outcome.changed
        if not outcome.changed:
            subject = str(told[0].get("old_index") or told[0].get("index", ""))
            self._note_kept(index_set, [(subject, outcome.reason)])
            return
        if not outcome.settled:
            self.states[index_set] = action.predict(self.states[index_set])
        whose = {"index_prefix": index_set.prefix, "record_type": index_set.record_type}
        self.report.actions += [{**entry, **outcome.told, **whose} for entry in told]

    def _note_kept(self, index_set: IndexSet, kept: Iterable[tuple[str, str]]) -> None:
        self.report.kept += [
            {
                "index": index,
                "index_prefix": index_set.prefix,
                "record_type": index_set.record_type,
                "reason": reason,
            }
            for index, reason in kept
        ]

    def _note_failure(self, index_set: IndexSet, problem: JaegerStorageError) -> None:
        """A set that is refused by each step is told once."""
        entry = {
            "index_prefix": index_set.prefix,
            "record_type": index_set.record_type,
            "msg": str(problem),
        }
        if entry not in self.report.failures:
            self.report.failures.append(entry)


def _alone(action: Action) -> list[tuple[Action, Action]]:
    """The requests for one action, each with the part that it does."""
    return [(request, part) for request, parts in merge([action]) for part in parts.values()]


def _deletes_at_once(plan: Plan) -> bool:
    """Whether a plan deletes something without a snapshot, which takes its time, and after which all is read again."""
    return any(isinstance(action, DeleteIndices) for action in plan.actions[:1])


def _ages(plan: Plan) -> bool:
    """Whether a plan hides or deletes something because of its age."""
    return any(
        isinstance(action, DeleteIndices) or (isinstance(action, UpdateAliases) and action.remove)
        for action in plan.actions
    )


def _result(report: Report, job: Job) -> dict[str, Any]:
    return {
        "changed": bool(report.actions),
        "actions": report.actions,
        "kept": report.kept,
        "failures": report.failures,
        "cluster": report.cluster,
        "index_sets": [describe(job.view(report.after[one], one)) for one in job.index_sets],
        **report.trace,
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
                "readable_until": _iso(member.readable_until),
            }
            for member in one.members
        ],
    }


def _picture(states: Mapping[IndexSet, State], job: Job) -> dict[str, Any]:
    """The state for a person's eyes: which index each alias holds, what is stored, which templates there are."""
    picture: dict[str, Any] = {}
    templates: dict[str, Template] = {}
    for index_set in job.index_sets:
        state = states[index_set]
        one = job.view(state, index_set)
        picture[index_set.write_alias] = one.write_index.name if one.write_index else None
        picture[index_set.read_alias] = [member.index.name for member in one.members if member.readable]
        picture[f"{index_set.base} (stored)"] = [member.index.name for member in one.members]
        if (template := state.templates.get(index_set.template)) is not None:
            templates[template.name] = template
    if job.templates:
        picture["templates"] = {
            name: {
                "index_patterns": list(t.index_patterns),
                "settings": dict(t.settings),
                "mappings": t.mappings,
            }
            for name, t in sorted(templates.items())
        }
    return picture


def _iso(instant: datetime | None) -> str | None:
    known = instant is not None and instant != UNBORN
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z") if instant and known else None


def _told(failures: Iterable[Mapping[str, str]]) -> str:
    return "; ".join(f"{_label(failure)}: {failure['msg']}" for failure in failures)


def _label(failure: Mapping[str, str]) -> str:
    return f"{failure['index_prefix'] or 'no prefix'}/{failure['record_type']}"
