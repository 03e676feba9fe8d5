# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From connection options to one small client for Elasticsearch 7 to 9 and OpenSearch 1 to 3.

Reads are repeated with a capped back-off. A request that changes something is sent once: whoever sent it reads
the state again before sending more (OutcomeUnknownError).
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    AuthenticationFailedError,
    ConfigurationError,
    ConnectionFailedError,
    MissingLibraryError,
    NotElasticsearchError,
    OutcomeUnknownError,
    RequestFailedError,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    ClusterInfo,
    Index,
    State,
    Template,
)

PASSING = (429, 502, 503, 504)
MAX_PAUSE = 8.0
_ADVICE = "Check server_urls and whether the server runs, or try again later."
_SECRETS = ("password", "api_key", "bearer_token")


@dataclass(frozen=True)
class ConnectionOptions:
    """The connection options of a module, checked. Durations in seconds."""

    server_urls: tuple[str, ...]
    username: str | None
    password: str | None
    api_key: str | None
    bearer_token: str | None
    ca_path: str | None
    client_cert: str | None
    client_key: str | None
    validate_certs: bool
    timeout: int
    retries: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ConnectionOptions:
        """Check the options of a module and read the secrets that are kept in files."""
        secrets = {name: _secret(params, name) for name in _SECRETS}
        for name in ("timeout", "retries"):
            if params[name] < (1 if name == "timeout" else 0):
                raise ConfigurationError(f"{name} is {params[name]}: give a positive number.")
        for name in ("ca_path", "client_cert", "client_key"):
            if params[name] and not os.path.isfile(params[name]):
                raise ConfigurationError(f"{name}: there is no file {params[name]}.")
        if not params["server_urls"]:
            raise ConfigurationError(
                "server_urls is empty: give at least one URL, such as http://localhost:9200."
            )
        return cls(
            server_urls=tuple(dict.fromkeys(_checked_url(url) for url in params["server_urls"])),
            username=params["username"],
            ca_path=params["ca_path"],
            client_cert=params["client_cert"],
            client_key=params["client_key"],
            validate_certs=params["validate_certs"],
            timeout=params["timeout"],
            retries=params["retries"],
            **secrets,
        )


def _secret(params: Mapping[str, Any], name: str) -> str | None:
    path = params[f"{name}_file"]
    if not path:
        return params[name] or None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(f"{name}_file: {path} cannot be read: {problem}.") from None


