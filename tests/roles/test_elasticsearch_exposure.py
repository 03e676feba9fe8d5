# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role elasticsearch_exposure: through a real sshd and a real socat to a real Elasticsearch."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.support.playbooks import Run, files, play, processes
from tests.support.proxy import Fault, Proxy, nth, proxy
from tests.support.servers import Elasticsearch, answers, free_port, listens, wait_for
from tests.support.sshd import Sshd, key_pair, sshd

# Stands for the address of this machine that a cluster sees: this machine holds it, and Elasticsearch is not there.
GATEWAY = "127.0.0.2"
ACCEPTED = {"elasticsearch_exposure_accept_unauthenticated": True}
PLAYBOOK = """\
- name: Expose Elasticsearch
  hosts: all
  gather_facts: false
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    elasticsearch_url: "{{ url_of_the_inventory | default('') }}"
  tasks:
    - name: Expose Elasticsearch
      ansible.builtin.include_role:
        name: tracestack.jaeger.elasticsearch_exposure
    - name: Show the facts
      ansible.builtin.debug:
        msg: "facts={{ [elasticsearch_url | default(''), elasticsearch_local_url | default('')] | join(',') }}."
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """A playbook that runs the role and shows the facts."""
    path = tmp_path / "expose.yml"
    path.write_text(PLAYBOOK)
    return path


@pytest.fixture
def exposed(home: Path, playbook: Path, es: Elasticsearch) -> Iterator[Exposure]:
    """The role, on this Elasticsearch, with supervisord; in the end nothing of it is left."""
    exposure = Exposure(home, playbook, es.url)
    yield exposure
    if kept(home):
        gone = exposure.run({"elasticsearch_exposure_state": "absent"})
        assert gone.code == 0, gone.output
    assert kept(home) == []
    shutil.rmtree(home / "elasticsearch_exposure", ignore_errors=True)


class Exposure:
    """The role with what the tests of a method have in common."""

    def __init__(self, home: Path, playbook: Path, url: str) -> None:
        self.home = home
        self.playbook = playbook
        self.url = url

    def run(self, variables: dict[str, Any], *arguments: str) -> Run:
        shared = {
            "tracestack_home": str(self.home),
            **({} if "url_of_the_inventory" in variables else {"elasticsearch_exposure_local_url": self.url}),
            "elasticsearch_exposure_timeout": 20,
            "elasticsearch_exposure_retry_seconds": 1,
        }
        return play(self.playbook, {**shared, **variables}, "-i", "laptop,", *arguments)


def facts(run: Run) -> list[str]:
    """The two facts, as the playbook shows them: the URL of pods and that of this machine."""
    assert run.code == 0, run.output
    found = re.search(r"facts=(\S*)\.$", run.output, re.MULTILINE)
    assert found, run.output
    return found[1].split(",")


def kept(home: Path) -> list[str]:
    """The processes that the role keeps running."""
    return [line for line in processes(home / "elasticsearch_exposure") if "ansible" not in line]


def cluster_at(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(json.load(answer)["cluster_uuid"])


# Settings


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"method": "ngrok"},
            "value of elasticsearch_exposure_method must be one of: none, host, tunnel, got: ngrok",
        ),
        (
            {"local_url": "localhost:9200"},
            "elasticsearch_exposure_local_url is localhost:9200; it must begin with http:// or https:// and a host.",
        ),
        (
            {"local_url": "http://elastic:pw-4711@127.0.0.1:9200"},
            (
                "elasticsearch_exposure_local_url has a user name in it: put that into elasticsearch_exposure_username "
                "and elasticsearch_exposure_password."
            ),
        ),
        ({"host_port": 65536}, "elasticsearch_exposure_host_port is 65536; a port is between 1 and 65535."),
        ({"tunnel_port": 0}, "elasticsearch_exposure_tunnel_port is 0; a port is between 1 and 65535."),
        (
            {"tunnel_host": "me@a.pinggy.io"},
            (
                "elasticsearch_exposure_tunnel_host is me@a.pinggy.io; it must be the name or the address of an SSH server "
                "alone (elasticsearch_exposure_tunnel_user, elasticsearch_exposure_tunnel_port)."
            ),
        ),
        (
            {"tunnel_url": "example.org:{}"},
            (
                "elasticsearch_exposure_tunnel_url is example.org:{}; it must begin with http:// or https:// and a host, "
                "or be {}."
            ),
        ),
    ],
    ids=["method", "URL", "password in the URL", "host port", "tunnel port", "tunnel host", "tunnel URL"],
)
def test_a_wrong_setting_changes_nothing(
    tmp_path: Path, playbook: Path, variables: dict[str, Any], sentence: str
) -> None:
    home = tmp_path / "home"
    given = {
        f"elasticsearch_exposure_{name}": value for name, value in {"method": "tunnel", **variables}.items()
    }
    run = Exposure(home, playbook, "http://127.0.0.1:9200").run(given, "-vvv")
    assert run.error == sentence
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert "pw-4711" not in run.output
    assert not home.exists()


@pytest.mark.parametrize("state", ["present", "absent"])
def test_method_none_sets_nothing(tmp_path: Path, playbook: Path, state: str) -> None:
    """It is the default, and needs neither Elasticsearch nor supervisord."""
    home = tmp_path / "home"
    run = Exposure(home, playbook, f"http://127.0.0.1:{free_port()}").run(
        {"elasticsearch_exposure_state": state}
    )
    assert facts(run) == ["", ""]
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.parametrize("method", ["host", "tunnel"])
def test_elasticsearch_that_does_not_answer(tmp_path: Path, playbook: Path, method: str) -> None:
    home = tmp_path / "home"
    url = f"http://127.0.0.1:{free_port()}"
    run = Exposure(home, playbook, url).run({"elasticsearch_exposure_method": method})
    assert run.error == (
        f"{url} does not answer ([Errno 111] Connection refused): start Elasticsearch first, "
        "or correct elasticsearch_exposure_local_url."
    )
    assert run.count("changed") == 0
    assert not home.exists()


# Method host


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (
            "0.0.0.0",
            "0.0.0.0 is not one address of this machine, and Elasticsearch would be shown to its whole network",
        ),
        (
            "::",
            ":: is not one address of this machine, and Elasticsearch would be shown to its whole network",
        ),
        (
            "224.0.0.1",
            "224.0.0.1 is not one address of this machine, and Elasticsearch would be shown to its whole network",
        ),
        ("gateway", "gateway is not an IP address"),
    ],
)
def test_an_address_that_is_not_one(
    es: Elasticsearch, tmp_path: Path, playbook: Path, address: str, reason: str
) -> None:
    home = tmp_path / "home"
    variables = {"elasticsearch_exposure_method": "host", "elasticsearch_exposure_host_address": address}
    run = Exposure(home, playbook, es.url).run(variables)
    assert run.error == f"{reason} (elasticsearch_exposure_host_address)."
    assert run.count("changed") == 0
    assert not home.exists()


def lan_address() -> str:
    """This machine's address on its way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


