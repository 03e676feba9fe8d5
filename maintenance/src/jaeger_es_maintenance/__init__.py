# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's modules behind the command lines of Jaeger's es-rollover and es-index-cleaner (docs/drop-in.md)."""

from __future__ import annotations

__version__ = "0.2.0"  # the collection's, whose modules are in the image
