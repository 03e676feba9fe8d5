# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role rollover_schedule: a real cron and a real systemd run the job on a real Elasticsearch.

Both daemons run on one machine inside this one (tests/support/machine.py). Its tests are one story, in this order: what a test
leaves there, a release above all, the next one begins with.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.machine import PYTHON, Machine, machine
from tests.support.modules import run_module
from tests.support.playbooks import Run, files
from tests.support.proxy import proxy
from tests.support.servers import ROOT, Elasticsearch, wait_for

SECRET = "nobody-sees-4711"
HOST = "Prod.EU"
NAME = "prod-eu"
USER = "jaeger-es-maintenance"
TRACY = "tracy"
HOME = "/opt/100%jaeger"
CRON_FILE = f"/etc/cron.d/jaeger-es-maintenance-{NAME}"
CRON = [CRON_FILE.rpartition("/")[2]]
RUN = f"{HOME}/jobs/{NAME}/run"
LOG = f"/var/log/jaeger-es-maintenance/{NAME}.log"
TRACY_LOG = f"/home/{TRACY}/.local/state/jaeger-es-maintenance/log/{TRACY}.log"
RECORD = f"/etc/jaeger-es-maintenance/{NAME}.json"

pytestmark = pytest.mark.xdist_group("rollover_schedule")


class Host:
    """A machine and the hosts of an inventory that it is: HOST, and others where a test says so."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def schedule(self, *arguments: str, folder: Path = ROOT, **variables: Any) -> Run:
        """Run the playbook there for HOST. The variables of the role are given without its name."""
        return self.schedule_on({HOST: variables}, *arguments, folder=folder)

    def schedule_on(self, hosts: Mapping[str, Mapping[str, Any]], *words: str, folder: Path = ROOT) -> Run:
        """Run the playbook there for several hosts, each with its own variables."""
        inventory = ("--inventory", str(self.inventory(hosts)))
        return self.machine.play("playbooks/schedule.yml", {}, *inventory, *words, folder=folder)

    def inventory(self, hosts: Mapping[str, Mapping[str, Any]]) -> Path:
        """An inventory of these hosts alone."""
        file = self.machine.shared / "inventory.yml"
        own = {name: host_variables(**given) for name, given in hosts.items()}
        file.write_text(yaml.safe_dump({"elasticsearch": {"hosts": own}}))
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


def host_variables(as_user: str = "", **given: Any) -> dict[str, Any]:
    """A host's variables as the inventory has them."""
    whole: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": PYTHON,
        "rollover_schedule_home": HOME,
        "rollover_schedule_random_delay": 0,
        "index_lifecycle_conditions": {"max_age": "0s"},
        "index_lifecycle_retries": 0,
    }
    if as_user:
        whole |= {"ansible_become": True, "ansible_become_user": as_user, "ansible_become_method": "su"}
    for name, value in given.items():
        whole[name if name.startswith("index_lifecycle_") else f"rollover_schedule_{name}"] = value
    return whole


def went_well(run: Run, changed: bool | None = None) -> Run:
    """The run ended with success and changed something, or nothing."""
    assert run.code == 0, run.output
    if changed is not None:
        assert (run.count("changed") > 0) == changed, run.output
    return run


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A machine that systemd runs, with a user tracy. The tests leave there what the next one begins with."""
    with machine(systemd=True) as running:
        running("useradd", "--create-home", TRACY)
        running.warm_python()
        yield Host(running)


@pytest.fixture
def sets(es: Elasticsearch) -> Elasticsearch:
    """Index sets of the prefixes prod and stage, each with its first generation."""
    for prefix in ("prod", "stage"):
        answer = run_module("es_rollover_init", server_urls=es.url, index_prefix=prefix, shards=1, replicas=0)
        assert answer.changed, answer.output
    return es


def generations(es: Elasticsearch, prefix: str = "prod") -> int:
    """The number of the newest generation of the spans."""
    return max(int(index[-6:]) for index in es.indices() if index.startswith(f"{prefix}-jaeger-span-"))


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
    assert host.machine("stat", "--format=%U:%G %a", file) == f"root:{USER} 640\n"
    assert host.machine("find", HOME, "-not", "-user", "root") == ""
    writable = host.machine.run(*as_user(), "find", HOME, "-writable", "-not", "-type", "l").stdout
    assert re.sub(r"find: .*: Permission denied\n", "", writable) == ""
    assert host.machine.run(*as_user(TRACY), "cat", file).returncode != 0


def as_user(name: str = USER) -> list[str]:
    """The beginning of a command line that another user runs."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"]


