# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python loads this at its start where it is on the path: the handler of the service then fails, or takes its time."""

from __future__ import annotations

import os
import time

from traced_api import users

SECONDS = float(os.environ["HANDLER_SECONDS"])


def is_valid(user_id: str) -> bool:
    """Stands in for users.is_valid."""
    time.sleep(SECONDS)
    return bool(len(user_id) / SECONDS)


users.is_valid = is_valid
