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
extends_documentation_fragment:
  - tracestack.jaeger._report
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
