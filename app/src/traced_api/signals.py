# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the signals that the service heeds while it cannot; they are delivered once they are let through.

An exception raised by a handler, at whatever point the program has come to, is no way to end a start: Python drops it in
some places, and a process that ends while a thread of its own has not begun crashes.
"""

from __future__ import annotations

import signal

HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hold() -> None:
    """Keep them waiting, for this thread and those that it starts from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)


def waiting() -> bool:
    """Whether one of them has come while they were held."""
    return not signal.sigpending().isdisjoint(HEEDED)


def let_through() -> None:
    """Deliver those that wait, and whatever comes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
