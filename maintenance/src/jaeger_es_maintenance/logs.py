# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a run: to a file that rotates itself, to syslog, and to the standard output.

No text leaves here that has a line break or one of the job's secrets in it. A log that cannot be written changes nothing
about the run; it is told on the standard error, which cron mails.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler, SysLogHandler
from pathlib import Path
from typing import Any

from jaeger_es_maintenance.job import Job, Log
from jaeger_es_maintenance.telling import one_line

IDENT = "jaeger-es-maintenance"
_DEV_LOG = "/dev/log"
_LINE_AT_MOST = 8000
_SYSLOG_AT_MOST = 2000  # what every syslog daemon takes as one message


class Discreet:
    """Takes secrets and control characters out of what is told."""

    def __init__(self, secrets: Iterator[str]) -> None:
        self._secrets = sorted((one for one in set(secrets) if len(one) > 3), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text as one line without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return one_line(text)

    def value(self, value: Any) -> Any:
        """The same for all texts in a value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value


class _Honest(logging.Handler):
    """Keeps why a line could not be written."""

    problem: BaseException | None = None

    def handleError(self, record: logging.LogRecord) -> None:
        self.problem = sys.exc_info()[1]


class _File(_Honest, RotatingFileHandler):
    pass


class _Syslog(_Honest, SysLogHandler):
    append_nul = False


class _Stdout(_Honest, logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:
        super().handleError(record)
        _forget(self.stream)


class _Unreachable(logging.NullHandler):
    """A place that could not even be looked for."""

    def __init__(self, problem: OSError) -> None:
        super().__init__()
        self.problem = problem


class _Lines(logging.Formatter):
    """A record as a line. With stamp the time and the program stand first; as JSON the time is a key."""

    def __init__(self, *, as_json: bool = False, stamp: bool = False, most: int = _LINE_AT_MOST) -> None:
        super().__init__()
        self._as_json, self._stamp, self._most = as_json, stamp, most

    def format(self, record: logging.LogRecord) -> str:
        time = (
            datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        )
        if self._as_json:
            facts = getattr(record, "facts", {})
            return json.dumps({"time": time, "level": record.levelname.lower(), **facts})
        text = record.getMessage()
        if record.levelno > logging.INFO:
            text = f"{record.levelname.lower()}: {text}"
        if len(text) > self._most:
            text = f"{text[: self._most]} …"
        return f"{time} {IDENT}[{os.getpid()}]: {text}" if self._stamp else text


class Logs:
    """Where a job's lines go. Failures are told on the standard error, too."""

    def __init__(self, job: Job) -> None:
        self.discreet = Discreet(job.secrets())
        self._name = job.name
        self._handlers = dict(_handlers(job.log))

    def tell(self, level: int, text: str, facts: Mapping[str, Any] | None = None) -> None:
        """One line. facts are what it says, for JSON."""
        text = self.discreet.text(text)
        record = logging.LogRecord(IDENT, level, "", 0, "%s", (text,), None)
        record.facts = self.discreet.value(facts or {"name": self._name, "message": text})
        if level >= logging.ERROR or (level == logging.WARNING and not self._handlers):
            _complain(_Lines().format(record))
        for place, handler in self._handlers.items():
            handler.handle(record)
            problem = getattr(handler, "problem", None)
            if problem is not None:
                reason = getattr(problem, "strerror", None) or type(problem).__name__
                _complain(one_line(f"warning: {place} cannot be written: {reason}"))


def _complain(line: str) -> None:
    if sys.stderr is not None:
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:
            _forget(sys.stderr)


def _forget(stream: Any) -> None:
    """What could not be written to it is not tried again at the end of the program, which would be another exit code."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _handlers(log: Log) -> Iterator[tuple[str, logging.Handler]]:
    """The places, each with its name."""
    lines = _Lines(as_json=log.format == "json", stamp=True)
    if log.file:
        size = int(log.megabytes * 1_000_000)
        file = _File(log.file, maxBytes=size, backupCount=log.backups, encoding="utf-8", delay=True)
        file.setFormatter(lines)
        yield f"the log {log.file}", file
    address = _DEV_LOG if log.syslog is True else log.syslog
    if address and not (log.syslog is True and not Path(_DEV_LOG).exists()):  # a container has none
        yield f"syslog ({address})", _syslog(address)
    if log.stdout and sys.stdout is not None:
        stdout = _Stdout(sys.stdout)
        stdout.setFormatter(_Lines(as_json=log.format == "json"))
        yield "the standard output", stdout


def _syslog(address: str) -> logging.Handler:
    """The daemon at a path, or at a host and a port by UDP."""
    host, _colon, port = address.rpartition(":")
    try:
        found = _Syslog(address if address.startswith("/") else (host, int(port)), SysLogHandler.LOG_DAEMON)
    except OSError as problem:  # the host has no address: told with the first line
        return _Unreachable(problem)
    found.ident = f"{IDENT}[{os.getpid()}]: "
    found.setFormatter(_Lines(most=_SYSLOG_AT_MOST))
    return found
