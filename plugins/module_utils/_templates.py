# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Jaeger's index templates: fields, types and settings as es-rollover v1.57.0 leaves them on a server.

They are an interface: what a real collector writes must be found by a real query. The one difference is in the
index patterns, which begin with the prefix here, so that no other prefix's indices are caught
(tests/differential compares the rest as JSON).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import ARCHIVE, IndexSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import Template

_KEYWORD = {"type": "keyword", "ignore_above": 256}
_LONG = {"type": "long"}


def _nested(**properties: Any) -> dict[str, Any]:
    return {"type": "nested", "dynamic": False, "properties": properties}


def _tags() -> dict[str, Any]:
    return _nested(key=_KEYWORD, value=_KEYWORD, tagType=_KEYWORD)


def _dynamic(name: str, path: str) -> dict[str, Any]:
    return {name: {"path_match": path, "mapping": _KEYWORD}}


_DYNAMIC_TEMPLATES = [_dynamic("span_tags_map", "tag.*"), _dynamic("process_tags_map", "process.tag.*")]
_MAPPINGS: dict[str, dict[str, Any]] = {
    "span": {
        "dynamic_templates": _DYNAMIC_TEMPLATES,
        "properties": {
            "traceID": _KEYWORD,
            "parentSpanID": _KEYWORD,
            "spanID": _KEYWORD,
            "operationName": _KEYWORD,
            "startTime": _LONG,
            "startTimeMillis": {"type": "date", "format": "epoch_millis"},
            "duration": _LONG,
            "flags": {"type": "integer"},
            "logs": _nested(timestamp=_LONG, fields=_tags()),
            "process": {
                "properties": {"serviceName": _KEYWORD, "tag": {"type": "object"}, "tags": _tags()},
            },
            "references": _nested(refType=_KEYWORD, traceID=_KEYWORD, spanID=_KEYWORD),
            "tag": {"type": "object"},
            "tags": _tags(),
        },
    },
    "service": {
        "dynamic_templates": _DYNAMIC_TEMPLATES,
        "properties": {"serviceName": _KEYWORD, "operationName": _KEYWORD},
    },
    "dependencies": {},
    "sampling": {},
}


def template(
    index_set: IndexSet, shards: int, replicas: int, priority: int = 0, ilm_policy: str | None = None
) -> Template:
    """The index template of a set. The archive set has the one of the spans, whose pattern covers it.

    With ilm_policy the server itself rolls over, and each new index gets its policy and the read alias from here.
    """
    lifecycle = {"index.lifecycle.name": ilm_policy, "index.lifecycle.rollover_alias": index_set.write_alias}
    record_type = "span" if index_set.record_type == ARCHIVE else index_set.record_type
    return Template(
        name=index_set.template,
        index_patterns=(f"{index_set.template}-*",),
        settings={
            "index.number_of_shards": str(shards),
            "index.number_of_replicas": str(replicas),
            "index.mapping.nested_fields.limit": "50",
            "index.requests.cache.enable": "false" if record_type == "sampling" else "true",
            **({name: str(value) for name, value in lifecycle.items()} if ilm_policy else {}),
        },
        mappings=_MAPPINGS[record_type],
        aliases={index_set.read_alias: {}} if ilm_policy else {},
        priority=priority,
    )
