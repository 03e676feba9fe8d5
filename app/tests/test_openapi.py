# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document is right: schemathesis asks the service for whatever it allows, and for what it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from app.tests.service import HOST, SOURCE, Api

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_the_service_gives_its_document(api: Api) -> None:
    status, body = api.get("/openapi.json")
    assert status == 200
    assert json.loads(body) == json.loads((SOURCE / "traced_api" / "openapi.json").read_text())


def test_schemathesis_finds_nothing(api: Api, tmp_path: Path) -> None:
    command = [
        str(SCHEMATHESIS),
        "run",
        f"http://{HOST}:{api.port}/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--checks=all",
        "--max-examples=100",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in api.log()
