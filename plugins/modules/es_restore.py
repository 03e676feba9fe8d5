#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_restore
short_description: Make indices of Jaeger readable again, until a date
description:
  - Puts indices that a lookback has hidden, or that a retention has deleted after a snapshot, back behind the read alias, until a date.
  - The date is kept with each index, as an alias such as C(prod-jaeger-span-readable-until-20261215t000000z). Until then no run of this
    collection hides or deletes the index, whichever host it runs on. The first lookback after that takes both aliases away again.
  - Jaeger's own tools do not know the date.
version_added: 0.2.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
options:
  index_prefix:
    description:
      - The prefix that Jaeger runs with, without the dash that Jaeger adds itself. Left out for indices without a prefix.
    type: str
  indices:
    description: Names of generations or dated indices, such as C(prod-jaeger-span-000001).
    type: list
    elements: str
    required: true
  readable_until:
    description: Until when, in UTC, as V(2026-12-15) (its first instant) or V(2026-12-15T12:00:00Z). Must be still to come.
    type: str
    required: true
  snapshot_repository:
    description: The repository of O(snapshot).
    type: str
  snapshot:
    description: The snapshot that has those of the indices which are not in the cluster any more.
    type: str
  snapshot_timeout:
    description: How long to wait until the indices are restored, in seconds.
    type: int
    default: 3600
  index_date_separator:
    description: What stands between year, month and day in the names of dated indices.
    type: str
    default: "-"
seealso:
  - module: tracestack.jaeger.es_lookback
  - module: tracestack.jaeger.es_index_cleaner
"""

EXAMPLES = r"""
- name: Show a hidden generation for an investigation
  tracestack.jaeger.es_restore:
    server_urls: http://localhost:9200
    index_prefix: prod
    indices: prod-jaeger-span-000001
    readable_until: "2026-12-15"

- name: Bring a deleted one back from the snapshot that was made before
  tracestack.jaeger.es_restore:
    server_urls: http://localhost:9200
    index_prefix: prod
    indices: prod-jaeger-span-000001
    readable_until: "2026-12-15T12:00:00Z"
    snapshot_repository: backup
    snapshot: jaeger-retention-2026.11.24-00.05.01-6d3a1f0c-1f0c9a3e
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
  type: list
  elements: dict
  sample:
    - action: restore
      index: prod-jaeger-span-000001
      snapshot: backup/jaeger-retention-2026.11.24-00.05.01-6d3a1f0c-1f0c9a3e
      why: it is not in the cluster any more
      index_prefix: prod
      record_type: span
kept:
  description: Indices that were considered and left alone, each with the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - index: prod-jaeger-span-000007
      record_type: span
      reason: still being written
failures:
  description: The index sets that failed, each with its message. The other sets were still worked on.
  returned: always
  type: list
  elements: dict
  sample: []
cluster:
  description: Who answered.
  returned: success
  type: dict
  sample: {distribution: elasticsearch, version: 7.17.1}
index_sets:
  description:
    - The state of each index set afterwards (predicted in check mode).
    - Instants are ISO 8601 in UTC, null for what is not known yet.
  returned: success
  type: list
  elements: dict
  contains:
    index_prefix: {description: The prefix; empty for none., type: str, returned: success}
    record_type: {description: The record type., type: str, returned: success}
    read_alias: {description: Name of the read alias., type: str, returned: success}
    write_alias: {description: Name of the write alias., type: str, returned: success}
    write_index: {description: The index behind the write alias., type: str, returned: success}
    indices:
      description:
        - The indices of the set, in the order in which they stopped being written; what is still written is last.
        - C(readable_until) is when one that was brought back may be hidden again.
      type: list
      elements: dict
      returned: success
      sample:
        - index: prod-jaeger-span-000001
          generation: 1
          created: "2026-06-01T15:47:13.273Z"
          written_until: "2026-06-03T00:05:00.120Z"
          readable: true
          readable_until: null
trace_id:
  description: The trace that the run was exported as.
  returned: if O(otlp_endpoint) is given and the parent, if there is one, is sampled
  type: str
  sample: 0af7651916cd43dd8448eb211c80319c
"""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    ArgumentSpec,
    checked_repository,
    connection_spec,
    not_negative,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    ConfigurationError,
    RefusedError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, Planner, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    ALL_RECORD_TYPES,
    IndexSet,
    check_date_separator,
    check_prefix,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan, plan_restore
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View

_FORMS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set that one of the indices belongs to."""
    prefix = check_prefix(params["index_prefix"])
    separator = check_date_separator(params["index_date_separator"])
    until = _instant(params["readable_until"])
    seconds = not_negative("snapshot_timeout", params["snapshot_timeout"], least=1)
    repository, name = checked_repository(params["snapshot_repository"]), params["snapshot"]
    snapshot = (repository, name, seconds) if repository and name else None
    wanted: dict[IndexSet, list[str]] = {}
    for index in dict.fromkeys(params["indices"]):
        wanted.setdefault(_set_of(index, prefix, separator), []).append(index)
    if not wanted:
        raise ConfigurationError("indices is empty: name at least one.")
    sets = list(wanted)
    steps: dict[IndexSet, Planner] = {one: _planner(wanted[one], until, snapshot) for one in sets}
    separators = dict.fromkeys(sets, separator)
    return Job({"restore": steps}, settles=True, ages=False, may_be_missing=True, separators=separators)


def _planner(wanted: list[str], until: datetime, snapshot: tuple[str, str, int] | None) -> Planner:
    def plan(view: View, now: datetime) -> Plan:
        if until <= now:
            raise RefusedError(
                f"readable_until is {until:%Y-%m-%dT%H:%M:%SZ}, which is over. Nothing was changed."
            )
        return plan_restore(view, wanted, until, snapshot)

    return plan


def _instant(text: str) -> datetime:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise ConfigurationError(
        f"readable_until is {text!r}: give a date such as 2026-12-15, or an instant in UTC such as 2026-12-15T12:00:00Z."
    )


def _set_of(index: str, prefix: str, separator: str) -> IndexSet:
    for one in (IndexSet(prefix, record_type) for record_type in ALL_RECORD_TYPES):
        if one.generation_of(index) is not None or one.period_of(index, separator) is not None:
            return one
    raise ConfigurationError(
        f"indices: {index!r} is neither a generation nor a day of an index set with prefix {prefix!r}: give a name such as "
        f"{IndexSet(prefix, 'span').generation_name(1)}."
    )


def main() -> None:
    """Entry point of the module."""
    own = ArgumentSpec(
        {
            "index_prefix": {"type": "str"},
            "indices": {"type": "list", "elements": "str", "required": True},
            "readable_until": {"type": "str", "required": True},
            "snapshot_repository": {"type": "str"},
            "snapshot": {"type": "str"},
            "snapshot_timeout": {"type": "int", "default": 3600},
            "index_date_separator": {"type": "str", "default": "-"},
        },
        required_together=(("snapshot_repository", "snapshot"),),
    )
    run_module("es_restore", connection_spec().merge(own), prepare)


if __name__ == "__main__":
    main()
