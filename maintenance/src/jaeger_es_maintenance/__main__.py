# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point: jaeger-es-maintenance, or python -m jaeger_es_maintenance."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from jaeger_es_maintenance.commands import Call, Help, Scheduled, understand
from jaeger_es_maintenance.flags import UsageError
from jaeger_es_maintenance.running import run
from jaeger_es_maintenance.telling import index_lines, lines, one_line

# As theirs: 0 done or nothing to do, 1 anything else.
FAILED = 1
TERMINATED = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM has come: no part of the program may catch it as an error of its own."""


def main() -> int:
    """Do what the command line asks for. Returns the exit code."""
    # As the first process of a container Python would not hear of it.
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable
    try:
        call = understand(sys.argv[1:], os.environ)
        if isinstance(call, Help):
            print("\n".join(call.lines()))
            return 0
        if isinstance(call, Scheduled):
            from jaeger_es_maintenance.scheduled import run_job

            return run_job(call.job, call.now)
        return _tell(call, run(call))
    except UsageError as wrong:
        return _complain(f"{wrong}{wrong.hint}", wrong.code)
    except ImportError as missing:
        return _complain(f"the library {missing.name} is missing.", FAILED)
    except (Terminated, KeyboardInterrupt):
        return _ended()


def _terminate(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise Terminated


def _unraisable(problem: sys.UnraisableHookArgs) -> None:
    """In a callback of Python's own (a weak reference's, which importing has) no exception gets further: it ends here."""
    if issubclass(problem.exc_type, (Terminated, KeyboardInterrupt)):
        try:
            _ended()
        finally:
            os._exit(TERMINATED)
    sys.__unraisablehook__(problem)


def _ended() -> int:
    return _complain("ended from outside. What was begun, the next run finishes.", TERMINATED)


def _complain(message: str, code: int) -> int:
    print(f"error: {one_line(message)}", file=sys.stderr, flush=True)
    return code


def _tell(call: Call, result: dict[str, Any]) -> int:
    """The reason of a failure first, then what was done."""
    code = _complain(str(result.get("msg")), FAILED) if result.get("failed") else 0
    for warning in (*call.notes, *result.get("warnings", [])):
        print(f"warning: {one_line(str(warning))}", file=sys.stderr)
    sys.stderr.flush()
    if call.json:
        print(json.dumps(result))
    else:
        for line in index_lines(result) if call.module == "es_index_info" else lines(result, call.check):
            print(line)
    return code


if __name__ == "__main__":
    sys.exit(main())