def test_the_address_of_the_lan(es: Elasticsearch, tmp_path: Path, playbook: Path) -> None:
    home = tmp_path / "home"
    address = lan_address()
    variables = {"elasticsearch_exposure_method": "host", "elasticsearch_exposure_host_address": address}
    run = Exposure(home, playbook, es.url).run(variables)
    assert re.fullmatch(
        rf"{re.escape(address)} is this machine's address on \S+, its way to the LAN and the Internet, and {es.url} lets "
        r"anybody in: give the address that only the cluster sees \(elasticsearch_exposure_host_address\), or accept the "
        r"risk by elasticsearch_exposure_accept_unauthenticated\.",
        run.error,
    )
    assert run.count("changed") == 0
    assert not home.exists()


def minikube(tmp_path: Path, script: str) -> dict[str, str]:
    """An executable in minikube's place that plays an answer; it notes what it was asked."""
    program = tmp_path / "minikube"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/asked\n{script}\n')
    program.chmod(0o755)
    return {"elasticsearch_exposure_method": "host", "elasticsearch_exposure_minikube": str(program)}


@pytest.mark.parametrize("more", [(), ("--check",)], ids=["", "check mode"])
def test_an_address_that_this_machine_does_not_hold(
    es: Elasticsearch, tmp_path: Path, playbook: Path, more: tuple[str, ...]
) -> None:
    """As with Docker Desktop, which forwards by itself: only the facts are set, and Minikube is asked."""
    home = tmp_path / "home"
    asked = minikube(tmp_path, r"printf '192.0.2.254\thost.minikube.internal\r\n'")
    run = Exposure(home, playbook, es.url).run(
        {**asked, "elasticsearch_exposure_minikube_profile": "traces"}, *more
    )
    assert facts(run) == [f"http://host.minikube.internal:{es.url.rsplit(':', 1)[1]}", es.url]
    assert run.count("changed") == 0
    assert (tmp_path / "asked").read_text() == "ssh --profile=traces -- getent hosts host.minikube.internal\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo '* The control-plane node minikube host is not running: state=Stopped'; exit 83",
            "* The control-plane node minikube host is not running: state=Stopped",
        ),
        ("exit 2", "it has no such name"),
    ],
    ids=["stopped", "name unknown"],
)
def test_minikube_that_does_not_tell(
    es: Elasticsearch, tmp_path: Path, playbook: Path, script: str, reason: str
) -> None:
    home = tmp_path / "home"
    run = Exposure(home, playbook, es.url).run(minikube(tmp_path, script))
    assert run.error == (
        f"Minikube (profile minikube) does not tell the address of host.minikube.internal: {reason}. "
        "Start it first, or set elasticsearch_exposure_host_address."
    )
    assert not home.exists()


