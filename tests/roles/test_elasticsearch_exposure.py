# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role elasticsearch_exposure: through a real sshd and a real socat to a real Elasticsearch."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.support.playbooks import Run, files, play_on, processes
from tests.support.proxy import Fault, Proxy, nth, proxy
from tests.support.servers import Elasticsearch, answers, free_port, listens, wait_for
from tests.support.sshd import Sshd, key_pair, sshd

# Stands for the address of this machine that a cluster sees: this machine holds it, and Elasticsearch is not there.
GATEWAY = "127.0.0.2"
PLAYBOOK = """\
- name: Expose Elasticsearch
  hosts: all
  gather_facts: false
  vars:
    elasticsearch_url: "{{ url_of_the_inventory | default('') }}"
  tasks:
    - name: Expose Elasticsearch
      ansible.builtin.include_role:
        name: tracestack.jaeger.elasticsearch_exposure
    - name: Show the facts
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }}={{ [elasticsearch_url | default(''), elasticsearch_local_url | default('')] | join(',') }}."
"""
INSTALL = """\
- name: Install supervisord, which is not started
  hosts: all
  gather_facts: false
  tasks:
    - name: Install supervisord
      ansible.builtin.include_role:
        name: tracestack.jaeger.supervisor
        tasks_from: prepare.yml
"""


def settings(**values: Any) -> dict[str, Any]:
    """The role's variables of these names, which all begin alike."""
    return {f"elasticsearch_exposure_{name}": value for name, value in values.items()}


MARKER = ".made-by-tracestack"
ACCEPTED = settings(accept_unauthenticated=True)
ABSENT = settings(state="absent")


class Exposure:
    """The role, on hosts that are all this machine, each with a home of its own in a folder.

    venv is what they share of supervisord, where it is to run.
    """

    def __init__(self, folder: Path, url: str, venv: Path | None = None) -> None:
        self.folder = folder
        self.url = url
        self.venv = venv

    def run(self, hosts: Mapping[str, Mapping[str, Any]], *arguments: str) -> Run:
        """Run it on these hosts, each with variables of its own."""
        playbook = self.folder / "expose.yml"
        playbook.write_text(PLAYBOOK)
        usual = settings(timeout=20, retry_seconds=1)
        given = {}
        for name, own in hosts.items():
            url = {} if "url_of_the_inventory" in own else settings(local_url=self.url)
            given[name] = {"tracestack_home": str(self.home(name)), **usual, **url, **own}
            if self.venv and not (self.home(name) / "supervisor").exists():
                (self.home(name) / "supervisor").mkdir(mode=0o700, parents=True)
                (self.home(name) / "supervisor/venv").symlink_to(self.venv)
        return play_on(given, playbook, {}, *arguments)

    def home(self, host: str) -> Path:
        """Where the role writes for a host."""
        return self.folder / "homes" / host

    def homes(self) -> set[str]:
        """The hosts for which there is anything."""
        return {path.name for path in self.folder.glob("homes/*")}

    def kept(self) -> set[str]:
        """The hosts for which the role keeps a process running."""
        folders = {host: self.home(host) / "elasticsearch_exposure" for host in self.homes()}
        return {
            host
            for host, folder in folders.items()
            if any("ansible" not in line for line in processes(folder))
        }


@pytest.fixture
def exposure(tmp_path: Path, es: Elasticsearch) -> Exposure:
    """The role, where it is not to write anything."""
    return Exposure(tmp_path, es.url)


@pytest.fixture
def exposed(home: Path, es: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposure]:
    """The role, with a supervisord for each host: all are that of the shared home, as pip would take long for each."""
    folder = Path(tmp_path_factory.mktemp("exposed"))
    venv = home / "supervisor/venv"
    if not venv.exists():
        (folder / "install.yml").write_text(INSTALL)
        installed = play_on({"laptop": {"tracestack_home": str(home)}}, folder / "install.yml", {})
        assert installed.code == 0, installed.output
    yield Exposure(folder, es.url, venv)
    for file in folder.glob("homes/*/supervisor/supervisord.pid"):
        os.kill(int(file.read_text()), signal.SIGTERM)
    wait_for(lambda: processes(folder) == [])


def facts(run: Run) -> dict[str, list[str]]:
    """The two facts of each host, as the playbook shows them: the URL of pods and that of this machine."""
    found = re.findall(r"msg: (\S+?)=(\S*)\.$", run.output, re.MULTILINE)
    return {host: urls.split(",") for host, urls in found}


