# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module starts without what it does not use, and leaves Python's imports as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from ansible_collections.tracestack.jaeger.plugins.module_utils import _connection
_connection._transport_library()
assert "elastic_transport" in sys.modules
assert not {"aiohttp", "requests"} & set(sys.modules)
import aiohttp, requests
"""


def test_no_other_http_client_is_loaded_nor_kept_from_being_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
