# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our images: a base for them that is made on this machine, their builds, and what is in their layers."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.docker import FOLDER, PATHS, Docker, alone, program
from tests.support.servers import ROOT, memory_folder

APP = ROOT / "app"
REVISION = "0123abc"
CREATED = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Source:
    """What an image is made of: the folder with its Dockerfile and its locks, and what of the context is copied."""

    folder: Path
    context: Path
    parts: tuple[str, ...]


TRACED_API = Source(APP, APP, (".",))
MAINTENANCE = Source(
    ROOT / "maintenance",
    ROOT,
    (".dockerignore", "maintenance", "plugins/module_utils", "plugins/modules"),
)
# In memory, as dpkg waits for the disk after each package, and with mounts of its own (docker.alone).
MAKE_BASE = """
folder=$1 archive=$2 debootstrap=$3 release=$4
mount -t tmpfs -o mode=755 tmpfs "$folder"
"$debootstrap" --variant=minbase --include=python3,python3-venv "$release" "$folder" ${5+"$5"}
tar --create --file "$archive" --directory "$folder" --numeric-owner --exclude='./var/cache/apt/*' \\
  --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' .
"""


def base_image(daemon: Docker) -> str:
    """The name of an image with the distribution's own Python and nothing else, as no registry is asked for one."""
    archive = base_archive()
    name = f"tracestack-test/base:{archive.stem.removeprefix('base-')}"
    daemon("import", str(archive), name)
    return name


def base_archive() -> Path:
    """The files of the base image, made once: of the same release as this machine, from its own package mirror."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    archive = FOLDER / f"base-{release}.tar"
    if not archive.exists():
        debootstrap = program("debootstrap", "debootstrap")
        FOLDER.mkdir(parents=True, exist_ok=True)
        fresh = archive.with_suffix(".new")
        with tempfile.TemporaryDirectory(prefix="tracestack-base-") as folder:
            arguments = [folder, str(fresh), debootstrap, release, *mirror(release)]
            made = subprocess.run(
                [*alone(), "sh", "-ec", MAKE_BASE, "sh", *arguments],
                env={**os.environ, "PATH": PATHS},
                capture_output=True,
                text=True,
                check=False,
            )
        assert made.returncode == 0, f"debootstrap failed:\n{made.stdout[-4000:]}{made.stderr}"
        fresh.replace(archive)
    return archive


def mirror(release: str) -> list[str]:
    """Where apt gets this release from, if it says so; else debootstrap has its own idea."""
    conditions = ["Created-By: Packages", f"Codename: {release}", "Component: main"]
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *conditions]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[:1]


def wheelhouse(app: Path, python: str) -> Path:
    """The wheels of the locks, for this version of Python: downloaded once for each content of the locks."""
    locks = [app / "requirements.txt", app / "requirements-build.txt"]
    content = hashlib.sha256(
        b"\0".join([python.encode(), *(lock.read_bytes() for lock in locks)])
    ).hexdigest()
    folder = FOLDER / f"wheels-{content[:16]}"
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as name:
            fresh = Path(name, "wheels")
            options = ["--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps"]
            for lock in locks:
                pip = [sys.executable, "-m", "pip", "download", f"--python-version={python}", *options]
                subprocess.run([*pip, "--dest", str(fresh), "-r", str(lock)], check=True)
            fresh.rename(folder)
    return folder


@dataclass(frozen=True)
class Builder:
    """Builds an image as its README.md says for a machine without network: the wheels lie beside the Dockerfile."""

    docker: Docker
    base: str
    wheels: Path
    folder: Path
    source: Source = TRACED_API

    def build(self, name: str, *, umask: int = 0o022) -> str:
        """Build from a copy of the source with the times of now and this umask's modes, and from nothing else."""
        context = self.folder / name
        inside = context / self.source.folder.relative_to(self.source.context)
        before = os.umask(umask)
        try:
            for part in self.source.parts:
                _copy(self.source.context / part, context / part)
            _copy(self.wheels, inside / "wheels")
        finally:
            os.umask(before)
        for folder in (context, *(each for each in context.rglob("*") if each.is_dir())):
            folder.chmod(0o777 & ~umask)  # copytree gives folders the mode of their originals
        arguments = {
            "BASE": self.base,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "wheels",
            "REVISION": REVISION,
            "CREATED": CREATED,
        }
        given = [part for pair in arguments.items() for part in ("--build-arg", "=".join(pair))]
        tag = f"tracestack-test/{name}"
        self.docker(
            *("build", "--no-cache", "--force-rm", "--network", "none", *given),
            *("--tag", tag, "--file", str(inside / "Dockerfile"), str(context)),
        )
        return tag


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "wheels")
        shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def builder(daemon: Docker, base: str, folder: Path, source: Source) -> Builder:
    """All that a build of this source needs, with the wheels for the Python of the base. folder: for the contexts."""
    version = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    python = daemon("run", "--rm", "--network", "none", base, "python3", "-c", version)
    return Builder(daemon, base, wheelhouse(source.folder, python), folder, source)


def saved(daemon: Docker, image: str, archive: Path) -> Path:
    """The image as a tar, which `docker load` and `ctr images import` take."""
    daemon("save", "--output", str(archive), image)
    return archive


@dataclass(frozen=True)
class Entry:
    """A file of an image, by all that it is but its time."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    content: str


@dataclass(frozen=True)
class Layers:
    """What an image has on top of its base: files by path, their times, and the bytes of the layers' tars."""

    files: dict[str, Entry]
    times: dict[str, float]
    size: int


def own_layers(daemon: Docker, image: str, base: str) -> Layers:
    """Unpack what an image adds to its base."""
    known = len(daemon.inspect(base)["RootFS"]["Layers"])
    files: dict[str, Entry] = {}
    times: dict[str, float] = {}
    size = 0
    with memory_folder() as folder, tarfile.open(saved(daemon, image, folder / "image.tar")) as archive:
        (manifest,) = json.load(_member(archive, "manifest.json"))
        for name in manifest["Layers"][known:]:
            with tarfile.open(fileobj=_member(archive, name)) as layer:
                for member in layer:
                    files[member.name] = _entry(layer, member)
                    times[member.name] = member.mtime
                    size += member.size
    return Layers(files, times, size)


def _member(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    assert file is not None, name
    return file


def _entry(layer: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    content = member.linkname
    if member.isreg():
        content = hashlib.sha256(_member(layer, member.name).read()).hexdigest()
    return Entry(member.type, member.mode, (member.uid, member.gid), content)
