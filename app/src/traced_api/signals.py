# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the signals that the service heeds while it cannot; they are delivered once they are let through.

An exception raised by a handler, at whatever point the program has come to, is no way to end a start: Python drops it in
some places, and a process that ends while a thread of its own has not begun crashes.
"""

from __future__ import annotations

import os
import signal
import threading
import time

HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WAKES = 0.1  # seconds until it is sure to wait


def hold() -> None:
    """Keep them waiting, for this thread and those that it starts from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)


def waiting() -> bool:
    """Whether one of them has come while they were held."""
    return not signal.sigpending().isdisjoint(HEEDED)


def let_through() -> None:
    """Deliver those that wait, and whatever comes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)


def repeat() -> None:
    """Have this process's first signal delivered to its main thread twice.

    Python runs a handler when its main thread goes on. A signal that comes just before that thread begins to wait does not wake it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_repeat, args=(reader,), name="signals", daemon=True).start()


def _repeat(reader: int) -> None:
    number = os.read(reader, 1)[0]
    time.sleep(WAKES)
    signal.pthread_kill(threading.main_thread().ident or 0, number)
