# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of these ports are held by somebody else than our own program?

    python ports.py HOST PID SECONDS VARIABLE=PORT[/udp] ...

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
from socket import SOCK_DGRAM, getaddrinfo
from typing import Any

import psutil


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, resolved if need be; Java's ::ffff:127.0.0.1 is 127.0.0.1."""
    found = ipaddress.ip_address(getaddrinfo(text, None)[0][4][0])
    return getattr(found, "ipv4_mapped", None) or found


def overlaps(bound: str, host: str) -> bool:
    """Whether a socket bound to one address keeps another from being bound."""
    first, second = address(bound), address(host)
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


def holds(socket: Any, port: str) -> bool:
    """Whether a socket listens on a port, written as 9200 or 6831/udp."""
    number, _slash, protocol = port.partition("/")
    if protocol == "udp":
        return socket.type == SOCK_DGRAM and socket.laddr.port == int(number)
    return socket.status == psutil.CONN_LISTEN and socket.laddr.port == int(number)


def taken(host: str, own: int, variables: Iterable[tuple[str, str]]) -> list[str]:
    """One line for each variable whose port somebody else holds."""
    foreign = [
        each
        for each in psutil.net_connections(kind="inet")
        if overlaps(each.laddr.ip, host) and not (own and group_of(each.pid) == own)
    ]
    holders = {name: next((each for each in foreign if holds(each, port)), None) for name, port in variables}
    return [
        f"port {holder.laddr.port} ({name}) is held by {name_of(holder.pid)}"
        for name, holder in holders.items()
        if holder
    ]


def main() -> None:
    """Wait and print."""
    host, own, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    variables = [(name, port) for name, _equals, port in (each.partition("=") for each in sys.argv[4:])]
    end = time.monotonic() + seconds
    while (lines := taken(host, own, variables)) and time.monotonic() < end:
        time.sleep(0.2)
    print("\n".join(lines))


main()
