# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments for what is measured, apart from the project's own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from bench.say import say
from tests.support.servers import ROOT

RESULTS = ROOT / ".local" / "bench"


def install(name: str, pins: Path) -> Path:
    """The environment .local/bench/NAME with exactly these pins; nothing is done if it is there."""
    folder = RESULTS / name
    stamp = folder / ".stamp"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        say(f"installing {pins.relative_to(ROOT)} into {folder.relative_to(ROOT)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(pins)], check=True)
        stamp.write_text(wanted)
    return folder


def pinned(pins: Path) -> str:
    """The packages that a requirements.in names, as a list for people."""
    lines = [line.partition(" ")[0] for line in pins.read_text().splitlines()]
    return ", ".join(line.replace("==", " ") for line in lines if "==" in line)