def test_minikube_that_is_missing(es: Elasticsearch, tmp_path: Path, playbook: Path) -> None:
    home = tmp_path / "home"
    missing = {"elasticsearch_exposure_method": "host", "elasticsearch_exposure_minikube": "no-such-minikube"}
    run = Exposure(home, playbook, es.url).run(missing)
    assert run.error == (
        "Minikube (profile minikube) does not tell the address of host.minikube.internal: no-such-minikube is missing or does "
        "not run (elasticsearch_exposure_minikube). Start it first, or set elasticsearch_exposure_host_address."
    )
    assert not home.exists()


def test_socat_that_is_missing(es: Elasticsearch, tmp_path: Path, playbook: Path) -> None:
    home = tmp_path / "home"
    missing = {
        "elasticsearch_exposure_method": "host",
        "elasticsearch_exposure_host_address": GATEWAY,
        "elasticsearch_exposure_socat": "no-such-socat",
    }
    run = Exposure(home, playbook, es.url).run(missing)
    assert run.error == (
        f"no-such-socat, which is to forward from {GATEWAY} to Elasticsearch, is missing or does not run: "
        "install the package socat, or set elasticsearch_exposure_socat."
    )
    assert run.count("changed") == 0
    assert not home.exists()


def test_elasticsearch_that_is_at_the_address_itself(
    es: Elasticsearch, tmp_path: Path, playbook: Path
) -> None:
    """No forward is needed, and none is made. The URL is the inventory's, which the fact overrides."""
    home = tmp_path / "home"
    variables = {
        "url_of_the_inventory": es.url,
        "elasticsearch_exposure_method": "host",
        "elasticsearch_exposure_host_address": "127.0.0.1",
    }
    run = Exposure(home, playbook, es.url).run(variables)
    assert facts(run) == [f"http://host.minikube.internal:{es.url.rsplit(':', 1)[1]}", es.url]
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.xdist_group("home")
def test_the_forward_is_on_that_address_alone(es: Elasticsearch, exposed: Exposure) -> None:
    """Check mode, the real thing, check mode, again; socat that was killed comes back; absent."""
    port = int(es.url.rsplit(":", 1)[1])
    variables = {"elasticsearch_exposure_method": "host", "elasticsearch_exposure_host_address": GATEWAY}
    urls = [f"http://host.minikube.internal:{port}", es.url]

    checked = exposed.run(variables, "--check", "--diff")
    assert facts(checked) == urls
    assert checked.count("changed") > 0
    assert kept(exposed.home) == []
    assert not listens(port, GATEWAY)

    first = exposed.run(variables)
    assert facts(first) == urls
    assert cluster_at(f"http://{GATEWAY}:{port}") == cluster_at(es.url)
    assert not listens(port, "127.0.0.3")
    assert not listens(port, lan_address())

    for more in (["--check"], []):
        again = exposed.run(variables, *more)
        assert facts(again) == urls
        assert again.count("changed") == 0, again.output

    # An open connection does not outlive the forward.
    with socket.create_connection((GATEWAY, port)) as open_connection:
        open_connection.settimeout(10)
        open_connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert open_connection.recv(10)
        gone = exposed.run({"elasticsearch_exposure_state": "absent"})
        assert facts(gone) == ["", ""]
        assert gone.count("changed") > 0
        assert not listens(port, GATEWAY)
        while open_connection.recv(65536):
            pass
    assert kept(exposed.home) == []
    assert not (exposed.home / "elasticsearch_exposure").exists()
    assert exposed.run({"elasticsearch_exposure_state": "absent"}).count("changed") == 0


