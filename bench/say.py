# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress and failure, apart from the tables."""

from __future__ import annotations

import sys


class BenchmarkError(Exception):
    """Someone who takes part did not do the work, so there is nothing to compare."""


def say(text: str) -> None:
    """Show progress on stderr: stdout has the tables alone."""
    print(text, file=sys.stderr, flush=True)
