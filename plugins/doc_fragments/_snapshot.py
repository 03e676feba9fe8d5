# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept before anything is deleted. The spec is snapshot_spec() in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Snapshot options of the modules that delete indices."""

    DOCUMENTATION = r"""
options:
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