@pytest.mark.xdist_group("home")
def test_a_forward_accepts_only_the_address_s_own_network(es: Elasticsearch, exposed: Exposure) -> None:
    variables = {
        "elasticsearch_exposure_method": "host",
        "elasticsearch_exposure_host_address": GATEWAY,
        "elasticsearch_exposure_host_port": free_port(),
        "elasticsearch_exposure_host_clients": "192.0.2.0/24",
        "elasticsearch_exposure_timeout": 2,
    }
    run = exposed.run(variables)
    port = variables["elasticsearch_exposure_host_port"]
    assert run.error.startswith(
        f"Elasticsearch is not reached at {GATEWAY}:{port} within 2 s: http://{GATEWAY}:{port} "
    )
    fixed = exposed.run({**variables, "elasticsearch_exposure_host_clients": ""})
    assert facts(fixed) == [f"http://host.minikube.internal:{port}", es.url]


@pytest.mark.xdist_group("home")
def test_a_port_that_is_taken(exposed: Exposure, holder: str) -> None:
    with socket.create_server((GATEWAY, 0)) as listener:
        port = listener.getsockname()[1]
        run = exposed.run(
            {
                "elasticsearch_exposure_method": "host",
                "elasticsearch_exposure_host_address": GATEWAY,
                "elasticsearch_exposure_host_port": port,
            }
        )
    assert run.error == (
        f"elasticsearch-forward cannot listen on {GATEWAY}: port {port} (elasticsearch_exposure_host_port) is held by "
        f"{holder}. Stop what holds it, or set the variable to another port."
    )
    assert kept(exposed.home) == []


# Method tunnel


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[Sshd]:
    """A running SSH server that knows nobody."""
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def tunnel(ssh_server: Sshd, tmp_path: Path) -> dict[str, Any]:
    """The settings of a tunnel to that server, with a key that it knows."""
    ssh_server.authorize(key_pair(tmp_path / "key"))
    return {
        **ssh_server.variables(),
        "elasticsearch_exposure_method": "tunnel",
        "elasticsearch_exposure_tunnel_key": str(tmp_path / "key"),
    }


def test_an_open_elasticsearch_is_refused(es: Elasticsearch, tmp_path: Path, playbook: Path) -> None:
    for more in ([], ["--check"]):
        run = Exposure(tmp_path / "home", playbook, es.url).run(
            {"elasticsearch_exposure_method": "tunnel"}, *more
        )
        assert run.error == (
            f"{es.url} lets anybody in, without user name and password, and a tunnel would show it to the whole Internet: "
            "set elasticsearch_exposure_method to host, or give Elasticsearch users, or accept by "
            "elasticsearch_exposure_accept_unauthenticated that whoever learns the URL can read and delete everything."
        )
        assert run.count("changed") == 0
        assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"elasticsearch_exposure_ssh": "no-such-ssh"},
            (
                "no-such-ssh, which is to open the tunnel, is missing or does not run: install the package "
                "openssh-client, or set elasticsearch_exposure_ssh."
            ),
        ),
        (
            {"elasticsearch_exposure_tunnel_key": "/no/such/key"},
            "There is no key /no/such/key that this user can read (elasticsearch_exposure_tunnel_key).",
        ),
    ],
    ids=["no ssh", "no key"],
)
def test_what_a_tunnel_needs(
    es: Elasticsearch, tmp_path: Path, playbook: Path, variables: dict[str, Any], sentence: str
) -> None:
    wanted = {"elasticsearch_exposure_method": "tunnel", **ACCEPTED, **variables}
    run = Exposure(tmp_path / "home", playbook, es.url).run(wanted)
    assert run.error == sentence
    assert run.count("changed") == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.xdist_group("home")
