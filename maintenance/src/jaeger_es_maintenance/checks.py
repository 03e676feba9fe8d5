# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single values of a job file: each returns the value or raises a JobError that names the key, not the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from jaeger_es_maintenance.flags import UsageError

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class JobError(UsageError):
    """The job file is wrong. Nothing was sent."""

    code = 2
    hint = ""


def text(value: Any, key: str) -> str:
    """Text of one line."""
    if not isinstance(value, str) or not value.isprintable():
        raise JobError(f"{key} must be text of one line.")
    return value


def path(value: Any, key: str) -> str:
    """An absolute path: nobody knows in which folder a job starts."""
    if not text(value, key).startswith("/"):
        raise JobError(f"{key} must be an absolute path.")
    return str(value)


def truth(value: Any, key: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise JobError(f"{key} must be true or false.")
    return value


def seconds(value: Any, key: str) -> float:
    """Seconds, not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**7:
        raise JobError(f"{key} must be a number of seconds, 0 or more.")
    return value


def size(value: Any, key: str) -> float:
    """A number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**6:
        raise JobError(f"{key} must be a number above 0.")
    return value


def whole(least: int, most: int) -> Callable[[Any, str], int]:
    """A whole number of a range."""

    def check(value: Any, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise JobError(f"{key} must be a whole number from {least} to {most}.")
        return value

    return check


def one_of(*choices: str) -> Callable[[Any, str], str]:
    """One of some words."""

    def check(value: Any, key: str) -> str:
        if value not in choices:
            raise JobError(f"{key} must be one of {', '.join(choices)}.")
        return str(value)

    return check


def url(value: Any, key: str) -> str:
    """A URL of a web server. Its like could be urllib's words about it, so all that it would refuse is refused here."""
    given = text(value, key)
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not given.isascii() or " " in given:
        raise JobError(f"{key} must be a URL that begins with http:// or https://.")
    return given


def open_url(value: Any, key: str) -> str:
    """A URL without credentials, because it is shown."""
    if "@" in urlsplit(url(value, key)).netloc:
        raise JobError(f"{key} must be a URL without a user and a password.")
    return str(value)


def textfile(value: Any, key: str) -> str:
    """A path that the node exporter would read."""
    if not path(value, key).endswith(".prom"):
        raise JobError(f"{key} must end in .prom: the node exporter reads no other file.")
    return str(value)


def addresses(value: Any, key: str) -> tuple[str, ...]:
    """Mail addresses."""
    if not isinstance(value, list) or not all(
        isinstance(one, str) and _ADDRESS.fullmatch(one) for one in value
    ):
        raise JobError(f"{key} must be a list of mail addresses.")
    return tuple(value)


def address(value: Any, key: str) -> str:
    """A mail address."""
    if value and not (isinstance(value, str) and _ADDRESS.fullmatch(value)):
        raise JobError(f"{key} must be a mail address.")
    return str(value)


def syslog(value: Any, key: str) -> bool | str:
    """true is /dev/log; text is another socket's path, or HOST:PORT by UDP."""
    if not isinstance(value, bool) and not re.fullmatch(r"/.+|[^/:\s]+:\d{1,5}", text(value, key)):
        raise JobError(f"{key} must be true, false, the path of a socket, or HOST:PORT.")
    return bool(value) if isinstance(value, bool) else str(value)


def words(value: Any, key: str) -> tuple[str, ...]:
    """A command line."""
    good = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    if not good or not value[0]:
        raise JobError(f"{key} must be a list of words: the program and its arguments.")
    return tuple(value)


def variables(value: Any, key: str) -> dict[str, str]:
    """Environment variables."""
    if not isinstance(value, dict):
        raise JobError(f"{key} must be a mapping of variables.")
    for name, one in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise JobError(f"{key} has a name that no variable can have.")
        if isinstance(one, bool) or not isinstance(one, str | int | float) or "\0" in str(one):
            raise JobError(f"{key}.{name} must be text.")
    return {name: str(one) for name, one in value.items()}


def options(value: Any, key: str) -> dict[str, Any]:
    """Options of es_maintenance, which checks them itself."""
    if not isinstance(value, dict) or not value:
        raise JobError(f"{key} must be a mapping of the options of es_maintenance.")
    return {str(name): one for name, one in value.items()}


def name(value: Any, key: str) -> str:
    """A name that can stand in a label, a subject and a file's name."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", value):
        raise JobError(f"{key} must be of letters, digits, dots, dashes and underscores.")
    return value
