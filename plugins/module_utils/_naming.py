# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Names of Jaeger's indices and aliases: made here, parsed here, nowhere else.

The forms are those of jaeger-es-rollover and jaeger-es-index-cleaner v1.57.0. Names are parsed, never
matched by an open pattern: a name that does not parse exactly belongs to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError

RECORD_TYPES = ("span", "service", "dependencies", "sampling")
ARCHIVE = "span-archive"
ALL_RECORD_TYPES = (*RECORD_TYPES, ARCHIVE)

# Elasticsearch, "Create index API", path parameters: characters that no index name may have.
_FORBIDDEN = re.compile(r'[\\/*?"<>| ,#:\s\x00-\x1f]')
MAX_NAME_BYTES = 255
_LONGEST_TAIL = "-jaeger-" + ARCHIVE + "-0000001"

# Elasticsearch pads a generation to six digits; the millionth has seven. Eight digits are a date.
_GENERATION = re.compile(r"\d{6}|[1-9]\d{6}", re.ASCII)
_DATA_STREAM = "jaeger.spans"
# Aliases that keep an instant with an index, on the server: when writing to it ended, and until when it stays readable.
WRITTEN, READABLE = "written-until", "readable-until"
_MARK = re.compile(rf"({WRITTEN}|{READABLE})-(\d{{8}}t\d{{6}}z)", re.ASCII)
_MARK_TIME = "%Y%m%dt%H%M%Sz"
_BACKING_INDEX = re.compile(
    r"\.ds-(?P<stream>.+?)-(?:\d{4}\.\d{2}\.\d{2}-)?(?P<number>\d{6}|[1-9]\d{6,})", re.ASCII | re.DOTALL
)
_JAEGER_NAME = re.compile(
    r"(?:(?P<prefix>.+)-)?jaeger-(?P<record_type>span-archive|span|service|dependencies|sampling)-(?P<tail>.+)",
    re.DOTALL,
)


def check_prefix(prefix: str | None) -> str:
    """Return the prefix to use ("" for none) or say what is wrong with it.

    The rules are Elasticsearch's for index names, and Jaeger's habit of adding the "-" itself.
    """
    if prefix is None:
        return ""
    where = f"index_prefix {prefix!r}"
    if not prefix.strip():
        raise ConfigurationError(f"{where} is empty: leave the option out for indices without a prefix.")
    found = _FORBIDDEN.search(prefix)
    if found:
        raise ConfigurationError(
            f"{where} has the character {found.group()!r}, which no index name may have: "
            "give the one literal prefix that Jaeger runs with, no pattern and no list."
        )
    if prefix != prefix.lower():
        raise ConfigurationError(
            f"{where} has upper-case letters: index names are lower case, try {prefix.lower()!r}."
        )
    if prefix[0] in "-_+.":
        raise ConfigurationError(
            f"{where} starts with {prefix[0]!r}: an index name may not start with - _ + or a dot."
        )
    if prefix.endswith("-"):
        raise ConfigurationError(
            f"{where} ends with '-': Jaeger adds the dash itself, so give {prefix.rstrip('-')!r}."
        )
    if len((prefix + _LONGEST_TAIL).encode()) > MAX_NAME_BYTES:
        raise ConfigurationError(
            f"{where} is too long: an index name may have {MAX_NAME_BYTES} bytes at the most."
        )
    return prefix


def check_date_separator(separator: str) -> str:
    """Return what stands between the parts of a date in a dated index's name, or say what is wrong with it."""
    if _FORBIDDEN.search(separator) or any(character.isalnum() for character in separator):
        raise ConfigurationError(f"index_date_separator is {separator!r}: give '-', '.', '_' or nothing.")
    return separator


@dataclass(frozen=True)
class IndexSet:
    """All indices of one record type under one prefix ("" for none)."""

    prefix: str
    record_type: str

    @property
    def base(self) -> str:
        """What all names of the set begin with: prod-jaeger-span."""
        return f"{self.prefix}-jaeger-{self.record_type}" if self.prefix else f"jaeger-{self.record_type}"

    @property
    def read_alias(self) -> str:
        """The alias that Jaeger's query reads."""
        return f"{self.base}-read"

    @property
    def write_alias(self) -> str:
        """The alias that Jaeger's collector writes to."""
        return f"{self.base}-write"

    @property
    def pattern(self) -> str:
        """An Elasticsearch wildcard that finds every index of the set, and sometimes more: parse what it finds."""
        return f"{self.base}-*"

    @property
    def adopting_alias(self) -> str:
        """The alias that marks the generation into which an index in an alias's place is being copied."""
        return f"{self.base}-adopting"

    def mark(self, kind: str, instant: datetime) -> str:
        """The alias that keeps an instant (to the second, not before it) with an index: prod-jaeger-span-written-until-20261201t031500z."""
        second = (instant + timedelta(microseconds=999_999)).replace(microsecond=0)
        return f"{self.base}-{kind}-{second:{_MARK_TIME}}"

    def marks(self, kind: str, aliases: Iterable[str]) -> dict[str, datetime]:
        """Those of these aliases that keep an instant of this kind, with it."""
        told = {alias: self._mark_of(alias) for alias in aliases}
        return {alias: mark[1] for alias, mark in told.items() if mark and mark[0] == kind}

    def owns(self, alias: str) -> bool:
        """Whether an alias is the set's own: read, write, or one that marks an index."""
        names = (self.read_alias, self.write_alias, self.adopting_alias)
        return alias in names or self._mark_of(alias) is not None

    def _mark_of(self, alias: str) -> tuple[str, datetime] | None:
        found = _MARK.fullmatch(self._tail(alias) or "")
        if found is None:
            return None
        try:
            return found[1], datetime.strptime(found[2], _MARK_TIME).replace(tzinfo=timezone.utc)
        except ValueError:
            return None

    @property
    def template(self) -> str:
        """Name of the index template: archived spans share the one for spans, as in Jaeger's tools."""
        return IndexSet(self.prefix, "span").base if self.record_type == ARCHIVE else self.base

    def generation_name(self, number: int) -> str:
        """Name of one generation: prod-jaeger-span-000007."""
        return f"{self.base}-{number:06d}"

    def generation_of(self, index: str) -> int | None:
        """Number of the generation, or None where the name is anything else."""
        tail = self._tail(index)
        return int(tail) if tail is not None and _GENERATION.fullmatch(tail) else None

    def period_of(self, index: str, separator: str = "-") -> tuple[datetime, datetime] | None:
        """First and last instant (UTC) of a dated index (one day, or one hour), or None for another name."""
        tail = self._tail(index)
        if tail is None:
            return None
        for fields, length in (
            ("%Y{0}%m{0}%d", timedelta(days=1)),
            ("%Y{0}%m{0}%d{0}%H", timedelta(hours=1)),
        ):
            form = fields.format(separator.replace("%", "%%"))
            try:
                start = datetime.strptime(tail, form).replace(tzinfo=timezone.utc)
            except ValueError:
                continue
            if start.strftime(form) == tail:
                return start, start + length - timedelta(milliseconds=1)
        return None

    def _tail(self, index: str) -> str | None:
        head = f"{self.base}-"
        return index[len(head) :] if index.startswith(head) else None


