#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_index_cleaner
short_description: Delete old indices of Jaeger
description:
  - Deletes the indices that are too old, as C(jaeger-es-index-cleaner) does.
  - Names are parsed exactly. What is not a generation or a day of the set, such as C(prod-jaeger-span-000001-backup), is never touched.
  - A write index is never deleted, and neither is what is behind the read alias, unless O(only_unreadable=false). Dated indices
    usually are behind no alias.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._index_set
  - tracestack.jaeger._age
options:
  days:
    description:
      - Delete what is older than so many days (the cleaner's first argument).
      - The cut-off is the coming midnight (UTC) minus so many days, as Jaeger reckons it.
    type: int
    required: true
    aliases: [number_of_days]
  strategy:
    description:
      - V(manual_rollover) deletes generations, such as C(prod-jaeger-span-000001) (the cleaner's C(--rollover)).
      - V(periodic) deletes dated indices, such as C(prod-jaeger-span-2026-05-30) or, one an hour, C(prod-jaeger-span-2026-05-30-07). The
        index of the current day or hour is the write index.
    type: str
    choices: [manual_rollover, periodic]
    default: manual_rollover
  index_date_separator:
    description: What stands between year, month and day in the names of dated indices (Jaeger's C(--index-date-separator)).
    type: str
    default: "-"
  only_unreadable:
    description: Delete only what is out of the read alias. Run M(tracestack.jaeger.es_lookback) first.
    type: bool
    default: true
seealso:
  - module: tracestack.jaeger.es_lookback
"""

EXAMPLES = r"""
- name: Delete what was written more than two weeks ago
  tracestack.jaeger.es_index_cleaner:
    server_urls: http://localhost:9200
    index_prefix: prod
    days: 14

- name: Delete old dated indices
  tracestack.jaeger.es_index_cleaner:
    server_urls: http://localhost:9200
    index_prefix: prod
    strategy: periodic
    days: 14
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: dict
  sample:
    - action: delete_index
      index: prod-jaeger-span-000001
      why: older than the cut-off 2026-05-28T00:00:00Z
      index_prefix: prod
      record_type: span
kept:
  description: Indices that were considered and left alone, each with the reason.
  returned: success
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
      description: The indices of the set, oldest first.
      type: list
      elements: dict
      returned: success
      sample:
        - index: prod-jaeger-span-000001
          generation: 1
          created: "2026-06-01T15:47:13.273Z"
          written_until: "2026-06-03T00:05:00.120Z"
          readable: true
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    ArgumentSpec,
    age_spec,
    connection_spec,
    duration,
    index_set_spec,
    not_negative,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import retention_cutoff
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    check_date_separator,
    check_prefix,
    index_sets,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import AgeRule, Plan, plan_retention
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set by its cut-off."""
    prefix = check_prefix(params["index_prefix"])
    days = not_negative("days", params["days"])
    separator = check_date_separator(params["index_date_separator"])
    ttl = duration("service_cache_ttl", params["service_cache_ttl"])

    def plan(view: View, now: datetime) -> Plan:
        rule = AgeRule.at(now, retention_cutoff(now, days), params["age_from"], ttl)
        return plan_retention(view, rule, params["strategy"], params["only_unreadable"])

    sets = index_sets(prefix, params["record_types"], params["archive"])
    return Job(sets, plan, ages=True, date_separator=separator)


def main() -> None:
    """Entry point of the module."""
    own = ArgumentSpec(
        {
            "days": {"type": "int", "required": True, "aliases": ["number_of_days"]},
            "strategy": {
                "type": "str",
                "choices": ["manual_rollover", "periodic"],
                "default": "manual_rollover",
            },
            "index_date_separator": {"type": "str", "default": "-"},
            "only_unreadable": {"type": "bool", "default": True},
        }
    )
    run_module(connection_spec().merge(index_set_spec()).merge(age_spec()).merge(own), prepare)


if __name__ == "__main__":
    main()
