# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program, installed once for all tests; each test has a folder of its own for its jobs."""

from __future__ import annotations

from tests.support.scheduled import python, runner

__all__ = ["python", "runner"]
