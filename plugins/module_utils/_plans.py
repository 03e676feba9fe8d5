# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Every rule of the domain: pure functions of what was read, what was asked for and the time.

Each planner gets one index set and gives the actions that bring it where it should be, and what it left alone
and why. No client, no clock, no globals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any, NamedTuple

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import (
    Action,
    Adopt,
    CreateIndex,
    DeleteIndices,
    EndWriteBlock,
    PutTemplate,
    Restore,
    Rollover,
    Snapshot,
    UpdateAliases,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import RefusedError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import (
    MAX_NAME_BYTES,
    READABLE,
    WRITTEN,
    DataStreamSet,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._state import (
    UNBORN,
    Index,
    Member,
    Template,
    View,
)


@dataclass(frozen=True)
class Kept:
    """An index that was considered and left alone."""

    index: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to do to one index set, in order, and what is left alone."""

    actions: tuple[Action, ...] = ()
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class AgeRule:
    """How old is too old.

    An index is too old when it stopped being written before cutoff (age_from "written"), or when it was created
    before it ("creation", Jaeger's own reckoning); never where there is no cutoff. service_cutoff holds for the
    service set in addition, always counted from the end of writing: a collector remembers for 12 h which services it
    has written and does not write them into a new generation before that, so the older one must stay. None
    (service_cache_ttl 0s) protects nothing. What this very run has ended was written until now: where the cut-off is
    still to come (days or weeks, count 0), it is too old at once, as it would be for the next run.
    """

    now: datetime
    cutoff: datetime | None
    service_cutoff: datetime | None
    age_from: str = "written"

    @classmethod
    def at(
        cls, now: datetime, cutoff: datetime | None, age_from: str, service_cache_ttl: timedelta
    ) -> AgeRule:
        """The rule for a run that takes place now."""
        return cls(now, cutoff, now - service_cache_ttl if service_cache_ttl else None, age_from)

    def keeps(self, member: Member, record_type: str) -> str | None:
        """Why an index is not too old, or None if it is."""
        if member.written_until is None:
            return "still being written"
        if self.cutoff is None:
            return "not limited by age"
        if self.counted_from(member) >= self.cutoff:
            said = f"written until {_iso(member.written_until)}"
            if self.age_from == "creation":
                said = f"created {_iso(member.index.created)}"
            return f"{said}, not before the cut-off {_iso(self.cutoff)}"
        return self.protects(member, record_type)

    def counted_from(self, member: Member) -> datetime:
        """The instant that an index's age is counted from: now for what is still written."""
        instant = member.index.created if self.age_from == "creation" else member.written_until
        return self.now if instant in (None, UNBORN) else instant

    def by_age(self, members: Iterable[Member]) -> list[Member]:
        """Members, the oldest first; what is still written is last."""
        return sorted(members, key=lambda member: member.place(self.counted_from(member)))

    def protects(self, member: Member, record_type: str) -> str | None:
        """Why an index must stay however old it is, or None if it need not."""
        if member.readable_until is not None and member.readable_until > self.now:
            return f"to stay readable until {_iso(member.readable_until)}"
        if record_type != "service" or self.service_cutoff is None or member.written_until is None:
            return None
        if member.written_until >= self.service_cutoff:
            return (
                f"written until {_iso(member.written_until)}: a collector may still hold its services in its cache "
                "(service_cache_ttl) and not write them again"
            )
        return None

    @property
    def why(self) -> str:
        """What is said of an index that is too old."""
        return f"older than the cut-off {_iso(self.cutoff)}" if self.cutoff else ""


@dataclass(frozen=True)
class RetentionRule:
    """What is kept: whichever limit bites first, but min_generations always.

    max_size: bytes of the whole set on disk. dated: look at dated indices; generations: at generations.
    snapshot: repository, stamp of the snapshot's name and patience in seconds; None for no snapshot. ignored_aliases: names of
    others' aliases that keep nothing from being deleted; "*" for any characters.
    """

    age: AgeRule
    max_size: int | None = None
    max_generations: int | None = None
    min_generations: int = 0
    only_unreadable: bool = True
    generations: bool = True
    dated: bool = False
    snapshot: tuple[str, str, int] | None = None
    ignored_aliases: tuple[str, ...] = ()

    def why(self, member: Member, record_type: str, rank: int, size: int) -> tuple[bool, str]:
        """Whether an index is one too many, and why, or why not.

        rank counts from the newest index (1), newest by its age; size is that of this index and all newer ones.
        """
        kept = self.age.keeps(member, record_type)
        if kept is None:
            return True, self.age.why
        if self.max_generations is not None and rank > self.max_generations:
            return True, f"more than {self.max_generations} indices are newer or the same (max_generations)"
        if self.max_size is not None and size > self.max_size:
            return True, f"it and what is newer take {size} bytes, more than max_size ({self.max_size})"
        return False, kept


def plan_init(
    view: View,
    template: Template,
    now: datetime,
    adopt: frozenset[str] = frozenset(),
    *,
    ilm: bool = False,
    moved: bool = False,
) -> Plan:
    """Template, first index and aliases, or whatever of them is missing. Nothing is created beside an open write index.

    now is the server's time: until then was written what the write alias is taken from. adopt names what else is brought into the
    set: "concrete", an index in an alias's place; "dated" and "generations", what is not behind the read alias. With ilm the
    write index is marked as such. moved: this very run has put the write alias where it is, by what it had read; that counts only
    if it is the newest generation still.
    """
    if "concrete" not in adopt:
        _refuse_concrete_alias(view)
    actions: list[Action] = []
    current = view.state.templates.get(template.name)
    if current is not None and current.priority is None:
        template = replace(template, priority=None)
    if current != template:
        why = "there is none" if current is None else "it differs from Jaeger's for these options"
        actions.append(PutTemplate(template, why))
    flag = True if ilm else None
    if view.concrete:
        return Plan((*actions, _adopt_concrete(view, template, flag, now), *_show(view, adopt)))
    actions += _forget_adoption(view)
    write_index = _write_index(view, repair=True)
    if moved and view.generations and write_index != view.generations[-1].index:
        write_index = None
    if write_index is None and not view.generations and not view.state.behind(view.index_set.write_alias):
        read = view.index_set.read_alias
        aliases = {read: None, view.index_set.write_alias: flag}
        name, why = view.index_set.generation_name(1), "the set has no index yet"
        actions.append(CreateIndex(name, aliases, why, template, {read: view.spec_of(read)}))
    elif write_index is None or write_index.closed:
        actions += _write_elsewhere(view, write_index, template, flag, now)
    else:
        actions += [*_one_flag(view, write_index, now), *_readable(view, write_index)]
    if write_index and "write" in write_index.blocks and "concrete" in adopt:
        # By the alias's name an adoption's block can come late, when the alias is in its place already.
        actions.append(EndWriteBlock(write_index.name, "nothing could be written: it was blocked"))
    return Plan((*actions, *_show(view, adopt)))


def _adopt_concrete(view: View, template: Template, flag: bool | None, now: datetime) -> Adopt:
    """The next generation gets the documents of what sits in an alias's place, its aliases, and both of the set."""
    names = view.index_set
    begun = [member.index.name for member in view.generations if names.adopting_alias in member.index.aliases]
    target = begun[-1] if begun else names.generation_name(view.newest_number + 1)
    older = [] if view.state.behind(names.read_alias) else [m.index.name for m in view.generations]
    readable = dict.fromkeys([*(name for name in older if name != target), target])
    left = view.state.behind(names.write_alias)
    moved, specs = _aliases_of_concrete(view)
    return Adopt(
        sources=view.concrete,
        target=target,
        marker=names.adopting_alias,
        template=template,
        add=(
            *((name, names.read_alias, None) for name in readable),
            (target, names.write_alias, flag),
            *_written_until(view, left, now),
            *((target, alias, is_write_index) for alias, is_write_index in moved.items()),
        ),
        remove=tuple((index.name, names.write_alias) for index in left),
        specs={names.read_alias: view.spec_of(names.read_alias), **specs},
        moved=tuple(moved),
    )


def _aliases_of_concrete(view: View) -> tuple[dict[str, bool | None], dict[str, Mapping[str, Any]]]:
    """Others' aliases of the indices that sit in an alias's place, which go with the documents; refuses what cannot."""
    moved: dict[str, bool | None] = {}
    specs: dict[str, Mapping[str, Any]] = {}
    for source in (view.state.indices[name] for name in view.concrete):
        for alias, flag in source.aliases.items():
            told = (flag, source.specs.get(alias, {}))
            if view.index_set.owns(alias):
                continue
            if alias in moved and (moved[alias], specs[alias]) != told:
                raise RefusedError(
                    f"the alias {alias} is not the same on {' and '.join(view.concrete)}, whose documents are to be moved into "
                    "one generation: make it the same, or take it from one of them. Nothing was changed."
                )
            moved[alias], specs[alias] = told
    return moved, specs


def _forget_adoption(view: View) -> list[Action]:
    """Nothing is left to be adopted: a generation that was begun for it is one like the others."""
    marker = view.index_set.adopting_alias
    remove = tuple((index.name, marker) for index in view.state.behind(marker))
    return [UpdateAliases("there is nothing left to adopt", remove=remove)] if remove else []


def _show(view: View, adopt: frozenset[str]) -> list[Action]:
    """Bring what was made or restored by hand, or written before the aliases, behind the read alias."""
    members = (view.dated if "dated" in adopt else ()) + (view.generations if "generations" in adopt else ())
    alias = view.index_set.read_alias
    add = tuple((member.index.name, alias, None) for member in members if not member.readable)
    why = "adopted: readable until the next lookback finds it too old"
    return [UpdateAliases(why, add, specs={alias: view.spec_of(alias)})] if add else []


def plan_rollover(view: View, conditions: Mapping[str, Any]) -> Plan:
    """One named next generation, readable from its first moment."""
    _refuse_concrete_alias(view)
    names = view.index_set
    write_index = _write_index(view)
    if write_index is None and isinstance(names, DataStreamSet):
        raise RefusedError(f"there is no data stream {names.base}: check index_prefix and strategy.")
    if write_index is None:
        raise RefusedError(
            f"no index is behind the write alias {names.write_alias}: check index_prefix, "
            "or run es_rollover_init, which creates the set or puts the alias back."
        )
    if write_index.closed:
        raise RefusedError(
            f"{write_index.name}, the write index, is closed, so nothing can be written: open it, or run es_rollover_init, "
            "which goes on with a new generation."
        )
    if isinstance(names, DataStreamSet):
        following = names.backing_name(view.newest_number + 1)
        return Plan((Rollover(names.base, write_index.name, following, {}, conditions, named=False),))
    new_index = names.generation_name(view.newest_number + 1)
    if names.generation_of(new_index) is None:
        raise RefusedError(
            f"{new_index} would not be a name of the set: its generations have come to their end."
        )
    rollover = Rollover(
        write_alias=names.write_alias,
        old_index=write_index.name,
        new_index=new_index,
        aliases={names.read_alias: None},
        conditions=conditions,
        specs={names.read_alias: view.spec_of(names.read_alias)},
    )
    return Plan((*_readable(view, write_index), rollover))


def plan_lookback(view: View, rule: AgeRule) -> Plan:
    """Take what is too old out of the read alias."""
    _refuse_concrete_alias(view)
    old: list[tuple[str, str]] = []
    again: list[tuple[str, str, bool | None]] = []
    kept = _strangers(view)
    names = view.index_set
    for member in view.members:
        if not member.readable:
            held = member.readable_until is not None and member.readable_until > rule.now
            again += [(member.index.name, names.read_alias, None)] if held else []
            continue
        reason = rule.keeps(member, names.record_type)
        if reason is None and member.index.aliases_blocked:
            reason = (
                f"too old, but its aliases cannot be changed: it is blocked ({member.index.aliases_blocked})"
            )
        if reason is None:
            ended = names.marks(READABLE, member.index.aliases)
            old += [(member.index.name, alias) for alias in (names.read_alias, *ended)]
        else:
            kept.append(Kept(member.index.name, reason))
    actions = [UpdateAliases(rule.why, remove=tuple(old))] if old else []
    if again:  # a run that had looked before es_restore came hid it all the same
        specs = {names.read_alias: view.spec_of(names.read_alias)}
        actions.append(UpdateAliases("to stay readable, as es_restore was told", tuple(again), specs=specs))
    return Plan(tuple(actions), tuple(kept))


def plan_retention(view: View, rule: RetentionRule) -> Plan:
    """Delete what is one too many by age, size or number; never a write index, never fewer than are to be kept."""
    _refuse_concrete_alias(view)
    old: dict[str, str] = {}
    kept = _strangers(view)
    members = rule.age.by_age(
        (*(view.dated if rule.dated else ()), *(view.generations if rule.generations else ()))
    )
    size = sum(member.index.size or 0 for member in members)
    for place, member in enumerate(members):
        rank = len(members) - place
        surplus, why = rule.why(member, view.index_set.record_type, rank, size)
        size -= member.index.size or 0
        reason = _protected(member, view, rule, rank) if surplus else _never(member) or why
        if reason is None:
            old[member.index.name] = why
        else:
            kept.append(Kept(member.index.name, reason))
    if not old:
        return Plan((), tuple(kept))
    names = tuple(old)
    delete = DeleteIndices(names, old)
    if rule.snapshot is None:
        return Plan((delete,), tuple(kept))
    repository, stamp, seconds = rule.snapshot
    return Plan((Snapshot(repository, names, stamp, seconds), delete), tuple(kept))


def _never(member: Member) -> str | None:
    if any(_writes(alias, flag) for alias, flag in member.index.aliases.items()):
        return "a write index is never deleted"
    return "still being written" if member.written_until is None else None


def _protected(member: Member, view: View, rule: RetentionRule, rank: int) -> str | None:
    """Why an index stays though it is one too many, or None if it goes."""
    reason = _never(member) or rule.age.protects(member, view.index_set.record_type)
    if reason:
        return reason
    if rank <= rule.min_generations:
        return f"among the newest {rule.min_generations} (min_generations)"
    if aliases := needed_by(member, view, rule.ignored_aliases):
        return (
            f"behind {_listed(aliases)}, and the write index is not: what reads by that name would lose it. Take the alias away, "
            "or name it in ignored_aliases"
        )
    return _still_readable(member) if rule.only_unreadable and member.readable else _undeletable(member)


def _still_readable(member: Member) -> str:
    if member.index.aliases_blocked:
        return (
            f"still readable, and es_lookback cannot hide it while it is blocked ({member.index.aliases_blocked}): free space "
            "and remove the block, or set only_unreadable to false"
        )
    return "still readable: run es_lookback first, or set only_unreadable to false"


def _undeletable(member: Member) -> str | None:
    blocks = member.index.deletion_blocked
    return f"it cannot be deleted: it is blocked ({blocks})" if blocks else None


def needed_by(member: Member, view: View, ignored: tuple[str, ...] = ()) -> list[str]:
    """Others' aliases for which an index must stay: those that are on nothing of the set that is being written.

    One that is on that, too, such as one that a template puts on each new index, follows the set.
    """
    foreign = [alias for alias in member.index.aliases if not view.index_set.owns(alias)]
    if not foreign:
        return []
    # What is not written now can be deleted itself, and would leave its aliases empty.
    leading = (one for one in view.leading if one.is_write_index or one.index.name != member.index.name)
    followed = {alias for one in leading for alias in one.index.aliases}
    others = (alias for alias in foreign if alias not in followed)
    return sorted(alias for alias in others if not any(_fits(alias, one) for one in ignored))


def _fits(alias: str, pattern: str) -> bool:
    """Whether an alias is named by a pattern, in which only * stands for something else."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), alias, re.DOTALL) is not None


def _listed(aliases: Iterable[str]) -> str:
    return ", ".join(f"the alias {alias}" for alias in aliases)


def _writes(alias: str, is_write_index: bool | None) -> bool:
    return is_write_index is True or (is_write_index is None and alias.endswith("-write"))


def _write_index(view: View, repair: bool = False) -> Index | None:
    """The write index, if there is one; refuses (or, to repair it, overlooks) an alias that does not say which."""
    alias = view.index_set.write_alias
    behind = view.state.behind(alias)
    if behind and view.write_index is None and not repair:
        names = ", ".join(sorted(index.name for index in behind))
        raise RefusedError(
            f"the write alias {alias} points to {names} and none of them is marked as its write index: "
            "run es_rollover_init, which leaves it on the newest generation alone."
        )
    return view.write_index


def _write_elsewhere(
    view: View, write_index: Index | None, template: Template, flag: bool | None, now: datetime
) -> list[Action]:
    """Put the write alias on the newest generation alone, or on a new one where that cannot be written to.

    What it is taken from was written until now: no birth of a successor tells that, so it is marked.
    """
    names = view.index_set
    behind = view.state.behind(names.write_alias)
    newest = view.generations[-1].index if view.generations else max(behind, key=lambda index: index.name)
    if write_index is not None:
        why = "the write index was closed"
    else:
        why = (
            "the write alias was not on one index alone, the newest" if behind else "the write alias was lost"
        )
    actions: list[Action] = []
    target, where = newest.name, "this is the newest generation"
    if newest.unwritable:
        target, where = names.generation_name(view.newest_number + 1), "this is a new generation"
        made = f"{why}, and {newest.name} cannot be written to: {newest.unwritable}"
        specs = {names.read_alias: view.spec_of(names.read_alias)}
        actions.append(CreateIndex(target, {names.read_alias: None}, made, template, specs))
    left = [index for index in behind if index.name != target]
    actions.append(
        UpdateAliases(
            f"{why}; {where}",
            add=((target, names.write_alias, flag), *_written_until(view, left, now)),
            remove=tuple((index.name, names.write_alias) for index in left),
            specs={names.write_alias: view.spec_of(names.write_alias)},
            alone=((names.write_alias, names.pattern),) if names.generation_of(target) is not None else (),
        )
    )
    return [*actions, *(() if newest.unwritable else _readable(view, newest))]


def _one_flag(view: View, write_index: Index, now: datetime) -> list[Action]:
    """Beside the index that is marked as the write index, one without a flag looks as if it were written, for ever."""
    alias = view.index_set.write_alias
    left = [
        one for one in view.state.behind(alias) if one.aliases[alias] is None and one.name != write_index.name
    ]
    if not left or not write_index.aliases[alias]:
        return []
    why = f"{write_index.name} is marked as the write index"
    remove = tuple((index.name, alias) for index in left)
    return [UpdateAliases(why, _written_until(view, left, now), remove)]


def _written_until(
    view: View, indices: Iterable[Index], now: datetime
) -> tuple[tuple[str, str, bool | None], ...]:
    """The marks for indices that the write alias is taken from, as entries of UpdateAliases."""
    members = {member.index.name for member in view.members}
    mark, alias = view.index_set.mark(WRITTEN, now), view.index_set.write_alias
    left = [index for index in indices if index.name in members]
    # With flags on them, those that are not the write index have ended long ago, unless none says that it is the one.
    written = [index for index in left if index.aliases.get(alias) is not False] or left
    if written:
        _check_length(mark)
    return tuple((index.name, mark, None) for index in written)


def _check_length(mark: str) -> None:
    if len(mark.encode()) > MAX_NAME_BYTES:
        raise RefusedError(
            f"the alias {mark} would have more than {MAX_NAME_BYTES} bytes, and what it tells can be kept nowhere else: the index "
            "prefix is too long for that. Nothing was changed."
        )


def _readable(view: View, write_index: Index) -> list[Action]:
    """Spans that are written must be found: what an interrupted rollover of other tools left out, or all of them."""
    alias = view.index_set.read_alias
    if alias in write_index.aliases:
        return []
    if any(member.readable and not member.readable_until for member in view.members):
        why, specs = "the write index was not readable", {alias: view.spec_of(alias)}
        return [UpdateAliases(why, add=((write_index.name, alias, None),), specs=specs)]
    names = dict.fromkeys([*(member.index.name for member in view.generations), write_index.name])
    add = tuple((name, alias, None) for name in names)
    return [UpdateAliases("the read alias was lost; the next lookback takes out what is too old", add=add)]


def _refuse_concrete_alias(view: View) -> None:
    if view.concrete:
        raise RefusedError(
            f"{view.concrete[0]} is an index, not an alias: a collector wrote before the set was initialised. "
            "Nothing was changed. Run es_rollover_init with adopt: [concrete], which moves its documents into the set."
        )


def _strangers(view: View) -> list[Kept]:
    return [
        Kept(name, "its name is not that of a generation or a day of this set") for name in view.strangers
    ]


def _iso(instant: datetime) -> str:
    if instant == UNBORN:  # what this very run has ended
        return "now"
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def plan_restore(
    view: View, wanted: Iterable[str], until: datetime, snapshot: tuple[str, str, int] | None
) -> Plan:
    """Make indices readable until an instant, which is kept with them: those that are there, and those that a snapshot has.

    wanted are names of the set. snapshot: repository, name and patience in seconds. Refuses an index that is neither here nor there.
    """
    _refuse_concrete_alias(view)
    names = view.index_set
    mark = names.mark(READABLE, until)
    _check_length(mark)
    there = [view.state.indices[name] for name in wanted if name in view.state.indices]
    if unusable := [index for index in there if index.closed or index.aliases_blocked]:
        state = "closed" if unusable[0].closed else f"blocked ({unusable[0].aliases_blocked})"
        raise RefusedError(f"{unusable[0].name} is {state}: end that first. Nothing was changed.")
    missing = tuple(name for name in wanted if name not in view.state.indices)
    if missing and snapshot is None:
        raise RefusedError(
            f"{', '.join(missing)}: not in the cluster. Give snapshot_repository and snapshot, which es_maintenance told when it "
            "deleted them. Nothing was changed."
        )
    actions: list[Action] = (
        [Restore(*snapshot[:2], missing, mark, snapshot[2])] if missing and snapshot else []
    )
    add: list[tuple[str, str, bool | None]] = []
    remove: list[tuple[str, str]] = []
    for name in wanted:
        aliases = view.state.indices[name].aliases if name in view.state.indices else {mark: None}
        add += [(name, alias, None) for alias in (names.read_alias, mark) if alias not in aliases]
        remove += [(name, alias) for alias in names.marks(READABLE, aliases) if alias != mark]
    if add or remove:
        why = f"readable until {_iso(until)}"
        specs = {names.read_alias: view.spec_of(names.read_alias)}
        actions.append(UpdateAliases(why, tuple(add), tuple(remove), specs))
    return Plan(tuple(actions))


class Problem(NamedTuple):
    """Something that is wrong with an index set: of which kind, and in plain words."""

    kind: str
    text: str


# The kinds, for programs: they stay as they are whatever becomes of the words.
PROBLEM_KINDS = (
    "index_in_place_of_alias",
    "no_write_index",
    "write_index_not_readable",
    "generation_hidden",
    "older_generation_written",
    "blocked",
    "closed",
    "red",
    "held_by_alias",
)


def problems(view: View, ignored_aliases: tuple[str, ...] = ()) -> list[Problem]:
    """What is wrong with an index set; nothing with a healthy one, or one of dated indices only.

    ignored_aliases: as in RetentionRule.
    """
    names = view.index_set
    if view.concrete:
        reason = "is an index where an alias belongs: es_rollover_init with adopt moves its documents"
        return [Problem("index_in_place_of_alias", f"{name} {reason}") for name in view.concrete]
    behind = view.state.behind(names.write_alias)
    if not behind:
        lost = f"no index is behind the write alias {names.write_alias}: es_rollover_init puts it back"
        if not view.generations:
            return _held(view, ignored_aliases)
        return [Problem("no_write_index", lost), *_troubles(view)]
    if view.write_index is None:
        many = f"{len(behind)} indices are behind {names.write_alias} and none of them is marked as the write index"
        return [Problem("no_write_index", many), *_troubles(view)]
    found: list[Problem] = []
    if view.write_index.closed:
        lost = f"{view.write_index.name}, the write index, is closed: es_rollover_init goes on with a new generation"
        found.append(Problem("no_write_index", lost))
    if names.read_alias not in view.write_index.aliases:
        unread = f"{view.write_index.name} is written but not behind the read alias {names.read_alias}"
        found.append(Problem("write_index_not_readable", unread))
    # What somebody has brought back, older than what is hidden for its age, is no accident.
    older = dropwhile(lambda member: not member.readable or member.readable_until, view.generations)
    hidden = "is not readable, though an older generation is: spans may have been hidden by accident"
    found += [
        Problem("generation_hidden", f"{member.index.name} {hidden}")
        for member in takewhile(lambda member: not member.is_write_index, older)
        if not member.readable
    ]
    newest = view.generations[-1].index if view.generations else view.write_index
    if newest is not view.write_index:
        behind_it = f"the write alias is on {view.write_index.name}, but {newest.name} is newer"
        found.append(Problem("older_generation_written", behind_it))
    return found + _troubles(view) + _held(view, ignored_aliases)


def held_back(view: View, ignored_aliases: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """The hidden indices that others' aliases keep from being deleted, each with these aliases."""
    leading = {member.index.name for member in view.leading}
    hidden = (m for m in view.members if not m.readable and m.index.name not in leading)
    needed = {member.index.name: needed_by(member, view, ignored_aliases) for member in hidden}
    return {name: aliases for name, aliases in needed.items() if aliases}


def _troubles(view: View) -> list[Problem]:
    """What keeps single indices from being read, written or changed."""
    cause = "a full disk sets such a block, or an adoption that was cut off"
    blocked = [
        Problem(
            "blocked", f"{member.index.name} is blocked ({', '.join(sorted(member.index.blocks))}): {cause}"
        )
        for member in view.members
        if member.index.blocks
    ]
    red = [
        Problem("red", f"{member.index.name} has health red: a part of it cannot be read")
        for member in view.members
        if member.index.health == "red"
    ]
    closed = [
        Problem("closed", f"{member.index.name} is closed: nothing can be read from it or written to it")
        for member in view.members
        if member.index.closed
    ]
    return blocked + closed + red


def _held(view: View, ignored_aliases: tuple[str, ...]) -> list[Problem]:
    """What others' aliases keep from being deleted; without a write index no alias is known to follow the set."""
    return [
        Problem(
            "held_by_alias",
            f"{name} ({view.state.indices[name].size or 0} bytes) is never deleted, as {_listed(aliases)} would lose it: take the "
            "alias away, or name it in ignored_aliases",
        )
        for name, aliases in held_back(view, ignored_aliases).items()
    ]
