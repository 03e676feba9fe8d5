# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which index sets a module works on. The spec is index_set_spec() in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Index set options, the same in every module."""

    DOCUMENTATION = r"""
options:
  index_prefix:
    description:
      - The prefix that Jaeger runs with (C(--es.index-prefix)), without the dash that Jaeger adds itself.
      - Leave it out for indices without a prefix. An empty string is an error, so that a variable that is empty by
        mistake touches nothing.
    type: str
  record_types:
    description:
      - The record types to work on. Each one has its own index set.
      - If neither this nor O(archive) is given, these are V(span), V(service) and V(dependencies).
      - V(sampling) is for Jaeger's adaptive sampling (C(--adaptive-sampling)). Leaving V(dependencies) out is
        C(--skip-dependencies).
    type: list
    elements: str
    choices: [span, service, dependencies, sampling]
  archive:
    description:
      - Work on the set of archived spans, and on it alone (Jaeger's C(--archive)).
      - O(record_types) is ignored then.
    type: bool
    default: false
"""
