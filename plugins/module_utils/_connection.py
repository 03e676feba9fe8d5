# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""From connection options to one small client for Elasticsearch 7 to 9 and OpenSearch 1 to 3.

One library speaks to all of them: elastic_transport, on which the official Elasticsearch client stands
(docs/decisions/0004-one-transport.md).

Reads are repeated with a capped back-off. A request that changes something is sent once: whoever sent it reads
the state again before sending more (OutcomeUnknownError).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import batches
from ansible_collections.tracestack.jaeger.plugins.module_utils._adoption import (
    Adopted,
    Adoption,
    alias_actions,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    ODD,
    AuthenticationFailedError,
    ConfigurationError,
    ConnectionFailedError,
    MissingLibraryError,
    NotElasticsearchError,
    OtherClusterError,
    OutcomeUnknownError,
    RefusedError,
    RequestFailedError,
    shortfall,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import DataStreamSet
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    ClusterInfo,
    Index,
    State,
    Template,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._tracing import Request, Trace

if TYPE_CHECKING:
    from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import Adopt

T = TypeVar("T")
# What the paths end with of an adoption's POST requests that change nothing.
_READING = ("_search", "_refresh", "scroll")
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
# The options that take a URL: what one looks like, and where credentials belong instead.
_URL_OPTIONS = {
    "server_urls": ("http://localhost:9200", "username and password"),
    "otlp_endpoint": ("http://localhost:4318", "the variable OTEL_EXPORTER_OTLP_HEADERS"),
}
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
# Seconds that the client waits longer than the server, so that the server's own word about time comes first.
_GRACE = 5
# What a snapshot of a name that is taken is answered with, before Elasticsearch 8 and from then on.
_SNAPSHOT_EXISTS = ("invalid_snapshot_name_exception", "snapshot_name_already_in_use_exception")
_OLDEST_ELASTICSEARCH = 5  # no OpenSearch has such a number yet
# How often the cluster is asked who it is before the first change, each time on a new connection.
_CONFIRMATIONS = 3
_IDLE = 1  # seconds
# What a node that has not found its cluster yet says instead of the cluster's uuid.
_NO_CLUSTER = "_na_"


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
    server_name: str | None
    validate_certs: bool
    timeout: int
    retries: int
    otlp_endpoint: str | None

    @classmethod
    def from_params(cls, params: Mapping[str, Any], env: Mapping[str, str]) -> ConnectionOptions:
        """Check the options of a module; read the secrets that are kept in files or, if there are none, in env."""
        given = {name: params[name] or None for name in _CREDENTIALS}
        if not any(given.values()):
            given = {name: env.get(variable) or None for name, variable in _CREDENTIALS.items()}
            if (given["password"] or given["password_file"]) and not given["username"]:
                raise ConfigurationError(
                    "ES_PASSWORD is set without ES_USERNAME: nobody would log in with it."
                )
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
            server_urls=tuple(
                dict.fromkeys(_checked_url("server_urls", url) for url in params["server_urls"])
            ),
            username=_sendable("username", given["username"]),
            ca_path=params["ca_path"] or None,
            client_cert=params["client_cert"] or None,
            client_key=params["client_key"] or None,
            server_name=params["server_name"] or None,
            validate_certs=params["validate_certs"],
            timeout=params["timeout"],
            retries=params["retries"],
            otlp_endpoint=_checked_endpoint(params["otlp_endpoint"]),
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
            found.update((before.partition("://")[2] or before).split(":"))
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
    plain = name.startswith(("username", "password")) or value.isascii()  # the former are sent as base64
    if not plain or not value.isprintable():
        raise ConfigurationError(
            f"{name} has a character that cannot be sent, such as a line break: give one line of plain text."
        )
    return value


def _checked_endpoint(url: str | None) -> str | None:
    return _checked_url("otlp_endpoint", url) if url else None


def _checked_url(name: str, url: str) -> str:
    """The URL with its port written out, as the clients want it."""
    example, place = _URL_OPTIONS[name]
    shown = url.rpartition("@")[2].partition("?")[0]
    form = f"{name}: {shown!r} is not a URL of the form {example}."
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ConfigurationError(form) from None
    if parts.scheme not in ("http", "https") or not (_HOST.fullmatch(host) or _is_ipv6(host)):
        raise ConfigurationError(form)
    if "@" in parts.netloc:
        raise ConfigurationError(f"{name}: the URL of {host} carries credentials: put them in {place}.")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{name}: {shown!r} has a query or a fragment: give the URL without it.")
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

    def __init__(self, options: ConnectionOptions, trace: Trace) -> None:
        self._options = options
        self._where = _urls(options)
        self._send = _Sender(options, trace)
        self._identified = self._confirmed = False
        self._known: set[Any] = set()  # the connections on which the cluster has said who it is
        self.run = secrets.token_hex(8)  # tells this run's snapshots from all others
        self.trace = trace
        self.info = self._identify()
        self._identified = True

    # Reads

    def read(self, patterns: Iterable[str], templates: Iterable[str] = ()) -> State:
        """Aliases, blocks and creation dates of the indices that match, in one request (more, if a URL cannot name
        all patterns); templates only if asked for.
        """
        settings = ("creation_date", "blocks", "verified_before_close")
        kept = ("aliases", "data_stream", *(f"settings.index.{name}" for name in settings))
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "filter_path": ",".join(f"*.{name}" for name in kept),
        }
        indices: dict[str, Index] = {}
        for group in batches(patterns):
            indices.update(self._get(f"/{_target(group)}", _indices, params))
        return State(indices, self._templates(list(templates)))

    def rollover_times(self, patterns: Iterable[str]) -> dict[str, datetime]:
        """When the server rolled an alias away from an index, by the index's name; the last time, if several."""
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "filter_path": "cluster_uuid,metadata.indices.*.rollover_info",
        }
        times: dict[str, datetime] = {}
        for group in batches(patterns):
            uuid, found = self._get(f"/_cluster/state/metadata/{_target(group)}", _rollover_times, params)
            self._check_uuid(uuid)
            times.update(found)
        return times

    def read_sizes(self, state: State, patterns: Iterable[str]) -> State:
        """The state, with health, documents and size in bytes of each index that matches.

        A data stream that is not there is left out: the server would wait 30 s for it to come (its cluster health).
        """
        known = {alias for index in state.indices.values() for alias in index.aliases}
        patterns = [pattern for pattern in patterns if "*" in pattern or pattern in known]
        columns = "index,health,docs.count,store.size"
        params = {"format": "json", "bytes": "b", "h": columns, "expand_wildcards": "all"}
        params["ignore_unavailable"] = "true"
        measured: list[Index] = []
        for group in batches(patterns):
            rows = self._get(f"/_cat/indices/{_target(group)}", _sizes, params)
            measured += [
                replace(state.indices[name], health=health, docs=docs, size=size)
                for name, health, docs, size in rows
                if name in state.indices
            ]
        return state.put(*measured)

    def rollover_would(
        self, alias: str, new_index: str | None, conditions: Mapping[str, Any]
    ) -> tuple[str, dict[str, bool]]:
        """The new index's name and what the server thinks of each condition now (its own dry run)."""
        body = {"conditions": dict(conditions)}
        return self._ask(
            "POST",
            _rollover_path(alias, new_index),
            lambda answer: (str(answer["new_index"]), dict(answer["conditions"])),
            {"dry_run": "true"},
            body,
        )

    def check_template(self, index: str, template: Template) -> None:
        """Raise RefusedError where a new index of this name would get another template's settings and mappings.

        Of composable templates only the one with the highest priority counts, and any of them before a legacy one.
        """
        path = f"/_index_template/_simulate_index/{_quoted(index)}"
        found = self._ask("POST", path, lambda answer: answer.get("template", {}).get("settings"), {}, None)
        unaffected = found is None and not self.info.composable_templates
        if not unaffected and not template.settings.items() <= _flat(found or {}).items():
            raise RefusedError(
                f"another index template catches {index} before {template.name}, so it would not have Jaeger's mappings: find "
                "it with GET _index_template, then narrow its index_patterns or (Elasticsearch 8, OpenSearch 2 and later) raise "
                "template_priorities."
            )

    def check_repository(self, name: str) -> None:
        """Raise RefusedError where there is no snapshot repository of this name."""
        if self._get_or_none(f"/_snapshot/{_quoted(name)}", dict) is None:
            raise RefusedError(
                f"there is no snapshot repository {name}: nothing is deleted without a snapshot."
            )

    def check_snapshot(self, repository: str, name: str, indices: Iterable[str]) -> None:
        """Raise RefusedError where there is no such snapshot, or where it has not succeeded or lacks an index."""
        path = _snapshot_path(repository, name)
        found = self._get_or_none(path, _snapshot_state)
        if found is None:
            raise RefusedError(
                f"there is no snapshot {name} in repository {repository}. Nothing was changed."
            )
        state, contained, _told = found
        if lacking := sorted(set(indices) - contained):
            raise RefusedError(f"snapshot {name} does not have {', '.join(lacking)}. Nothing was changed.")
        if state != "SUCCESS":
            raise RefusedError(f"snapshot {name} is {state}, not SUCCESS. Nothing was changed.")

    def check_ilm_policy(self, name: str) -> None:
        """Raise RefusedError where there is no ILM policy of this name, or no ILM."""
        if self.info.distribution == "opensearch":
            raise RefusedError(
                "OpenSearch has no ILM (its ISM attaches to indices by itself): leave use_ilm out."
            )
        try:
            found = self._get_or_none(f"/_ilm/policy/{_quoted(name)}", dict)
        except RequestFailedError:
            raise RefusedError(f"{self._where} has no ILM: leave use_ilm out.") from None
        if not found:
            raise RefusedError(f"there is no ILM policy {name}: create it first. Nothing was changed.")

    def _templates(self, names: list[str]) -> dict[str, Template]:
        found: dict[str, Template] = {}
        flat = {"flat_settings": "true"}
        if names and not self.info.composable_templates:
            target = _target(names)
            return self._get_or_none(f"/_template/{target}", _legacy_templates, flat) or {}
        for name in names:  # the server takes one name here
            path = f"/_index_template/{_quoted(name)}"
            found.update(self._get_or_none(path, _composable_templates, flat) or {})
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

    def create_index(self, index: str, aliases: Mapping[str, Mapping[str, Any]]) -> None:
        """Create an index together with its aliases: one atomic step."""
        self._change("PUT", f"/{_quoted(index)}", {"aliases": dict(aliases)})

    def rollover(
        self,
        alias: str,
        new_index: str | None,
        conditions: Mapping[str, Any],
        aliases: Mapping[str, Mapping[str, Any]],
    ) -> tuple[str | None, dict[str, bool]]:
        """Roll to exactly this new index (None: the server names it), which gets the aliases in the same step.

        Returns the new index, None if the conditions were not met, and what the server found of each condition.
        """
        body: dict[str, Any] = {"conditions": dict(conditions)}
        if aliases:
            body["aliases"] = dict(aliases)
        path = _rollover_path(alias, new_index)
        answer = self._change("POST", path, body)
        rolled = str(answer.get("new_index")) if answer.get("rolled_over") is True else None
        try:
            return rolled, dict(answer.get("conditions") or {})
        except ODD:
            raise OutcomeUnknownError(f"POST {path} got an answer that is not Elasticsearch's") from None

    def update_aliases(
        self, add: Iterable[tuple[str, str, Mapping[str, Any]]], remove: Iterable[tuple[str, str]]
    ) -> None:
        """Add and remove aliases, all in one atomic step. Entries: index, alias, what the alias is; index or pattern, alias."""
        self._change("POST", "/_aliases", {"actions": alias_actions(add, remove)})

    def end_write_block(self, index: str) -> None:
        """Let an index be written again."""
        self._change("PUT", f"/{_quoted(index)}/_settings", {"index.blocks.write": None})

    def delete_indices(self, names: Iterable[str]) -> None:
        """Delete indices by their exact names; one that is gone already is fine."""
        target = _target(names)
        self._change("DELETE", f"/{target}", None, {"ignore_unavailable": "true", "expand_wildcards": "none"})

    def snapshot(self, repository: str, name: str, indices: Iterable[str], seconds: int) -> None:
        """Keep indices in a snapshot and wait until it has succeeded, so many seconds at most.

        What the snapshot says of itself tells whose it is. Raises RefusedError for any other end than SUCCESS, if an index is
        not in it, or if it is not this run's, of this cluster and of the indices that are there now.
        """
        path = _snapshot_path(repository, name)
        wanted = set(indices)
        before = self._index_uuids(wanted)
        told = {
            "by": "tracestack.jaeger",
            "run": self.run,
            "cluster_uuid": self.info.uuid,
            "indices": _digest(before),  # of all: the server takes 1,024 bytes
        }
        body = {"indices": ",".join(sorted(wanted)), "include_global_state": False, "metadata": told}
        try:
            self._change("PUT", path, body)
        except RequestFailedError as refused:
            if refused.kind not in _SNAPSHOT_EXISTS:
                raise
        end = time.monotonic() + seconds
        attempt = 0
        state, contained, found = self._get(path, _snapshot_state)
        while state in ("IN_PROGRESS", "STARTED") and found == told and time.monotonic() < end:
            self.pause(attempt)
            attempt += 1
            state, contained, found = self._get(path, _snapshot_state)
        if found != told:
            raise RefusedError(
                f"snapshot {name} in repository {repository} is not this run's: another run, or another cluster, has made it. "
                "Nothing was deleted."
            )
        after = self._index_uuids(wanted)
        if changed := sorted(index for index in after if after[index] != before.get(index)):
            raise RefusedError(
                f"{', '.join(changed)}: made anew since snapshot {name} began, so it is not what the snapshot has. Nothing was "
                "deleted."
            )
        if state != "SUCCESS" or wanted - contained:
            lacking = f", without {', '.join(sorted(wanted - contained))}" if wanted - contained else ""
            raise RefusedError(
                f"snapshot {name} in repository {repository} is {state}{lacking} (snapshot_timeout is {seconds} s): nothing "
                "was deleted."
            )

    def restore(self, repository: str, name: str, indices: Iterable[str], mark: str, seconds: int) -> None:
        """Bring indices back from a snapshot and wait until all their shards are there, so many seconds at most.

        They come without aliases, blocks, and the ILM policy that might delete them at once. Each gets the alias mark as soon as
        it is known; its shards may take an hour.
        """
        names = sorted(indices)
        self.check_snapshot(repository, name, names)
        begun = self._index_uuids(names)
        body = {
            "indices": ",".join(index for index in names if index not in begun),
            "include_global_state": False,
            "include_aliases": False,
            "ignore_index_settings": [
                "index.lifecycle.name",
                "index.lifecycle.rollover_alias",
                "index.blocks.*",
            ],
        }
        if body["indices"]:
            self._change("POST", f"{_snapshot_path(repository, name)}/_restore", body)
        self.update_aliases([(index, mark, {}) for index in names], [])
        end = time.monotonic() + seconds
        attempt = 0
        while not self._whole(names):
            if time.monotonic() > end:
                raise RefusedError(
                    f"{', '.join(names)}: not restored after {seconds} s (snapshot_timeout). The server goes on with it; run again "
                    "to have them readable."
                )
            self.pause(attempt)
            attempt += 1
            if gone := sorted(set(names) - set(self._index_uuids(names))):
                raise RefusedError(
                    f"{', '.join(gone)}: deleted while it was restored. The snapshot still has it: run again."
                )

    def _whole(self, names: Iterable[str]) -> bool:
        """Whether each primary shard of these indices is there. While one is being restored, its health is yellow already."""
        counts = ("number_of_shards", "active_primary_shards")
        params = {
            "level": "indices",
            "timeout": "0s",
            "filter_path": ",".join(f"indices.*.{one}" for one in counts),
        }
        for group in batches(names):
            found = self._get(
                f"/_cluster/health/{_target(group)}", lambda answer: dict(answer["indices"]), params
            )
            if any(len({found[name][one] for one in counts}) > 1 for name in group):
                return False
        return True

    def _index_uuids(self, names: Iterable[str]) -> dict[str, str]:
        """What tells indices from others that had, or will have, the same names; of those that are there."""
        params = {"ignore_unavailable": "true", "filter_path": "*.settings.index.uuid"}
        found: dict[str, str] = {}
        for group in batches(sorted(names)):
            found.update(self._get(f"/{_target(group)}/_settings", _uuids_of, params))
        return found

    def adopt(self, wanted: Adopt) -> Adopted:
        """Move the documents of indices that sit in an alias's place into a generation, and put the alias there."""
        return Adoption(self._object, wanted).run()

    def _object(self, method: str, path: str, body: Any, params: Mapping[str, str]) -> Mapping[str, Any]:
        """A request that is sent once and answered with an object."""
        if method != "GET" and path.rpartition("/")[2] not in _READING:
            self._confirm()
        try:
            answer = self._exchange(method, path, params, body)
        except NotElasticsearchError:
            answer = None
        if not isinstance(answer, Mapping):
            raise OutcomeUnknownError(f"{method} {path} got an answer that is not Elasticsearch's")
        return answer

    # Transport

    def _identify(self) -> ClusterInfo:
        """One request tells who is there and what their clocks say: the tasks that it is itself."""
        try:
            version, clock = self._version_and_clock()
        except RequestFailedError as refused:
            raise NotElasticsearchError(
                f"{self._where} answers GET /_cat/tasks with {refused.status}: it is neither Elasticsearch nor OpenSearch, "
                "or the URL has a wrong path."
            ) from None
        # Elasticsearch says what it is in a header since 7.14; OpenSearch counts from 1 and does not.
        if not self._send.product and int(version.split(".")[0]) >= _OLDEST_ELASTICSEARCH:
            raise NotElasticsearchError(_not_elasticsearch(self._options))
        distribution = "elasticsearch" if self._send.product else "opensearch"
        connection = self._send.connection
        uuid = self._one_uuid()
        if connection is None or connection is not self._send.connection:
            version, clock = self._version_and_clock()  # those were perhaps another cluster's
        return ClusterInfo(distribution, version, clock, uuid)

    def _version_and_clock(self) -> tuple[str, datetime]:
        params = {"format": "json", "h": "start_time,version", "actions": "cluster:monitor/tasks/lists*"}
        return self._get("/_cat/tasks", _version_and_clock, params)

    def _one_uuid(self) -> str:
        """The uuid of the cluster behind all URLs, of those that answer now."""
        found: dict[str, str] = {}
        for url in self._send.each_url():
            # Who is silent now is asked before anything that it says counts.
            with suppress(OutcomeUnknownError):
                found[url] = self._ask_uuid()
        if not found:
            found[self._send.url] = self._get("/", _uuid)
        first, *others = found
        for other in others:
            if found[other] != found[first]:
                raise OtherClusterError(
                    f"{first} and {other} are not of one cluster: their cluster_uuid is {found[first]} and {found[other]}. Give in "
                    "server_urls the URLs of one cluster only. Nothing was changed."
                )
        return found[first]

    def _ask_uuid(self) -> str:
        return _understood("/", _uuid, self._exchange("GET", "/", {}, None), self._options)

    def _check_uuid(self, uuid: str) -> None:
        """Go no further if it is another cluster that answers."""
        if uuid != self.info.uuid:
            raise OtherClusterError(
                f"{self._send.url} has answered for two clusters: their cluster_uuid is {self.info.uuid}, which this run has read, "
                f"and {uuid}. Nothing more was sent. Check what stands between this host and the servers, such as a load balancer."
            )

    def _exchange(
        self, method: str, path: str, params: Mapping[str, str], body: Any, attempt: int = 0
    ) -> Any:
        """One request and its answer, which counts only if it came from the cluster that was read."""
        try:
            answer = self._send(method, path, params, body, attempt)
        except RequestFailedError:
            self._check_connection(path)
            raise
        self._check_connection(path)
        return answer

    def _check_connection(self, path: str) -> None:
        """Go no further if what has just answered, over a connection that is not known yet, is another cluster."""
        connection = self._send.connection
        if path == "/":  # which is what is checked
            self._known.update([connection] if connection else [])
        elif self._identified and connection not in self._known:
            self._check_uuid(self._ask_uuid())

    def _confirm(self) -> None:
        """Directly before a change: it is still the cluster that was read.

        Before the first one that is asked several times, each time on a new connection; then where the change would need a new
        one. To a server that closes each connection a change goes over a new one all the same.
        """
        for _time in range(0 if self._confirmed else _CONFIRMATIONS):
            self._send.reconnect()
            self._check_uuid(self._get("/", _uuid))
        self._confirmed = True
        for _time in range(_CONFIRMATIONS):
            if not self._send.idle and self._send.connection in self._known:
                return
            self._check_uuid(self._get("/", _uuid))

    def _get(self, path: str, understand: Callable[[Any], T], params: Mapping[str, str] | None = None) -> T:
        return self._ask("GET", path, understand, dict(params or {}), None)

    def _get_or_none(
        self, path: str, understand: Callable[[Any], T], params: Mapping[str, str] | None = None
    ) -> T | None:
        try:
            return self._get(path, understand, params)
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
                answer = self._exchange(method, path, params, body, attempt)
                return _understood(path, understand, answer, self._options)
            except OutcomeUnknownError as passing:
                if attempt == self._options.retries:
                    raise ConnectionFailedError(f"{self._where}: {passing}. {_ADVICE}") from None
            self.pause(attempt)
        raise AssertionError("unreachable")

    def _change(self, method: str, path: str, body: Any, params: Mapping[str, str] | None = None) -> Any:
        """A request that changes something, sent once. Only the server's own yes (or a rollover's no) counts."""
        patience = {"master_timeout": f"{self._options.timeout}s"}
        self._confirm()
        try:
            answer = self._exchange(method, path, {**patience, **(params or {})}, body)
        except NotElasticsearchError:
            raise OutcomeUnknownError(f"{method} {path} got an answer that is not Elasticsearch's") from None
        yes = isinstance(answer, Mapping) and True in (answer.get("acknowledged"), answer.get("accepted"))
        no = isinstance(answer, Mapping) and answer.get("rolled_over") is False
        if not (yes or no):
            raise OutcomeUnknownError(f"{method} {path} was not acknowledged")
        if lacking := shortfall(answer):
            raise OutcomeUnknownError(f"{method} {path} was done in part: {lacking}")
        return answer

    @property
    def retries(self) -> int:
        """How often something is tried again."""
        return self._options.retries

    @staticmethod
    def pause(attempt: int) -> None:
        """Back off before attempt + 1: 0.25 s, doubled each time, 8 s at the most."""
        time.sleep(min(0.25 * 2 ** min(attempt, 8), MAX_PAUSE))


