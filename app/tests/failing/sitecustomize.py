# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python loads this at its start where it is on the path: the handler of the service then fails."""

from __future__ import annotations

from traced_api import users

users.is_valid = lambda user_id: bool(len(user_id) / 0)
