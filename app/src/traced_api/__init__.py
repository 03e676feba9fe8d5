# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small traced API: one route, two spans, OpenTelemetry all the way."""

from __future__ import annotations

__version__ = "0.0.1"
