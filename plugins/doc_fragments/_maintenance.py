# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nightly maintenance is to do. The spec is ENTRY in module_utils/_maintenance.py."""

from __future__ import annotations


class ModuleDocFragment:
    """The option index_sets of es_maintenance and es_index_info."""

    DOCUMENTATION = r"""
options:
  index_sets:
    description:
      - The index sets and what is to be done with them. Each set may stand in one entry only; entries with the same prefix and different
        C(record_types) give each record type its own rules.
      - A step whose option is left out is not done.
    type: list
    elements: dict
    suboptions:
      index_prefix:
        description: The prefix that Jaeger runs with, without the dash that Jaeger adds itself. Left out, it is O(index_prefix), or none.
        type: str
      record_types:
        description: The record types; V(span), V(service) and V(dependencies) if left out.
        type: list
        elements: str
        choices: [span, service, dependencies, sampling]
      archive:
        description: The set of archived spans, and it alone.
        type: bool
        default: false
      strategy:
        description:
          - Jaeger's rotation strategy.
          - V(manual_rollover) has aliases and generations, and this collection rolls over.
          - V(auto_rollover) has them too, but ILM rolls over.
          - V(periodic) has dated indices.
          - V(data_stream) is the data stream C(prod.jaeger.spans) of Jaeger's RFC 0004. It has no lookback.
        type: str
        choices: [manual_rollover, auto_rollover, periodic, data_stream]
        default: manual_rollover
      conditions:
        description:
          - When to roll over, as in M(tracestack.jaeger.es_rollover), which has them described.
        type: dict
        suboptions:
          max_age: {description: Highest age of the write index., type: str}
          max_docs: {description: Highest number of documents., type: int}
          max_size: {description: Highest size of all primary shards together., type: str}
          max_primary_shard_size: {description: Highest size of the largest primary shard., type: str}
          max_primary_shard_docs: {description: Highest number of documents in the largest primary shard., type: int}
          min_age: {description: Lowest age of the write index., type: str}
          min_docs: {description: Lowest number of documents., type: int}
          min_size: {description: Lowest size of all primary shards together., type: str}
          min_primary_shard_size: {description: Lowest size of the largest primary shard., type: str}
          min_primary_shard_docs: {description: Lowest number of documents in the largest primary shard., type: int}
      lookback:
        description: How far back Jaeger can search, as in M(tracestack.jaeger.es_lookback).
        type: dict
        suboptions:
          unit:
            description: Unit of C(unit_count).
            type: str
            choices: [seconds, minutes, hours, days, weeks, months, years]
            default: days
          unit_count: {description: How many units back., type: int, default: 1}
      retention:
        description:
          - What is deleted, as in M(tracestack.jaeger.es_index_cleaner). At least one of C(days), C(max_size) and
            C(max_generations) is needed; whichever bites first counts.
        type: dict
        suboptions:
          days:
            description: Delete what is older than so many days.
            type: int
            aliases: [number_of_days]
          max_size: {description: Delete the oldest until the rest takes no more than this on disk., type: str}
          max_generations: {description: Delete all but so many of the newest., type: int}
          min_generations: {description: So many of the newest are always kept., type: int, default: 0}
          only_unreadable: {description: Delete only what is out of the read alias., type: bool, default: true}
          include_dated:
            description:
              - Delete dated indices of the set too, by the same rules, not only generations. For a set that came from dated indices.
            type: bool
            default: false
      index_date_separator:
        description: What stands between year, month and day in the names of dated indices.
        type: str
        default: "-"
"""