@dataclass(frozen=True)
class DataStreamSet(IndexSet):
    """A data stream of spans, named as in Jaeger's RFC 0004: prod.jaeger.spans (no prefix: jaeger.spans).

    Its name is read and write alias at once, its backing indices (.ds-prod.jaeger.spans-000001; Elasticsearch puts
    the day before the number) are the generations.
    """

    @property
    def base(self) -> str:
        """The name of the data stream."""
        return f"{self.prefix}.{_DATA_STREAM}" if self.prefix else _DATA_STREAM

    @property
    def read_alias(self) -> str:
        """The data stream itself."""
        return self.base

    @property
    def write_alias(self) -> str:
        """The data stream itself."""
        return self.base

    @property
    def pattern(self) -> str:
        """The data stream's name finds its backing indices, and nothing else."""
        return self.base

    def backing_name(self, number: int) -> str:
        """What a backing index is probably called: the server makes the name, Elasticsearch with the day in it."""
        return f".ds-{self.base}-{number:06d}"

    @staticmethod
    def number_of(index: str) -> int:
        """Number of any stream's backing index; 0 for one with a name that was made by hand."""
        found = _BACKING_INDEX.fullmatch(index)
        return int(found.group("number")) if found else 0

    def generation_of(self, index: str) -> int | None:
        """Number of a backing index, or None where the name is anything else."""
        found = _BACKING_INDEX.fullmatch(index)
        return int(found.group("number")) if found and found.group("stream") == self.base else None

    def period_of(self, index: str, separator: str = "-") -> tuple[datetime, datetime] | None:
        """A data stream has no dated indices."""
        return None


def find_index_set(index: str) -> IndexSet | None:
    """The set that a generation, a dated index or an alias belongs to, by its name alone."""
    backing = _BACKING_INDEX.fullmatch(index)
    if backing is not None:
        prefix, found_stream, _rest = f".{backing.group('stream')}".rpartition(f".{_DATA_STREAM}")
        return DataStreamSet(prefix[1:], "span") if found_stream and not _rest else None
    found = _JAEGER_NAME.fullmatch(index)
    if found is None:
        return None
    index_set = IndexSet(found.group("prefix") or "", found.group("record_type"))
    known = index in (index_set.read_alias, index_set.write_alias)
    if known or index_set.generation_of(index) is not None or index_set.period_of(index) is not None:
        return index_set
    return None


def index_sets(prefix: str, record_types: list[str] | None, archive: bool) -> list[IndexSet]:
    """The sets that a module's options name. archive stands for the archive set alone, as in Jaeger's tools."""
    if record_types is not None and not record_types and not archive:
        raise ConfigurationError("record_types is empty: name at least one, or leave the option out.")
    types = [ARCHIVE] if archive else record_types or ["span", "service", "dependencies"]
    return [IndexSet(prefix, record_type) for record_type in dict.fromkeys(types)]


def patterns_of(index_sets: Iterable[IndexSet]) -> list[str]:
    """The fewest patterns that find every index of these sets: one for a prefix, where it has several sets."""
    by_prefix: dict[str, list[IndexSet]] = {}
    patterns: list[str] = []
    for index_set in dict.fromkeys(index_sets):
        if isinstance(index_set, DataStreamSet):
            patterns.append(index_set.pattern)
        else:
            by_prefix.setdefault(index_set.prefix, []).append(index_set)
    for prefix, sets in by_prefix.items():
        several = f"{prefix}-jaeger-*" if prefix else "jaeger-*"
        patterns.append(sets[0].pattern if len(sets) == 1 else several)
    return patterns


def heads_of(name: str) -> Iterable[str]:
    """All that stands before a dash in a name: the bases of the sets that it could belong to."""
    at = name.find("-")
    while at > 0:
        yield name[:at]
        at = name.find("-", at + 1)
