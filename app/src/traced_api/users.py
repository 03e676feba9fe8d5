# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of the API."""

from __future__ import annotations

import logging

from bottle import HTTPResponse

from traced_api.tracing import record_error, span

log = logging.getLogger(__name__)


def find(user_id: str) -> HTTPResponse:
    """Answer 200 for the one user there is, 400 for any other id; the body is empty."""
    with span("user.Find") as finding:
        if not is_valid(user_id):
            log.info("invalid user id")
            record_error(finding, ValueError("invalid user id"))
            return HTTPResponse(status=400)
        return HTTPResponse(status=200)


def is_valid(user_id: str) -> bool:
    """Whether there is a user of this id."""
    with span("user.isValid"):
        return user_id == "b"
