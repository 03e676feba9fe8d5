# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection in this process, and gives back what it answers.

So that no secret is ever an argument or a file, and Python is started once.
"""

from __future__ import annotations

import importlib
import io
import json
import os
from contextlib import redirect_stdout, suppress
from typing import Any

from jaeger_es_maintenance.commands import Call

MODULES = "ansible_collections.tracestack.jaeger.plugins.modules"


def run(call: Call) -> dict[str, Any]:
    """The module's result. A failure is a result as well."""
    from ansible.module_utils import basic

    if call.module != "es_maintenance":
        # The module would fall back to these. Here they have been read, as Jaeger's tools read them.
        for name in [name for name in os.environ if name.startswith("ES_")]:
            del os.environ[name]
    arguments = {
        **call.options,
        "_ansible_check_mode": call.check,
        "_ansible_no_log": True,  # nothing goes to syslog; what is printed is for the pod's log
    }
    # As ansible-core's own ansible.module_utils.testing does it.
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, default=str).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    module = importlib.import_module(f"{MODULES}.{call.module}")
    with redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(printed.getvalue())
    result.pop("invocation", None)
    if "warnings" in result:
        result["warnings"] = [_words(warning) for warning in result["warnings"]]
    return result


def _words(warning: Any) -> str:
    """The text of a warning: from ansible-core 2.19 on a module gives it as an object."""
    return str(warning["event"]["msg"] if isinstance(warning, dict) else warning)