def test_a_tunnel_that_comes_back_with_another_url(
    es: Elasticsearch, exposed: Exposure, ssh_server: Sshd, tunnel: dict[str, Any]
) -> None:
    """Check mode, the real thing, again; the server dies and is back; the newest URL; then the risk is no longer accepted."""
    checked = exposed.run({**tunnel, **ACCEPTED}, "--check", "--diff")
    assert facts(checked) == ["", ""]
    assert checked.count("changed") > 0
    assert kept(exposed.home) == []

    first = exposed.run({**tunnel, **ACCEPTED})
    url, local_url = facts(first)
    assert local_url == es.url
    assert url != es.url
    assert cluster_at(url) == cluster_at(es.url)

    for more in (["--check"], []):
        again = exposed.run({**tunnel, **ACCEPTED}, *more)
        assert facts(again) == [url, es.url]
        assert again.count("changed") == 0, again.output

    ssh_server.kill()
    wait_for(lambda: not answers(url))
    ssh_server.start()
    renewed = exposed.run({**tunnel, **ACCEPTED})
    assert renewed.count("changed") == 0, renewed.output
    new_url = facts(renewed)[0]
    assert new_url != url
    assert cluster_at(new_url) == cluster_at(es.url)

    refused = exposed.run(tunnel)
    assert "lets anybody in" in refused.error
    assert kept(exposed.home) == []
    wait_for(lambda: not answers(new_url))


@pytest.mark.xdist_group("home")
def test_a_key_that_the_server_does_not_know(exposed: Exposure, ssh_server: Sshd) -> None:
    """The role's own key, which is made by the first run. When the server knows it, the second run goes through."""
    variables = {
        **ssh_server.variables(),
        **ACCEPTED,
        "elasticsearch_exposure_method": "tunnel",
        "elasticsearch_exposure_timeout": 3,
    }
    run = exposed.run(variables, "-vvvv")
    log = exposed.home / "supervisor/log/elasticsearch-tunnel.log"
    assert run.error == (
        f"The tunnel to 127.0.0.1:{ssh_server.port} does not reach Elasticsearch within 3 s: "
        f"127.0.0.1: Permission denied (publickey). (ssh's log: {log})"
    )
    assert kept(exposed.home) == []
    assert files(exposed.home / "elasticsearch_exposure") >= {
        "id_ed25519",
        "id_ed25519.pub",
        "known_hosts",
        "ssh_config",
    }
    ssh_server.authorize(exposed.home / "elasticsearch_exposure/id_ed25519.pub")
    assert facts(exposed.run(variables))[0].startswith("http://127.0.0.1:")


@pytest.mark.xdist_group("home")
def test_a_server_that_is_not_there(exposed: Exposure, tunnel: dict[str, Any]) -> None:
    port = free_port()
    unreachable = {"elasticsearch_exposure_tunnel_port": port, "elasticsearch_exposure_timeout": 2}
    run = exposed.run({**tunnel, **ACCEPTED, **unreachable})
    assert run.error.startswith(
        f"The tunnel to 127.0.0.1:{port} does not reach Elasticsearch within 2 s: "
        f"ssh: connect to host 127.0.0.1 port {port}: Connection refused (ssh's log: "
    )
    assert kept(exposed.home) == []


@pytest.mark.xdist_group("home")
def test_a_server_whose_host_key_has_changed(
    exposed: Exposure, ssh_server: Sshd, tunnel: dict[str, Any], tmp_path: Path
) -> None:
    other = key_pair(tmp_path / "other").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{ssh_server.port} {other[0]} {other[1]}\n")
    pinned = {"elasticsearch_exposure_tunnel_known_hosts": str(known), "elasticsearch_exposure_timeout": 2}
    run = exposed.run({**tunnel, **ACCEPTED, **pinned})
    assert "within 2 s: Host key verification failed. (ssh's log: " in run.error


@pytest.mark.xdist_group("home")
def test_a_url_that_leads_to_another_elasticsearch(
    es: Elasticsearch, exposed: Exposure, tunnel: dict[str, Any]
) -> None:
    """The other one is a proxy's answer: a second real Elasticsearch would say no more."""
    other = nth(
        "GET", "/", Fault(reaches=False, status=200, content='{"cluster_uuid": "of-another"}'), times=1000
    )
    with proxy(es.url, other) as elsewhere:
        fixed = {"elasticsearch_exposure_tunnel_url": elsewhere.url, "elasticsearch_exposure_timeout": 2}
        run = exposed.run({**tunnel, **ACCEPTED, **fixed})
    assert (
        f"within 2 s: {elsewhere.url} leads to another Elasticsearch (cluster_uuid of-another, not {cluster_at(es.url)}) "
        in run.error
    )
    assert kept(exposed.home) == []


