# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becomes the program that is named, with an alarm set: python begin.py SECONDS PROGRAM ARGUMENT...

The alarm outlasts the parent: if that is killed, the program ends by itself all the same. It is called by its path and
imports nothing of ours, to be quick. The parent waits for signals instead of handling them, and the program is not to inherit that.
"""

from __future__ import annotations

import os
import signal
import sys

# A program inherits what is ignored. Python ignores the last two; by the first two a program is ended that takes too long. Of all others,
# such as SIGINT in a shell's background or SIGHUP under nohup, what was ignored before stays ignored.
_AS_USUAL = (signal.SIGALRM, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)


def main() -> None:
    """Entry point."""
    seconds, program, *arguments = sys.argv[1:]
    for number in _AS_USUAL:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(seconds))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execvp(program, [program, *arguments])
    except OSError as problem:
        sys.exit(f"{program} could not be started: {problem.strerror}")


if __name__ == "__main__":
    main()
