# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the report of all clusters as one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_hosts import results_of
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_page import draw, gather

DOCUMENTATION = r"""
name: report_page
short_description: Draw the report of all clusters as one HTML page
version_added: 0.3.0
author:
  - tracestack contributors (@tracestack)
description:
  - Makes a page that needs nothing else, neither files nor scripts nor a network. Whatever a name or a message holds is escaped.
  - The role P(tracestack.jaeger.report#role) uses it.
positional: _input
extends_documentation_fragment:
  - tracestack.jaeger._report
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: >-
      {{ dict(groups.elasticsearch | zip(groups.elasticsearch | map('extract', hostvars)))
         | tracestack.jaeger.report_page(templates=folder) }}
    dest: /srv/www/jaeger.html
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""


def report_page(hosts: Mapping[str, Any], templates: str, title: str = "Jaeger's indices") -> str:
    """The filter."""
    now = datetime.now(timezone.utc)
    return draw(gather(results_of(hosts), now, str(templates), str(title)), now, str(templates), str(title))


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"report_page": report_page}
