#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_rollover_init
short_description: Create Jaeger's rollover indices, aliases and templates
description:
  - Prepares Elasticsearch or OpenSearch for a Jaeger that runs with C(--es.use-aliases=true), as C(jaeger-es-rollover init) does.
  - Each record type then has an index template, its first index (C(prod-jaeger-span-000001)) and its read and write aliases.
    Index and aliases are made in one atomic step.
  - Nothing is created while the set has a write index. A lost write alias goes back to the newest generation.
  - A collector that runs with its default C(--es.create-index-templates=true) overwrites the templates. Set it to false.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes
  - tracestack.jaeger._connection
  - tracestack.jaeger._index_set
options:
  shards:
    description: Number of primary shards of each new index (Jaeger's C(--shards)).
    type: int
    default: 5
  replicas:
    description: Number of replicas of each new index (Jaeger's C(--replicas)).
    type: int
    default: 1
  template_priorities:
    description:
      - Priority of each record type's index template (Jaeger's C(--priority-span-template) and the like).
      - Only for composable templates, that is from Elasticsearch 8 and OpenSearch 2 on.
    type: dict
    default: {}
    suboptions:
      span: {description: Priority of the template for spans., type: int, default: 0}
      service: {description: Priority of the template for services., type: int, default: 0}
      dependencies: {description: Priority of the template for dependencies., type: int, default: 0}
      sampling: {description: Priority of the template for adaptive sampling., type: int, default: 0}
  use_ilm:
    description:
      - Prepare for Elasticsearch's index lifecycle management, which then rolls over by itself (Jaeger's C(--es.use-ilm)).
      - The templates name the policy, and the write index is marked as such. Fails where the policy does not exist. Not for O(archive),
        whose indices share the template of the spans. OpenSearch has no ILM.
    type: bool
    default: false
    version_added: 0.2.0
  ilm_policy_name:
    description: The policy for O(use_ilm) (Jaeger's C(--es.ilm-policy-name)).
    type: str
    default: jaeger-ilm-policy
    version_added: 0.2.0
  adopt:
    description:
      - What else to bring into the index sets.
      - V(concrete) is an index that sits where an alias belongs, since a collector wrote before the set was initialised. Its documents are
        copied into the next generation, at the end under a write block, then the alias takes its place in one atomic step. How long the
        block was is told in RV(actions). A collector loses what it tries to write during the block. Without this it is an error.
      - V(dated) are dated indices (C(prod-jaeger-span-2026-05-30)). They go behind the read alias, so that old traces stay visible when
        Jaeger moves from periodic indices to aliases.
      - V(generations) are generations that are not behind the read alias, such as those restored from a snapshot.
      - M(tracestack.jaeger.es_lookback) takes what is too old out of the read alias again.
    type: list
    elements: str
    choices: [concrete, dated, generations]
    default: []
    version_added: 0.2.0
  index_date_separator:
    description: What stands between year, month and day in the names of dated indices, for V(dated) in O(adopt).
    type: str
    default: "-"
    version_added: 0.2.0
seealso:
  - module: tracestack.jaeger.es_rollover
"""

EXAMPLES = r"""
- name: Create the index sets of prefix prod
  tracestack.jaeger.es_rollover_init:
    server_urls: http://localhost:9200
    index_prefix: prod
    shards: 2
    replicas: 1

- name: Move from dated indices to aliases and keep old traces visible
  tracestack.jaeger.es_rollover_init:
    server_urls: http://localhost:9200
    index_prefix: prod
    adopt: [dated]

- name: Create the set for archived spans
  tracestack.jaeger.es_rollover_init:
    server_urls: http://localhost:9200
    index_prefix: prod
    archive: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order; also of a run that failed later.
  returned: always
  type: list
  elements: dict
  sample:
    - action: create_index
      index: prod-jaeger-span-000001
      alias: prod-jaeger-span-read
      why: the set has no index yet
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
from functools import partial
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    ArgumentSpec,
    connection_spec,
    index_set_spec,
    not_negative,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import Job, run_module
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    RECORD_TYPES,
    check_date_separator,
    check_prefix,
    index_sets,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import Plan, plan_init
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import View
from ansible_collections.tracestack.jaeger.plugins.module_utils._templates import template


def prepare(params: Mapping[str, Any]) -> Job:
    """Check the options; plan each set with its template."""
    prefix = check_prefix(params["index_prefix"])
    shards = not_negative("shards", params["shards"], least=1)
    replicas = not_negative("replicas", params["replicas"])
    separator = check_date_separator(params["index_date_separator"])
    priorities = params["template_priorities"]
    for name, priority in priorities.items():
        not_negative(f"template_priorities.{name}", priority)
    policy = _ilm_policy(params)

    def plan(view: View, now: datetime, *, moved: bool = False) -> Plan:
        priority = priorities.get(view.index_set.record_type, priorities.get("span", 0))
        wanted = template(view.index_set, shards, replicas, priority, policy)
        return plan_init(view, wanted, now, frozenset(params["adopt"]), ilm=policy is not None, moved=moved)

    sets = index_sets(prefix, params["record_types"], params["archive"])
    return Job(
        {"init": dict.fromkeys(sets, plan)},
        templates=True,
        births=True,
        settles=True,
        ages=False,
        after_move=dict.fromkeys(sets, partial(plan, moved=True)),
        may_be_missing=True,
        ilm_policy=policy,
        separators=dict.fromkeys(sets, separator),
    )


def _ilm_policy(params: Mapping[str, Any]) -> str | None:
    if not params["use_ilm"]:
        return None
    if params["archive"]:
        raise ConfigurationError(
            "use_ilm with archive: archived spans share the template of the spans, whose lifecycle names the spans' alias; "
            "roll the archive with es_rollover."
        )
    name = str(params["ilm_policy_name"])
    if not name or any(character in name for character in ' ,"/?#*\\'):
        raise ConfigurationError(f"ilm_policy_name is {name!r}: give the name of one ILM policy.")
    return name


def main() -> None:
    """Entry point of the module."""
    priorities = {name: {"type": "int", "default": 0} for name in RECORD_TYPES}
    kinds = ["concrete", "dated", "generations"]
    own = ArgumentSpec(
        {
            "shards": {"type": "int", "default": 5},
            "replicas": {"type": "int", "default": 1},
            "template_priorities": {"type": "dict", "default": {}, "options": priorities},
            "use_ilm": {"type": "bool", "default": False},
            "ilm_policy_name": {"type": "str", "default": "jaeger-ilm-policy"},
            "adopt": {"type": "list", "elements": "str", "choices": kinds, "default": []},
            "index_date_separator": {"type": "str", "default": "-"},
        }
    )
    run_module("es_rollover_init", connection_spec().merge(index_set_spec()).merge(own), prepare)


if __name__ == "__main__":
    main()
