# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a running server holds a data folder. Also a program by itself, in one file: data_folder.py DATA."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path


def in_use(home: Path) -> str | None:
    """The sentence that says so; None when the folder is free."""
    for path in sorted(home.glob("data/**/node.lock")):
        with path.open("r+b") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return (
                    f"A running server holds the data folder {home} (fuser '{path}' names it):"
                    " stop that one first."
                )
    return None


if __name__ == "__main__":
    sys.exit(in_use(Path(sys.argv[1]).resolve()))
