# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From the hosts' variables to what es_index_info told of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import age_spec
from ansible_collections.tracestack.jaeger.plugins.module_utils._maintenance import ENTRY

_NOT_ASKED = {
    "failed": True,
    "msg": "It was not asked: its tasks ended before that. The output of the playbook says why.",
}


def results_of(hosts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The results that tasks/info.yml of the role index_lifecycle has registered, by host."""
    if not isinstance(hosts, Mapping):
        raise AnsibleFilterError("the report is made of a dictionary: for each host its variables")
    return {str(name): _results(variables) for name, variables in hosts.items()}


def _results(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "info": plain(variables.get("__index_lifecycle_info")) or _NOT_ASKED,
        "listing": plain(variables.get("__index_lifecycle_listing")),
        "asked": _with_defaults(plain(variables.get("__index_lifecycle_asked")) or {}),
    }


def _with_defaults(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked, as the module had it: checked, and with all defaults. What it refuses it says itself."""
    urls = asked.pop("server_urls", [])
    spec = {**age_spec().options, "index_sets": {"type": "list", "elements": "dict", "options": ENTRY}}
    checked = ArgumentSpecValidator(spec).validate(asked)
    return {"server_urls": urls, **({} if checked.error_messages else checked.validated_parameters)}


def plain(value: Any) -> Any:
    """The same without anything of Ansible's own, which costs much with many indices: mere dictionaries, lists, texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (bool, int, float)) or value is None else str(value)
