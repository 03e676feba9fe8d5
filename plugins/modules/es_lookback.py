#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_lookback
short_description: Take old generations of Jaeger's indices out of the read alias
description:
  - Removes the read alias from the indices that are too old, as C(jaeger-es-rollover lookback) does. They can no longer be searched by
    Jaeger, but are still stored.
  - The write index always stays readable.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._index_set
  - tracestack.jaeger._age
options:
  unit:
    description:
      - Unit of O(unit_count) (Jaeger's C(--unit)).
      - The cut-off is reckoned in UTC as Jaeger does. V(seconds), V(minutes) and V(hours) count from now, cut down to the unit; V(days) and
        V(weeks) from the coming midnight; V(months) and V(years) from the last one.
    type: str
    choices: [seconds, minutes, hours, days, weeks, months, years]
    default: days
  unit_count:
    description: How many of O(unit) back Jaeger can search (Jaeger's C(--unit-count)).
    type: int
    default: 1
  index_date_separator:
    description: What stands between year, month and day in the names of dated indices that are behind the read alias.
    type: str
    default: "-"
seealso:
  - module: tracestack.jaeger.es_rollover
  - module: tracestack.jaeger.es_index_cleaner
"""

EXAMPLES = r"""
- name: Let Jaeger search the last seven days
  tracestack.jaeger.es_lookback:
    server_urls: http://localhost:9200
    index_prefix: prod
    unit: days
    unit_count: 7
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
  type: list
  elements: dict
  sample:
    - action: remove_alias
      index: prod-jaeger-span-000001
      alias: prod-jaeger-span-read
      why: older than the cut-off 2026-06-04T00:00:00Z
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
from datetime import datetime
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    LOOKBACK,
    ArgumentSpec,
    age_rule_of,
    age_spec,
    connection_spec,
    index_set_spec,
    lookback_cutoff_of,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    check_date_separator,
    check_prefix,
    index_sets,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan, plan_lookback
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set by its cut-off."""
    prefix = check_prefix(params["index_prefix"])
    cutoff = lookback_cutoff_of(params)
    rule = age_rule_of(params)
    separator = check_date_separator(params["index_date_separator"])

    def plan(view: View, now: datetime) -> Plan:
        return plan_lookback(view, rule(now, cutoff(now)))

    sets = index_sets(prefix, params["record_types"], params["archive"])
    return Job({"lookback": dict.fromkeys(sets, plan)}, separators=dict.fromkeys(sets, separator))


def main() -> None:
    """Entry point of the module."""
    own = ArgumentSpec({**LOOKBACK, "index_date_separator": {"type": "str", "default": "-"}})
    run_module("es_lookback", connection_spec().merge(index_set_spec()).merge(age_spec()).merge(own), prepare)


if __name__ == "__main__":
    main()
