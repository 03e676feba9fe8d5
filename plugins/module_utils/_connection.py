# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From connection options to one small client for Elasticsearch 7 to 9 and OpenSearch 1 to 3.

Reads are repeated with a capped back-off. A request that changes something is sent once: whoever sent it reads
the state again before sending more (OutcomeUnknownError).
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, TypeVar
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

T = TypeVar("T")
PASSING = (429, 502, 503, 504)
MAX_PAUSE = 8.0
_ADVICE = "Check server_urls and whether the server runs, or try again later."
_SECRETS = ("password", "api_key", "bearer_token")
# Each credential's option, and the environment variable that stands in where no such option is given.
_CREDENTIALS = {
    "username": "ES_USERNAME",
    "password": "ES_PASSWORD",
    "password_file": "ES_PASSWORD_FILE",
    "api_key": "ES_API_KEY",
    "api_key_file": "ES_API_KEY_FILE",
    "bearer_token": "ES_BEARER_TOKEN",
    "bearer_token_file": "ES_TOKEN_FILE",
}
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
# What reading an answer of another form than the documented one gives.
_ODD = (KeyError, TypeError, ValueError, IndexError, AttributeError)
# Seconds that the client waits longer than the server, so that the server's own word about time comes first.
_GRACE = 5


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
    def from_params(cls, params: Mapping[str, Any], env: Mapping[str, str]) -> ConnectionOptions:
        """Check the options of a module; read the secrets that are kept in files or, if there are none, in env."""
        given = {name: params[name] or None for name in _CREDENTIALS}
        if not any(given.values()):
            given = {name: env.get(variable) or None for name, variable in _CREDENTIALS.items()}
        secrets = {name: _secret(given, name) for name in _SECRETS}
        for name, least in (("timeout", 1), ("retries", 0)):
            if params[name] < least:
                raise ConfigurationError(f"{name} is {params[name]}: it must be {least} or more.")
        for name in ("ca_path", "client_cert", "client_key"):
            if params[name] and not os.path.isfile(params[name]):
                raise ConfigurationError(f"{name}: there is no file {params[name]}.")
        if not params["server_urls"]:
            raise ConfigurationError(
                "server_urls is empty: give at least one URL, such as http://localhost:9200."
            )
        return cls(
            server_urls=tuple(dict.fromkeys(_checked_url(url) for url in params["server_urls"])),
            username=_sendable("username", given["username"]),
            ca_path=params["ca_path"] or None,
            client_cert=params["client_cert"] or None,
            client_key=params["client_key"] or None,
            validate_certs=params["validate_certs"],
            timeout=params["timeout"],
            retries=params["retries"],
            **secrets,
        )

    @property
    def secrets(self) -> set[str]:
        """What must never be shown, wherever it came from."""
        return {secret for secret in (self.password, self.api_key, self.bearer_token) if secret}


def secrets_in_urls(urls: Iterable[str]) -> set[str]:
    """What a URL may carry that is nobody's business: what stands before an @ and after a question mark."""
    found: set[str] = set()
    for url in urls:
        before, at, _host = url.rpartition("@")
        if at:
            found.update(before.rpartition("//")[2].split(":"))
        found.update(part.partition("=")[2] or part for part in url.partition("?")[2].split("&"))
    return {secret for secret in found if secret}


def _secret(given: Mapping[str, str | None], name: str) -> str | None:
    path = given[f"{name}_file"]
    if not path:
        return _sendable(name, given[name])
    try:
        return _sendable(f"{name}_file", Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not a text file"
        raise ConfigurationError(f"{name}_file: {path} cannot be read: {reason}.") from None


def _sendable(name: str, value: str | None) -> str | None:
    """A credential that fits into a header; white space around it is cut off. Never shown."""
    if value is None:
        return None
    value = value.strip()
    if not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{name} has a character that cannot be sent, such as a line break: give one line of plain ASCII."
        )
    return value


def _checked_url(url: str) -> str:
    """The URL with its port written out, as the clients want it."""
    shown = url.rpartition("@")[2].partition("?")[0]
    form = f"server_urls: {shown!r} is not a URL of the form http://localhost:9200."
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ConfigurationError(form) from None
    if parts.scheme not in ("http", "https") or not (_HOST.fullmatch(host) or _is_ipv6(host)):
        raise ConfigurationError(form)
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"server_urls: the URL of {host} carries credentials: put them in username and password."
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"server_urls: {shown!r} has a query or a fragment: give the URL without it."
        )
    host = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}{parts.path.rstrip('/')}"
    )


def _is_ipv6(host: str) -> bool:
    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