def changed(run: Run) -> dict[str, bool]:
    """Whether anything was changed, by host."""
    return {host: number > 0 for host, number in run.changed.items()}


def cluster_at(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(json.load(answer)["cluster_uuid"])


def lan_address() -> str:
    """This machine's address on its way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


def minikube(folder: Path, script: str) -> dict[str, Any]:
    """The settings by which an executable in minikube's place plays an answer; it notes in this folder what it was asked."""
    folder.mkdir()
    program = folder / "minikube"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{folder}/asked\n{script}\n')
    program.chmod(0o755)
    return settings(method="host", minikube=str(program))


def open_to_all(url: str, request: str = "GET /", status: int = 200) -> str:
    """Why no tunnel leads to an Elasticsearch that does not refuse this request of somebody unknown."""
    return (
        f"{url} {lets_in(request, status)}. A tunnel would show it to the whole Internet: "
        "set elasticsearch_exposure_method to host, or give Elasticsearch users, and no anonymous one, or accept by "
        "elasticsearch_exposure_accept_unauthenticated that whoever learns the URL can read and delete everything."
    )


def lets_in(request: str = "GET /", status: int = 200) -> str:
    return f"lets anybody in: its answer to {request} without a password has the status {status}, and only 401 refuses"


# Of this run alone: it is looked for in the command lines of the whole machine, where other tests run, too.
PASSWORD = f"hunter2-{token_hex(8)}"
TOKEN = f"token-{token_hex(8)}"


@contextmanager
def locked(url: str) -> Iterator[Proxy]:
    """An Elasticsearch that asks for a password. The embedded one knows none, so the refusals are the proxy's."""
    right = "Basic " + base64.b64encode(f"jaeger:{PASSWORD}".encode()).decode()

    def refuse(_method: str, _path: str) -> Fault | None:
        came = set(running.authorizations)
        running.authorizations.clear()
        return None if came == {right} else Fault(reaches=False, status=401)

    with proxy(url, refuse) as running:
        yield running


@contextmanager
def half_locked(url: str, status: int) -> Iterator[Proxy]:
    """An Elasticsearch that refuses somebody unknown just its front page, by this status; the proxy does so."""
    right = "Basic " + base64.b64encode(f"jaeger:{PASSWORD}".encode()).decode()

    def refuse(_method: str, path: str) -> Fault | None:
        known = right in running.authorizations
        running.authorizations.clear()
        return None if known or path != "/" else Fault(reaches=False, status=status)

    with proxy(url, refuse) as running:
        yield running


@contextmanager
def watched_processes() -> Iterator[set[str]]:
    """All command lines that there were while the block ran, as far as one sees them every few milliseconds."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.update(processes(Path("")))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_what_is_refused_at_once(exposure: Exposure, tmp_path: Path) -> None:
    """Nothing is changed or written then, and no password is shown."""
    es, nowhere = exposure.url, f"http://127.0.0.1:{free_port()}"
    lan = lan_address()
    wrong_settings = {
        "method": (
            settings(method="ngrok"),
            "value of elasticsearch_exposure_method must be one of: none, host, tunnel, got: ngrok",
        ),
        "url": (
            settings(method="tunnel", local_url="localhost:9200"),
            "elasticsearch_exposure_local_url is localhost:9200; it must begin with http:// or https:// and a host.",
        ),
        "password-in-url": (
            settings(method="tunnel", local_url="http://elastic:pw-4711@127.0.0.1:9200"),
            (
                "elasticsearch_exposure_local_url has a user name or a query in it: put user name and password into "
                "elasticsearch_exposure_username and elasticsearch_exposure_password."
            ),
        ),
        "host-port": (
            settings(method="tunnel", host_port=65536),
            "elasticsearch_exposure_host_port is 65536; a port is between 1 and 65535.",
        ),
        "tunnel-port": (
            settings(method="tunnel", tunnel_port=0),
            "elasticsearch_exposure_tunnel_port is 0; a port is between 1 and 65535.",
        ),
        "tunnel-host": (
            settings(method="tunnel", tunnel_host="me@a.pinggy.io"),
            (
                "elasticsearch_exposure_tunnel_host is me@a.pinggy.io; it must be the name or the address of an SSH server "
                "alone (elasticsearch_exposure_tunnel_user, elasticsearch_exposure_tunnel_port)."
            ),
        ),
        "tunnel-url": (
            settings(method="tunnel", tunnel_url="example.org:{}"),
            (
                "elasticsearch_exposure_tunnel_url is example.org:{}; it must begin with http:// or https:// and a host, "
                "or be {}."
            ),
        ),
    }
    no_answer = (
        f"{nowhere} does not answer ([Errno 111] Connection refused): start Elasticsearch first, "
        "or correct elasticsearch_exposure_local_url."
    )
    not_one = "is not one address of this machine, and Elasticsearch would be shown to its whole network"
    given = " (elasticsearch_exposure_host_address)."
    not_told = "Minikube (profile minikube) does not tell the address of host.minikube.internal: "
    start_it = ". Start it first, or set elasticsearch_exposure_host_address."
    stopped = "* The control-plane node minikube host is not running: state=Stopped"
    host = {
        "host-no-answer": (settings(method="host", local_url=nowhere), no_answer),
        "all-addresses": (
            settings(method="host", host_address="0.0.0.0"),
            f"0.0.0.0 {not_one}{given}",
        ),
        "all-ipv6-addresses": (settings(method="host", host_address="::"), f":: {not_one}{given}"),
        "multicast": (
            settings(method="host", host_address="224.0.0.1"),
            f"224.0.0.1 {not_one}{given}",
        ),
        "no-address": (
            settings(method="host", host_address="gateway"),
            f"gateway is not an IP address{given}",
        ),
        "lan": (
            settings(method="host", host_address=lan),
            (
                f"{lan} is this machine's address on eth0, its way to the LAN and the Internet, and {es} {lets_in()}: give "
                "the address that only the cluster sees (elasticsearch_exposure_host_address), or accept the risk by "
                "elasticsearch_exposure_accept_unauthenticated."
            ),
        ),
        "minikube-stopped": (
            minikube(tmp_path / "stopped", f"echo '{stopped}'; exit 83"),
            f"{not_told}{stopped}{start_it}",
        ),
        "minikube-without-the-name": (
            minikube(tmp_path / "nameless", "exit 2"),
            f"{not_told}it has no such name{start_it}",
        ),
        "minikube-missing": (
            settings(method="host", minikube="no-such-minikube"),
            f"{not_told}no-such-minikube is missing or does not run (elasticsearch_exposure_minikube){start_it}",
        ),
        "socat-missing": (
            settings(method="host", host_address=GATEWAY, socat="no-such-socat"),
            (
                f"no-such-socat, which is to forward from {GATEWAY} to Elasticsearch, is missing or does not run: "
                "install the package socat, or set elasticsearch_exposure_socat."
            ),
        ),
    }
    theirs = tmp_path / "theirs"
    (theirs / "data").mkdir(parents=True)
    (theirs / "data/thesis.txt").write_text("five years")
    (theirs / "keep.sh").write_text("of the role's, by its name")
    not_made = (
        f"{{}} (elasticsearch_exposure_home) was not made by this role: it has no file {MARKER}, and data among its files. "
        "Nothing was changed or deleted: set elasticsearch_exposure_home to a folder that the role made, or to a new or empty one."
    )
    twin = tmp_path / "twin"
    shutil.copytree(theirs, twin)
    folders = {
        "folder-of-others": (settings(state="absent", home=str(theirs)), not_made.format(theirs)),
        "folder-of-others-to-write-to": (
            settings(method="host", host_address=GATEWAY, home=str(twin)),
            not_made.format(twin),
        ),
    }
    with locked(es) as secured, half_locked(es, 403) as anonymous, half_locked(es, 401) as front_door:
        user = {"username": "jaeger", "password": PASSWORD}
        tunnel = {
            "anonymous": (
                settings(method="tunnel", local_url=anonymous.url, **user),
                open_to_all(anonymous.url, "GET /", 403),
            ),
            "front-door": (
                settings(method="tunnel", local_url=front_door.url, **user),
                open_to_all(front_door.url, "GET /_search?size=0", 200),
            ),
            "tunnel-no-answer": (settings(method="tunnel", local_url=nowhere), no_answer),
            "open": (settings(method="tunnel"), open_to_all(es)),
            "no-ssh": (
                {**ACCEPTED, **settings(method="tunnel", ssh="no-such-ssh")},
                (
                    "no-such-ssh, which is to open the tunnel, is missing or does not run: install the package "
                    "openssh-client, or set elasticsearch_exposure_ssh."
                ),
            ),
            "no-key": (
                {**ACCEPTED, **settings(method="tunnel", tunnel_key="/no/such/key")},
                "There is no key /no/such/key that this user can read (elasticsearch_exposure_tunnel_key).",
            ),
            "no-user": (
                settings(method="tunnel", local_url=secured.url),
                (
                    f"{secured.url} asks for a user name and a password: set elasticsearch_exposure_username and "
                    "elasticsearch_exposure_password, so that the role can check that the new URL leads to it."
                ),
            ),
            "wrong-password": (
                settings(method="tunnel", local_url=secured.url, username="jaeger", password="wrong-4711"),
                (
                    f"{secured.url} refuses the user name or password "
                    "(elasticsearch_exposure_username, elasticsearch_exposure_password)."
                ),
            ),
        }
        cases = {**wrong_settings, **host, **folders, **tunnel}
        run = exposure.run({name: variables for name, (variables, _sentence) in cases.items()}, "-vvvv")
    said = run.refusals()
    said["lan"] = re.sub(r"(?<=address on )\S+(?=, its way)", "eth0", said["lan"])
    assert said == {name: sentence for name, (_variables, sentence) in cases.items()}
    assert "pw-4711" not in run.output
    assert "wrong-4711" not in run.output
    assert exposure.homes() == set()
    for folder in (theirs, twin):
        assert files(folder) == {"data/thesis.txt", "keep.sh"}


def test_what_needs_no_process(exposure: Exposure, tmp_path: Path) -> None:
    """Only facts are set, in check mode, too; an open Elasticsearch gets no tunnel in either.

    The method none is the default, and needs no Elasticsearch. An address that this machine does not hold is as with Docker
    Desktop, which forwards by itself: Minikube is asked for it. At an address where Elasticsearch listens itself, no forward is
    needed; there, the URL is the inventory's, which the fact overrides.
    """
    nowhere = settings(local_url=f"http://127.0.0.1:{free_port()}")
    desktop = minikube(tmp_path / "desktop", r"printf '192.0.2.254\thost.minikube.internal\r\n'")
    hosts = {
        "none": nowhere,
        "none-absent": {**nowhere, **ABSENT},
        "docker-desktop": {**desktop, **settings(minikube_profile="traces")},
        "there-itself": {
            "url_of_the_inventory": exposure.url,
            **settings(method="host", host_address="127.0.0.1"),
        },
        "open": settings(method="tunnel"),
    }
    urls = [f"http://host.minikube.internal:{exposure.url.rsplit(':', 1)[1]}", exposure.url]
    asked = tmp_path / "desktop/asked"
    for more in ((), ("--check",)):
        run = exposure.run(hosts, *more)
        assert run.errors == {"open": open_to_all(exposure.url)}, more
        assert facts(run) == {
            "none": ["", ""],
            "none-absent": ["", ""],
            "docker-desktop": urls,
            "there-itself": urls,
        }, more
        assert run.count("changed") == 0, run.output
        assert asked.read_text() == "ssh --profile=traces -- getent hosts host.minikube.internal\n"
        asked.unlink()
        assert exposure.homes() == set()


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[Sshd]:
    """A running SSH server that knows nobody."""
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def tunnel(ssh_server: Sshd, tmp_path: Path) -> dict[str, Any]:
    """The settings of a tunnel to that server, with a key that it knows, and the risk accepted."""
    ssh_server.authorize(key_pair(tmp_path / "key"))
    key = settings(method="tunnel", tunnel_key=str(tmp_path / "key"))
    return {**ssh_server.variables(), **key, **ACCEPTED}


@contextmanager
def connection_that_is_ended(address: tuple[str, int]) -> Iterator[None]:
    """A connection that is in use when the block begins, and does not outlive it."""
    with socket.create_connection(address) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(10)
        yield
        while connection.recv(65536):
            pass


@pytest.mark.xdist_group("home")
def test_a_forward_and_a_tunnel(
    es: Elasticsearch, exposed: Exposure, ssh_server: Sshd, tunnel: dict[str, Any]
) -> None:
    """Check mode, the real thing, check mode, again.

    Then the forward goes, and the tunnel comes back with another URL, as the server has died; each method takes the other's place;
    in the end, one is no longer wanted, and the risk of the other is no longer accepted.
    """
    port = int(es.url.rsplit(":", 1)[1])
    forward = settings(method="host", host_address=GATEWAY)
    both = {"forward": forward, "tunnel": tunnel}
    by_forward = [f"http://host.minikube.internal:{port}", es.url]

    checked = exposed.run(both, "--check", "--diff")
    assert facts(checked) == {"forward": by_forward, "tunnel": ["", ""]}, checked.output
    assert changed(checked) == {"forward": True, "tunnel": True}
    assert exposed.kept() == set()
    assert not listens(port, GATEWAY)

    first = exposed.run(both)
    assert first.code == 0, first.output
    url = facts(first)["tunnel"][0]
    assert facts(first) == {"forward": by_forward, "tunnel": [url, es.url]}
    assert url != es.url
    assert cluster_at(url) == cluster_at(f"http://{GATEWAY}:{port}") == cluster_at(es.url)
    assert not any(listens(port, address) for address in ("127.0.0.3", lan_address()))

    for more in (["--check"], []):
        again = exposed.run(both, *more)
        assert facts(again) == facts(first), again.output
        assert again.count("changed") == 0, again.output

    for host in both:  # as the release before has left it
        (exposed.home(host) / "elasticsearch_exposure" / MARKER).unlink()
    ssh_server.kill()
    wait_for(lambda: not answers(url))
    ssh_server.start()
    with connection_that_is_ended((GATEWAY, port)):
        gone = exposed.run({"forward": ABSENT, "tunnel": tunnel})
        assert not listens(port, GATEWAY)
    assert gone.changed["forward"] > 0, gone.output
    assert gone.changed["tunnel"] == 1, gone.output  # the mark of its folder
    assert exposed.kept() == {"tunnel"}
    assert not (exposed.home("forward") / "elasticsearch_exposure").exists()
    new_url = facts(gone)["tunnel"][0]
    assert facts(gone) == {"forward": ["", ""], "tunnel": [new_url, es.url]}
    assert new_url != url
    assert cluster_at(new_url) == cluster_at(es.url)

    other_port = free_port()
    other = exposed.run({"forward": ABSENT, "tunnel": {**forward, **settings(host_port=other_port)}})
    assert changed(other) == {"forward": False, "tunnel": True}, other.output
    assert facts(other)["tunnel"] == [f"http://host.minikube.internal:{other_port}", es.url]
    assert (listens(other_port, GATEWAY), answers(new_url)) == (True, False)

    tunnels = exposed.run({"forward": tunnel, "tunnel": tunnel})
    last_urls = [facts(tunnels)[host][0] for host in both]
    assert [cluster_at(each) for each in last_urls] == [cluster_at(es.url)] * 2
    assert not listens(other_port, GATEWAY)

    refused = exposed.run({"forward": {}, "tunnel": {**tunnel, **settings(accept_unauthenticated=False)}})
    assert facts(refused) == {"forward": ["", ""]}, refused.output
    assert changed(refused)["forward"]
    assert refused.errors == {"tunnel": open_to_all(es.url)}
    assert exposed.kept() == set()
    wait_for(lambda: not any(map(answers, last_urls)))


@pytest.mark.xdist_group("home")
def test_what_does_not_lead_to_elasticsearch(
    es: Elasticsearch,
    exposed: Exposure,
    ssh_server: Sshd,
    tunnel: dict[str, Any],
    holder: str,
) -> None:
    """Of a tunnel that leads nowhere, nothing is left; two are put right, one of them to an Elasticsearch with users.

    No secret is shown or seen: the password, and a token that is the user name of the tunnel.
    """
    soon = settings(timeout=4)
    forward = {**settings(method="host", host_address=GATEWAY), **soon}
    forward_port, closed_port = free_port(), free_port()
    # The key is the role's own, which it makes.
    stranger = {
        **tunnel,
        **settings(tunnel_key="", tunnel_user=TOKEN, tunnel_command=f"b:me:{PASSWORD}", tunnel_options={}),
    }
    known = exposed.folder / "known_hosts"
    known.write_text(
        f"[127.0.0.1]:{ssh_server.port} {' '.join(key_pair(exposed.folder / 'other').read_text().split()[:2])}\n"
    )
    # A service, for which the pattern is the role's own: it prints what pinggy prints, and nobody has those names here.
    name = "rntsp-2a02-c7c-6502-900.a.free.pinggy.link"
    lines = [
        "Your tunnel will expire in 60 minutes. See https://dashboard.pinggy.io",
        f"http://{name}",
        f"https://{name}",
    ]
    says = "; ".join(f"echo '{line}'" for line in lines)
    ssh_server.authorize(key_pair(exposed.folder / "service"), f'command="{says}; exec sleep 60"')
    own = ("_tunnel_options", "_tunnel_pattern", "_tunnel_url")
    service = {name: value for name, value in tunnel.items() if not name.endswith(own)}
    # The other Elasticsearch is a proxy's answer: a second real one would say no more.
    answer = Fault(reaches=False, status=200, content='{"cluster_uuid": "of-another"}')

    with (
        watched_processes() as seen,
        socket.create_server((GATEWAY, 0)) as listener,
        proxy(es.url, nth("GET", "/", answer, times=1000)) as elsewhere,
    ):
        taken_port = listener.getsockname()[1]
        hosts = {
            "clients": {**forward, **settings(host_port=forward_port, host_clients="192.0.2.0/24")},
            "taken": {**forward, **settings(host_port=taken_port)},
            "stranger": {**stranger, **soon},
            "nobody": {**tunnel, **soon, **settings(tunnel_port=closed_port)},
            "host-key": {**tunnel, **soon, **settings(tunnel_known_hosts=str(known))},
            "elsewhere": {**tunnel, **soon, **settings(tunnel_url=elsewhere.url)},
            "service": {**service, **soon, **settings(tunnel_key=str(exposed.folder / "service"))},
        }
        run = exposed.run(hosts, "-vvvv", "--diff")

    def no_tunnel(host: str, reason: str, port: int = ssh_server.port) -> str:
        log = exposed.home(host) / "supervisor/log/elasticsearch-tunnel.log"
        return f"The tunnel to 127.0.0.1:{port} does not reach Elasticsearch within 4 s: {reason} (ssh's log: {log})"

    log = exposed.home("clients") / "supervisor/log/elasticsearch-forward.log"
    # What the system says of a connection that is closed, and of a name that it does not know, differs.
    said = {
        host: re.sub(r"(?<=does not answer: ).*(?= \()", "…", error) for host, error in run.errors.items()
    }
    assert said == {
        "clients": f"Elasticsearch is not reached at {GATEWAY}:{forward_port} within 4 s: http://{GATEWAY}:{forward_port} "
        f"does not answer: … (socat's log: {log})",
        "taken": f"elasticsearch-forward cannot listen on {GATEWAY}: port {taken_port} (elasticsearch_exposure_host_port) is "
        f"held by {holder}. Stop what holds it, or set the variable to another port.",
        "stranger": no_tunnel("stranger", "127.0.0.1: Permission denied (publickey)."),
        "nobody": no_tunnel(
            "nobody",
            f"ssh: connect to host 127.0.0.1 port {closed_port}: Connection refused",
            closed_port,
        ),
        "host-key": no_tunnel("host-key", "Host key verification failed."),
        "elsewhere": no_tunnel(
            "elsewhere",
            f"{elsewhere.url} leads to another Elasticsearch (cluster_uuid of-another, not {cluster_at(es.url)})",
        ),
        "service": no_tunnel("service", f"https://{name} does not answer: …"),
    }
    assert exposed.kept() == {"clients"}
    made = exposed.home("stranger") / "elasticsearch_exposure"
    assert files(made) >= {"id_ed25519", "id_ed25519.pub", "known_hosts", "ssh_config"}

    ssh_server.authorize(made / "id_ed25519.pub")
    with locked(es.url) as secured, watched_processes() as seen_then:
        users = settings(local_url=secured.url, username="jaeger", password=PASSWORD)
        no_risk = settings(method="tunnel", accept_unauthenticated=False)
        right = {
            "clients": {**forward, **settings(host_port=forward_port)},
            "stranger": {**ssh_server.variables(), **users, **no_risk},
        }
        put_right = exposed.run(right, "-vvvv", "--diff")
    assert facts(put_right).keys() == right.keys(), put_right.output
    url = facts(put_right)["stranger"][0]
    assert facts(put_right) == {
        "clients": [f"http://host.minikube.internal:{forward_port}", es.url],
        "stranger": [url, secured.url],
    }
    assert url.startswith("http://127.0.0.1:")
    assert any("ssh -F " in command for command in seen)
    assert any("reach.py" in command for command in seen_then)
    for secret in (TOKEN, PASSWORD):
        assert secret not in run.output + put_right.output
        assert not any(secret in command for command in seen | seen_then)

    gone = exposed.run(dict.fromkeys(right, ABSENT))
    assert facts(gone) == {key: ["", ""] for key in right}, gone.output
    assert exposed.kept() == set()
