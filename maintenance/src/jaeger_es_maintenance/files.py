# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of JSON or YAML that are named by a flag. Their content may be secret: no message shows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jaeger_es_maintenance.flags import UsageError


def read_mapping(path: str, flag: str, wanted: str) -> dict[Any, Any]:
    """The mapping in a file; - is the standard input."""
    try:
        content = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not a text file"
        raise UsageError(f"{flag}: {path} cannot be read: {reason}.") from None
    found = _parsed(content, path, flag)
    if not isinstance(found, dict):
        raise UsageError(f"{flag}: {path} is not {wanted}.")
    return found


def _parsed(content: str, path: str, flag: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        pass
    import yaml  # takes a while to load, and JSON does without

    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{flag}: {path} is neither JSON nor YAML{where}.") from None