def _transport_library() -> Any:
    """elastic_transport, which speaks through urllib3 here: it does not get to load the other clients that it could use.

    Where they are installed, aiohttp and requests take 0.3 s to load, half of the start of a module.
    """
    unused: dict[str, Any] = dict.fromkeys({"aiohttp", "requests"}.difference(sys.modules))
    sys.modules.update(unused)  # None: to import it is an ImportError
    try:
        import elastic_transport
    except ImportError:
        raise MissingLibraryError("elasticsearch (>=8.19,<9)", traceback.format_exc()) from None
    finally:
        for name in unused:
            sys.modules.pop(name, None)
    return elastic_transport


def _understood(path: str, understand: Callable[[Any], T], answer: Any, options: ConnectionOptions) -> T:
    """What an answer says. Raises OutcomeUnknownError where it is not all of it."""
    if lacking := shortfall(answer):
        raise OutcomeUnknownError(f"{path} was answered in part: {lacking}")
    try:
        return understand(answer)
    except ODD:
        raise NotElasticsearchError(f"{_not_elasticsearch(options)} It was asked for {path}.") from None


class _Sender:
    """Sends one request over HTTP and tells each way in which it can fail apart.

    All go to one URL, and over one connection while that holds, until one is not answered: the next one goes to the next URL.
    product: whether the first answer said that it is Elasticsearch's; if so, each later one must say it too.
    """

    def __init__(self, options: ConnectionOptions, trace: Trace) -> None:
        self._library = _transport_library()
        self._options = options
        self._trace = trace
        self._headers = {"accept": "application/json", **_authorization(options)}
        self._transports = [self._transport_to(url) for url in options.server_urls]
        self._at = 0
        self._answered = time.monotonic()
        self.product: bool | None = None

    def _transport_to(self, url: str) -> Any:
        node = _node(self._library.NodeConfig, url, self._options)
        return self._library.Transport([node], max_retries=0, retry_on_timeout=False)

    @property
    def url(self) -> str:
        """Where the next request goes to."""
        return self._options.server_urls[self._at]

    def each_url(self) -> Iterator[str]:
        """All URLs, each for the requests that are sent before the next one is taken; then that which was used before."""
        before = self._at
        for place, url in enumerate(self._options.server_urls):
            self._at = place
            yield url
        self._at = before

    @property
    def connection(self) -> Any:
        """The connection that the next request to this URL goes over; None if that will be a new one.

        A server may close one at any time, without a word; the library then makes a new one, without a word.
        """
        from urllib3.util.connection import is_connection_dropped

        # The last one that was used is taken first.
        waiting = self._transports[self._at].node_pool.get().pool.pool
        last = waiting.queue[-1] if waiting and waiting.queue else None
        return None if last is None or is_connection_dropped(last) else last.sock

    @property
    def idle(self) -> bool:
        """Whether the connection has not been used for so long that the next request may need another one."""
        return time.monotonic() - self._answered > _IDLE

    def reconnect(self) -> None:
        """Let the next request have a new connection."""
        self._transports[self._at].close()
        self._transports[self._at] = self._transport_to(self.url)

    def __call__(self, method: str, path: str, params: Mapping[str, str], body: Any, attempt: int = 0) -> Any:
        with self._trace.request(method, path, attempt) as request:
            try:
                return self._exchange(method, path, params, body, request)
            finally:
                if self.product is False:
                    request.sent_to_opensearch()

    def _exchange(
        self, method: str, path: str, params: Mapping[str, str], body: Any, request: Request
    ) -> Any:
        headers = self._headers
        if body is not None:
            kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
            headers = {**headers, "content-type": kind}
        target = f"{path}?{urlencode(params)}" if params else path
        library = self._library
        told = library.OpenTelemetrySpan(request.span)  # which node it goes to, and its URL
        try:
            meta, answer = self._transports[self._at].perform_request(
                method, target, body=body, headers=headers, otel_span=told
            )
        except library.TlsError as failed:
            raise _tls_failed(failed.message, self._options) from None
        except library.SerializationError:
            raise NotElasticsearchError(_not_elasticsearch(self._options)) from None
        except library.TransportError as failed:
            self._turn()
            raise OutcomeUnknownError(_no_answer(failed.message)) from None
        request.answered(meta.status)
        self._answered = time.monotonic()
        if meta.status in PASSING:
            self._turn()
        if not 200 <= meta.status < 300:
            raise _refused(method, path, meta.status, answer, self._options)
        named = meta.headers.get("x-elastic-product") == "Elasticsearch"
        if self.product is None:
            self.product = named
        if self.product and not named:
            raise NotElasticsearchError(_not_elasticsearch(self._options))
        return answer

    def _turn(self) -> None:
        """The next request goes to the next URL."""
        self._at = (self._at + 1) % len(self._transports)


