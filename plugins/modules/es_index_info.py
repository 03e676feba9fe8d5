#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: es_index_info
short_description: Tell what indices Jaeger has and what is wrong with them
description:
  - Lists the index sets of one prefix, or of all prefixes that there are, with their generations, aliases, documents and sizes.
  - Says in plain words what is wrong with a set, if anything is.
version_added: 0.1.0
author:
  - tracestack contributors (@tracestack)
extends_documentation_fragment:
  - tracestack.jaeger._attributes.info
  - tracestack.jaeger._connection
options:
  index_prefix:
    description:
      - Only the index sets of this prefix.
      - If it is left out, all prefixes that are found, and the indices without a prefix.
    type: str
seealso:
  - module: tracestack.jaeger.es_rollover_init
"""

EXAMPLES = r"""
- name: Look at the indices of Jaeger
  tracestack.jaeger.es_index_info:
    server_urls: http://localhost:9200
  register: jaeger

- name: Stop if anything is wrong
  ansible.builtin.assert:
    that: jaeger.index_sets | sum(attribute='problems', start=[]) | length == 0
"""

RETURN = r"""
cluster:
  description: Who answered.
  returned: success
  type: dict
  sample: {distribution: elasticsearch, version: 7.17.1}
index_sets:
  description: The index sets, by prefix and record type. Instants are ISO 8601 in UTC.
  returned: success
  type: list
  elements: dict
  contains:
    index_prefix: {description: The prefix; empty for none., type: str, returned: success}
    record_type: {description: The record type., type: str, returned: success}
    strategy:
      description: V(manual_rollover) where the set has generations or a write alias, else V(periodic).
      type: str
      returned: success
    read_alias: {description: Name of the read alias., type: str, returned: success}
    write_alias: {description: Name of the write alias., type: str, returned: success}
    write_index: {description: The index behind the write alias., type: str, returned: success}
    problems:
      description: What is wrong with the set, a sentence each.
      type: list
      elements: str
      returned: success
      sample: [prod-jaeger-span-000003 is written but not behind the read alias prod-jaeger-span-read]
    indices:
      description: The indices of the set, oldest first. C(docs) counts nested documents too, C(size_bytes) is the size on disk.
      type: list
      elements: dict
      returned: success
      sample:
        - index: prod-jaeger-span-000001
          generation: 1
          created: "2026-06-01T15:47:13.273Z"
          written_until: "2026-06-03T00:05:00.120Z"
          readable: true
          health: yellow
          docs: 13
          size_bytes: 19251
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import ArgumentSpec, connection_spec
from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import Cluster
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._module import (
    clear_errors,
    connection_options,
    describe,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    ALL_RECORD_TYPES,
    IndexSet,
    check_prefix,
    find_index_set,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import problems
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import State, view


def sets_in(state: State) -> list[IndexSet]:
    """The index sets that the names of indices and aliases belong to, in order of prefix and record type."""
    names = [name for index in state.indices.values() for name in (index.name, *index.aliases)]
    found = {
        index_set for name in names if (index_set := find_index_set(name)) and _possible(index_set.prefix)
    }
    return sorted(found, key=lambda one: (one.prefix, ALL_RECORD_TYPES.index(one.record_type)))


def _possible(prefix: str) -> bool:
    """Whether Jaeger could run with this prefix; the backing indices of a data stream look as if it had one."""
    try:
        return not prefix or bool(check_prefix(prefix))
    except ConfigurationError:
        return False


def look(cluster: Cluster, prefix: str | None) -> list[dict[str, Any]]:
    """All index sets of a prefix (None: of all prefixes), as the module returns them."""
    head = "*" if prefix is None else f"{prefix}-" if prefix else ""
    patterns = [f"{head}jaeger-*"]
    state = cluster.read(patterns)
    stats = cluster.index_stats(patterns) if state.indices else {}
    found: list[dict[str, Any]] = []
    for index_set in sets_in(state):
        if prefix not in (None, index_set.prefix):
            continue
        one = view(state, index_set)
        told = describe(one)
        for entry in told["indices"]:
            row = stats.get(entry["index"], {})
            entry["health"] = row.get("health")
            entry["docs"] = int(row.get("docs.count") or 0)
            entry["size_bytes"] = int(row.get("store.size") or 0)
        manual = one.generations or one.write_index or one.concrete_alias
        found.append(
            {**told, "strategy": "manual_rollover" if manual else "periodic", "problems": problems(one)}
        )
    return found


def main() -> None:
    """Entry point of the module."""
    spec = connection_spec().merge(ArgumentSpec({"index_prefix": {"type": "str"}}))
    module = AnsibleModule(**spec.to_kwargs(), supports_check_mode=True)
    with clear_errors(module):
        options = connection_options(module)
        prefix = module.params["index_prefix"]
        if prefix is not None:
            check_prefix(prefix)
        cluster = Cluster(options)
        index_sets = look(cluster, prefix)
    info = {"distribution": cluster.info.distribution, "version": cluster.info.version}
    module.exit_json(changed=False, cluster=info, index_sets=index_sets)


if __name__ == "__main__":
    main()
