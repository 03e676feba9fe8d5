# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role rollover_schedule: a real cron and a real systemd run the job on a real Elasticsearch.

Both daemons have a machine of their own inside this one (tests/support/machine.py). Tests of one machine share it, in this order.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.machine import Machine, machine
from tests.support.modules import run_module
from tests.support.playbooks import Run
from tests.support.proxy import proxy
from tests.support.servers import ROOT, Elasticsearch, wait_for

SECRET = "nobody-sees-4711"
HOST = "Prod.EU"
NAME = "prod-eu"
USER = "jaeger-es-maintenance"
HOME = "/opt/100%jaeger"
CRON_FILE = f"/etc/cron.d/jaeger-es-maintenance-{NAME}"
RUN = f"{HOME}/jobs/{NAME}/run"
LOG = f"/var/log/jaeger-es-maintenance/{NAME}.log"
RECORD = f"/etc/jaeger-es-maintenance/{NAME}.json"

pytestmark = pytest.mark.xdist_group("rollover_schedule")


class Host:
    """A machine and the host of an inventory that it is."""

    def __init__(self, machine: Machine, name: str = HOST) -> None:
        self.machine = machine
        self.name = name

    def schedule(self, *arguments: str, folder: Path = ROOT, as_user: str = "", **variables: Any) -> Run:
        """Run the playbook there. The variables of the role are given without its name."""
        words = ("--inventory", str(self.inventory(as_user)), *arguments)
        return self.machine.play("playbooks/schedule.yml", self.variables(variables), *words, folder=folder)

    def variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """As the role has them."""
        mine = {
            "rollover_schedule_home": HOME,
            "rollover_schedule_random_delay": 0,
            "index_lifecycle_conditions": {"max_age": "0s"},
            "index_lifecycle_retries": 0,
        }
        whole = {
            name if name.startswith("index_lifecycle_") else f"rollover_schedule_{name}": value
            for name, value in given.items()
        }
        return {**mine, **whole}

    def inventory(self, as_user: str = "") -> Path:
        """An inventory of this host alone."""
        local: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        if as_user:
            local |= {"ansible_become": True, "ansible_become_user": as_user, "ansible_become_method": "su"}
        file = self.machine.shared / "inventory.yml"
        file.write_text(yaml.safe_dump({"elasticsearch": {"hosts": {self.name: local}}}))
        return file

    def text(self, path: str) -> str:
        """What is in a file of the machine; nothing if it is not there."""
        file = self.machine.path(path)
        return file.read_text() if file.exists() else ""

    def schedules(self) -> list[str]:
        """Every place that could start a run."""
        found = self.machine(
            "sh", "-c", "ls /etc/cron.d /etc/systemd/system; crontab -l 2>/dev/null || true"
        ).splitlines()
        return sorted(
            {
                "crontab" if line[0] in "*0123456789" else line
                for line in found
                if "jaeger" in line and line[0] != "#"
            }
        )


def went_well(run: Run, changed: bool | None = None) -> Run:
    """The run ended with success and changed something, or nothing."""
    assert run.code == 0, run.output
    if changed is not None:
        assert (run.count("changed") > 0) == changed, run.output
    return run


@pytest.fixture(scope="module")
def cron_machine() -> Iterator[Machine]:
    """A machine where cron runs."""
    with machine() as running:
        running("useradd", "--create-home", "tracy")
        running.start("/usr/sbin/cron", "-f", log=running.shared / "cron.log")
        yield running


@pytest.fixture(scope="module")
def systemd_machine() -> Iterator[Machine]:
    """A machine that systemd runs."""
    with machine(systemd=True) as running:
        yield running


@pytest.fixture
def host(cron_machine: Machine) -> Host:
    return Host(cron_machine)


@pytest.fixture
def booted(systemd_machine: Machine) -> Host:
    return Host(systemd_machine)


@pytest.fixture
def sets(es: Elasticsearch) -> Elasticsearch:
    """Index sets of the prefix prod, each with its first generation."""
    answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, replicas=0)
    assert answer.changed, answer.output
    return es


def generations(es: Elasticsearch) -> int:
    """The number of the newest generation of the spans."""
    return max(int(index[-6:]) for index in es.indices() if index.startswith("prod-jaeger-span-"))


