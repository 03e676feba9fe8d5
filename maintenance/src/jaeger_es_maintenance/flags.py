# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags and their variables, read as Jaeger's tools read them: a flag wins over its variable, an empty variable is none.

A value that cannot be understood is an error. Their numbers would be 0 then, and what is no truth value false.
No message has a value in it that could be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Value = str | int | bool

_TRUTH = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class UsageError(Exception):
    """The command line or a variable is wrong. Nothing was sent. code: the exit code. hint: where to look."""

    code = 1
    hint = " (--help tells what there is)"


@dataclass(frozen=True)
class Flag:
    """One flag. Its type is that of its default. ours: Jaeger's tools do not have it."""

    name: str
    default: Value
    text: str
    ours: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that stands in for it."""
        return re.sub("[-.]", "_", self.name).upper()

    def understand(self, given: str, source: str) -> Value:
        """What was given by the flag or its variable (source), as a value of the flag's type."""
        if isinstance(self.default, bool):
            if given not in _TRUTH:
                raise UsageError(f"{source} is {given!r}: it must be true or false.")
            return _TRUTH[given]
        if isinstance(self.default, int):
            if not re.fullmatch(r"[+-]?\d+", given, re.ASCII):
                raise UsageError(f"{source} is {given!r}: it must be a whole number.")
            return int(given)
        return given


@dataclass(frozen=True)
class Line:
    """A command line, taken apart. given: each flag with what it was given, the last one of several."""

    arguments: list[str]
    given: dict[str, str]
    help: bool = False


def take_apart(words: Sequence[str], flags: Mapping[str, Flag]) -> Line:
    """Tell flags and arguments apart. Flags may stand anywhere; all after -- are arguments."""
    arguments: list[str] = []
    given: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        if word in ("-h", "--help"):
            return Line(arguments, given, help=True)
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        if not word.startswith("--"):
            raise UsageError(f"there is no flag {word[:2]}: a flag begins with two dashes.")
        name, equals, value = word[2:].partition("=")
        if name not in flags:
            raise UsageError(f"there is no flag --{name}.")
        if not equals:
            value = "true" if isinstance(flags[name].default, bool) else _next(rest, name)
        given[name] = value
    return Line(arguments, given)


def _next(rest: list[str], name: str) -> str:
    if not rest:
        raise UsageError(f"--{name} needs a value.")
    return rest.pop(0)


class Values:
    """The value of each flag of a command: as given, else from the environment, else its default."""

    def __init__(
        self, flags: Iterable[Flag], given: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        self._values: dict[str, Value] = {}
        for flag in flags:
            if flag.name in given:
                self._values[flag.name] = flag.understand(given[flag.name], f"--{flag.name}")
            elif environment.get(flag.variable):
                self._values[flag.name] = flag.understand(environment[flag.variable], flag.variable)
            else:
                self._values[flag.name] = flag.default

    def text(self, name: str) -> str:
        """The value of a flag that takes text."""
        return str(self._values[name])

    def number(self, name: str) -> int:
        """The value of a flag that takes a number."""
        return int(self._values[name])

    def truth(self, name: str) -> bool:
        """The value of a flag that is on or off."""
        return bool(self._values[name])
