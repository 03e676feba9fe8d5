# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP API of app/ costs, and what Flask, FastAPI and Go take for the same contract."""