def _authorization(options: ConnectionOptions) -> dict[str, str]:
    if options.api_key:
        return {"authorization": f"ApiKey {options.api_key}"}
    if options.bearer_token:
        return {"authorization": f"Bearer {options.bearer_token}"}
    if options.username:
        pair = f"{options.username}:{options.password or ''}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _node(config: Callable[..., T], url: str, options: ConnectionOptions) -> T:
    parts = urlsplit(url)
    tls = {
        "verify_certs": options.validate_certs,
        "ca_certs": options.ca_path,
        "client_cert": options.client_cert,
        "client_key": options.client_key,
        "ssl_assert_hostname": options.server_name if options.validate_certs else None,
        "ssl_show_warn": False,
    }
    return config(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port,
        path_prefix=parts.path,
        request_timeout=options.timeout + _GRACE,
        http_compress=True,
        **(tls if parts.scheme == "https" else {}),
    )


def _refused(method: str, path: str, status: int, body: Any, options: ConnectionOptions) -> Exception:
    """The server's no, told apart: passing, about who we are, or final."""
    error = body.get("error") if isinstance(body, Mapping) else None
    roots = error.get("root_cause") if isinstance(error, Mapping) else None
    causes = [*(roots if isinstance(roots, list) else []), error]
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


def _version_and_clock(rows: Any) -> tuple[str, datetime]:
    """The oldest version and the earliest clock of all nodes."""
    version = min(
        (str(row["version"]) for row in rows), key=lambda v: [int(part) for part in v.split(".")[:2]]
    )
    return version, _instant(min(int(row["start_time"]) for row in rows))