PRIZE = "/root/prize"


@contextmanager
def attacked(host: Host, place: str) -> Iterator[None]:
    """As long as the block runs, the job's user puts a link to a folder of root's into a place where it may. The folder stays root's."""
    host.machine("mkdir", "--mode=700", "--parents", PRIZE)
    over = host.machine.shared / "over"
    link = f'for place in {place}; do [ ! -w "$place" ] || ln -s {PRIZE} "$place/log"; done'
    attack = host.machine.start(*as_user(), "sh", "-c", f"while [ ! -e {over} ]; do {link}; sleep 0.02; done")
    try:
        yield
    finally:
        over.touch()
        assert attack.wait(10) == 0
        over.unlink()
    assert host.machine("stat", "--format=%U:%G %a", PRIZE) == "root:root 700\n"


def names(host: Host) -> list[str]:
    """The folders that the program of the job names: of the release and of the job."""
    return re.findall(rf"{HOME}/releases/\w+|{HOME}/jobs/{NAME}/\d+", host.text(RUN))


def releases(host: Host) -> int:
    """The number of releases that are there, done or not."""
    return len(list(host.machine.path(f"{HOME}/releases").iterdir()))


# Groups and folders of others than root and the job's user.
OTHERS = f"""
groupadd many && usermod --append --groups many {TRACY} && usermod --append --groups many nobody
mkdir -p /srv/open /srv/of-a-group && chmod 1777 /srv/open && chgrp many /srv/of-a-group && chmod 775 /srv/of-a-group
mkdir /srv/of-a-group/inner && ln -s of-a-group/inner /srv/link
for name in folder-of-others folder-of-others-absent; do
  mkdir -p /srv/theirs/jobs/$name/1 && echo "five years" >/srv/theirs/jobs/$name/1/thesis.txt
done
"""


def not_made(name: str) -> str:
    """Why nothing is written to or deleted in the folder of a job of this name."""
    return (
        f"/srv/theirs/jobs/{name} (rollover_schedule_home) was not made by this role: it has no file .made-by-tracestack, and 1 among "
        "its files. Nothing was changed or deleted: set rollover_schedule_home to another folder."
    )


