# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that the test cluster can be given. No registry is asked for one: all are made on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import image
from tests.support.archives import archive
from tests.support.docker import docker, program
from tests.support.go_programs import CERT_MANAGER, COREDNS, JAEGER2
from tests.support.servers import jaeger_programs

BUSYBOX = "busybox:1.35"
# Tags that are not latest: the node asks no registry.
MAINTENANCE = "tracestack-test/maintenance:1"
TRACED_API = "tracestack-test/traced-api:1"
TOOLS = ("sh", "cat", "echo", "ls", "id", "sleep", "wget", "nslookup", "nc", "httpd", "ip", "env", "true")


@contextmanager
def archives(name: str) -> Iterator[list[Path]]:
    """The archives of the images of this name, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="tracestack-images-") as folder:
        yield IMAGES[name](Path(folder))


def tools() -> dict[str, Path | str]:
    """A shell and what goes with it, as in images that are made on Alpine."""
    links = {f"/bin/{tool}": "busybox" for tool in TOOLS}
    return {"/bin/busybox": Path(program("busybox", "busybox-static")), **links}


def node(folder: Path) -> list[Path]:
    """What every cluster needs, and a busybox for tests."""
    files = tools()
    pause = ["/bin/busybox", "sh", "-c", "trap exit TERM INT; while :; do sleep 86400 & wait; done"]
    coredns = COREDNS.build()
    return [
        archive(folder / "busybox.tar", BUSYBOX, files, command=["sh"]),
        archive(folder / "pause.tar", "registry.k8s.io/pause:3.9", files, entrypoint=pause),
        archive(
            folder / "coredns.tar",
            "registry.k8s.io/coredns/coredns:v1.10.1",
            {"/coredns": coredns},
            entrypoint=["/coredns"],
        ),
    ]


def cert_manager(folder: Path) -> list[Path]:
    """The three of cert-manager v1.6.1."""
    binary = CERT_MANAGER.build()
    return [
        archive(
            folder / f"{part}.tar",
            f"quay.io/jetstack/cert-manager-{part}:v1.6.1",
            {f"/{part}": binary},
            entrypoint=[f"/{part}"],
            user="1000",
        )
        for part in ("controller", "webhook", "cainjector")
    ]


def jaeger(folder: Path, *names: str) -> list[Path]:
    """Programs of Jaeger v1.57.0, called as Jaeger's own images call them: collector and query, if not told otherwise."""
    made = []
    for name in names or ("collector", "query"):
        binary = jaeger_programs(name) / name
        repository = name if name == "all-in-one" else f"jaeger-{name}"
        entrypoint = [f"/go/bin/{name}-linux"]
        files: dict[str, Path | str] = {entrypoint[0]: binary, **tools()}
        target = folder / f"{name}.tar"
        made.append(
            archive(target, f"jaegertracing/{repository}:1.57", files, entrypoint=entrypoint, user="10001")
        )
    return made


def jaeger_rest(folder: Path) -> list[Path]:
    """All-in-one and the index tools of Jaeger v1.57.0."""
    return jaeger(folder, "all-in-one", "es-rollover", "es-index-cleaner")


def jaeger2(folder: Path) -> list[Path]:
    """Jaeger v2: module version v1.65.0 is release 2.2.0."""
    files: dict[str, Path | str] = {"/cmd/jaeger/jaeger-linux": JAEGER2.build(), **tools()}
    return [
        archive(
            folder / "jaeger.tar",
            "jaegertracing/jaeger:2.2.0",
            files,
            entrypoint=["/cmd/jaeger/jaeger-linux"],
            user="10001",
        )
    ]


def traced_api(folder: Path) -> list[Path]:
    """The image of app/Dockerfile."""
    return [_built(folder, image.TRACED_API, TRACED_API)]


def maintenance(folder: Path) -> list[Path]:
    """The image of maintenance/Dockerfile."""
    return [_built(folder, image.MAINTENANCE, MAINTENANCE)]


def _built(folder: Path, source: image.Source, name: str) -> Path:
    """An image of ours, built by Docker."""
    with docker() as daemon:
        base = image.base_image(daemon)
        built = image.builder(daemon, base, folder, source).build("built")
        daemon("tag", built, name)
        archive_of_it = image.saved(daemon, name, folder / "image.tar")
        daemon("rmi", "--force", built, name, base)
    return archive_of_it


IMAGES: dict[str, Callable[[Path], list[Path]]] = {
    "node": node,
    "cert-manager": cert_manager,
    "jaeger": jaeger,
    "jaeger-rest": jaeger_rest,
    "jaeger2": jaeger2,
    "maintenance": maintenance,
    "traced-api": traced_api,
}