def _quoted(name: str) -> str:
    return quote(name, safe="*")


def _snapshot_path(repository: str, name: str) -> str:
    return f"/_snapshot/{_quoted(repository)}/{_quoted(name)}"


def _target(names: Iterable[str]) -> str:
    return ",".join(_quoted(name) for name in names)


def _rollover_path(alias: str, new_index: str | None) -> str:
    return f"/{_quoted(alias)}/_rollover" + (f"/{_quoted(new_index)}" if new_index else "")


def _indices(answer: Any) -> dict[str, Index]:
    """Indices by name. A data stream writes to the newest of its backing indices."""
    found = {name: _index(name, body) for name, body in answer.items()}
    streams: dict[str, list[str]] = {}
    for name, body in answer.items():
        if "data_stream" in body:
            streams.setdefault(body["data_stream"], []).append(name)
    for stream, names in streams.items():
        newest = max(names, key=lambda name: DataStreamSet("", "span").number_of(name))
        for name in names:
            found[name] = found[name].with_alias(stream, name == newest)
    return found


def _index(name: str, body: Mapping[str, Any]) -> Index:
    settings = body["settings"]["index"]
    told: Mapping[str, Mapping[str, Any]] = body.get("aliases", {})
    aliases = {alias: spec.get("is_write_index") for alias, spec in told.items()}
    blocks = frozenset(block for block, on in settings.get("blocks", {}).items() if str(on) == "true")
    more = {alias: {k: v for k, v in spec.items() if k != "is_write_index"} for alias, spec in told.items()}
    return Index(
        name,
        _instant(int(settings["creation_date"])),
        aliases,
        blocks,
        closed=str(settings.get("verified_before_close"))
        == "true",  # the server takes it away when it opens the index
        specs={alias: spec for alias, spec in more.items() if spec},
    )