def test_a_wrong_variable_changes_nothing() -> None:
    """A host for each case, on a machine without systemd: no file is made, and no secret is shown."""
    cases: dict[str, tuple[dict[str, Any], list[str]]] = {
        "values": (
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
        "inventory": (
            {"job": "playbook", "inventory": "/nowhere"},
            ["rollover_schedule_inventory is '/nowhere': it must be a folder or a file on the controller."],
        ),
        "minute": ({"minute": "60"}, ["rollover_schedule_minute is '60': 60 is not a number from 0 to 59."]),
        "two-days": (
            {"day": "1", "weekday": "mon"},
            ["rollover_schedule_day is '1' and weekday is 'mon': give one of them."],
        ),
        "python": (
            {"python": "/bin/false"},
            ["rollover_schedule_python is '/bin/false' on python: it must be a Python 3.11 or newer"],
        ),
        "no-systemd": (
            {"method": "systemd"},
            ["rollover_schedule_method is systemd, and systemd does not answer on no-systemd: "],
        ),
        "type": (
            {"index_lifecycle_retention_days": "soon"},
            ["argument 'index_lifecycle_retention_days' is of type"],
        ),
        "kubernetes": (
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
        "home-of-a-user": (
            {"user": TRACY, "home": f"/home/{TRACY}/jobs"},
            [
                (
                    f"rollover_schedule_home is /home/{TRACY}/jobs: root installs programs there, and /home/{TRACY} belongs to {TRACY}, "
                    "who could replace them. Set it to a folder that only root can write to, as are all folders above it, or make "
                    f"/home/{TRACY} such a folder."
                )
            ],
        ),
        "open-home": ({"home": "/srv/open/jobs"}, ["/srv/open is open to everybody"]),
        "home-open-to-a-user": (
            {"user": TRACY, "home": "/srv/link/jobs"},
            [f"/srv/of-a-group is open to {TRACY}"],
        ),
        "home-open-to-a-group": ({"home": "/srv/link/jobs"}, [f"/srv/of-a-group is open to nobody, {TRACY}"]),
        "group-of-many": (
            {"user": TRACY, "group": "many"},
            [
                (
                    f"the group many of the user {TRACY} has other members (nobody), who could read the job's passwords: set "
                    f"rollover_schedule_group to a group of the user {TRACY} alone."
                )
            ],
        ),
        "group-of-others": (
            {"user": TRACY, "group": "games"},
            [f"the user {TRACY} is not in the group games (rollover_schedule_group)."],
        ),
        "folder-of-others": ({"home": "/srv/theirs"}, [not_made("folder-of-others")]),
        "folder-of-others-absent": (
            {"home": "/srv/theirs", "state": "absent"},
            [not_made("folder-of-others-absent")],
        ),
        "no-root": (
            {"as_user": TRACY, "home": ""},
            [f"rollover_schedule_scope is system, which needs root, and this is {TRACY}: "],
        ),
    }
    with machine() as plain:
        plain("useradd", "--create-home", TRACY)
        plain("sh", "-c", OTHERS)
        host = Host(plain)
        places = (HOME, "/opt/jaeger-es-maintenance", "/etc/jaeger-es-maintenance", "/srv")

        def made() -> dict[str, tuple[bool, set[str]]]:
            return {path: (plain.path(path).exists(), files(plain.path(path))) for path in places}

        before = made()  # what this machine has, that one has, too
        run = host.schedule_on({name: variables for name, (variables, _sentences) in cases.items()}, "-vvvv")
        errors = run.refusals()
        missing = [
            f"{name}: {sentence!r} is not in {errors[name]!r}"
            for name, (_variables, sentences) in cases.items()
            for sentence in sentences
            if sentence not in errors[name]
        ]
        assert not missing, "\n".join(missing)
        assert errors["no-root"].startswith(cases["no-root"][1][0])
        assert SECRET not in run.output
        assert host.schedules() == []
        assert made() == before


def test_cron_runs_it_and_needs_nothing_of_the_checkout(host: Host, sets: Elasticsearch) -> None:
    """Check, do, check, do again; then the checkout goes, and within a minute or so cron has run the job as its own user.

    So it has in the crontab of a user who is not root anywhere: all of that is in the user's home.
    """
    always = {**job(sets), "minute": "*", "hour": "*"}
    own = {"as_user": TRACY, "scope": "user", "home": "", "index_lifecycle_index_prefix": "stage"}
    both = {HOST: always, TRACY: always | own}
    folder = clone(host)
    foretold = went_well(host.schedule("--check", "--diff", "-vvvv", folder=folder, **always), changed=True)
    assert host.schedules() == []
    assert not host.machine.path(HOME).exists()
    done = went_well(host.schedule_on(both, "--diff", "-vvvv", folder=folder))
    assert all(done.changed.values()), done.output
    went_well(host.schedule_on(both, folder=folder), changed=False)
    went_well(host.schedule("--check", "--diff", folder=folder, **always), changed=False)
    for run in (foretold, done):
        assert SECRET not in run.output
    assert host.schedules() == CRON
    assert "Managed by Ansible" in host.text(CRON_FILE)

    shutil.rmtree(folder)
    host.machine("systemctl", "start", "cron")
    wait_for(lambda: generations(sets) > 1 and generations(sets, "stage") > 1, 130)
    wait_for(lambda: "done in" in host.text(LOG) and "done in" in host.text(TRACY_LOG))
    host.machine("systemctl", "stop", "cron")
    line = host.text(LOG).splitlines()[0]
    assert re.search(rf"jaeger-es-maintenance\[\d+\]: done in [\d.]+ s: {NAME}: 3 rolled over", line), line
    assert SECRET not in host.text(LOG)
    uid = int(host.machine("id", "-u", USER))
    assert uid != 0
    assert host.machine.path(LOG).stat().st_uid == uid
    assert host.machine.path(TRACY_LOG).stat().st_uid == int(host.machine("id", "-u", TRACY))
    private(host)


def test_other_schedules_of_the_machine(host: Host, sets: Elasticsearch) -> None:
    """Two hosts of an inventory may be one machine, and their names may come to the same.

    What the job's user cannot read, and a job file that the program refuses, are told before there is a schedule. The schedule
    of the system is not a user's to remove.
    """
    host.machine("sh", "-c", "umask 077; echo secret >/root/password")
    unreadable = {"index_lifecycle_password": "", "index_lifecycle_password_file": "/root/password"}
    hosts = {
        HOST: {"as_user": TRACY, "scope": "user", "home": "", **job(sets)},
        "prod_eu": job(sets),
        "prod.eu": {"name": "prod-eu-2", **folders("other"), **job(sets)},
        "unreadable": {**folders("attacked"), **job(sets), **unreadable},
        "job-file": {"mail_to": ["nobody"], **job(sets)},
    }
    with attacked(host, "/var/lib/attacked"):
        run = host.schedule_on(hosts)
    errors = run.errors
    wrong_job = errors.pop("job-file", "")
    assert wrong_job.startswith("the job file is wrong: ")
    assert "mail.to must be a list of mail addresses." in wrong_job
    assert errors == {
        HOST: (
            f"There is a schedule {NAME} of the whole system (/etc/jaeger-es-maintenance), which only root may change: "
            "run the play with become."
        ),
        "prod_eu": (
            f"The schedule {NAME} on this machine belongs to {HOST}, another host of the inventory: set "
            "rollover_schedule_name to a name of its own for prod_eu."
        ),
        "unreadable": f"the user {USER} cannot read /root/password, or it is not there: the job would fail.",
    }
    changed = run.changed
    assert (changed[HOST], changed["prod_eu"]) == (0, 0), run.output
    assert changed["prod.eu"] > 0, run.output
    assert host.schedules() == [*CRON, f"{CRON[0]}-2"]

    gone = {name: {**hosts[name], "state": "absent"} for name in ("prod.eu", "unreadable", "job-file")}
    run = host.schedule_on({**gone, TRACY: {**hosts[HOST], "state": "absent"}})
    assert all(went_well(run).changed.values()), run.output
    assert host.schedules() == CRON
    assert "jaeger" not in host.machine.run("crontab", "-l", "-u", TRACY).stdout
    assert host.machine("find", f"/home/{TRACY}", "-path", "*jaeger*", "-type", "f").split() == [TRACY_LOG]
    host.machine(*as_user(), RUN, "--now")
    assert generations(sets) == 2


def folders(name: str) -> dict[str, str]:
    """The log in the folder of the state, which belongs to the job's user."""
    return {"state_dir": f"/var/lib/{name}", "log_dir": f"/var/lib/{name}/log"}


SERVICE = f"jaeger-es-maintenance-{NAME}"
UNITS = [f"{SERVICE}.service", f"{SERVICE}.timer"]


def test_systemd_runs_it_after_cron(host: Host, sets: Elasticsearch) -> None:
    """A switch leaves one schedule. The timer fires for real; the unit is sound, and shut off from all that it does not need."""
    options = {**job(sets), "method": "systemd", "minute": "*", "hour": "*"}
    foretold = went_well(host.schedule("--check", "--diff", **options), changed=True)
    assert host.schedules() == CRON
    began = len(host.text(LOG).splitlines())
    done = went_well(host.schedule("--diff", "-vvvv", **options), changed=True)
    for run in (foretold, done):
        assert SECRET not in run.output
    for arguments in ((), ("--check", "--diff")):
        went_well(host.schedule(*arguments, **options), changed=False)
    assert host.schedules() == UNITS
    verified = host.machine.run(
        "systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in UNITS)
    )
    assert (verified.returncode, verified.stdout) == (0, "")
    exposure = host.machine.run("systemd-analyze", "security", "--no-pager", f"{SERVICE}.service").stdout
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", exposure)
    assert float(score) <= 1.5, exposure

    wait_for(lambda: any("done in" in line for line in host.text(LOG).splitlines()[began:]), 130)
    assert generations(sets) > 1
    shown = host.machine("systemctl", "show", f"{SERVICE}.service", "--property=Result,ExecMainStatus")
    assert sorted(shown.split()) == ["ExecMainStatus=0", "Result=success"]
    host.machine("systemctl", "stop", f"{SERVICE}.timer")
    wait_for(lambda: "ActiveState=inactive" in host.machine("systemctl", "show", f"{SERVICE}.service"))


def test_the_playbook_runs_over_its_own_inventory(host: Host, sets: Elasticsearch) -> None:
    """In the hardened unit, with an inventory that is no longer there: two hosts, each its own prefix. The timer runs again."""
    inventory = host.machine.shared / "fleet"
    write_inventory(inventory, sets.url)
    options: dict[str, Any] = {"method": "systemd", "job": "playbook", "inventory": f"{inventory}/"}
    options |= {"random_delay": 60}
    with attacked(host, f"{HOME}/jobs/{NAME}/*/inventory"):
        done = went_well(host.schedule("--diff", "-vvvv", **options), changed=True)
    assert SECRET not in done.output
    timer = host.machine("systemctl", "show", f"{SERVICE}.timer")
    assert "RandomizedDelayUSec=1min" in timer
    assert "Persistent=yes" in timer
    assert "ActiveState=active" in timer
    went_well(host.schedule(**options), changed=False)
    with (inventory / "group_vars/elasticsearch.yml").open("a") as file:
        file.write("# another\n")
    went_well(host.schedule(**options), changed=True)
    shutil.rmtree(inventory)

    began = len(host.text(LOG).splitlines())
    host.machine("systemctl", "start", f"{SERVICE}.service")
    assert len(host.text(LOG).splitlines()) == began + 1
    assert sets.indices() >= {"prod-jaeger-span-000002", "stage-jaeger-span-000002"}
    private(host)


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


def test_updates(host: Host, sets: Elasticsearch) -> None:
    """Back to cron. A play is killed while it installs a release, one installs it while a run goes on, one is killed in a switch.

    What was there goes on: a run with what it began with, which stays until it has ended. The next play finds all of it, and
    the next run is of the new release and job.
    """
    asked, go_on = threading.Event(), threading.Event()
    go_on.set()

    def hold(_method: str, _path: str) -> None:
        asked.set()
        go_on.wait(300)

    with proxy(sets.url, hold) as seen:
        slow = {"index_lifecycle_server_urls": [seen.url], "index_lifecycle_timeout": 300}
        before = job(sets) | slow
        as_before_there_were_marks(host)
        went_well(host.schedule("--check", **before), changed=True)
        assert host.schedules() == UNITS
        went_well(host.schedule(**before), changed=True)
        went_well(host.schedule(**before), changed=False)
        assert SERVICE not in host.machine("systemctl", "list-units", "--all", "--no-legend", "--plain")
        assert "There is no kubeconfig" in host.schedule(method="kubernetes", **before).error
        assert host.schedules() == CRON

        began_with = names(host)
        folder = clone(host)
        with (folder / "plugins/module_utils/_plans.py").open("a") as file:
            file.write("# another release\n")
        cut_off(host, folder, lambda: releases(host) > 1, **job(sets))
        assert names(host) == began_with
        host.machine(*as_user(), RUN, "--now")
        assert generations(sets) == 2

        asked.clear()
        go_on.clear()
        running = host.machine.start(*as_user(), RUN, "--now", log=host.machine.shared / "held.log")
        assert asked.wait(30)
        went_well(host.schedule(folder=folder, **job(sets)), changed=True)
        assert not set(names(host)) & set(began_with)
        assert all(host.machine.path(one).exists() for one in (*began_with, *names(host)))
        go_on.set()
        assert running.wait(60) == 0
    assert generations(sets) == 3

    other = "/root/.config/jaeger-es-maintenance"
    own = {**job(sets), "scope": "user"}
    cut_off(host, folder, lambda: host.machine.path(f"{other}/{NAME}.json").exists(), **own)
    assert host.schedules() == CRON
    went_well(host.schedule(folder=folder, **own), changed=True)
    assert host.schedules() == ["crontab"]
    assert not host.machine.path(RECORD).exists()
    assert not any(host.machine.path(one).exists() for one in began_with)
    assert releases(host) == 1
    assert host.machine("find", HOME, "-not", "-user", "root") == ""
    went_well(host.schedule(folder=folder, **own), changed=False)
    went_well(host.schedule(folder=folder, **job(sets)), changed=True)
    assert host.schedules() == CRON
    host.machine(*as_user(), RUN, "--now")
    assert generations(sets) == 4


def as_before_there_were_marks(host: Host) -> None:
    """Leave a release and a job as releases before 0.3.0 did: no marks, a fingerprint of other things, and the user's own files."""
    job = names(host)[1]
    host.machine("find", HOME, "-name", ".made-by-tracestack", "-delete")
    host.machine("chown", "--recursive", USER, f"{job}/job.json", f"{job}/inventory")
    host.machine.path(f"{job}/fingerprint").write_text("other")


def cut_off(host: Host, folder: Path, when: Callable[[], bool], **variables: Any) -> None:
    """Kill a play, with all that it runs, as soon as something is so."""
    words = ("--inventory", str(host.inventory({HOST: variables})))
    number = host.machine.start_play("playbooks/schedule.yml", {}, *words, folder=folder)
    wait_for(when, 120)
    host.machine("sh", "-c", f"kill -9 -$(cat {number})")
    assert host.machine.started[-1].wait(20) != 0


def schedule_in_a_users_home(host: Host) -> str:
    """The folder of a further schedule on the record, from before such folders were refused, and now of that user's own files."""
    folder = f"/home/{TRACY}/schedule"
    host.machine(
        "sh", "-c", f"mkdir -p {folder}/jobs/{NAME} && echo 'five years' >{folder}/jobs/{NAME}/thesis.txt"
    )
    host.machine("chown", "--recursive", TRACY, folder)
    record = json.loads(host.text(RECORD))
    other = {"id": f"cron system {folder}", "home": folder}
    record["schedules"].append({**record["schedules"][0], **other})
    host.machine.path(RECORD).write_text(json.dumps(record))
    return folder


def test_absent_leaves_the_log(host: Host) -> None:
    """In check mode, for real, and again, from nothing."""
    went_well(host.schedule("--check", state="absent"), changed=True)
    assert host.schedules()
    theirs = schedule_in_a_users_home(host)
    run = went_well(host.schedule(state="absent", job="playbook"), changed=True)
    assert f"{theirs} is left as it is, because others than root can change it." in " ".join(
        run.output.split()
    )
    assert files(host.machine.path(theirs)) == {f"jobs/{NAME}/thesis.txt"}
    assert host.schedules() == []
    gone = (HOME, RECORD, f"/var/lib/jaeger-es-maintenance/{NAME}.lock")
    assert not any(host.machine.path(one).exists() for one in gone)
    assert "done in" in host.text(LOG)
    went_well(host.schedule(state="absent"), changed=False)
