# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says of check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of the modules that change index sets; INFO for those that only read."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Says what it would do and changes nothing. Where the server can answer itself, it is asked.
  diff_mode:
    support: full
    description: Shows aliases, indices and templates before and after.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
  action_group:
    support: full
    description: Use C(group/tracestack.jaeger.jaeger) in C(module_defaults) to give the connection once.
    membership:
      - tracestack.jaeger.jaeger
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  action_group:
    support: full
    description: Use C(group/tracestack.jaeger.jaeger) in C(module_defaults) to give the connection once.
    membership:
      - tracestack.jaeger.jaeger
"""
