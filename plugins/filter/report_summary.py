# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the report of all clusters in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_hosts import results_of
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_page import gather

DOCUMENTATION = r"""
name: report_summary
short_description: Tell the report of all clusters in one sentence
version_added: 0.3.0
author:
  - tracestack contributors (@tracestack)
description:
  - Says whether all is well, and whether the page would tell anything new.
  - The role P(tracestack.jaeger.report#role) uses it.
positional: _input
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

EXAMPLES = r"""
- name: Tell whether all is well
  ansible.builtin.debug:
    msg: "{{ (dict(groups.elasticsearch | zip(groups.elasticsearch | map('extract', hostvars)))
              | tracestack.jaeger.report_summary(templates=folder)).sentence }}"
"""

RETURN = r"""
_value:
  description:
    - C(sentence) says how it stands, C(problems) how many problems there are, and C(fingerprint) is a hash of all that the page
      tells, which does not change while only time goes by. The page holds it, too.
  type: dict
  sample: {sentence: "All is well.", problems: 0, fingerprint: 6f1c…}
"""


def report_summary(
    hosts: Mapping[str, Any], templates: str, title: str = "Jaeger's indices"
) -> dict[str, Any]:
    """The filter."""
    told = gather(results_of(hosts), datetime.now(timezone.utc), str(templates), str(title))
    return {"sentence": f"{told.verdict}.", "problems": told.urgent, "fingerprint": told.fingerprint}


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"report_summary": report_summary}
