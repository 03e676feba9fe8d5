# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python keeps what it has compiled of the modules in a zip file, as it does of all others.

Ansible sends each module to Python as a zip file, and Python compiles all that is in it anew: most of the time that a small
module takes, and a play runs dozens. bin/test has this folder in PYTHONPATH, where each Python finds it when it starts.
"""

import _imp
import marshal
import os
import sys
import zipimport
from types import CodeType

_FOLDER = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "__pycache__", f"zip-{sys.implementation.cache_tag}"
)
_ZIPIMPORT = vars(zipimport)
_compile = _ZIPIMPORT["_compile_source"]
_name = vars(_imp)["_fix_co_filename"]  # after the archive that it comes from now


def _compile_once(path: str, source: bytes) -> CodeType:
    """The code of a module: compiled now, if no module with this very content ever was."""
    kept = os.path.join(_FOLDER, _imp.source_hash(0, source).hex())
    try:
        with open(kept, "rb") as file:
            code: CodeType = marshal.load(file)
        _name(code, path)
    except (OSError, EOFError, ValueError, TypeError):
        code = _compile(path, source)
        _keep(code, kept)
    return code


def _keep(code: CodeType, path: str) -> None:
    """As a whole or not at all. Who may not write here does without."""
    fresh = f"{path}.{os.getpid()}"
    try:
        os.makedirs(_FOLDER, exist_ok=True)
        with open(fresh, "wb") as file:
            marshal.dump(code, file)
        os.replace(fresh, path)
    except OSError:
        return


_ZIPIMPORT["_compile_source"] = _compile_once
