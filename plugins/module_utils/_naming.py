# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Names of Jaeger's indices and aliases: made here, parsed here, nowhere else.

The forms are those of jaeger-es-rollover and jaeger-es-index-cleaner v1.57.0. Names are parsed, never
matched by an open pattern: a name that does not parse exactly belongs to somebody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError

RECORD_TYPES = ("span", "service", "dependencies", "sampling")
ARCHIVE = "span-archive"
ALL_RECORD_TYPES = (*RECORD_TYPES, ARCHIVE)

# Elasticsearch, "Create index API", path parameters: characters that no index name may have.
_FORBIDDEN = re.compile(r'[\\/*?"<>| ,#:\s\x00-\x1f]')
_MAX_NAME_BYTES = 255
_LONGEST_TAIL = "-jaeger-" + ARCHIVE + "-0000001"

# Elasticsearch pads a generation to six digits; the millionth has seven. Eight digits are a date.
_GENERATION = re.compile(r"\d{6}|[1-9]\d{6}", re.ASCII)
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
    if len((prefix + _LONGEST_TAIL).encode()) > _MAX_NAME_BYTES:
        raise ConfigurationError(
            f"{where} is too long: an index name may have {_MAX_NAME_BYTES} bytes at the most."
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


def find_index_set(index: str) -> IndexSet | None:
    """The set that a generation, a dated index or an alias belongs to, by its name alone."""
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
