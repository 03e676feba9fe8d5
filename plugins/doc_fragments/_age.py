# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From when an index's age is counted. The spec is age_spec() in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Age options of the modules that hide or delete old indices."""

    DOCUMENTATION = r"""
options:
  age_from:
    description:
      - V(written) counts an index's age from the moment when it stopped being written, which is the birth of its
        successor (or the end of its day), so that a span that was written a minute ago is never too old.
      - V(creation) counts from its creation date, as Jaeger's own tools do.
    type: str
    choices: [written, creation]
    default: written
  service_cache_ttl:
    description:
      - How long a collector remembers which services it has written. For that time after a rollover the older
        generation of the service set stays readable and stored, else Jaeger's list of services would be empty.
      - A number and one of C(s), C(m), C(h), C(d). V(0s) turns this protection off, as in Jaeger's own tools.
    type: str
    default: 12h
"""
