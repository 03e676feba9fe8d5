# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell at the end of a run what the maintenance has done on each cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: maintenance_summary
type: aggregate
short_description: Tell at the end of a run what the maintenance has done on each cluster
version_added: 0.3.0
author:
  - tracestack contributors (@tracestack)
description:
  - Prints one table at the end of a playbook that runs M(tracestack.jaeger.es_maintenance). For each host, which is a cluster, it says
    whether anything was done, how many indices were rolled over, taken out of the read alias, deleted and left alone, and what is wrong.
  - A host whose turn did not come, such as after a canary that failed, is told as C(not run).
  - If M(tracestack.jaeger.es_index_info) runs in the same play, as it does with C(rollover_state) of C(playbooks/rollover.yml), the first
    problem that it finds is told too.
  - On demand the same, with the modules' whole results, goes into a file as JSON.
  - With other playbooks it does nothing.
options:
  results_file:
    description:
      - File on the controller that the results are written to, as JSON, at the end of the run. It is replaced as a whole, and only its
        owner can read it. If it cannot be written, that is a warning.
      - It holds C(check_mode) and C(clusters), which has for each host C(failed), C(unreachable), C(msg) with the reason, C(result) with
        what M(tracestack.jaeger.es_maintenance) returned and C(state) with what M(tracestack.jaeger.es_index_info) did. These two are null
        where there is nothing. A host whose turn did not come has C(failed) set, too.
      - It is also written when the run is ended by SIGTERM, with what is known by then.
    type: path
    env:
      - name: TRACESTACK_MAINTENANCE_RESULTS
    ini:
      - section: callback_maintenance_summary
        key: results_file
requirements:
  - It has to be enabled, by C(callbacks_enabled = tracestack.jaeger.maintenance_summary) in C(ansible.cfg) or by
    E(ANSIBLE_CALLBACKS_ENABLED) in the environment.
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  callbacks_enabled = tracestack.jaeger.maintenance_summary

  [callback_maintenance_summary]
  results_file = /var/lib/jaeger/maintenance.json
"""

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants as C
from ansible.plugins.callback import CallbackBase

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._summary import (
    Summary,
    one_line,
    table,
)

_COLLECTION = "tracestack.jaeger."
_WIDTH_ELSEWHERE = 140  # of a log
_COLOURS = {  # as in Ansible's settings
    "changed": "CHANGED",
    "would change": "CHANGED",
    "nothing to do": "OK",
    "failed": "ERROR",
    "unreachable": "UNREACHABLE",
    "skipped": "SKIP",
    "not run": "WARN",
    "cut off": "ERROR",
}


class CallbackModule(CallbackBase):
    """What Ansible asks a file of callbacks for."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tracestack.jaeger.maintenance_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._summary = Summary()
        self._process = 0

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """One table for each playbook."""
        self._summary = Summary()
        if path := self._results_file:
            self._write_when_ended(path)

    @property
    def _results_file(self) -> str:
        return str(CallbackBase.get_option(self, "results_file") or "")

    def _write_when_ended(self, path: str) -> None:
        """SIGTERM, such as at the end of a scheduled run's time: what is known by then is written, then Ansible ends as it does."""
        before = signal.getsignal(signal.SIGTERM)

        def end(*_arguments: Any) -> None:
            if self._process == os.getpid() and self._summary.clusters:
                with contextlib.suppress(OSError):
                    write_privately(path, self._told())
            signal.signal(signal.SIGTERM, before)
            os.kill(os.getpid(), signal.SIGTERM)

        self._process = os.getpid()
        signal.signal(signal.SIGTERM, end)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Which hosts the play is about: all of them, where it comes in batches."""
        manager = play.get_variable_manager()
        hosts = manager._inventory.get_hosts(play.hosts, ignore_restrictions=True, order=play.order)
        self._summary.start([str(host.name) for host in hosts], _maintains(play))

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task begins on a host."""
        if _is(task, "es_maintenance"):
            self._summary.begin(str(host.get_name()))

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well."""
        self._note("ok", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was not for this host."""
        self._note("skipped", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed. What is ignored is still a failure of the maintenance."""
        self._note("failed", result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host was not to be reached."""
        self._note("unreachable", result, bool(result._task.ignore_unreachable))

    def _note(self, outcome: str, result: Any, ignored: bool = False) -> None:
        """ansible-core 2.17 and 2.18 have the names with an underscore only."""
        host, task = str(result._host.get_name()), result._task
        if _is(task, "es_maintenance"):
            self._summary.maintenance(host, outcome, result._result, task.check_mode is True)
        elif _is(task, "es_index_info"):
            self._summary.state(host, outcome, result._result)
        elif outcome in ("failed", "unreachable") and not ignored:
            self._summary.other(host, outcome, result._result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run has ended."""
        clusters = self._summary.end(host for host in stats.processed if _has_failed(stats.summarize(host)))
        if not clusters:
            return
        check = self._summary.check
        self._display.banner("MAINTENANCE: WHAT WOULD BE DONE" if check else "MAINTENANCE")
        width = (self._display.columns if os.isatty(1) else None) or _WIDTH_ELSEWHERE
        for line, outcome in table(clusters, width):
            colour = getattr(C, f"COLOR_{_COLOURS[outcome]}") if outcome else None
            self._display.display(line, color=colour)
        self._display.display("")
        if path := self._results_file:
            try:
                write_privately(path, self._told())
            except OSError as problem:
                self._display.warning(
                    one_line(f"the results of the maintenance could not be written: {problem}")
                )

    def _told(self) -> str:
        return json.dumps(self._summary.told())


def _has_failed(counts: Mapping[str, int]) -> bool:
    return bool(counts["failures"] or counts["unreachable"])


def _is(task: Any, module: str) -> bool:
    return task.action in (module, _COLLECTION + module)


def _maintains(play: Any) -> bool:
    """Whether a play has a task for es_maintenance that the tags do not leave out, as far as can be known now.

    What a role or a file that is included later has is known when it has run.
    """
    found = [task for task in _tasks(play) if _is(task, "es_maintenance")]
    if not found:
        return False
    known = play.get_variable_manager().get_vars(play=play)
    return any(task.evaluate_tags(play.only_tags, play.skip_tags, all_vars=known) for task in found)


def _tasks(play: Any) -> Iterator[Any]:
    yield from _flat(play.pre_tasks + play.tasks + play.post_tasks)
    for role in play.get_roles():
        for each in [*role.get_all_dependencies(), role]:
            yield from _flat(each.get_task_blocks())


def _flat(members: Any) -> Iterator[Any]:
    for member in members:
        if hasattr(member, "block"):
            yield from _flat(member.block + member.rescue + member.always)
        else:
            yield member


def write_privately(path: str, text: str) -> None:
    """Replace a file as a whole by one that only its owner can read."""
    handle, fresh = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".maintenance-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
