# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters of the report are given."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of report_page and report_summary."""

    DOCUMENTATION = r"""
options:
  _input:
    description:
      - For each host its variables. Of these C(__index_lifecycle_info) and C(__index_lifecycle_listing) are looked at, in which
        C(tasks/info.yml) of the role P(tracestack.jaeger.index_lifecycle#role) leaves what M(tracestack.jaeger.es_index_info) told.
    type: dict
    required: true
  templates:
    description: Folder of C(page.html.j2) and C(page.css) on the controller.
    type: str
    required: true
  title:
    description: The page's title.
    type: str
    default: Jaeger's indices
"""
