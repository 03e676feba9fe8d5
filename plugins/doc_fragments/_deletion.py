# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept from being deleted, or before it is. The spec is deletion_spec() in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that delete indices."""

    DOCUMENTATION = r"""
options:
  ignored_aliases:
    description:
      - An index that is behind an alias of somebody else's is kept, as that name would lose it, unless the alias is on the write index
        as well (such as one that a template puts on each new index).
      - These aliases keep nothing. C(*) stands for any characters, so V(*) alone gives what Jaeger's own cleaner does.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  snapshot_repository:
    description:
      - Name of a snapshot repository that is registered in the cluster. What is to be deleted is kept there first, in one snapshot
        C(jaeger-retention-…), and is deleted only after the server says V(SUCCESS) and names every index.
      - If it is left out, no snapshot is made.
    type: str
    version_added: 0.2.0
  snapshot_timeout:
    description: How long to wait for a snapshot, in seconds. If it takes longer, nothing is deleted and the run fails.
    type: int
    default: 3600
    version_added: 0.2.0
"""
