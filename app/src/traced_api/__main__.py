# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m traced_api`: configure, trace, serve; on SIGTERM or SIGINT finish, flush, end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from traced_api import config, metrics, signals

CANNOT_START = 1
WRONG_CONFIGURATION = 2

log = logging.getLogger("traced_api")


def main() -> int:
    """Run the service; return its exit code."""
    signals.hold()  # until the server has its handlers
    try:
        settings = config.from_environment(os.environ)
        with metrics.shared():
            return _run(settings)
    except config.ConfigError as error:
        return _refuse(WRONG_CONFIGURATION, error.problems)
    except metrics.FolderError as error:
        return _refuse(CANNOT_START, [str(error)])
    finally:
        signals.hold()  # a second one must not make a failure of a clean end


def _run(settings: config.Config) -> int:
    # Only now: OpenTelemetry reads its variables, and prometheus_client its folder, when they are imported.
    from traced_api import logs, server, tracing

    logs.start()
    who = tracing.resource(settings).attributes
    log.info(
        "starting",
        extra={
            "service": who["service.name"],
            "version": who["service.version"],
            "host": settings.host,
            "port": settings.port,
            "workers": settings.workers,
            "metrics_port": settings.metrics_port,
            "spans": settings.collector or settings.exporter,
        },
    )
    try:
        server.serve(settings)
    except server.AddressError as error:
        return _refuse(CANNOT_START, [str(error)])
    return 0


def _refuse(code: int, problems: Sequence[str]) -> int:
    print("traced-api cannot start:", *problems, sep="\n  ", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
