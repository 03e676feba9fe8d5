# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance image: maintenance/Dockerfile, built and run hardened by a real Docker, against a real Elasticsearch."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jaeger_es_maintenance import __version__

from tests.support.collector import collector
from tests.support.docker import HARDENED, Docker
from tests.support.image import (
    CREATED,
    MAINTENANCE,
    REVISION,
    Builder,
    Layers,
    builder,
    own_layers,
    saved,
)
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import ROOT, Elasticsearch, wait_for

USER = 65532
MEGABYTES_AT_MOST = 18  # of our own layer
HOME = "opt/jaeger-es-maintenance"
PASSWORD = "s3cret-4711"


@pytest.fixture(scope="module")
def maintenance_builder(daemon: Docker, base: str, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """All that a build needs."""
    return builder(daemon, base, tmp_path_factory.mktemp("contexts"), MAINTENANCE)


@pytest.fixture(scope="module")
def maintenance_image(maintenance_builder: Builder) -> Iterator[str]:
    """The maintenance image."""
    name = maintenance_builder.build("maintenance")
    yield name
    maintenance_builder.docker("rmi", "--force", name)


@pytest.fixture(scope="module")
def layers(daemon: Docker, maintenance_image: str, base: str) -> Layers:
    """What the image adds to its base."""
    return own_layers(daemon, maintenance_image, base)


@pytest.fixture
def run(daemon: Docker, maintenance_image: str) -> Run:
    """Runs the image as a pod of the operator or the chart does: arguments and environment, hardened."""
    return Run(daemon, maintenance_image)


class Run:
    """The image, to be run on this machine's network, so that it reaches the server on the loopback interface."""

    def __init__(self, daemon: Docker, image: str) -> None:
        self.daemon = daemon
        self.image = image

    def options(self, env: dict[str, str]) -> list[str]:
        """What `docker run` is given before the image."""
        variables = [part for pair in env.items() for part in ("--env", "=".join(pair))]
        return ["--network", "host", *HARDENED, *variables]

    def __call__(
        self, *arguments: str, options: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        command = ["run", "--rm", *self.options(env), *options, self.image, *arguments]
        done = self.daemon.attempt(*command)
        assert "Traceback" not in done.stderr, done.stderr
        return done


def test_the_operator_s_calls(run: Run, es: Elasticsearch) -> None:
    """One image behind both of the operator's fields."""
    done = run("init", es.url, SHARDS="1", REPLICAS="0", INDEX_PREFIX="prod")
    assert done.returncode == 0, done.stderr
    done = run("rollover", es.url, CONDITIONS='{"max_age": "0s"}', INDEX_PREFIX="prod")
    assert done.stdout.splitlines()[0].startswith("roll over to       prod-jaeger-span-000002: ")
    time.sleep(1.1)  # whole seconds count
    done = run(
        "lookback", es.url, "--service-cache-ttl=0s", UNIT="seconds", UNIT_COUNT="0", INDEX_PREFIX="prod"
    )
    assert done.stdout.splitlines()[-1] == "done: 3 changes", done.stdout
    done = run("0", es.url, "--service-cache-ttl=0s", ROLLOVER="true", INDEX_PREFIX="prod")
    assert done.stdout.splitlines()[-1] == "done: 3 changes", done.stdout
    assert es.indices() == {f"prod-jaeger-{kind}-000002" for kind in ("span", "service", "dependencies")}


def test_failures(run: Run, es: Elasticsearch) -> None:
    for arguments, said in (
        (["rollover", es.url], "error: there is no index jaeger-span-*"),
        (["lookback", "http://127.0.0.1:1"], "error: http://127.0.0.1:1: no answer"),
        (["lookback"], "error: lookback URL"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(said)


def test_maintain_from_a_mounted_file(run: Run, es: Elasticsearch, tmp_path: Path) -> None:
    """As a ConfigMap, in YAML."""
    assert run("init", es.url, "--index-prefix=prod", "--shards=1").returncode == 0
    tmp_path.chmod(0o755)
    options = tmp_path / "options.yml"
    options.write_text(
        yaml.safe_dump({"index_sets": [{"index_prefix": "prod", "conditions": {"max_age": "0s"}}]})
    )
    mounted = ("--volume", f"{tmp_path}:/config:ro")
    arguments = ("maintain", "--options", "/config/options.yml", "--json")
    done = run(*arguments, options=mounted, ES_SERVER_URLS=es.url)
    assert done.returncode == 0, done.stderr
    assert [action["action"] for action in json.loads(done.stdout)["actions"]] == ["rollover"] * 3


def test_it_can_be_traced(run: Run, es: Elasticsearch) -> None:
    """All libraries for it are in the image."""
    with collector() as receiver:
        done = run("init", es.url, "--shards=1", OTLP_ENDPOINT=receiver.endpoint)
    assert (done.returncode, done.stderr) == (0, "")
    assert receiver.one("es_rollover_init").attributes["tracestack.changed"] is True


@pytest.mark.parametrize("user", ["1000:1000", "1000650000:0"])
def test_as_any_user(run: Run, es: Elasticsearch, user: str) -> None:
    """The chart's, and one that OpenShift has made up: neither has a name or a home."""
    assert run("init", es.url, options=("--user", user)).returncode == 0


def test_while_it_runs(run: Run, es: Elasticsearch) -> None:
    """Nobody with no rights, on files that cannot be written, with no secret in its arguments; SIGTERM ends it."""
    name = f"tracestack-test-{uuid.uuid4().hex[:12]}"
    with proxy(es.url, nth("GET", "jaeger", Fault(held=30))) as front:
        options = run.options({"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD})
        run.daemon("run", "--detach", "--name", name, *options, run.image, "lookback", front.url)
        try:
            wait_for(lambda: bool(front.faults))
            process = Path("/proc", str(run.daemon.inspect(name)["State"]["Pid"]))
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
            assert status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4
            assert {status[each] for each in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
            assert status["NoNewPrivs"] == "1"
            command = (process / "cmdline").read_text().split("\0")
            assert command[:4] == [f"/{HOME}/bin/python", "-I", "-m", "jaeger_es_maintenance"]
            assert PASSWORD not in " ".join(command)
            assert run.daemon("diff", name) == ""
            run.daemon("kill", "--signal", "TERM", name)
            assert run.daemon("wait", name) == "143"
            logs = run.daemon.attempt("logs", name)
        finally:
            run.daemon.attempt("rm", "--force", name)
    assert logs.stdout + logs.stderr == "error: ended from outside. What was begun, the next run finishes.\n"


def test_its_labels_and_settings(daemon: Docker, maintenance_image: str, base: str) -> None:
    collection = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    settings = daemon.inspect(maintenance_image)["Config"]
    prefix = "org.opencontainers.image."
    labels = settings["Labels"]
    assert labels.pop(f"{prefix}description")
    assert labels == {
        f"{prefix}title": "jaeger-es-maintenance",
        f"{prefix}licenses": "GPL-3.0-or-later",
        f"{prefix}source": collection["repository"],
        f"{prefix}version": __version__,
        f"{prefix}revision": REVISION,
        f"{prefix}created": CREATED,
        f"{prefix}base.name": base,
    }
    assert settings["Cmd"] is None
    assert settings["User"] == f"{USER}:{USER}"
    history = daemon("history", "--no-trunc", "--format", "{{.CreatedBy}}", maintenance_image)
    assert "PIP_" not in history + json.dumps(settings)


def test_what_is_in_it(layers: Layers) -> None:
    """Our own and the lock's wheels, owned by root, and nothing that builds, installs or plays."""
    assert {entry.owner for entry in layers.files.values()} == {(0, 0)}
    assert [path for path, entry in layers.files.items() if entry.kind != b"2" and entry.mode & 0o022] == []
    assert {Path(path).parts[:2] for path in layers.files} <= {("opt",), tuple(HOME.split("/"))}
    found = {
        Path(path).parent.name.removesuffix(".dist-info").lower().replace("_", "-")
        for path in layers.files
        if path.endswith(".dist-info/METADATA")
    }
    lock = (MAINTENANCE.folder / "requirements.txt").read_text()
    locked = {
        f"{name}-{version}" for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    }
    assert found == locked | {f"jaeger-es-maintenance-{__version__}"}
    unwanted = re.compile(
        r"/(pip|setuptools|wheels|ansible_test|playbook|galaxy|doc_fragments|ansible-playbook)(/|$)"
    )
    assert [path for path in layers.files if unwanted.search(path)] == []
    modules = {Path(path).name for path in layers.files if "/jaeger/plugins/modules/" in path}
    assert {path.name for path in (ROOT / "plugins/modules").glob("*.py")} <= modules


def test_two_builds_are_the_same(
    daemon: Docker, maintenance_builder: Builder, base: str, layers: Layers
) -> None:
    """From copies of the source with other times and modes. What differs is the time of folders above."""
    again = own_layers(daemon, maintenance_builder.build("again", umask=0o077), base)
    daemon("rmi", "--force", "tracestack-test/again")
    assert again.files == layers.files
    assert {path for path, at in again.times.items() if at != layers.times[path]} <= {"opt", HOME}


def test_its_size(
    layers: Layers, daemon: Docker, maintenance_image: str, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, below = (daemon.inspect(each)["Size"] / 1e6 for each in (maintenance_image, base))
    with capsys.disabled():
        print(f"\nimage {whole:.1f} MB, of which base {below:.1f} MB, ours {layers.size / 1e6:.1f} MB")
    assert layers.size / 1e6 < MEGABYTES_AT_MOST


def test_its_tar(daemon: Docker, maintenance_image: str, tmp_path: Path) -> None:
    """What a cluster's test loads knows the image by its name."""
    with tarfile.open(saved(daemon, maintenance_image, tmp_path / "image.tar")) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        assert json.load(file)[0]["RepoTags"] == [f"{maintenance_image}:latest"]


def test_the_manual_says_how_it_is_run_here() -> None:
    manual = " ".join((MAINTENANCE.folder / "README.md").read_text().replace("\\\n", " ").split())
    assert " ".join(HARDENED) in manual
