# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work as a child process, with an end: at its time, when this process is told to end, and if this process is killed.

Signals are not handled but waited for, so none of them comes at a bad moment. What goes into the child and comes out is in
memory that the kernel frees: no file is left, and a killed parent is no broken pipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom

from jaeger_es_maintenance import begin

GRACE = 30.0  # seconds between SIGTERM and SIGKILL
ALARM = 15  # the same after that, for a child whose parent is gone
# Where SIGINT is ignored, as in a shell's background, it stays ignored: blocked, it would come all the same.
_BY_HAND = () if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else (signal.SIGINT,)
_ENDING = (signal.SIGTERM, *_BY_HAND)
_AWAITED = (*_ENDING, signal.SIGCHLD)
_OUTPUT_AT_MOST = 64 * 1024 * 1024


class EndedError(Exception):
    """This process has been told to end."""


@dataclass(frozen=True)
class Child:
    """How a child ended. overtime: it was ended for being too slow. told: because this process was told to end."""

    code: int
    stdout: str
    stderr: str
    overtime: bool = False
    told: bool = False


@contextmanager
def signals_waited_for() -> Iterator[None]:
    """From here on the signals that end this process wait until somebody asks for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        yield
    finally:
        while signal.sigtimedwait(_ENDING, 0) is not None:
            pass  # it came too late to change anything: the program ends anyway
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pause(seconds: float) -> None:
    """Wait, by a clock that nobody sets."""
    if signal.sigtimedwait(_ENDING, seconds) is not None:
        raise EndedError


def run_child(
    command: Sequence[str],
    *,
    content: bytes = b"",
    environment: Mapping[str, str],
    until: float | None,
    inherited: int | None = None,
    started: Callable[[int], None] = lambda _pid: None,
) -> Child:
    """Run a command to its end. until: when it must have ended, by time.monotonic(). inherited: a file it keeps open."""
    with _memory("stdin") as stdin, _memory("stdout") as stdout, _memory("stderr") as stderr:
        stdin.write(content)
        stdin.seek(0)
        process = subprocess.Popen(
            _prepared(command, until),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            pass_fds=() if inherited is None else (inherited,),
            start_new_session=True,
        )
        started(process.pid)
        overtime, told = _wait(process, until)
        return Child(process.returncode, _text(stdout), _text(stderr), overtime, told)


def _memory(name: str) -> BufferedRandom:
    return os.fdopen(os.memfd_create(name), "w+b")


def _text(file: BufferedRandom) -> str:
    file.seek(0)
    return file.read(_OUTPUT_AT_MOST).decode(errors="replace")


def _prepared(command: Sequence[str], until: float | None) -> list[str]:
    """The command, started by begin.py."""
    seconds = 0 if until is None else max(1, round(until - time.monotonic() + GRACE + ALARM))
    return [sys.executable, "-I", "-S", begin.__file__, str(seconds), *command]


def _wait(process: subprocess.Popen[bytes], until: float | None) -> tuple[bool, bool]:
    """Wait for the end: first in peace, then after SIGTERM, then after SIGKILL. Returns overtime and told."""
    overtime = told = False
    while process.poll() is None:
        left = 3600.0 if until is None else until - time.monotonic()
        got = signal.sigtimedwait(_AWAITED, left) if left > 0 else None
        if got is not None and got.si_signo in _ENDING:
            told = True
        elif got is None and until is not None and time.monotonic() >= until:
            overtime = True
        if told or overtime:
            _end(process)
            break
    return overtime, told


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group of the child: a playbook has workers."""
    _kill(process, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while process.poll() is None and (left := until - time.monotonic()) > 0:
        signal.sigtimedwait(_AWAITED, left)
    _kill(process, signal.SIGKILL)
    process.wait()


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
