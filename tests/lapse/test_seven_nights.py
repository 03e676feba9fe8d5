# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seven nights of maintenance in a minute or two, while a real collector writes to a server that runs through all of them.

The clock is that of the server and of the host that the maintenance runs on. The days pass in seconds, the nights as
nights do. The collector's own clock cannot be moved (a Go program asks the kernel, not the C library), and nothing of what
it does here depends on it but one thing: it writes an operation of a service once in 12 hours. So the operation's name
says which half of which day it is, and the set of services gets as many documents as it would.

What must be there is not worked out by the planners, but stands in a table, and follows from a log of what was written when.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.drop_in import drop_in
from tests.support.moved_clock import MovedClock, clock_environment, moved_clock
from tests.support.proxy import Fault, nth, proxy
from tests.support.scheduled import Runner, installed
from tests.support.servers import Elasticsearch, Jaeger, jaeger, wait_for

PREFIX = "lapse"
SPAN, SERVICE, DEPENDENCIES = "span", "service", "dependencies"
SETS = (SPAN, SERVICE, DEPENDENCIES)
LOOKBACK = 3  # days
RETENTION = 5  # days
MAINTENANCE = {
    "index_prefix": PREFIX,
    "conditions": {"max_age": "1d"},
    "lookback": {"unit": "days", "unit_count": LOOKBACK},
    "retention": {"days": RETENTION},
}
LONDON = {"TZ": "GMT0BST,M3.5.0/1,M10.5.0"}  # where the host's cron lives
API = "api"
BATCH = 2  # traces of one span each
PAUSE = 0.2  # seconds between two batches
SECONDS_A_DAY = 5
HALF_A_SECOND = timedelta(milliseconds=500)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    """An instant of 2026, such as 03-26 00:05:00."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


@dataclass(frozen=True)
class Night:
    """When the maintenance runs, by UTC, how, what must be there afterwards, and what its line in the log says.

    Of each generation: w it is written, r it can be read, h it is hidden but stored, x it is deleted.
    how: "usual", "sharp" (the clock stands meanwhile, so that it is a matter of the second), "missed" (there is no
    run), "behind" (the host's clock is an hour behind the server's), "killed" (after its first rollover).
    """

    at: datetime
    how: str
    spans: str
    others: str
    line: str

    @property
    def behind(self) -> timedelta:
        """How far the host's clock is behind."""
        return HOUR if self.how == "behind" else timedelta()

    def expected(self, record_type: str) -> str:
        """The picture of one set."""
        return self.spans if record_type == SPAN else self.others

    def cutoff(self, days: int) -> datetime:
        """What was written until an instant before this is so many days old: whole days of UTC, tonight's included."""
        today = (self.at - self.behind).replace(hour=0, minute=0, second=0, microsecond=0)
        return today + DAY - days * DAY


