# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Elasticsearch or OpenSearch on this machine, from Maven artifacts: no container, no download site, no root.

The one way to start such a server here: the role ``elasticsearch`` and every test use it.

    python server.py build --version 7.17.1 --dist DIR
    python server.py run --version 7.17.1 --dist DIR --data DATA --port 9200
    python server.py wait --url http://127.0.0.1:9200 --timeout 60
    python server.py build --distribution opensearch --version 2.19.4 --security --dist DIR

``run`` becomes the server (exec), in the foreground, with the log on stdout: whoever started it, a
supervisor or a test's Popen, owns the process. SIGTERM stops it cleanly. ``releases.py`` lists what can be
built.

Every failure is one sentence on stderr, and the code 2.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from building import build, check
from java_runtime import DEFAULT
from problems import ServerError
from releases import release
from running import Node, run_command
from waiting import wait_until_ready


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, as in the module's docstring."""
    parser = argparse.ArgumentParser(
        description="A real Elasticsearch or OpenSearch on this machine, from Maven artifacts."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser(
        "build", help="fetch the jars and compile the launcher, unless done already"
    )
    running = commands.add_parser("run", help="become the server, in the foreground")
    preparing = commands.add_parser("check", help="fail when the server could not be built or run here")
    for command in (building, preparing, running):
        command.add_argument(
            "--distribution", default="elasticsearch", help="elasticsearch (default) or opensearch"
        )
        command.add_argument("--security", action="store_true", help="with TLS and users; for tests")
        command.add_argument("--version", required=True, help="such as 7.17.1")
        command.add_argument("--dist", required=True, type=Path, help="folder of the built servers")
    running.add_argument("--data", required=True, type=Path, help="folder for data, logs and repository")
    running.add_argument("--port", required=True, type=int)
    running.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    running.add_argument("--heap", default="512m", help="default: %(default)s")
    for command in (preparing, running):
        command.add_argument("--java", default=DEFAULT, help="the java to run with (default: %(default)s)")
    running.add_argument(
        "--setting", action="append", default=[], metavar="KEY=VALUE", help="of elasticsearch.yml"
    )
    running.add_argument(
        "--clock", type=Path, help="file with the server clock's offset, such as -40d (libfaketime)"
    )
    waiting = commands.add_parser("wait", help="wait until the server is ready")
    waiting.add_argument("--url", required=True)
    waiting.add_argument("--timeout", type=float, default=60, help="seconds (default: %(default)s)")
    return parser.parse_args(arguments)


def perform(options: argparse.Namespace) -> None:
    """Carry out one command; ``run`` does not return."""
    if options.command == "wait":
        wait_until_ready(options.url, options.timeout)
        return
    wanted = release(options.version, options.distribution, security=options.security)
    dist: Path = options.dist.resolve()
    if options.command == "build":
        print("built" if build(wanted, dist) else "kept")
    elif options.command == "check":
        check(wanted, dist, options.java)
    else:
        settings = tuple(options.setting)
        node = Node(
            options.data, options.port, options.host, options.heap, options.java, settings, options.clock
        )
        command, environment = run_command(wanted, dist, node)
        os.execve(command[0], command, environment)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    try:
        perform(parse_arguments(arguments))
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