def _checked_url(url: str) -> str:
    """The URL with its port written out, as the clients want it."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as problem:
        raise ConfigurationError(f"server_urls: {_shown(url)!r} is not a URL: {problem}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"server_urls: {_shown(url)!r} is not a URL of the form http://localhost:9200."
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"server_urls: the URL of {parts.hostname} carries credentials: put them in username and password."
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"server_urls: {_shown(url)!r} has a query or a fragment: give the URL without it."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return (
        f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}{parts.path.rstrip('/')}"
    )


def _shown(url: str) -> str:
    """A URL for a message: what stands before an @ is not shown."""
    return url.rsplit("@", 1)[-1]


class Cluster:
    """The dozen calls that the domain needs, for every server family."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self._where = ", ".join(options.server_urls)
        self._send = _elasticsearch_sender(options)
        self.info = self._identify()

    # Reads

    def read(self, patterns: Iterable[str], template_patterns: Iterable[str] = ()) -> State:
        """Aliases and creation dates of the indices that match, in one request; templates only if asked for."""
        target = ",".join(_quoted(pattern) for pattern in patterns)
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "filter_path": "*.aliases,*.settings.index.creation_date",
        }
        answer = self._get(f"/{target}", params) or {}
        indices = {name: _index(name, body) for name, body in answer.items()}
        return State(indices, self._templates(template_patterns))

    def now(self) -> datetime:
        """The cluster's own clock (UTC, to the second): the one that stamped the creation dates."""
        rows = self._get("/_cat/health", {"format": "json", "h": "epoch"})
        return datetime.fromtimestamp(int(rows[0]["epoch"]), timezone.utc)

    def index_stats(self, patterns: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Health, state, documents and size in bytes of each index that matches, by name."""
        target = ",".join(_quoted(pattern) for pattern in patterns)
        columns = "index,health,status,docs.count,store.size,pri,rep"
        params = {"format": "json", "bytes": "b", "h": columns, "expand_wildcards": "all"}
        return {row["index"]: row for row in self._get(f"/_cat/indices/{target}", params)}

    def rollover_would(self, alias: str, new_index: str, conditions: Mapping[str, Any]) -> dict[str, bool]:
        """What the server thinks of each condition now (its own dry run)."""
        path = f"/{_quoted(alias)}/_rollover/{_quoted(new_index)}"
        body = {"conditions": dict(conditions)}
        answer = self._retrying(lambda: self._send("POST", path, {"dry_run": "true"}, body))
        return dict(answer.get("conditions", {}))

    def _templates(self, patterns: Iterable[str]) -> dict[str, Template]:
        patterns = list(patterns)
        if not patterns:
            return {}
        names = ",".join(_quoted(pattern) for pattern in patterns)
        if not self.info.composable_templates:
            answer = self._get(f"/_template/{names}", {"flat_settings": "true"}, missing={}) or {}
            return {name: _legacy_template(name, body) for name, body in answer.items()}
        found: dict[str, Template] = {}
        for pattern in patterns:  # the server takes one name or wildcard here
            answer = (
                self._get(f"/_index_template/{_quoted(pattern)}", {"flat_settings": "true"}, missing={}) or {}
            )
            for entry in answer.get("index_templates", []):
                found[entry["name"]] = _composable_template(entry["name"], entry["index_template"])
        return found

    # Changes: each one is sent once

    def put_template(self, template: Template) -> None:
        """Create or replace an index template, in the form that this server prefers."""
        content = {
            "settings": dict(template.settings),
            "mappings": dict(template.mappings),
            "aliases": dict(template.aliases),
        }
        patterns = list(template.index_patterns)
        if self.info.composable_templates:
            body = {"index_patterns": patterns, "priority": template.priority, "template": content}
            self._change("PUT", f"/_index_template/{_quoted(template.name)}", body)
        else:
            self._change(
                "PUT", f"/_template/{_quoted(template.name)}", {"index_patterns": patterns, **content}
            )

    def create_index(self, index: str, aliases: Mapping[str, bool | None]) -> None:
        """Create an index together with its aliases: one atomic step."""
        self._change("PUT", f"/{_quoted(index)}", {"aliases": _alias_bodies(aliases)})

    def rollover(
        self, alias: str, new_index: str, conditions: Mapping[str, Any], aliases: Mapping[str, bool | None]
    ) -> tuple[bool, dict[str, bool]]:
        """Roll to exactly this new index, which gets the aliases in the same step.

        Returns whether it rolled and what the server found of each condition.
        """
        body = {"conditions": dict(conditions), "aliases": _alias_bodies(aliases)}
        answer = self._change("POST", f"/{_quoted(alias)}/_rollover/{_quoted(new_index)}", body)
        return bool(answer["rolled_over"]), dict(answer.get("conditions", {}))

    def update_aliases(
        self, add: Iterable[tuple[str, str, bool | None]], remove: Iterable[tuple[str, str]]
    ) -> None:
        """Add and remove aliases, all in one atomic step. Each entry: index, alias, is_write_index flag."""
        actions: list[dict[str, Any]] = [
            {"remove": {"index": index, "alias": alias}} for index, alias in remove
        ]
        actions += [{"add": {"index": index, "alias": alias, **_flag(flag)}} for index, alias, flag in add]
        self._change("POST", "/_aliases", {"actions": actions})

    def delete_indices(self, names: Iterable[str]) -> None:
        """Delete indices by their exact names; one that is gone already is fine."""
        target = ",".join(_quoted(name) for name in names)
        self._change("DELETE", f"/{target}", None, {"ignore_unavailable": "true", "expand_wildcards": "none"})

    # Transport

    def _identify(self) -> ClusterInfo:
        try:
            answer = self._get("/")
        except NotElasticsearchError as other:
            if not _is_opensearch(other.body):
                raise
            self._send = _opensearch_sender(self._options)
            answer = self._get("/")
        except RequestFailedError as refused:
            raise NotElasticsearchError(
                f"{self._where} answers GET / with {refused.status}: it is neither Elasticsearch nor OpenSearch, "
                "or the URL has a wrong path."
            ) from None
        try:
            version = answer["version"]
            return ClusterInfo(version.get("distribution", "elasticsearch"), str(version["number"]))
        except (KeyError, TypeError, AttributeError):
            raise NotElasticsearchError(_not_elasticsearch(self._options)) from None

    def _get(self, path: str, params: Mapping[str, str] | None = None, missing: Any = None) -> Any:
        try:
            return self._retrying(lambda: self._send("GET", path, dict(params or {}), None))
        except RequestFailedError as refused:
            if missing is not None and refused.status == 404:
                return missing
            raise

    def _retrying(self, request: Callable[[], Any]) -> Any:
        for attempt in range(self._options.retries + 1):
            try:
                return request()
            except OutcomeUnknownError as passing:
                if attempt == self._options.retries:
                    raise ConnectionFailedError(f"{self._where}: {passing}. {_ADVICE}") from None
            self.pause(attempt)
        raise AssertionError("unreachable")

    def _change(self, method: str, path: str, body: Any, params: Mapping[str, str] | None = None) -> Any:
        patience = {"master_timeout": f"{self._options.timeout}s"}
        answer = self._send(method, path, {**patience, **(params or {})}, body)
        # A rollover whose conditions are not met says "acknowledged": false as well.
        if answer.get("acknowledged") is False and answer.get("rolled_over") is not False:
            raise OutcomeUnknownError(f"{method} {path} was accepted, but not acknowledged in time")
        return answer

    @property
    def retries(self) -> int:
        """How often something is tried again."""
        return self._options.retries

    @staticmethod
    def pause(attempt: int) -> None:
        """Back off before attempt + 1: 0.25 s, doubled each time, 8 s at the most."""
        time.sleep(min(0.25 * 2**attempt, MAX_PAUSE))


Sender = Callable[[str, str, dict[str, str], Any], Any]


def _elasticsearch_sender(options: ConnectionOptions) -> Sender:
    try:
        import elastic_transport
        import elasticsearch
    except ImportError:
        raise MissingLibraryError("elasticsearch (>=8.19,<9)", traceback.format_exc()) from None
    client = elasticsearch.Elasticsearch(
        list(options.server_urls),
        basic_auth=(options.username, options.password or "") if options.username else None,
        api_key=options.api_key,
        bearer_auth=options.bearer_token,
        request_timeout=options.timeout,
        max_retries=0,
        retry_on_timeout=False,
        http_compress=False,
        **_tls(options),
    )
    headers = {"accept": "application/json", "content-type": "application/json"}

    def send(method: str, path: str, params: dict[str, str], body: Any) -> Any:
        request = {"headers": headers if body is not None else {"accept": headers["accept"]}, "body": body}
        try:
            return client.perform_request(method, path, params=params, **request).body
        except elasticsearch.UnsupportedProductError as other:
            raise NotElasticsearchError(_not_elasticsearch(options), other.body) from None
        except elasticsearch.ApiError as refused:
            raise _refused(method, path, refused.status_code, refused.body, options) from None
        except elastic_transport.TlsError as failed:
            raise _tls_failed(failed.message, options) from None
        except elastic_transport.SerializationError:
            raise NotElasticsearchError(_not_elasticsearch(options)) from None
        except elastic_transport.TransportError as failed:
            raise OutcomeUnknownError(_no_answer(failed.message)) from None

    return send


def _opensearch_sender(options: ConnectionOptions) -> Sender:
    try:
        import opensearchpy
    except ImportError:
        raise MissingLibraryError("opensearch-py (>=3.0,<4)", traceback.format_exc()) from None
    headers = {}
    if options.api_key:
        headers["authorization"] = f"ApiKey {options.api_key}"
    if options.bearer_token:
        headers["authorization"] = f"Bearer {options.bearer_token}"
    client = opensearchpy.OpenSearch(
        list(options.server_urls),
        http_auth=(options.username, options.password or "") if options.username else None,
        headers=headers,
        timeout=options.timeout,
        max_retries=0,
        retry_on_timeout=False,
        **_tls(options),
    )

    def send(method: str, path: str, params: dict[str, str], body: Any) -> Any:
        try:
            return client.transport.perform_request(method, path, params=params, body=body)
        except opensearchpy.exceptions.SSLError as failed:
            raise _tls_failed(str(failed.error), options) from None
        except opensearchpy.exceptions.ConnectionError as failed:
            raise OutcomeUnknownError(_no_answer(str(failed.error))) from None
        except opensearchpy.exceptions.TransportError as refused:
            raise _refused(method, path, int(refused.status_code), refused.info, options) from None

    return send


def _tls(options: ConnectionOptions) -> dict[str, Any]:
    if not any(url.startswith("https") for url in options.server_urls):
        return {}
    return {
        "verify_certs": options.validate_certs,
        "ca_certs": options.ca_path,
        "client_cert": options.client_cert,
        "client_key": options.client_key,
        "ssl_show_warn": False,
    }


def _refused(method: str, path: str, status: int, body: Any, options: ConnectionOptions) -> Exception:
    """The server's no, told apart: passing, about who we are, or final."""
    error = body.get("error") if isinstance(body, Mapping) else None
    cause = (error.get("root_cause") or [error])[0] if isinstance(error, Mapping) else {}
    kind = str(cause.get("type", ""))
    reason = str(cause.get("reason") or error or "no reason given")
    who = _urls(options)
    if status == 401:
        return AuthenticationFailedError(
            f"{who} refuses these credentials (401): check username, password, api_key."
        )
    if status == 403 and kind in ("", "security_exception"):
        return AuthenticationFailedError(f"{who}: this user may not do {method} {path} (403): {reason}")
    if status in PASSING:
        return OutcomeUnknownError(f"{method} {path} was answered with {status}: {reason}")
    return RequestFailedError(f"{who} refuses {method} {path} ({status} {kind}): {reason}", status, kind)


def _tls_failed(message: str, options: ConnectionOptions) -> ConnectionFailedError:
    return ConnectionFailedError(
        f"{_urls(options)}: TLS failed: {message}. Check ca_path, client_cert and whether the server speaks https."
    )


def _no_answer(message: str) -> str:
    return f"no answer ({' '.join(message.split())})"


def _urls(options: ConnectionOptions) -> str:
    return ", ".join(options.server_urls)


def _not_elasticsearch(options: ConnectionOptions) -> str:
    return f"{_urls(options)} answers, but is neither Elasticsearch (7.14 or later) nor OpenSearch."


def _is_opensearch(body: Any) -> bool:
    version = body.get("version") if isinstance(body, Mapping) else None
    return isinstance(version, Mapping) and version.get("distribution") == "opensearch"


def _quoted(name: str) -> str:
    return quote(name, safe="*")


def _index(name: str, body: Mapping[str, Any]) -> Index:
    created = int(body["settings"]["index"]["creation_date"])
    aliases = {alias: spec.get("is_write_index") for alias, spec in body.get("aliases", {}).items()}
    return Index(name, datetime.fromtimestamp(created / 1000, timezone.utc), aliases)


def _flag(flag: bool | None) -> dict[str, bool]:
    return {} if flag is None else {"is_write_index": flag}


def _alias_bodies(aliases: Mapping[str, bool | None]) -> dict[str, dict[str, bool]]:
    return {alias: _flag(flag) for alias, flag in aliases.items()}


def _legacy_template(name: str, body: Mapping[str, Any]) -> Template:
    return Template(
        name=name,
        index_patterns=tuple(body["index_patterns"]),
        settings=dict(body.get("settings", {})),
        mappings=body.get("mappings", {}),
        aliases=body.get("aliases", {}),
        priority=0,
    )


def _composable_template(name: str, body: Mapping[str, Any]) -> Template:
    content = body.get("template", {})
    return Template(
        name=name,
        index_patterns=tuple(body["index_patterns"]),
        settings=dict(content.get("settings", {})),
        mappings=content.get("mappings", {}),
        aliases=content.get("aliases", {}),
        priority=int(body.get("priority") or 0),
    )
