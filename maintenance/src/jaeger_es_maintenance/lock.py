# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a host.

The lock is the kernel's (flock). It is on the open file, which the child inherits: it is free when the last process that
has it is gone, however they ended. So it is never stale, and there is nothing to clean up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from datetime import UTC, datetime

from jaeger_es_maintenance.telling import one_line

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TRIES = 100


class LockError(Exception):
    """The lock file cannot be used."""


class BusyError(Exception):
    """Another run holds the lock. The message says who."""


class Lock:
    """The lock, held from here on. fd is for the child to inherit."""

    def __init__(self, path: str) -> None:
        self.fd = _held(path)
        self._since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._write(f"pid {os.getpid()}")

    def name_child(self, pid: int) -> None:
        """Say who does the work, for those who find the lock held."""
        self._write(f"pid {os.getpid()}, its child {pid}")

    def _write(self, who: str) -> None:
        text = f"{who}, since {self._since}\n".encode()
        try:
            os.pwrite(self.fd, text, 0)
            os.ftruncate(self.fd, len(text))
        except OSError:  # a full disk: the lock is held all the same
            pass


def _held(path: str) -> int:
    """The open file, locked. If somebody has removed or replaced it meanwhile, the new one."""
    for _each in range(_TRIES):
        fd = _opened(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = one_line(os.pread(fd, 200, 0).decode(errors="replace").strip())
            os.close(fd)
            raise BusyError(
                f"another run{f' ({holder})' if holder else ''} is running: nothing to do"
            ) from None
        if _is_still(path, fd):
            return fd
        os.close(fd)
    raise LockError(f"the lock file {path} cannot be used: it is replaced again and again.")


def _opened(path: str) -> int:
    try:
        fd = os.open(path, _FLAGS, 0o600)
    except OSError as problem:
        reason = "it is a symbolic link" if problem.errno == errno.ELOOP else problem.strerror
        raise LockError(f"the lock file {path} cannot be used: {reason}.") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise LockError(f"the lock file {path} cannot be used: it is not a regular file.")
    return fd


def _is_still(path: str, fd: int) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))