# The rules: an index that is a day old is rolled over. What was written until before the cut-off is hidden (3 days) or
# deleted (5 days). The cut-off is a midnight, and tonight counts as a day: in a run on the 29th that of the 27th and
# that of the 25th. "1 ends" says that generation 1 is written until then.
BEGIN = utc("03-25 00:00:00")
NIGHTS = (
    # By hand, at midnight: 1 is a day old to the millisecond, and ends. Five minutes later comes the night's own run.
    Night(utc("03-26 00:00:00"), "sharp", "1r 2w", "1r 2w", "3 rolled over"),
    Night(utc("03-26 00:05:00"), "usual", "1r 2w", "1r 2w", "nothing to do"),
    # 2 ends.
    Night(utc("03-27 00:06:00"), "usual", "1r 2r 3w", "1r 2r 3w", "3 rolled over"),
    # The host is down, and 3 goes on.
    Night(utc("03-28 00:05:00"), "missed", "1r 2r 3w", "1r 2r 3w", ""),
    # 3 ends. By the server's clock the cut-off is the 27th, and 1 would be too old. By the host's it is still the 28th, so
    # the cut-off is the very instant at which 1 ended, which is not before it.
    Night(utc("03-29 00:07:00"), "behind", "1r 2r 3r 4w", "1r 2r 3r 4w", "3 rolled over"),
    # Summer time has begun: 00:08 is 23:08 by UTC, still on the 29th. 4 is only 23 hours old, and goes on. 1 is hidden
    # now, as the cut-off is the 27th; 2 ended six minutes after that.
    Night(utc("03-29 23:08:00"), "usual", "1h 2r 3r 4w", "1h 2r 3r 4w", "3 out of sight"),
    # 4 ends for the spans. The other sets are not reached, and 2 stays readable, though the cut-off is the 28th.
    Night(utc("03-30 23:09:00"), "killed", "1h 2r 3r 4r 5w", "1h 2r 3r 4w", ""),
    # The spans' 5 ends, and the others' 4. 2 is hidden, and 1 is deleted: the cut-offs are the 29th and the 27th.
    Night(utc("03-31 23:10:00"), "usual", "1x 2h 3r 4r 5r 6w", "1x 2h 3r 4r 5w", "3 rolled over, 3 out of sight, 3 deleted"),
    # Seven nights are over. In the last second of the day nothing is due, and in the next one 3 and 2 are: the cut-offs are
    # the 30th and the 28th.
    Night(utc("03-31 23:59:59"), "sharp", "1x 2h 3r 4r 5r 6w", "1x 2h 3r 4r 5w", "nothing to do"),
    Night(utc("04-01 00:00:00"), "sharp", "1x 2x 3h 4r 5r 6w", "1x 2x 3h 4r 5w", "3 out of sight, 3 deleted"),
)  # fmt: skip


@dataclass
class Document:
    """One that was written: not before sent, by the server's clock, and not after settled. generation: where it is."""

    record_type: str
    sent: datetime
    accepted: bool = False
    settled: datetime | None = None
    generation: int = 0


Key = tuple[str, str]  # record type, and what names a document of it
KEYS: dict[str, Callable[[Any], str]] = {
    SPAN: lambda source: str(source["traceID"]),
    SERVICE: lambda source: str(source["operationName"]),
    DEPENDENCIES: lambda source: str(source["dependencies"][0]["child"]),
}


def base(record_type: str) -> str:
    return f"{PREFIX}-jaeger-{record_type}"


def generation(index: str) -> int:
    return int(index[-6:])


@dataclass(frozen=True)
class Birth:
    """When a generation was made, and when it was first seen: by then, nothing was written to the one before any more.

    Elasticsearch dates an index some milliseconds before the alias leads to it.
    """

    at: datetime
    seen: datetime


@dataclass
class Sets:
    """The index sets as they are on the server. births are kept of what is deleted, too."""

    es: Elasticsearch
    clock: MovedClock
    births: dict[str, dict[int, Birth]] = field(default_factory=lambda: {one: {} for one in SETS})

    def picture(self, record_type: str) -> str:
        """Each generation from the first one on, and what is the matter with it, as in the table."""
        name = base(record_type)
        path = f"/{name}-0*/_settings?filter_path=*.settings.index.creation_date"
        stored = {generation(index): found["settings"]["index"] for index, found in self.es.get(path).items()}
        for number, settings in stored.items():
            born = datetime.fromtimestamp(int(settings["creation_date"]) / 1000, UTC)
            assert self.births[record_type].setdefault(number, Birth(born, self.clock.now)).at == born
        aliases = self.es.aliases()

        def state(number: int) -> str:
            index = f"{name}-{number:06d}"
            written, readable = (f"{name}-write", index) in aliases, (f"{name}-read", index) in aliases
            if number not in stored:
                return "x"
            if written:
                return "w" if readable else "unreadable"
            return "r" if readable else "h"

        return " ".join(f"{number}{state(number)}" for number in range(1, max(stored) + 1))

    def documents(self) -> dict[Key, int]:
        """Each document that is stored, readable or not, and its generation."""
        self.es.request("POST", f"/{PREFIX}-jaeger-*/_refresh")
        found: dict[Key, int] = {}
        for record_type in SETS:
            hits = self.es.get(f"/{base(record_type)}-0*/_search?size=10000")["hits"]["hits"]
            for hit in hits:
                key = (record_type, KEYS[record_type](hit["_source"]))
                assert key not in found, f"{key} is in {hit['_index']} and in generation {found[key]}"
                found[key] = generation(hit["_index"])
        return found

    def ended(self, record_type: str, number: int) -> datetime:
        """When a generation was no longer the one that is written."""
        return self.births[record_type][number + 1].at

    def written(self, document: Document) -> set[int]:
        """The generations that were written while this document was on its way."""
        births = self.births[document.record_type]
        born = {
            number for number, birth in births.items() if document.settled and birth.at <= document.settled
        }
        ended = {number - 1 for number, birth in births.items() if birth.seen < document.sent}
        return born - ended