def clone(host: Host) -> Path:
    """A copy of the collection that can be moved away."""
    folder = host.machine.shared / "clone"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("plugins", "roles", "playbooks", "maintenance", "meta"):
        shutil.copytree(
            ROOT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("ansible.cfg", "galaxy.yml"):
        shutil.copy(ROOT / file, folder / file)
    place = folder / "collections/ansible_collections/tracestack"
    place.mkdir(parents=True)
    (place / "jaeger").symlink_to("../../..")
    for name in ("community", "kubernetes"):
        if (real := ROOT / "collections/ansible_collections" / name).exists():
            (place.parent / name).symlink_to(real)
    return folder


def test_cron_runs_it_and_needs_nothing_of_the_checkout(host: Host, sets: Elasticsearch) -> None:
    """Check, do, check, do again; then the checkout goes, and within a minute or so cron has run the job as its own user."""
    variables = {**job(sets), "minute": "*", "hour": "*"}
    folder = clone(host)
    foretold = went_well(
        host.schedule("--check", "--diff", "-vvvv", folder=folder, **variables), changed=True
    )
    assert host.schedules() == []
    assert not host.machine.path(HOME).exists()
    done = went_well(host.schedule("--diff", "-vvvv", folder=folder, **variables), changed=True)
    for arguments in ((), ("--check", "--diff")):
        went_well(host.schedule(*arguments, folder=folder, **variables), changed=False)
    for run in (foretold, done):
        assert SECRET not in run.output
    assert host.schedules() == [CRON_FILE.rpartition("/")[2]]
    assert "Managed by Ansible" in host.text(CRON_FILE)

    shutil.rmtree(folder)
    wait_for(lambda: generations(sets) > 1, 130)
    wait_for(lambda: "done in" in host.text(LOG))
    line = host.text(LOG).splitlines()[0]
    assert re.search(rf"jaeger-es-maintenance\[\d+\]: done in [\d.]+ s: {NAME}: 3 rolled over", line), line
    assert SECRET not in host.text(LOG)
    uid = int(host.machine("id", "-u", USER))
    assert uid != 0
    assert host.machine.path(LOG).stat().st_uid == uid
    private(host)


def job(es: Elasticsearch) -> dict[str, Any]:
    """The options that reach it, a secret among them, which it does not ask for."""
    return {
        "index_lifecycle_server_urls": [es.url],
        "index_lifecycle_username": "jaeger",
        "index_lifecycle_password": SECRET,
    }


def private(host: Host) -> None:
    """Nobody but the job's user and root can read the job, and that user can write to nothing of what it runs."""
    (file,) = host.machine("grep", "-rl", SECRET, HOME).split()
    stat = host.machine.path(file).stat()
    assert (oct(stat.st_mode & 0o777), stat.st_uid) == ("0o600", int(host.machine("id", "-u", USER)))
    writable = host.machine.run(*as_user(), "find", HOME, "-writable", "-not", "-type", "l").stdout
    assert re.sub(r"find: .*: Permission denied\n", "", writable) == ""
    assert host.machine.run(*as_user("tracy"), "cat", file).returncode != 0


def test_an_update_while_a_run_is_going(host: Host, sets: Elasticsearch) -> None:
    """The run goes on with what it began with, which stays until it has ended; the next run is of the new release and job."""
    asked, go_on = threading.Event(), threading.Event()

    def hold(_method: str, _path: str) -> None:
        asked.set()
        go_on.wait(300)

    with proxy(sets.url, hold) as seen:
        went_well(
            host.schedule(
                **job(sets) | {"index_lifecycle_server_urls": [seen.url], "index_lifecycle_timeout": 300}
            )
        )
        began_with = names(host)
        running = host.machine.start(*as_user(), RUN, "--now", log=host.machine.shared / "held.log")
        assert asked.wait(30)
        folder = clone(host)
        with (folder / "plugins/module_utils/_plans.py").open("a") as file:
            file.write("# another release\n")
        went_well(host.schedule(folder=folder, **job(sets)), changed=True)
        assert not set(names(host)) & set(began_with)
        assert all(host.machine.path(one).exists() for one in (*began_with, *names(host)))
        go_on.set()
        assert running.wait(60) == 0
    assert generations(sets) == 2
    went_well(host.schedule(folder=folder, **job(sets)), changed=True)
    assert not any(host.machine.path(one).exists() for one in began_with)
    went_well(host.schedule(folder=folder, **job(sets)), changed=False)
    host.machine(*as_user(), RUN, "--now")
    assert generations(sets) == 3


def as_user(name: str = USER) -> list[str]:
    """The beginning of a command line that another user runs."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"]


def names(host: Host) -> list[str]:
    """The folders that the program of the job names: of the release and of the job."""
    return re.findall(rf"{HOME}/releases/\w+|{HOME}/jobs/{NAME}/\d+", host.text(RUN))


def test_a_play_that_was_cut_off(host: Host, sets: Elasticsearch) -> None:
    """Killed while it installs a release and while it switches: what was there goes on, and the next play finds all of it."""
    went_well(host.schedule(**job(sets)))
    before = names(host)
    folder = clone(host)
    with (folder / "plugins/module_utils/_plans.py").open("a") as file:
        file.write("# a third release\n")
    cut_off(host, folder, lambda: len(list(host.machine.path(f"{HOME}/releases").iterdir())) > 1, **job(sets))
    assert names(host) == before
    host.machine(*as_user(), RUN, "--now")
    went_well(host.schedule(folder=folder, **job(sets)), changed=True)
    assert len(list(host.machine.path(f"{HOME}/releases").iterdir())) == 1

    other = "/root/.config/jaeger-es-maintenance"
    cut_off(
        host, folder, lambda: host.machine.path(f"{other}/{NAME}.json").exists(), **job(sets), scope="user"
    )
    assert host.schedules() == [CRON_FILE.rpartition("/")[2]]
    went_well(host.schedule(folder=folder, **job(sets), scope="user"), changed=True)
    assert host.schedules() == ["crontab"]
    assert not host.machine.path(RECORD).exists()
    went_well(host.schedule(folder=folder, **job(sets), scope="user"), changed=False)
    went_well(host.schedule(folder=folder, **job(sets)), changed=True)
    assert host.schedules() == [CRON_FILE.rpartition("/")[2]]


def cut_off(host: Host, folder: Path, when: Callable[[], bool], **variables: Any) -> None:
    """Kill a play, with all that it runs, as soon as something is so."""
    words = ("--inventory", str(host.inventory()))
    number = host.machine.start_play(
        "playbooks/schedule.yml", host.variables(variables), *words, folder=folder
    )
    wait_for(when, 120)
    host.machine("sh", "-c", f"kill -9 -$(cat {number})")
    assert host.machine.started[-1].wait(20) != 0


def test_a_user_s_own_crontab(host: Host, sets: Elasticsearch) -> None:
    """No root anywhere: all in the user's home. The schedule of the system is not a user's to remove."""
    went_well(host.schedule(**job(sets)))
    refused = host.schedule(as_user="tracy", scope="user", home="", **job(sets))
    assert refused.error == (
        f"There is a schedule {NAME} of the whole system (/etc/jaeger-es-maintenance), which only root may change: "
        "run the play with become."
    )
    went_well(host.schedule(**job(sets), state="absent"), changed=True)
    options = {**job(sets), "scope": "user", "home": "", "minute": "*", "hour": "*"}
    needs_root = host.schedule(as_user="tracy", **options | {"scope": "system"})
    assert needs_root.error.startswith(
        "rollover_schedule_scope is system, which needs root, and this is tracy: "
    )
    went_well(host.schedule(as_user="tracy", **options), changed=True)
    went_well(host.schedule(as_user="tracy", **options), changed=False)
    wait_for(lambda: generations(sets) > 1, 130)
    log = f"/home/tracy/.local/state/jaeger-es-maintenance/log/{NAME}.log"
    wait_for(lambda: "done in" in host.text(log))
    assert host.machine.path(log).stat().st_uid == int(host.machine("id", "-u", "tracy"))
    went_well(host.schedule(as_user="tracy", **options, state="absent"), changed=True)
    assert "jaeger" not in host.machine.run("crontab", "-l", "-u", "tracy").stdout
    left = host.machine("find", "/home/tracy", "-path", "*jaeger*", "-type", "f").split()
    assert left == [log]


def test_absent_leaves_the_log(host: Host, sets: Elasticsearch) -> None:
    """In check mode, for real, and again; from nothing, too."""
    went_well(host.schedule(**job(sets)), changed=True)
    host.machine(*as_user(), RUN, "--now")
    went_well(host.schedule("--check", state="absent"), changed=True)
    assert host.schedules()
    went_well(host.schedule(state="absent"), changed=True)
    assert host.schedules() == []
    gone = (HOME, RECORD, f"/var/lib/jaeger-es-maintenance/{NAME}.lock")
    assert not any(host.machine.path(one).exists() for one in gone)
    assert "done in" in host.text(LOG)
    went_well(host.schedule(state="absent"), changed=False)


def test_a_name_that_is_somebody_else_s(host: Host, sets: Elasticsearch) -> None:
    """Two hosts of an inventory may be one machine, and their names may come to the same."""
    went_well(host.schedule(**job(sets)))
    other = Host(host.machine, "prod_eu")
    refused = other.schedule(**job(sets))
    assert refused.error == (
        f"The schedule {NAME} on this machine belongs to {HOST}, another host of the inventory: set rollover_schedule_name "
        "to a name of its own for prod_eu."
    )
    went_well(other.schedule(**job(sets), name="prod-eu-2"), changed=True)
    assert len(host.schedules()) == 2
    went_well(other.schedule(name="prod-eu-2", state="absent"), changed=True)
    host.machine(*as_user(), RUN, "--now")
    went_well(host.schedule(state="absent"))


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        (
            {
                "name": "../x",
                "home": "relative",
                "log_dir": "/var/log/a b",
                "user": "root; id",
                "max_runtime": -1,
                "cron_mailto": 'a"\nb',
                "webhook_url": f"https://example.org/{SECRET}",
                "webhook_url_file": "/etc/hook",
                "mail_username": "me",
                "memory_max": "much",
            },
            [
                "rollover_schedule_name is '../x': it must be 1 to 30 lower-case letters",
                "rollover_schedule_home is 'relative': it must be an absolute path",
                "rollover_schedule_log_dir is '/var/log/a b': it must be an absolute path",
                "rollover_schedule_user is 'root; id': it must be the name of a user",
                "rollover_schedule_max_runtime is -1: it must be 0 or more.",
                "rollover_schedule_cron_mailto is 'a\"",
                "rollover_schedule_webhook_url and rollover_schedule_webhook_url_file are set: set one of them.",
                "Set both rollover_schedule_mail_username and rollover_schedule_mail_password_file, or neither.",
                "rollover_schedule_memory_max is 'much'",
            ],
        ),
        (
            {"job": "playbook", "inventory": "/nowhere"},
            ["rollover_schedule_inventory is '/nowhere': it must be a folder or a file on the controller."],
        ),
        ({"minute": "60"}, ["rollover_schedule_minute is '60': 60 is not a number from 0 to 59."]),
        (
            {"day": "1", "weekday": "mon"},
            ["rollover_schedule_day is '1' and weekday is 'mon': give one of them."],
        ),
        (
            {"python": "/bin/false"},
            [f"rollover_schedule_python is '/bin/false' on {HOST}: it must be a Python 3.11 or newer"],
        ),
        (
            {"method": "systemd"},
            [f"rollover_schedule_method is systemd, and systemd does not answer on {HOST}: "],
        ),
        (
            {"index_lifecycle_retention_days": "soon"},
            ["argument 'index_lifecycle_retention_days' is of type"],
        ),
        (
            {
                "method": "kubernetes",
                "job": "playbook",
                "inventory": "/etc/hosts",
                "metrics_textfile": "/var/x.prom",
                "kubernetes_image": "a b",
            },
            [
                "a cluster runs only the job maintenance.",
                "rollover_schedule_metrics_textfile is for a host with a node exporter",
                "rollover_schedule_kubernetes_image is 'a b'",
            ],
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_changes_nothing(
    host: Host, variables: dict[str, Any], sentences: list[str]
) -> None:
    run = host.schedule("-vvvv", **variables)
    assert run.count("failed") == 1, run.output
    assert run.count("changed") == 0, run.output
    for sentence in sentences:
        assert sentence in run.error, run.error
    assert SECRET not in run.output
    assert host.schedules() == []


def test_what_the_job_s_user_cannot_read_is_told_now(host: Host, sets: Elasticsearch) -> None:
    """And a job file that the program refuses: both before there is a schedule."""
    host.machine("sh", "-c", "umask 077; echo secret >/root/password")
    run = host.schedule(
        **job(sets) | {"index_lifecycle_password": "", "index_lifecycle_password_file": "/root/password"}
    )
    assert run.error == f"the user {USER} cannot read /root/password, or it is not there: the job would fail."
    run = host.schedule(**job(sets), mail_to=["nobody"])
    assert run.error.startswith("the job file is wrong: ")
    assert "mail.to must be a list of mail addresses." in run.error
    assert host.schedules() == []
    went_well(host.schedule(state="absent"))


SERVICE = f"jaeger-es-maintenance-{NAME}"
UNITS = [f"{SERVICE}.service", f"{SERVICE}.timer"]


def test_systemd_runs_it(booted: Host, sets: Elasticsearch) -> None:
    """The timer fires for real; the unit is sound, and shut off from all that it does not need."""
    options = {**job(sets), "method": "systemd", "minute": "*", "hour": "*"}
    foretold = went_well(booted.schedule("--check", "--diff", **options), changed=True)
    assert booted.schedules() == []
    done = went_well(booted.schedule("--diff", "-vvvv", **options), changed=True)
    for run in (foretold, done):
        assert SECRET not in run.output
    for arguments in ((), ("--check", "--diff")):
        went_well(booted.schedule(*arguments, **options), changed=False)
    assert booted.schedules() == UNITS
    verified = booted.machine.run(
        "systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in UNITS)
    )
    assert (verified.returncode, verified.stdout) == (0, "")
    exposure = booted.machine.run("systemd-analyze", "security", "--no-pager", f"{SERVICE}.service").stdout
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", exposure)
    assert float(score) <= 1.5, exposure

    wait_for(lambda: "done in" in booted.text(LOG), 130)
    assert generations(sets) > 1
    shown = booted.machine("systemctl", "show", f"{SERVICE}.service", "--property=Result,ExecMainStatus")
    assert sorted(shown.split()) == ["ExecMainStatus=0", "Result=success"]
    booted.machine("systemctl", "stop", f"{SERVICE}.timer")
    wait_for(lambda: "ActiveState=inactive" in booted.machine("systemctl", "show", f"{SERVICE}.service"))
    went_well(booted.schedule(**options, random_delay=60), changed=True)
    timer = booted.machine("systemctl", "show", f"{SERVICE}.timer")
    assert "RandomizedDelayUSec=1min" in timer
    assert "Persistent=yes" in timer
    assert "ActiveState=active" in timer


def test_the_playbook_runs_over_its_own_inventory(booted: Host, sets: Elasticsearch) -> None:
    """In the hardened unit, with an inventory that is no longer there: two hosts, each its own prefix."""
    answer = run_module("es_rollover_init", server_urls=sets.url, index_prefix="stage", shards=1, replicas=0)
    assert answer.changed
    inventory = booted.machine.shared / "fleet"
    write_inventory(inventory, sets.url)
    options: dict[str, Any] = {"method": "systemd", "job": "playbook", "inventory": f"{inventory}/"}
    done = went_well(booted.schedule("--diff", "-vvvv", **options), changed=True)
    assert SECRET not in done.output
    went_well(booted.schedule(**options), changed=False)
    with (inventory / "group_vars/elasticsearch.yml").open("a") as file:
        file.write("# another\n")
    went_well(booted.schedule(**options), changed=True)
    shutil.rmtree(inventory)

    began = len(booted.text(LOG).splitlines())
    booted.machine("systemctl", "start", f"{SERVICE}.service")
    assert len(booted.text(LOG).splitlines()) == began + 1
    assert sets.indices() >= {"prod-jaeger-span-000002", "stage-jaeger-span-000002"}
    private(booted)
    went_well(booted.schedule(state="absent", job="playbook"))
    assert booted.schedules() == []
    assert not booted.machine.path(HOME).exists()


def write_inventory(folder: Path, url: str) -> None:
    """A folder as people have it."""
    hosts = {"prod": {}, "stage": {"index_lifecycle_index_prefix": "stage"}}
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text(yaml.safe_dump({"elasticsearch": {"hosts": hosts}}))
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "elasticsearch_url": url,
        "index_lifecycle_username": "jaeger",
        "index_lifecycle_password": SECRET,
        "index_lifecycle_conditions": {"max_age": "0s"},
    }
    (folder / "group_vars/elasticsearch.yml").write_text(yaml.safe_dump(common))


def test_a_switch_leaves_one_schedule(booted: Host, sets: Elasticsearch) -> None:
    """From cron to systemd, and back, in check mode first."""
    booted.machine("mkdir", "-p", "/etc/cron.d")
    went_well(booted.schedule(**job(sets)), changed=True)
    cron = [CRON_FILE.rpartition("/")[2]]
    for method, before, after in (("systemd", cron, UNITS), ("cron", UNITS, cron)):
        went_well(booted.schedule("--check", method=method, **job(sets)), changed=True)
        assert booted.schedules() == before
        went_well(booted.schedule(method=method, **job(sets)), changed=True)
        assert booted.schedules() == after
        went_well(booted.schedule(method=method, **job(sets)), changed=False)
    assert SERVICE not in booted.machine("systemctl", "list-units", "--all", "--no-legend", "--plain")
    unreachable = booted.schedule(method="kubernetes", **job(sets))
    assert "There is no kubeconfig" in unreachable.error
    assert booted.schedules() == cron
    went_well(booted.schedule(state="absent"), changed=True)
    assert booted.schedules() == []