@pytest.mark.xdist_group("home")
def test_the_https_url_of_a_service_is_taken(
    exposed: Exposure, ssh_server: Sshd, tunnel: dict[str, Any], tmp_path: Path
) -> None:
    """With the role's own pattern, and a server that prints what pinggy prints; nobody has those names here."""
    name = "rntsp-2a02-c7c-6502-900.a.free.pinggy.link"
    lines = [
        "Your tunnel will expire in 60 minutes. See https://dashboard.pinggy.io",
        f"http://{name}",
        f"https://{name}",
    ]
    says = "; ".join(f"echo '{line}'" for line in lines)
    ssh_server.authorized.write_text("")
    ssh_server.authorize(tmp_path / "key.pub", f'command="{says}; exec sleep 60"')
    own = ("_tunnel_options", "_tunnel_pattern", "_tunnel_url")
    service = {name: value for name, value in tunnel.items() if not name.endswith(own)}
    run = exposed.run({**service, **ACCEPTED, "elasticsearch_exposure_timeout": 4})
    assert f"within 4 s: https://{name} does not answer: " in run.error


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


@pytest.mark.xdist_group("home")
def test_a_secured_elasticsearch_is_not_refused(
    es: Elasticsearch, exposed: Exposure, tunnel: dict[str, Any]
) -> None:
    """No risk has to be accepted; the password is seen nowhere."""
    users = {"elasticsearch_exposure_username": "jaeger", "elasticsearch_exposure_password": PASSWORD}
    with locked(es.url) as secured, watched_processes() as seen:
        own = {"elasticsearch_exposure_local_url": secured.url, **users}
        run = exposed.run({**tunnel, **own}, "-vvvv", "--diff")
    assert facts(run)[1] == secured.url
    assert PASSWORD not in run.output
    assert any("reach.py" in command for command in seen)
    assert not any(PASSWORD in command for command in seen)


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        (
            {},
            (
                "asks for a user name and a password: set elasticsearch_exposure_username and "
                "elasticsearch_exposure_password, so that the role can check that the new URL leads to it."
            ),
        ),
        (
            {"elasticsearch_exposure_username": "jaeger", "elasticsearch_exposure_password": "wrong-4711"},
            "refuses the user name or password (elasticsearch_exposure_username, elasticsearch_exposure_password).",
        ),
    ],
    ids=["no user", "wrong password"],
)
def test_a_secured_elasticsearch_without_the_right_password(
    es: Elasticsearch, tmp_path: Path, playbook: Path, users: dict[str, str], sentence: str
) -> None:
    home = tmp_path / "home"
    with locked(es.url) as secured:
        run = Exposure(home, playbook, secured.url).run(
            {"elasticsearch_exposure_method": "tunnel", **users}, "-vvvv"
        )
    assert run.error == f"{secured.url} {sentence}"
    assert "wrong-4711" not in run.output
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.xdist_group("home")
def test_a_token_as_the_user_name_is_kept_secret(exposed: Exposure, tunnel: dict[str, Any]) -> None:
    secrets = {
        "elasticsearch_exposure_tunnel_user": TOKEN,
        "elasticsearch_exposure_tunnel_command": f"b:me:{PASSWORD}",
        "elasticsearch_exposure_tunnel_options": {},
    }
    with watched_processes() as seen:
        run = exposed.run(
            {**tunnel, **ACCEPTED, **secrets, "elasticsearch_exposure_timeout": 3}, "-vvvv", "--diff"
        )
    assert "within 3 s: 127.0.0.1: Permission denied (publickey). (ssh's log: " in run.error
    assert any("ssh -F " in command for command in seen)
    for secret in (TOKEN, PASSWORD):
        assert secret not in run.output
        assert not any(secret in command for command in seen)


# From one method to the other


@pytest.mark.xdist_group("home")
def test_another_method_stops_what_the_first_left_running(
    es: Elasticsearch, exposed: Exposure, tunnel: dict[str, Any]
) -> None:
    port = free_port()
    host = {
        "elasticsearch_exposure_method": "host",
        "elasticsearch_exposure_host_address": GATEWAY,
        "elasticsearch_exposure_host_port": port,
    }
    url = facts(exposed.run({**tunnel, **ACCEPTED}))[0]
    assert facts(exposed.run(host)) == [f"http://host.minikube.internal:{port}", es.url]
    assert listens(port, GATEWAY)
    assert not answers(url)
    assert facts(exposed.run({**tunnel, **ACCEPTED}))[0].startswith("http://127.0.0.1:")
    assert not listens(port, GATEWAY)
    none = exposed.run({})
    assert facts(none) == ["", ""]
    assert none.count("changed") > 0
    assert kept(exposed.home) == []
