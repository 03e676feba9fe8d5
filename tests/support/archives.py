# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images without a daemon: archives as `docker save` writes them, of one layer FROM scratch."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(
    target: Path,
    name: str,
    files: Mapping[str, Path | str],
    *,
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    user: str = "",
) -> Path:
    """Write an image of this name with these files: paths of programs to copy, or strings, the targets of links."""
    layer = target.with_suffix(".layer")
    try:
        with tarfile.open(layer, "w") as tar:
            tmp = tarfile.TarInfo("tmp")
            tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(tmp)
            for path, source in files.items():
                _add(tar, path.lstrip("/"), source)
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        settings: dict[str, Any] = {
            "Entrypoint": list(entrypoint),
            "Cmd": list(command),
            "Env": ["PATH=/bin"],
            "User": user,
        }
        config = {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        with tarfile.open(target, "w") as tar:
            for path, content in (("manifest.json", manifest), ("config.json", config)):
                data = json.dumps(content).encode()
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            tar.add(layer, "layer.tar")
    finally:
        layer.unlink(missing_ok=True)
    return target


def _add(tar: tarfile.TarFile, path: str, source: Path | str) -> None:
    member = tarfile.TarInfo(path)
    member.mode = 0o755
    if isinstance(source, str):
        member.type, member.linkname = tarfile.SYMTYPE, source
        tar.addfile(member)
        return
    member.size = source.stat().st_size
    with source.open("rb") as file:
        tar.addfile(member, file)