def _sizes(rows: Any) -> list[tuple[str, str | None, int, int]]:
    """Name, health, documents (nested ones too) and bytes on disk; a closed index has neither documents nor bytes."""
    return [
        (
            str(row["index"]),
            row.get("health"),
            int(row.get("docs.count") or 0),
            int(row.get("store.size") or 0),
        )
        for row in rows
    ]


def _snapshot_state(answer: Any) -> tuple[str, set[str], Any]:
    """State and indices of a snapshot, and what its maker has said of it."""
    (found,) = answer["snapshots"] if "snapshots" in answer else answer["responses"][0]["snapshots"]
    return str(found["state"]), set(found["indices"]), found.get("metadata")


def _uuid(answer: Any) -> str:
    """The cluster's uuid. Raises OutcomeUnknownError while its nodes have not found each other."""
    uuid = str(answer["cluster_uuid"])
    if uuid == _NO_CLUSTER:
        raise OutcomeUnknownError(f"the cluster has not formed yet: its cluster_uuid is {_NO_CLUSTER}")
    return uuid


def _digest(uuids: Mapping[str, str]) -> str:
    pairs = "\n".join(f"{name} {uuid}" for name, uuid in sorted(uuids.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()


def _uuids_of(answer: Any) -> dict[str, str]:
    return {name: str(body["settings"]["index"]["uuid"]) for name, body in answer.items()}


def _rollover_times(answer: Any) -> tuple[str, dict[str, datetime]]:
    """The cluster's uuid, and when the server rolled an alias away from an index last, by the index's name."""
    found = answer.get("metadata", {}).get("indices", {})
    times = {
        name: [int(told["time"]) for told in body["rollover_info"].values()] for name, body in found.items()
    }
    return _uuid(answer), {name: _instant(max(rolled)) for name, rolled in times.items() if rolled}


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