@dataclass
class Lapse:
    """Who writes, what was written, and the nights."""

    sets: Sets
    traces: Jaeger
    clock: MovedClock
    host: Runner
    log: dict[Key, Document] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    errors: list[str] = field(default_factory=list)
    lookups: int = 0

    # Writing

    def write(self) -> None:
        """Batch after batch, until the test is done."""
        hour = -1
        while not self.done.wait(PAUSE):
            now = self.clock.now
            try:
                self.write_spans(now)
                if now.hour != hour:
                    self.write_dependencies(now)
            except (OSError, AssertionError) as refused:
                self.errors.append(f"{now}: {refused!r}")
            hour = now.hour

    def write_spans(self, now: datetime) -> None:
        """Export some traces; the first of a half day bring a document of the service with them."""
        half = now - 6 * HOUR  # so that none begins near a run
        operation = f"work of {half:%m-%d}, half {half.hour // 12 + 1}"
        batch = [uuid.uuid4().hex for _trace in range(BATCH)]
        keys = [(SERVICE, operation), *((SPAN, trace) for trace in batch)]
        sent = [self.log.setdefault(key, Document(key[0], now)) for key in keys]
        self.traces.send_traces(batch, API, 1, operation=operation, at=now)
        for document in sent:
            document.accepted = True

    def write_dependencies(self, now: datetime) -> None:
        """As Jaeger's Spark job does it."""
        child = f"since {now:%m-%d %H.%M.%S.%f}"
        document = self.log.setdefault((DEPENDENCIES, child), Document(DEPENDENCIES, now))
        content = {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
            "dependencies": [{"parent": API, "child": child, "callCount": 1}],
        }
        self.sets.es.request("POST", f"/{base(DEPENDENCIES)}-write/_doc", content)
        document.accepted = True

    def settle(self) -> dict[Key, int]:
        """Wait until all that was accepted by now is stored, and note where. Returns all that is."""
        written = {key: one for key, one in self.log.copy().items() if one.accepted and one.settled is None}
        found: dict[Key, int] = {}

        def stored() -> bool:
            found.clear()
            found.update(self.sets.documents())
            return written.keys() <= found.keys()

        wait_for(stored)
        for key, document in written.items():
            document.settled = self.clock.now
            document.generation = found[key]
        return found

    def settled(self, record_type: str) -> dict[str, Document]:
        """The documents of a set of which it is known where they are."""
        return {
            name: one for (kind, name), one in self.log.copy().items() if kind == record_type and one.settled
        }

    # The nights

    def live_through(self, night: Night) -> None:
        """The day before it, the night, and the look at what came of it."""
        eve = max(self.clock.now, night.at - MINUTE)
        self.clock.pass_to(eve, max(0.5, SECONDS_A_DAY * ((eve - self.clock.now) / DAY)))
        self.settle()
        self.clock.pass_to(night.at, 0.2)
        if night.how != "sharp":
            self.clock.go()
        if night.how != "missed":
            self.run(night)
        finished = self.clock.now
        pictures = {one: self.sets.picture(one) for one in SETS}
        assert pictures == {one: night.expected(one) for one in SETS}, night
        if night.how == "sharp":
            self.clock.pass_to(night.at + HALF_A_SECOND, 0.1)
        self.check_documents()
        self.check_ages(night, finished)
        self.check_jaeger()
        assert self.errors == []
        self.clock.stand()

    def run(self, night: Night) -> None:
        """What a scheduler runs, while the writing goes on."""
        before = len(self.log)
        self.clock.set_host_behind(night.behind)
        if night.how == "killed":
            self.run_and_kill()
        else:
            done = self.host.run(self.job(self.sets.es.url), self.environment)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        self.clock.set_host_behind(timedelta())
        assert len(self.log) > before, f"Nothing was written during the run of {night}"

    def run_and_kill(self) -> None:
        """SIGKILL to it and its child when the server has rolled the spans over, before the child hears of it."""

        def kill() -> None:
            told = self.file("lock").read_text()
            for process in re.findall(r"(?:pid|child) (\d+)", told):
                os.kill(int(process), signal.SIGKILL)

        fault = nth("POST", f"/{base(SPAN)}-write/_rollover", Fault(then=kill))
        with proxy(self.sets.es.url, fault) as between:
            process = self.host.start(self.job(between.url), self.environment)
            told = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, told
        assert len(between.faults) == 1
        assert "_rollover" in between.requests[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What cron runs it in."""
        return {**LONDON, **clock_environment(self.clock.host)}

    def file(self, name: str) -> Path:
        """One that the runs leave on the host."""
        return self.host.folder / name

    def job(self, url: str) -> Path:
        """The job file. The log is not rotated in this time."""
        return self.host.job(
            options={"server_urls": [url], "index_sets": [MAINTENANCE]},
            lock=str(self.file("lock")),
            max_runtime=600,
            log={"file": str(self.file("log"))},
            metrics={"textfile": str(self.file("jaeger.prom"))},
        )

    # What must hold

    def check_documents(self) -> None:
        """Each document is where it was written, or in a generation that is gone; and there are no others."""
        found = self.settle()
        log = self.log.copy()
        assert found.keys() <= log.keys()
        for record_type in SETS:
            gone = numbers(self.sets.picture(record_type), "x")
            for name, document in self.settled(record_type).items():
                where = found.get((record_type, name))
                assert where == (None if document.generation in gone else document.generation), (
                    name,
                    document,
                )
                assert document.generation in self.sets.written(document), (name, document)

    def check_ages(self, night: Night, finished: datetime) -> None:
        """Nothing was born at another time than in the run, and nothing was hidden or deleted early to the second."""
        for record_type in SETS:
            before, now = self.pictures.get(record_type, "1w"), night.expected(record_type)
            for number in numbers(now, "rwhx") - numbers(before, "rwhx"):
                assert night.at <= self.sets.births[record_type][number].at <= finished
            old = {
                LOOKBACK: numbers(now, "hx") - numbers(before, "hx"),
                RETENTION: numbers(now, "x") - numbers(before, "x"),
            }
            for days, generations in old.items():
                for number in generations:
                    assert self.sets.ended(record_type, number) < night.cutoff(days)
                documents = self.settled(record_type).values()
                instants = [one.settled for one in documents if one.settled and one.generation in generations]
                assert bool(instants) == bool(generations)
                assert all(instant < night.cutoff(days) for instant in instants)
            self.pictures[record_type] = now

    def check_jaeger(self) -> None:
        """The real query service finds all that is in a readable generation, and nothing else."""
        spans = self.settled(SPAN)
        self.lookups += len(spans)
        self.compare(SPAN, self.traces.found(list(spans)))
        operations = self.traces.ask(f"services/{API}/operations")
        self.compare(SERVICE, operations)
        assert self.traces.services() == [API]
        end = int((self.clock.now + HOUR).timestamp() * 1000)
        asked = f"dependencies?endTs={end}&lookback={int(30 * DAY / timedelta(milliseconds=1))}"
        self.compare(DEPENDENCIES, (one["child"] for one in self.traces.ask(asked)))

    def compare(self, record_type: str, found: Iterable[str]) -> None:
        """What was written meanwhile may be found, too."""
        readable = numbers(self.pictures[record_type], "rw")
        settled = self.settled(record_type)
        expected = {name for name, one in settled.items() if one.generation in readable}
        assert set(found) & settled.keys() == expected, record_type


def numbers(picture: str, states: str) -> set[int]:
    """The generations of a picture that are in one of these states."""
    return {int(number) for number, state in re.findall(r"(\d+)([a-z])", picture) if state in states}


def check_log(lines: list[str]) -> None:
    """One line for each run that came to its end, and one for a clock that is wrong; nothing else."""
    for night in NIGHTS:
        if night.line:
            line = lines.pop(0)
            passed = datetime.fromisoformat(line.split()[0]) - (night.at - night.behind)
            assert timedelta() <= passed < (timedelta(seconds=1) if night.how == "sharp" else HOUR), (
                night,
                line,
            )
            assert re.search(rf"\]: done in [\d.]+ s: prod: {night.line}$", line), (night, line)
        if night.behind:
            assert "]: warning: prod: The server's clock says" in lines.pop(0)
    assert lines == []


def check_metrics(text: str) -> None:
    """The counters have what the runs told that came to their end, over all of them; the killed one rolled over one more."""
    last = NIGHTS[-1]
    for record_type in SETS:
        picture = last.expected(record_type)
        newest = max(numbers(picture, "w"))
        killed = 1 if record_type == SPAN else 0
        expected = {
            "jaeger_es_deleted_total": len(numbers(picture, "x")),
            "jaeger_es_rolled_over_total": newest - 1 - killed,
            "jaeger_es_generation": newest,
            "jaeger_es_generations": len(numbers(picture, "hrw")),
        }
        labels = f'{{cluster="prod",prefix="{PREFIX}",record_type="{record_type}"}}'
        found = {
            name: re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.MULTILINE) for name in expected
        }
        assert {name: float(value[1]) for name, value in found.items() if value} == expected
    success = re.search(
        r'^jaeger_es_last_success_timestamp_seconds{cluster="prod"} (\S+)$', text, re.MULTILINE
    )
    assert success
    assert float(success[1]) == last.at.timestamp()


def test_seven_nights(
    es: Elasticsearch, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    assert es.clock is not None
    start = time.monotonic()
    with moved_clock(es.clock, BEGIN) as clock:
        flags = (f"--index-prefix={PREFIX}", "--shards=1", "--replicas=0")
        assert drop_in("init", es.url, *flags, clock=clock.host).returncode == 0
        process = es.get("/_nodes/jvm?filter_path=nodes.*.jvm.pid")
        with jaeger(es, PREFIX, tmp_path) as traces:
            lapse = Lapse(Sets(es, clock), traces, clock, Runner(installed(tmp_path / "venv"), tmp_path))
            writer = threading.Thread(target=lapse.write)
            writer.start()
            try:
                for night in NIGHTS:
                    lapse.live_through(night)
            finally:
                lapse.done.set()
                writer.join()
        assert es.get("/_nodes/jvm?filter_path=nodes.*.jvm.pid") == process
    check_log(lapse.file("log").read_text().splitlines())
    check_metrics(lapse.file("jaeger.prom").read_text())
    told = {
        "seconds": round(time.monotonic() - start),
        "written": {one: len(lapse.settled(one)) for one in SETS},
        "around a rollover": sum(
            len(lapse.sets.written(one)) > 1 for one in lapse.log.values() if one.settled
        ),
        "lookups": lapse.lookups,
    }
    for name, value in told.items():
        record_property(name, value)
    print(told)
