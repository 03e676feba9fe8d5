# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaking to others on the way out: for a few seconds, whatever they do, and with a reason that has no URL in it."""

from __future__ import annotations

import http.client
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

SECONDS = 10.0  # for each answer
ALTOGETHER = 20.0  # for somebody who sends a byte now and then


class TellError(Exception):
    """Somebody could not be told. The message says why."""


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What a piece of work returns. What goes wrong in it, or is not done in time, is a TellError.

    A thread that hangs does not keep the program from ending.
    """
    answer: list[Any] = []
    problem: list[Exception] = []

    def run() -> None:
        try:
            answer.append(work())
        except Exception as found:
            problem.append(found)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if problem:
        raise TellError(_reason(problem[0])) from None
    if not answer:
        raise TellError(f"no answer within {seconds:g} s")
    return answer[0]


def _reason(problem: Exception) -> str:
    """Why, in words that the other side or the system has chosen, but without what was sent."""
    if isinstance(problem, urllib.error.URLError) and isinstance(problem.reason, Exception):
        return _reason(problem.reason)
    if isinstance(problem, smtplib.SMTPServerDisconnected) and isinstance(problem.__context__, TimeoutError):
        return _reason(problem.__context__)  # smtplib takes silence for a broken connection
    for kind, told in _REASONS:
        if isinstance(problem, kind):
            return told(problem)
    return getattr(problem, "strerror", None) or type(problem).__name__


def _answer(problem: Any) -> str:
    words = problem.smtp_error
    return f"it answered {problem.smtp_code} {words.decode(errors='replace') if isinstance(words, bytes) else words}"


# The first that fits counts.
_REASONS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (TellError, str),
    (urllib.error.HTTPError, lambda problem: f"it answered {problem.code}"),
    (smtplib.SMTPResponseException, _answer),
    (smtplib.SMTPRecipientsRefused, lambda problem: f"it refused {', '.join(problem.recipients)}"),
    (smtplib.SMTPNotSupportedError, lambda _: "it does not offer what is asked for (STARTTLS or a login)"),
    ((smtplib.SMTPServerDisconnected, http.client.HTTPException), lambda _: "it broke off the connection"),
    (TimeoutError, lambda _: f"no answer within {SECONDS:g} s"),
    (
        ssl.SSLCertVerificationError,
        lambda problem: f"its certificate is not to be trusted: {problem.verify_message}",
    ),
)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another: what was meant for one server is not sent to the next."""

    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        return None


def send(request: urllib.request.Request, most: int = 0) -> bytes:
    """Send a request, and return so much of the answer. What is no 2xx is an error."""
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as answer:
        content: bytes = answer.read(most) if most else b""
        return content
