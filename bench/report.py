# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table, and what can be read from it: nothing is said here that the figures of this run do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.competitors import CURATOR, GO, MODULE, OURS, URI, Competitor
from bench.scenarios import Scenario

PEERS = (GO, CURATOR, URI)
HEADER = """\
| indices | | passes | requests | kB down | wall s | (least to most) | CPU s | peak MB | requests / Go | bytes / Go | wall / Go |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Measured:
    """One pass of one competitor. wall and cpu are in seconds, peak in bytes."""

    requests: tuple[str, ...]
    bytes_down: int
    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Row:
    """All passes of one competitor in one scenario."""

    scenario: Scenario
    competitor: Competitor
    passes: tuple[Measured, ...]

    @property
    def requests(self) -> float:
        return median(len(each.requests) for each in self.passes)

    @property
    def bytes_down(self) -> float:
        return median(each.bytes_down for each in self.passes)

    @property
    def wall(self) -> float:
        return median(each.wall for each in self.passes)

    @property
    def cpu(self) -> float:
        return median(each.cpu for each in self.passes)

    @property
    def peak(self) -> float:
        return median(each.peak for each in self.passes)


Figure = Callable[[Row], float]
FIGURES: dict[str, Figure] = {
    "requests": lambda row: row.requests,
    "bytes": lambda row: row.bytes_down,
    "wall": lambda row: row.wall,
}


class Rows:
    """All rows, by scenario and competitor."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = {(row.scenario.name, row.competitor.key): row for row in rows}

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return tuple({row.scenario.name: row.scenario for row in self.rows.values()}.values())

    def find(self, scenario: Scenario, competitor: Competitor) -> Row | None:
        return self.rows.get((scenario.name, competitor.key))

    def ratio(self, scenario: Scenario, mine: Competitor, other: Competitor, figure: str) -> float | None:
        """My figure for each one of the other's; None if one of the two was not measured."""
        ours, theirs = self.find(scenario, mine), self.find(scenario, other)
        return FIGURES[figure](ours) / FIGURES[figure](theirs) if ours and theirs else None

    def table(self) -> str:
        """Markdown, a line for each scenario and competitor."""
        return HEADER + "".join(f"{self.line(row)}\n" for row in self.rows.values())

    def line(self, row: Row) -> str:
        walls = [each.wall for each in row.passes]
        span = f"{min(walls):.2f} to {max(walls):.2f}" if len(walls) > 1 else ""
        ratios = [self.ratio(row.scenario, row.competitor, GO, figure) for figure in FIGURES]
        cells = [
            row.scenario.title,
            row.competitor.name,
            str(len(row.passes)),
            f"{row.requests:,.0f}",
            f"{row.bytes_down / 1000:,.1f}",
            f"{row.wall:.2f}",
            span,
            f"{row.cpu:.2f}",
            f"{row.peak / 1e6:.0f}",
            *("" if ratio is None else "1" if row.competitor is GO else f"{ratio:.3g}" for ratio in ratios),
        ]
        return f"| {' | '.join(cells)} |"

    def reading(self) -> str:
        """Which aims hold and which do not, a list item each."""
        large = [each for each in self.scenarios if each.index_count >= 1000]
        busy = [each for each in self.scenarios if each.index_count > 300 or len(each.prefixes) > 5]
        small = [each for each in self.scenarios if each not in busy]
        lines = [
            self.aim("at most half of the requests", OURS, "requests", 0.5, self.scenarios),
            self.aim("from 1,000 indices on, at most a tenth of the bytes", OURS, "bytes", 0.1, large),
            self.aim(
                "less time, as a playbook, above 300 indices or 5 prefixes", OURS, "wall", 1, busy, speed=True
            ),
            self.aim("less time, the module alone, in the same", MODULE, "wall", 1, busy, speed=True),
            *map(self.start_up, small),
            *self.missing(),
        ]
        return "".join(f"- {line}\n" for line in lines if line)

    def aim(
        self,
        words: str,
        mine: Competitor,
        figure: str,
        most: float,
        scenarios: Sequence[Scenario],
        *,
        speed: bool = False,
    ) -> str:
        """One aim against every peer in these scenarios: the worst ratio, or each one that misses it."""
        found = [
            (ratio, f"{scenario.title}, against {peer.name}")
            for scenario in scenarios
            for peer in PEERS
            if (ratio := self.ratio(scenario, mine, peer, figure)) is not None
        ]
        if not found:
            return ""
        missed = [each for each in found if each[0] > most or (speed and each[0] >= most)]
        if not missed:
            worst, where = max(found)
            return (
                f"Aim: {words}. **Holds** in all {len(found)} comparisons; closest is {worst:.2g} ({where})."
            )
        listed = "; ".join(f"{ratio:.2g} ({where})" for ratio, where in missed)
        return f"Aim: {words}. **Missed** in {len(missed)} of {len(found)} comparisons: {listed}."

    def start_up(self, scenario: Scenario) -> str:
        """Where little is to be done, time goes into starting: who waits how long for it."""
        go, module, playbook = (self.find(scenario, each) for each in (GO, MODULE, OURS))
        if not (go and module and playbook):
            return ""
        verb = "loses" if module.wall > go.wall else "does not lose"
        return (
            f"Small: with {scenario.title} the module alone takes {module.wall:.2f} s and the Go tools {go.wall:.2f} s; "
            f"Python's start-up {verb}. As a playbook it is {playbook.wall:.2f} s, of which "
            f"{playbook.wall - module.wall:.2f} s are Ansible's own, and {playbook.peak / go.peak:.1f} times the memory."
        )

    def missing(self) -> Iterable[str]:
        """Who was not measured."""
        for scenario in self.scenarios:
            for peer in PEERS:
                if not self.find(scenario, peer):
                    yield (
                        f"{peer.name} with {scenario.title}: not measured, because one pass takes many minutes; "
                        "`make bench ARGS=--full` does it."
                    )
