# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the traced API: app/Dockerfile, built and run by a real Docker on a base that is made here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from traced_api import __version__

from tests.support.docker import HARDENED, Container, Docker, container
from tests.support.image import APP, CREATED, REVISION, Builder, Layers, own_layers
from tests.support.servers import ROOT, wait_for

USER = 65532
MEGABYTES_AT_MOST = 150  # of the application's own layers
STOP_SECONDS = 12.0  # 10 s (README.md), and the daemon's own time
# What has no place in an image that only runs: what builds, installs, or was left over by that.
TOOLS = re.compile(
    r"(^|/)(pip|setuptools|wheel|wheels|tools|build|\.cache|gcc|cc|ld|make)(/|$|-[0-9].*\.dist-info)|\.(whl|[ch])$"
)


@pytest.fixture(scope="module")
def api(daemon: Docker, image: str) -> Iterator[Container]:
    """The service, hardened, with no other setting than the one it must have. It answers."""
    with container(daemon, image, "--health-interval", "1s", TYPE="none") as running:
        running.wait()
        yield running


@pytest.fixture(scope="module")
def layers(daemon: Docker, image: str, base: str) -> Layers:
    """What the image adds to its base."""
    return own_layers(daemon, image, base)


def test_it_answers(api: Container) -> None:
    assert [api.get(path) for path in ("/api/v1/users/b", "/api/v1/users/a", "/openapi.json")] == [
        200,
        400,
        200,
    ]


def test_it_becomes_healthy(api: Container) -> None:
    wait_for(lambda: api.state()["Health"]["Status"] == "healthy", 30)


def test_it_is_unhealthy_when_nothing_answers(daemon: Docker, image: str) -> None:
    options = ("--health-interval", "1s", "--health-start-period", "1ms", "--health-retries", "1")
    with container(daemon, image, *options, "--entrypoint", "sleep", command=["60"]) as silent:
        wait_for(lambda: silent.state()["Health"]["Status"] == "unhealthy", 30)
        assert silent.state()["Health"]["Log"][-1]["ExitCode"] == 1


def test_it_is_nobody_with_no_rights(api: Container) -> None:
    assert (
        api.python("import os; print(os.getuid(), os.getgid(), os.getgroups())") == f"{USER} {USER} [{USER}]"
    )
    status = dict(
        line.split(":\t", 1) for line in api.python("print(open('/proc/1/status').read())").splitlines()
    )
    assert status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_its_files_cannot_be_written(api: Container) -> None:
    """Not for want of rights alone: the root file system is read-only. What it may write is memory."""
    tried = "import os; print([os.statvfs(each).f_flag & os.ST_RDONLY for each in ('/', '/opt/traced-api', '/dev/shm')])"
    assert api.python(tried) == "[1, 1, 0]"
    assert api.docker("diff", api.name) == ""


def test_it_owns_none_of_its_files(layers: Layers) -> None:
    assert {entry.owner for entry in layers.files.values()} == {(0, 0)}
    assert [path for path, entry in layers.files.items() if entry.kind != b"2" and entry.mode & 0o022] == []


def test_sigterm_ends_it_well(daemon: Docker, image: str) -> None:
    with container(daemon, image, TYPE="none") as running:
        running.wait()
        daemon("kill", "--signal", "TERM", running.name)
        assert running.exit_code(STOP_SECONDS) == 0, running.log()


def test_a_wrong_environment_ends_it_with_sentences(daemon: Docker, image: str) -> None:
    with container(daemon, image, TYPE="udp", PORT="0") as refused:
        assert refused.exit_code() == 2
        said = refused.log().splitlines()
    assert said[0] == "traced-api cannot start:"
    assert len([line for line in said[1:] if re.match(r"  (TYPE|PORT) ", line)]) == 2, said


def test_no_shell_is_between(daemon: Docker, image: str, api: Container) -> None:
    settings = daemon.inspect(image)["Config"]
    assert settings["Entrypoint"] == ["python", "-m", "traced_api"]
    assert settings["Cmd"] is None
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert json.loads(
        api.python("import json; print(json.dumps(open('/proc/1/cmdline').read().split(chr(0))[:3]))")
    ) == [
        "python",
        "-m",
        "traced_api",
    ]


def test_its_labels_say_what_it_is(daemon: Docker, image: str, base: str) -> None:
    collection = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    labels = daemon.inspect(image)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    assert labels.pop(f"{prefix}description")
    assert labels == {
        f"{prefix}title": "traced-api",
        f"{prefix}licenses": "GPL-3.0-or-later",
        f"{prefix}source": collection["repository"],
        f"{prefix}version": __version__,
        f"{prefix}revision": REVISION,
        f"{prefix}created": CREATED,
        f"{prefix}base.name": base,
    }


def test_an_sbom_finds_its_packages(layers: Layers) -> None:
    """A scanner goes by *.dist-info/METADATA: those of the lock and ours, no more and no less."""
    found = {
        Path(path).parent.name.removesuffix(".dist-info").lower().replace("_", "-")
        for path in layers.files
        if path.endswith(".dist-info/METADATA")
    }
    lock = (APP / "requirements.txt").read_text()
    locked = {
        f"{name}-{version}"
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)(?! ;)", lock, re.MULTILINE)
    }
    assert found == {each.lower().replace("_", "-") for each in locked} | {f"traced-api-{__version__}"}


def test_it_knows_nothing_of_its_build(daemon: Docker, image: str, layers: Layers) -> None:
    history = daemon("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    settings = json.dumps(daemon.inspect(image)["Config"])
    assert "PIP_" not in history + settings
    assert "wheels" not in history + settings
    assert [path for path in layers.files if TOOLS.search(path)] == []
    assert {Path(path).parts[:2] for path in layers.files} <= {("opt",), ("opt", "traced-api")}


def test_two_builds_are_the_same(daemon: Docker, builder: Builder, base: str, layers: Layers) -> None:
    """From copies of the source with other times and modes. The one time that differs is that of the folder /opt."""
    again = own_layers(daemon, builder.build("again", umask=0o077), base)
    daemon("rmi", "--force", "tracestack-test/again")
    assert again.files == layers.files
    moved = {path for path, time_ in again.times.items() if time_ != layers.times[path]}
    assert moved <= {"opt", "opt/traced-api"}


def test_its_size(
    layers: Layers, daemon: Docker, image: str, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, below = (daemon.inspect(each)["Size"] / 1e6 for each in (image, base))
    ours = layers.size / 1e6
    with capsys.disabled():
        print(f"\nimage {whole:.1f} MB, of which base {below:.1f} MB, ours {ours:.1f} MB")
    assert ours < MEGABYTES_AT_MOST


def test_the_manual_says_how_it_is_run_here() -> None:
    assert " ".join(HARDENED) in " ".join((APP / "README.md").read_text().replace("\\\n", " ").split())
