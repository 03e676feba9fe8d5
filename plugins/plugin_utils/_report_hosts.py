# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From the hosts' variables to what es_index_info told of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

_NOT_ASKED = {
    "failed": True,
    "msg": "It was not asked: its tasks ended before that. The output of the playbook says why.",
}


def results_of(hosts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The results that tasks/info.yml of the role index_lifecycle has registered, by host."""
    if not isinstance(hosts, Mapping):
        raise AnsibleFilterError("the report is made of a dictionary: for each host its variables")
    return {
        str(name): {
            "info": variables.get("__index_lifecycle_info") or _NOT_ASKED,
            "listing": variables.get("__index_lifecycle_listing"),
        }
        for name, variables in hosts.items()
    }
