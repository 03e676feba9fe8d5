# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands, their flags, and what each is in the words of the collection's modules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from jaeger_es_maintenance.files import read_mapping
from jaeger_es_maintenance.flags import Flag, Line, UsageError, Values, take_apart

Options = dict[str, Any]

_OURS = (
    Flag("check", False, "change nothing, tell what would be done", ours=True),
    Flag("json", False, "print the whole result as JSON", ours=True),
)
_TOOLS = (
    Flag("index-prefix", "", "prefix of the indices, without the dash that follows it"),
    Flag("archive", False, "archived spans instead of the others"),
    Flag("timeout", 120, "seconds to wait for the server"),
    Flag("es.username", "", "user"),
    Flag("es.password", "", "password"),
    Flag("es.password-file", "", "file with the password", ours=True),
    Flag("es.token-file", "", "file with a bearer token"),
    Flag("es.api-key-file", "", "file with an API key"),
    Flag("es.tls.enabled", False, "accepted; TLS is what the URL says"),
    Flag("es.tls.ca", "", "file with the authority that signed the server's certificate"),
    Flag("es.tls.cert", "", "file with the client's certificate"),
    Flag("es.tls.key", "", "file with its key"),
    Flag("es.tls.server-name", "", "name in the server's certificate, if it is not the URL's host"),
    Flag("es.tls.skip-host-verify", False, "do not check the server's certificate"),
    Flag("otlp-endpoint", "", "URL for the trace of the run, by OTLP/HTTP", ours=True),
)
_ROLLOVER = (
    Flag("skip-dependencies", False, "leave the dependencies out"),
    Flag("adaptive-sampling", False, "adaptive sampling, too"),
    Flag("es.use-ilm", False, "init: prepare for ILM"),
    Flag("es.ilm-policy-name", "jaeger-ilm-policy", "init: the ILM policy"),
)
_AGE = (
    Flag("age-from", "written", "what an age is counted from: written or creation", ours=True),
    Flag("service-cache-ttl", "12h", "how long a collector does not write known services again", ours=True),
)
_SEPARATOR = "what stands between year, month and day in the names of dated indices"
# Of the distributions. The last one is where the operator mounts OpenShift's own.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
RECORD_TYPES = ("span", "service", "dependencies", "sampling")


@dataclass(frozen=True)
class Call:
    """What is to be run. notes: what the user should know beforehand."""

    module: str
    options: Options
    check: bool
    json: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scheduled:
    """A job that is to be run. now: without delay."""

    job: str
    now: bool


@dataclass(frozen=True)
class Command:
    """A command: its name, what follows it, its flags, and how it becomes the options of a module."""

    name: str
    arguments: tuple[str, ...]
    module: str
    text: str
    flags: tuple[Flag, ...]
    options: Callable[[Values], Options] = field(repr=False)

    @property
    def usage(self) -> str:
        """How it is called."""
        return " ".join((self.name, *self.arguments, "[flags]"))


@dataclass(frozen=True)
class Help:
    """What is to be explained: one command, or all of them."""

    command: Command | None

    def lines(self) -> Iterator[str]:
        """What is printed."""
        if self.command is None:
            yield "Looks after Jaeger's indices in Elasticsearch or OpenSearch, in the place of Jaeger's own tools.\n"
            for command in COMMANDS.values():
                yield f"  {command.usage:<22} {command.text}"
            yield "\nCOMMAND --help lists the flags of a command (DAYS: the word itself)."
        else:
            yield f"{self.command.usage}: {self.command.text}\n"
            for flag in self.command.flags:
                default = "" if flag.default in ("", False) else f" (default {flag.default})".lower()
                theirs = "; not in Jaeger's tools" if flag.ours else ""
                yield f"  --{flag.name:<32} {flag.text}{default}{theirs}"
        if self.command is None or self.command.module:
            yield "Each flag is read from the environment too: --es.tls.ca from ES_TLS_CA. The flag wins."
        yield "Exit codes: 0 done, or nothing to do; 1 failed, or a wrong call; 143 ended by a signal."
        if self.command is None or not self.command.module:
            yield "Of scheduled also: 0 another run is running; 2 the job file is wrong; 124 max_runtime is over."


def _record_types(values: Values) -> list[str]:
    return [
        "span",
        "service",
        *([] if values.truth("skip-dependencies") else ["dependencies"]),
        *(["sampling"] if values.truth("adaptive-sampling") else []),
    ]


def _init(values: Values) -> Options:
    return {
        "record_types": _record_types(values),
        "shards": values.number("shards"),
        "replicas": values.number("replicas"),
        "template_priorities": {name: values.number(f"priority-{name}-template") for name in RECORD_TYPES},
        "use_ilm": values.truth("es.use-ilm"),
        "ilm_policy_name": values.text("es.ilm-policy-name"),
    }


def _rollover(values: Values) -> Options:
    form = 'give a JSON object such as {"max_age": "2d"}.'
    try:
        conditions = json.loads(values.text("conditions") or "{}")
    except ValueError:
        raise UsageError(f"conditions is {values.text('conditions')!r}: {form}") from None
    if not isinstance(conditions, dict):
        raise UsageError(f"conditions is {values.text('conditions')!r}: {form}")
    return {"record_types": _record_types(values), "conditions": conditions}


