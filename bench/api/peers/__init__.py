# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's contract in Flask and in FastAPI, as their users would write it."""
