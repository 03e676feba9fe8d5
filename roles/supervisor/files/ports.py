# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of these ports are held by somebody else than our own program?

    python ports.py HOST PID SECONDS VARIABLE=PORT ...

PID is our program's (0: it does not run); supervisord makes each program the leader of a process
group, so a port belongs to it when its holder is in that group. Waits up to SECONDS, in case a
holder is just ending. Prints one line for each port that is still taken.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from collections.abc import Iterable

import psutil


def overlaps(bound: str, host: str) -> bool:
    """Whether a socket bound to one address keeps another from being bound."""
    first, second = (
        ipaddress.ip_address("127.0.0.1" if name == "localhost" else name) for name in (bound, host)
    )
    return first == second or first.is_unspecified or second.is_unspecified


def group_of(pid: int | None) -> int | None:
    """The process group of a process, None when it cannot be seen."""
    try:
        return os.getpgid(pid) if pid else None
    except ProcessLookupError:
        return None


def name_of(pid: int | None) -> str:
    """The process, for a reader."""
    try:
        return f"{psutil.Process(pid).name()} (process {pid})" if pid else "a process of another user"
    except psutil.Error:
        return f"process {pid}"


def taken(host: str, own: int, variables: Iterable[tuple[str, int]]) -> list[str]:
    """One line for each variable whose port somebody else holds."""
    listening = [each for each in psutil.net_connections(kind="inet") if each.status == psutil.CONN_LISTEN]
    foreign = [
        each
        for each in listening
        if overlaps(each.laddr.ip, host) and not (own and group_of(each.pid) == own)
    ]
    return [
        f"port {port} ({variable}) is held by {name_of(each.pid)}"
        for variable, port in variables
        for each in [next((each for each in foreign if each.laddr.port == port), None)]
        if each
    ]


def main() -> None:
    """Wait and print."""
    host, own, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    variables = [(name, int(port)) for name, _, port in (each.partition("=") for each in sys.argv[4:])]
    end = time.monotonic() + seconds
    while (lines := taken(host, own, variables)) and time.monotonic() < end:
        time.sleep(0.2)
    print("\n".join(lines))


main()