def _age(values: Values) -> Options:
    return {
        "age_from": values.text("age-from"),
        "service_cache_ttl": values.text("service-cache-ttl"),
        "index_date_separator": values.text("index-date-separator"),
    }


def _lookback(values: Values) -> Options:
    unit = {"unit": values.text("unit"), "unit_count": values.number("unit-count")}
    return {"record_types": _record_types(values), **unit, **_age(values)}


def _clean(values: Values) -> Options:
    """As theirs: all record types, and archived spans are never dated."""
    generations = values.truth("rollover") or values.truth("archive")
    return {
        "record_types": list(RECORD_TYPES),
        "strategy": "manual_rollover" if generations else "periodic",
        "only_unreadable": values.truth("only-unreadable"),
        "ignored_aliases": [alias for alias in values.text("ignored-aliases").split(",") if alias],
        **_age(values),
    }


def _options_of(values: Values) -> Options:
    """The options of a module from a file of JSON or YAML."""
    path = values.text("options")
    if not path:
        raise UsageError("--options FILE is needed, a file with the options of es_maintenance.")
    options = read_mapping(path, "--options", "a mapping of options: see ansible-doc, es_maintenance")
    return {str(name): value for name, value in options.items() if not str(name).startswith("_")}


def _look(values: Values) -> Options:
    """Of es_maintenance's options those that say whom to ask, and the prefix, if there is only one."""
    options = _options_of(values)
    entries = options.pop("index_sets", None)
    named = [entry.get("index_prefix") for entry in entries or [] if isinstance(entry, dict)]
    prefixes = {options.get("index_prefix") if prefix is None else prefix for prefix in named}
    options["index_prefix"] = prefixes.pop() or "" if len(prefixes) == 1 else None
    return options


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "init",
            ("URL",),
            "es_rollover_init",
            "make indices, aliases and templates, or what is missing of them",
            (
                *_TOOLS,
                *_ROLLOVER,
                Flag("shards", 5, "shards of an index"),
                Flag("replicas", 1, "replicas of an index"),
                *(
                    Flag(f"priority-{name}-template", 0, f"priority of the template for {name}")
                    for name in RECORD_TYPES
                ),
                *_OURS,
            ),
            _init,
        ),
        Command(
            "rollover",
            ("URL",),
            "es_rollover",
            "write to a new index, if a condition is met",
            (
                *_TOOLS,
                *_ROLLOVER,
                Flag("conditions", '{"max_age": "2d"}', "when to roll over"),
                *_OURS,
            ),
            _rollover,
        ),
        Command(
            "lookback",
            ("URL",),
            "es_lookback",
            "take what is too old out of the read alias",
            (
                *_TOOLS,
                *_ROLLOVER,
                Flag("unit", "days", "seconds, minutes, hours, days, weeks, months or years"),
                Flag("unit-count", 1, "how many of them back Jaeger can search"),
                *_AGE,
                Flag("index-date-separator", "-", _SEPARATOR, ours=True),
                *_OURS,
            ),
            _lookback,
        ),
        Command(
            "DAYS",
            ("URL",),
            "es_index_cleaner",
            "delete what is older than so many days",
            (
                *_TOOLS,
                Flag("rollover", False, "the indices that a rollover has made, not dated ones"),
                Flag("index-date-separator", "-", _SEPARATOR),
                *_AGE,
                Flag("only-unreadable", True, "keep what is still behind the read alias", ours=True),
                Flag("ignored-aliases", "", "aliases, by commas, that keep nothing; * for all", ours=True),
                *_OURS,
            ),
            _clean,
        ),
        Command(
            "maintain",
            (),
            "es_maintenance",
            "roll over, look back and delete for any number of prefixes",
            (Flag("options", "", "file with the options of es_maintenance, or -", ours=True), *_OURS),
            _options_of,
        ),
        Command(
            "info",
            (),
            "es_index_info",
            "tell what there is and what is wrong with it",
            (Flag("options", "", "file with the options of es_maintenance, or -", ours=True), *_OURS),
            _look,
        ),
        Command(
            "scheduled",
            (),
            "",
            "what cron, systemd or Kubernetes runs: maintain with a lock, a time limit, a log, metrics and mail",
            (
                Flag("job", "", "file that says all this (docs/unattended.md)", ours=True),
                Flag("now", False, "without the random delay", ours=True),
            ),
            lambda _values: {},
        ),
    )
}
_ALL_FLAGS = {flag.name: flag for command in COMMANDS.values() for flag in command.flags}