class Cluster:
    """The dozen calls that the domain needs, for every server family."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self._where = _urls(options)
        self._send = _elasticsearch_sender(options)
        self.info = self._identify()

    # Reads

    def read(self, patterns: Iterable[str], templates: Iterable[str] = ()) -> State:
        """Aliases and creation dates of the indices that match, in one request; templates only if asked for."""
        target = _target(patterns)
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "filter_path": "*.aliases,*.settings.index.creation_date",
        }
        indices = self._get(f"/{target}", lambda answer: {n: _index(n, b) for n, b in answer.items()}, params)
        return State(indices, self._templates(list(templates)))

    def read_rollovers(self, state: State, patterns: Iterable[str]) -> State:
        """The state, with the time at which the server rolled an alias away from each index."""
        target = _target(patterns)
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "filter_path": "metadata.indices.*.rollover_info",
        }
        times = self._get(f"/_cluster/state/metadata/{target}", _rollover_times, params)
        known = [
            replace(state.indices[name], rolled=time) for name, time in times.items() if name in state.indices
        ]
        return state.put(*known)

    def now(self) -> datetime:
        """The cluster's own clock (UTC, to the second): the one that stamped the creation dates."""
        params = {"format": "json", "h": "epoch"}
        return self._get(
            "/_cat/health", lambda rows: datetime.fromtimestamp(int(rows[0]["epoch"]), timezone.utc), params
        )

    def index_stats(self, patterns: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Health, state, documents and size in bytes of each index that matches, by name."""
        target = _target(patterns)
        columns = "index,health,status,docs.count,store.size,pri,rep"
        params = {"format": "json", "bytes": "b", "h": columns, "expand_wildcards": "all"}
        return self._get(
            f"/_cat/indices/{target}", lambda rows: {row["index"]: dict(row) for row in rows}, params
        )

    def rollover_would(self, alias: str, new_index: str, conditions: Mapping[str, Any]) -> dict[str, bool]:
        """What the server thinks of each condition now (its own dry run)."""
        path = f"/{_quoted(alias)}/_rollover/{_quoted(new_index)}"
        body = {"conditions": dict(conditions)}
        return self._ask("POST", path, lambda answer: dict(answer["conditions"]), {"dry_run": "true"}, body)

    def _templates(self, names: list[str]) -> dict[str, Template]:
        found: dict[str, Template] = {}
        if names and not self.info.composable_templates:
            target = _target(names)
            return self._get_or_none(f"/_template/{target}", _legacy_templates) or {}
        for name in names:  # the server takes one name here
            found.update(self._get_or_none(f"/_index_template/{_quoted(name)}", _composable_templates) or {})
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
        return answer.get("rolled_over") is True, dict(answer.get("conditions") or {})

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
        target = _target(names)
        self._change("DELETE", f"/{target}", None, {"ignore_unavailable": "true", "expand_wildcards": "none"})

    # Transport

    def _identify(self) -> ClusterInfo:
        try:
            return self._get("/", _cluster_info)
        except NotElasticsearchError as other:
            if not _is_opensearch(other.body):
                raise
            self._send = _opensearch_sender(self._options)
            return self._get("/", _cluster_info)
        except RequestFailedError as refused:
            raise NotElasticsearchError(
                f"{self._where} answers GET / with {refused.status}: it is neither Elasticsearch nor OpenSearch, "
                "or the URL has a wrong path."
            ) from None

    def _get(self, path: str, understand: Callable[[Any], T], params: Mapping[str, str] | None = None) -> T:
        return self._ask("GET", path, understand, dict(params or {}), None)

    def _get_or_none(self, path: str, understand: Callable[[Any], T]) -> T | None:
        try:
            return self._get(path, understand, {"flat_settings": "true"})
        except RequestFailedError as refused:
            if refused.status == 404:
                return None
            raise

    def _ask(
        self, method: str, path: str, understand: Callable[[Any], T], params: dict[str, str], body: Any
    ) -> T:
        """A request that changes nothing, repeated while the trouble may pass."""
        for attempt in range(self._options.retries + 1):
            try:
                return understand(self._send(method, path, params, body))
            except OutcomeUnknownError as passing:
                if attempt == self._options.retries:
                    raise ConnectionFailedError(f"{self._where}: {passing}. {_ADVICE}") from None
            except _ODD:
                raise NotElasticsearchError(
                    f"{_not_elasticsearch(self._options)} It was asked for {path}."
                ) from None
            self.pause(attempt)
        raise AssertionError("unreachable")

    def _change(self, method: str, path: str, body: Any, params: Mapping[str, str] | None = None) -> Any:
        """A request that changes something, sent once. Only the server's own yes (or a rollover's no) counts."""
        patience = {"master_timeout": f"{self._options.timeout}s"}
        try:
            answer = self._send(method, path, {**patience, **(params or {})}, body)
        except NotElasticsearchError:
            raise OutcomeUnknownError(f"{method} {path} got an answer that is not Elasticsearch's") from None
        yes = isinstance(answer, Mapping) and answer.get("acknowledged") is True
        no = isinstance(answer, Mapping) and answer.get("rolled_over") is False
        if not (yes or no):
            raise OutcomeUnknownError(f"{method} {path} was not acknowledged")
        return answer

    @property
    def retries(self) -> int:
        """How often something is tried again."""
        return self._options.retries

    @staticmethod
    def pause(attempt: int) -> None:
        """Back off before attempt + 1: 0.25 s, doubled each time, 8 s at the most."""
        time.sleep(min(0.25 * 2 ** min(attempt, 8), MAX_PAUSE))


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
        request_timeout=options.timeout + _GRACE,
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
        timeout=options.timeout + _GRACE,
        max_retries=0,
        retry_on_timeout=False,
        **_tls(options),
    )

    def send(method: str, path: str, params: dict[str, str], body: Any) -> Any:
        try:
            return client.transport.perform_request(method, path, params=params, body=body)
        except opensearchpy.exceptions.SSLError as failed:
            raise _tls_failed(str(failed.error), options) from None
        except opensearchpy.exceptions.SerializationError:
            raise NotElasticsearchError(_not_elasticsearch(options)) from None
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
    causes = [*(error.get("root_cause") or []), error] if isinstance(error, Mapping) else []
    cause = next((one for one in causes if isinstance(one, Mapping)), {})
    kind = str(cause.get("type", ""))
    reason = str(cause.get("reason") or error or "no reason given")
    who = _urls(options)
    if status == 401:
        return AuthenticationFailedError(
            f"{who} refuses these credentials (401): check username, password, api_key."
        )
    if status == 403 and kind != "cluster_block_exception":
        return AuthenticationFailedError(f"{who}: this user may not do {method} {path} (403): {reason}")
    if kind == "cluster_block_exception":
        advice = "A full disk sets such a block: free space, remove the block, then run again."
        return RequestFailedError(
            f"{who} refuses {method} {path} ({status} {kind}): {reason} {advice}", status, kind
        )
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
    """Also where OpenSearch is told to call itself 7.10.2 (compatibility.override_main_response_version)."""
    if not isinstance(body, Mapping):
        return False
    version = body.get("version")
    named = isinstance(version, Mapping) and version.get("distribution") == "opensearch"
    return named or "OpenSearch" in str(body.get("tagline"))


def _cluster_info(answer: Any) -> ClusterInfo:
    return ClusterInfo(
        "opensearch" if _is_opensearch(answer) else "elasticsearch", str(answer["version"]["number"])
    )


def _quoted(name: str) -> str:
    return quote(name, safe="*")


def _target(names: Iterable[str]) -> str:
    return ",".join(_quoted(name) for name in names)


def _index(name: str, body: Mapping[str, Any]) -> Index:
    created = int(body["settings"]["index"]["creation_date"])
    aliases = {alias: spec.get("is_write_index") for alias, spec in body.get("aliases", {}).items()}
    return Index(name, _instant(created), aliases)


def _flag(flag: bool | None) -> dict[str, bool]:
    return {} if flag is None else {"is_write_index": flag}


def _alias_bodies(aliases: Mapping[str, bool | None]) -> dict[str, dict[str, bool]]:
    return {alias: _flag(flag) for alias, flag in aliases.items()}


def _rollover_times(answer: Any) -> dict[str, datetime]:
    if set(answer) - {"metadata"}:
        raise ValueError("not a cluster state")
    found = answer.get("metadata", {}).get("indices", {})
    times = {
        name: [int(told["time"]) for told in body["rollover_info"].values()] for name, body in found.items()
    }
    return {name: _instant(max(rolled)) for name, rolled in times.items() if rolled}


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _legacy_templates(answer: Any) -> dict[str, Template]:
    return {name: _template(name, body, body, None) for name, body in answer.items()}


def _composable_templates(answer: Any) -> dict[str, Template]:
    found = {}
    for entry in answer["index_templates"]:
        body = entry["index_template"]
        found[entry["name"]] = _template(
            entry["name"], body, body.get("template", {}), int(body.get("priority") or 0)
        )
    return found


def _template(
    name: str, body: Mapping[str, Any], content: Mapping[str, Any], priority: int | None
) -> Template:
    return Template(
        name=name,
        index_patterns=tuple(body["index_patterns"]),
        settings=_flat(content.get("settings", {})),
        mappings=content.get("mappings", {}),
        aliases=content.get("aliases", {}),
        priority=priority,
    )


def _flat(settings: Mapping[str, Any], head: str = "") -> dict[str, str]:
    """Settings with dotted names: OpenSearch does not heed flat_settings for composable templates."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        flat.update(
            _flat(value, f"{head}{name}.") if isinstance(value, Mapping) else {f"{head}{name}": str(value)}
        )
    return flat
