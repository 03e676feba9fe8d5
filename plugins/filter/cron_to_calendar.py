# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the five fields of a cron line into a systemd calendar event."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: cron_to_calendar
short_description: Turn the five fields of a cron line into a systemd calendar event
version_added: 0.3.0
author:
  - tracestack contributors (@tracestack)
description:
  - Takes minute, hour, day of the month, month and day of the week as crontab(5) has them and gives what C(OnCalendar=) of a
    systemd timer needs for the same times.
  - What cron would never run, or would understand otherwise than it is written, is an error.
  - The role P(tracestack.jaeger.rollover_schedule#role) uses it.
positional: _input
options:
  _input:
    description:
      - The five fields with blanks between them, such as V(5 0 * * *).
      - Lists, ranges, steps and the names C(jan) to C(dec) and C(sun) to C(sat) are understood; V(7) is Sunday, too.
      - The day of the month and the day of the week cannot both be given. cron would run on either, and no calendar event can say that.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Five minutes past midnight, from Monday to Friday
  ansible.builtin.debug:
    msg: "{{ '5 0 * * mon-fri' | tracestack.jaeger.cron_to_calendar }}" # Mon,Tue,Wed,Thu,Fri *-*-* 0:5:00
"""

RETURN = r"""
_value:
  description: A calendar event of systemd.time(7).
  type: str
"""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class _Field(NamedTuple):
    """One of the five: what it may hold. first is the number of the first name."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    first: int = 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


def cron_to_calendar(line: str) -> str:
    """The filter."""
    texts = str(line).split()
    if len(texts) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise AnsibleFilterError(f"'{line}' has {len(texts)} fields and not five: {names}.")
    minutes, hours, days, months, weekdays = (_numbers(field, text) for field, text in zip(_FIELDS, texts))
    if days and weekdays:
        raise AnsibleFilterError(
            f"day is '{texts[2]}' and weekday is '{texts[4]}': give one of them. cron would run on days that are either, "
            "which a systemd timer cannot."
        )
    if days and months and min(days) > max(_LONGEST[month - 1] for month in months):
        raise AnsibleFilterError(f"day is '{texts[2]}' and month is '{texts[3]}': there is no such day.")
    names = ",".join(_WEEKDAYS[day].capitalize() for day in sorted({day % 7 for day in weekdays}))
    date = f"*-{_listed(months)}-{_listed(days)}"
    return f"{names} {date} {_listed(hours)}:{_listed(minutes)}:00".strip()


def _listed(numbers: list[int]) -> str:
    return ",".join(map(str, numbers)) or "*"


def _numbers(field: _Field, text: str) -> list[int]:
    """The numbers that a field holds, in their order; none for the asterisk, which is all of them."""
    if text == "*":
        return []
    return sorted({number for part in text.split(",") for number in _part(field, text, part)})


def _part(field: _Field, text: str, part: str) -> range:
    """The numbers of one part of a list: a number, a range, or either with a step."""
    found = re.fullmatch(r"(?:\*|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/([0-9]+))?", part.lower(), re.ASCII)
    if not found:
        raise _fault(
            field, text, "use numbers, ranges such as 1-5, lists such as 1,5, and steps such as */15"
        )
    low, high, step = found.groups()
    if low is None:
        # A week has seven days, though Sunday has two numbers.
        start, end = field.lowest, 6 if field.name == "weekday" else field.highest
    elif high is None and step is not None:
        raise _fault(field, text, f"a step needs a range, such as {low}-{field.highest}/{step}")
    else:
        start = _number(field, text, low)
        end = start if high is None else _number(field, text, high)
    if start > end:
        raise _fault(field, text, f"the range {part} ends before it begins")
    if step is not None and int(step) == 0:
        raise _fault(field, text, "a step is 1 or more")
    return range(start, end + 1, int(step or 1))


def _number(field: _Field, text: str, word: str) -> int:
    if word in field.names:
        return field.names.index(word) + field.first
    if word.isdigit() and field.lowest <= int(word) <= field.highest:
        return int(word)
    wanted = f"a number from {field.lowest} to {field.highest}"
    if field.names:
        wanted += f" or a name from {field.names[0]} to {field.names[-1]}"
    raise _fault(field, text, f"{word} is not {wanted}")


def _fault(field: _Field, text: str, reason: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"{field.name} is '{text}': {reason}.")


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"cron_to_calendar": cron_to_calendar}