def understand(words: Sequence[str], environment: Mapping[str, str]) -> Call | Help | Scheduled:
    """What a command line asks for."""
    line = take_apart(words, _ALL_FLAGS)
    if line.help:
        return Help(COMMANDS.get(line.arguments[0]) if line.arguments else None)
    command, arguments = _command(line)
    names = {flag.name for flag in command.flags}
    for name in line.given:
        if name not in names:
            raise UsageError(f"{command.usage}: there is no flag --{name}.")
    if not command.module:  # what cron has in its environment says nothing about a job
        return _scheduled(Values(command.flags, line.given, {}))
    values = Values(command.flags, line.given, environment)
    check, as_json = values.truth("check"), values.truth("json")
    if not command.arguments:  # the options say whom to ask
        return Call(command.module, command.options(values), check, as_json)
    url, connection, notes = _connection(values, arguments[-1], environment)
    options: Options = {
        "server_urls": [url],
        **connection,
        "timeout": values.number("timeout"),
        "index_prefix": values.text("index-prefix") or None,
        "archive": values.truth("archive"),
        "otlp_endpoint": values.text("otlp-endpoint") or None,
        **command.options(values),
    }
    if command.name == "DAYS":
        options["days"] = int(arguments[0])
    return Call(command.module, options, check, as_json, (*notes, *_prefix_note(options, environment)))


def _scheduled(values: Values) -> Scheduled:
    if not values.text("job"):
        raise UsageError("scheduled needs --job FILE, the file that says what to run.")
    return Scheduled(values.text("job"), values.truth("now"))


def _prefix_note(options: Options, environment: Mapping[str, str]) -> list[str]:
    """The Helm chart gave Jaeger's own variable to the tools, which do not heed it."""
    jaegers = environment.get("ES_INDEX_PREFIX")
    if not jaegers or jaegers == options["index_prefix"]:
        return []
    here = repr(options["index_prefix"]) if options["index_prefix"] else "none"
    note = (
        f"ES_INDEX_PREFIX is {jaegers!r}, but that is Jaeger's own variable. The prefix here is {here}: it comes from "
        "--index-prefix or INDEX_PREFIX."
    )
    return [note]


def _command(line: Line) -> tuple[Command, list[str]]:
    """The command by its first argument, and what belongs to it. Arguments may be secret URLs: they are not shown."""
    names = [name for name in COMMANDS if name != "DAYS"]
    first, *rest = line.arguments or [""]
    if re.fullmatch(r"[+-]?\d+", first, re.ASCII):
        command, rest, wanted = COMMANDS["DAYS"], line.arguments, 2
    elif first in names:
        command = COMMANDS[first]
        wanted = len(command.arguments)
    else:
        word = repr(first) if re.fullmatch(r"[a-z-]+", first, re.ASCII) else "that"
        what = f"{word} is no command" if first else "there is no command"
        raise UsageError(f"{what}: the first argument is one of {', '.join(names)}, or a number of days.")
    if len(rest) != wanted:
        raise UsageError(f"{command.usage}: arguments are wanted: {wanted}, given: {len(rest)}.")
    return command, rest


def _connection(
    values: Values, url: str, environment: Mapping[str, str]
) -> tuple[str, Options, tuple[str, ...]]:
    """The URL without credentials, the options for them and for TLS, and what the user should know."""
    url, user, password = _without_credentials(url)
    options = _credentials(values, user, password)
    tls: Options = {
        "ca_path": values.text("es.tls.ca"),
        "client_cert": values.text("es.tls.cert"),
        "client_key": values.text("es.tls.key"),
        "server_name": values.text("es.tls.server-name"),
    }
    tls = {name: value for name, value in tls.items() if value}
    if values.truth("es.tls.skip-host-verify"):
        tls["validate_certs"] = False
    if url.lower().startswith("https://"):
        return url, {**options, "ca_path": _authorities(environment), **tls}, ()
    if values.truth("es.tls.enabled"):
        return url, options, ("es.tls.enabled is true, but the URL is not https: nothing is encrypted.",)
    if tls:
        raise UsageError("es.tls options are given, but the URL is not https and es.tls.enabled is not true.")
    return url, options, ()


def _authorities(environment: Mapping[str, str]) -> str | None:
    """The system's file of authorities, as Go looks for it; None for those that come with the library."""
    named = environment.get("SSL_CERT_FILE")
    return named or next((path for path in _AUTHORITIES if Path(path).is_file()), None)


def _credentials(values: Values, user: str, password: str) -> Options:
    """One way to log in. As theirs: a user without a password is nobody; what the URL has comes last."""
    username, secret, file = (values.text(f"es.{name}") for name in ("username", "password", "password-file"))
    if (secret or file) and not username:
        raise UsageError("es.password is given without es.username: nobody would log in with it.")
    if secret and file:
        raise UsageError("es.password and es.password-file are given: give one of them.")
    token, key = values.text("es.token-file"), values.text("es.api-key-file")
    if sum(map(bool, (secret or file, token, key))) > 1:
        raise UsageError("only one of es.username, es.token-file and es.api-key-file can be given.")
    if token:
        return {"bearer_token_file": token}
    if key:
        return {"api_key_file": key}
    if secret or file:
        return {"username": username, **({"password": secret} if secret else {"password_file": file})}
    return {"username": user, "password": password} if user else {}


def _without_credentials(url: str) -> tuple[str, str, str]:
    """The URL, and the user and the password that stood in it. What is no URL is left for the module to refuse."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return url, "", ""
    return (urlunsplit(parts._replace(netloc=host)), user, password) if user else (url, "", "")
