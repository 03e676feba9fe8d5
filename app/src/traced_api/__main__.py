# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m traced_api`: configure, trace, serve; on SIGTERM or SIGINT finish, flush, end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

from traced_api import config, server, tracing

CANNOT_LISTEN = 1
WRONG_CONFIGURATION = 2
FLUSH_SECONDS = 5.0

log = logging.getLogger("traced_api")


def main() -> int:
    """Run the service; return its exit code."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = config.from_environment(os.environ)
        provider = tracing.start(settings)
    except config.ConfigError as error:
        return _refuse(WRONG_CONFIGURATION, error.problems)
    except ValueError as error:
        return _refuse(WRONG_CONFIGURATION, [f"an OTEL_* variable is wrong: {error}"])
    try:
        listener = server.listen(settings.host, settings.port)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # the rest repeats the address
        address = f"HOST {settings.host}, PORT {settings.port}"
        return _refuse(CANNOT_LISTEN, [f"cannot listen on {address}: {reason}"])
    try:
        _end_on_signals()
        log.info("%s", _described(settings))
        server.serve(server.application(), listener)
    except SystemExit:  # a signal before the server's loop ran
        pass
    log.info("stopping: no more requests, flushing spans")
    if not tracing.stop(provider, FLUSH_SECONDS):
        log.warning("not all spans could be exported within %.0f s; those are lost", FLUSH_SECONDS)
        logging.shutdown()
        os._exit(0)  # an ordinary exit would wait for the exporter, which may hold stdout for ever
    return 0


def _end_on_signals() -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second one must not break the flush off
        raise SystemExit

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _described(settings: config.Config) -> str:
    target = f"http://{settings.collector}/v1/traces" if settings.exporter == "http" else "stdout"
    where = f"[{settings.host}]" if ":" in settings.host else settings.host
    name = f"{settings.service} {settings.version}"
    return f"{name} listens on http://{where}:{settings.port}, spans go to {target}"


def _refuse(code: int, problems: tuple[str, ...] | list[str]) -> int:
    print("traced-api cannot start:", *problems, sep="\n  ", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
