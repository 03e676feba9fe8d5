# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is an address to this machine?

    python address.py ADDRESS

Prints JSON. held: whether it is one of this machine's own. If so, network: the network that it belongs to there, and
outside: the interface, if this machine's way out (its default route) goes by it, so that it is the LAN's.
An address that no forward may listen on is one sentence and the exit status 1.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
from typing import Any


def ip(*arguments: str) -> list[dict[str, Any]]:
    """What iproute2 says."""
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout or "[]"))


def is_held(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def where(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, str]:
    """The interface and the network; an address such as 127.0.0.2 is nobody's, but its whole network is the machine's."""
    of_network = ("", "")
    for interface in ip("address", "show"):
        for each in interface["addr_info"]:
            own = ipaddress.ip_interface(f"{each['local']}/{each['prefixlen']}")
            if own.ip == address:
                return str(interface["ifname"]), str(own.network)
            if own.version == address.version and address in own.network:
                of_network = (str(interface["ifname"]), str(own.network))
    return of_network


def main() -> None:
    """Look and print."""
    try:
        address = ipaddress.ip_address(sys.argv[1])
    except ValueError:
        sys.exit(f"{sys.argv[1]} is not an IP address")
    if address.is_unspecified or address.is_multicast:
        sys.exit(
            f"{address} is not one address of this machine, and Elasticsearch would be shown to its whole network"
        )
    found: dict[str, Any] = {"held": is_held(address), "network": "", "outside": ""}
    if found["held"]:
        try:
            interface, found["network"] = where(address)
            routes = ip(f"-{address.version}", "route", "show", "default")
        except (OSError, subprocess.CalledProcessError):
            sys.exit(
                f"nothing is known of the network of {address}, because ip (package iproute2) does not work here"
            )
        found["held"] = bool(found["network"])  # a kernel may let anybody bind to addresses that are nowhere
        found["outside"] = interface if interface in {route.get("dev") for route in routes} else ""
    print(json.dumps(found))


main()
