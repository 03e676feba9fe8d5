#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_maintenance
short_description: Roll over, look back and clean all index sets of Jaeger in one run
description:
  - Does what M(tracestack.jaeger.es_rollover), M(tracestack.jaeger.es_lookback) and M(tracestack.jaeger.es_index_cleaner) do,
    in this order, for any number of prefixes and record types, from one read and with the fewest requests.
  - Each step is planned from what the one before it has left, in check mode too.
  - Every index set is tried, whatever becomes of the others. A set that could not be rolled over is still looked back and cleaned.
version_added: 0.2.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._maintenance
  - tracestack.jaeger._age
  - tracestack.jaeger._deletion
attributes:
  idempotent:
    support: partial
    details:
      - The server evaluates the conditions anew in each run. With C(max_age=2d) a second run changes nothing, with C(max_age=0s) each
        run rolls over.
options:
  index_prefix:
    description:
      - The prefix of the entries of O(index_sets), where none of them names one, so that C(module_defaults) can give it once.
      - If some name one and some do not, it must be left out. An entry without a prefix is then one for indices without a prefix.
    type: str
  index_sets:
    required: true
seealso:
  - module: tracestack.jaeger.es_rollover
  - module: tracestack.jaeger.es_lookback
  - module: tracestack.jaeger.es_index_cleaner
  - module: tracestack.jaeger.es_index_info
"""

EXAMPLES = r"""
- name: The whole night of two prefixes
  tracestack.jaeger.es_maintenance:
    server_urls: http://localhost:9200
    index_sets:
      - index_prefix: prod
        record_types: [span]
        conditions: {max_age: 1d, max_size: 50gb}
        lookback: {unit: days, unit_count: 7}
        retention: {days: 14, max_size: 500gb, min_generations: 3}
      - index_prefix: prod
        record_types: [service, dependencies]
        conditions: {max_age: 7d}
        lookback: {unit: weeks, unit_count: 2}
        retention: {days: 30}
      - index_prefix: staging
        conditions: {max_age: 1d}
        lookback: {unit: days, unit_count: 2}
        retention: {max_generations: 5}

- name: A data stream, with a snapshot of what is deleted
  tracestack.jaeger.es_maintenance:
    server_urls: http://localhost:9200
    snapshot_repository: backup
    index_sets:
      - index_prefix: prod
        strategy: data_stream
        conditions: {max_age: 1d}
        retention: {days: 14}
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
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

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    ArgumentSpec,
    age_spec,
    connection_spec,
    deletion_spec,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._maintenance import ENTRY, maintenance_job
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import run_module


def main() -> None:
    """Entry point of the module."""
    entries = {"type": "list", "elements": "dict", "required": True, "options": ENTRY}
    own = ArgumentSpec({"index_prefix": {"type": "str"}, "index_sets": entries})
    run_module(
        "es_maintenance",
        connection_spec().merge(age_spec()).merge(deletion_spec()).merge(own),
        maintenance_job,
    )


if __name__ == "__main__":
    main()
