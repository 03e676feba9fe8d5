# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Everything that can go wrong, as one family. Each message is one sentence for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What reading an answer of another form than the documented one gives.
ODD = (KeyError, TypeError, ValueError, IndexError, AttributeError)


class JaegerStorageError(Exception):
    """Root of all errors of this collection; the modules turn it into fail_json in one place."""


class ConfigurationError(JaegerStorageError):
    """An option is wrong. Nothing was sent."""


class MissingLibraryError(ConfigurationError):
    """A Python library is missing on the host that runs the module. trace is Python's own account of it."""

    def __init__(self, library: str, trace: str) -> None:
        super().__init__(f"{library} is missing")
        self.library = library
        self.trace = trace


class ConnectionFailedError(JaegerStorageError):
    """No server answered, or TLS failed."""


class AuthenticationFailedError(JaegerStorageError):
    """The server answered 401 or 403."""


class OtherClusterError(ConnectionFailedError):
    """Another cluster answers than the one that was read: nothing more is sent."""


class NotElasticsearchError(JaegerStorageError):
    """Something answered that is neither Elasticsearch nor OpenSearch. body is what it answered with, if known."""

    def __init__(self, message: str, body: object = None) -> None:
        super().__init__(message)
        self.body = body


class RefusedError(JaegerStorageError):
    """A planner refuses: the state of the index set does not allow what was asked for."""


class RequestFailedError(JaegerStorageError):
    """The server said no. Nothing was changed by this request.

    kind is the server's own error type, for example resource_already_exists_exception.
    """

    def __init__(self, message: str, status: int, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class OutcomeUnknownError(JaegerStorageError):
    """The answer never came, or a server in between said 429, 502, 503 or 504.

    Whether the request took effect is not known: read the state again before anything is repeated.
    """


def shortfall(answer: Any) -> str:
    """What of a request an answer with status 200 says was not done, in words; empty if it was done whole.

    Elasticsearch tells it apart for each action of _aliases since 8.15; an alias that was to be removed and is gone is as wanted.
    """
    if not isinstance(answer, Mapping):
        return ""
    shards = answer.get("_shards")
    if isinstance(shards, Mapping) and shards.get("failed"):
        return f"{shards['failed']} of {shards.get('total')} shards failed"
    if answer.get("timed_out") is True:
        return "the server ran out of time"
    if answer.get("errors") is not True:
        return ""
    results = answer.get("action_results") or [{}]
    failed = [one for one in results if one.get("status") != 200 and not _gone_already(one)]
    return f"{len(failed)} of {len(results)} actions failed" if failed else ""


def _gone_already(result: Mapping[str, Any]) -> bool:
    action, error = result.get("action") or {}, result.get("error") or {}
    return action.get("type") == "remove" and error.get("type") == "aliases_not_found_exception"
