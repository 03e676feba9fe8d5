# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the test cluster, built from the Go modules below tests/kubernetes/cluster, which pin every line of them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.servers import ROOT

MODULES = ROOT / "tests" / "kubernetes" / "cluster"
DIST = ROOT / ".local" / "kubernetes" / "dist"
# The compiler works longer than the programs ever will, so nothing is inlined, nor told to a debugger: a quarter less work.
COMPILER = "all=-l -dwarf=false"


@dataclass(frozen=True)
class Module:
    """A module, and the one program that is built of it.

    variables are set in the program by the linker. links are the names by which the program knows what it is to be. tags choose
    among the module's files.
    """

    name: str
    package: str = "."
    variables: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    tags: str = ""

    def build(self) -> Path:
        """The program, built once for each content of the module. Its links lie beside it."""
        source = MODULES / self.name
        digest = hashlib.sha256(f"{self!r} {COMPILER}".encode())
        for file in sorted(source.iterdir()):
            digest.update(f"{file.name}\0".encode() + file.read_bytes())
        folder = DIST / f"{self.name}-{digest.hexdigest()[:12]}"
        binary = folder / self.name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:  # several test processes; the work is done once
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not binary.exists():
                self._compile(source, binary)
        return binary

    def _compile(self, source: Path, binary: Path) -> None:
        for link in self.links:
            binary.with_name(link).unlink(missing_ok=True)
            binary.with_name(link).symlink_to(binary.name)
        fresh = binary.with_suffix(".new")
        flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables.items())])
        go = shutil.which("go", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        if go is None:
            raise RuntimeError("go is missing: run bin/bootstrap --kubernetes.")
        compiler = [f"-tags={self.tags}", f"-gcflags={COMPILER}"]
        settings = {
            "GOFLAGS": "-mod=readonly",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "GOGC": "400",
        }
        built = subprocess.run(
            [go, "build", "-trimpath", *compiler, "-ldflags", flags, "-o", str(fresh), self.package],
            cwd=source,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            raise RuntimeError(f"{self.name} could not be built:\n{built.stderr[-4000:]}")
        fresh.replace(binary)


def _kubernetes() -> Module:
    """Kubernetes, which wants to be told its version."""
    told = {
        "gitVersion": "v1.28.15",
        "gitMajor": "1",
        "gitMinor": "28",
        "gitTreeState": "clean",
        "buildDate": "2024-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    variables = {f"{package}.{name}": value for package in packages for name, value in told.items()}
    daemons = ("apiserver", "controller-manager", "scheduler", "proxy")
    links = ("kubectl", "kubelet", *(f"kube-{each}" for each in daemons))
    # Without the drivers of clouds: 166 packages less.
    return Module("kubernetes", variables=variables, links=links, tags="providerless")


KUBERNETES = _kubernetes()
COREDNS = Module("coredns")
CERT_MANAGER = Module(
    "cert-manager", variables={"github.com/jetstack/cert-manager/pkg/util.AppVersion": "v1.6.1"}
)
JAEGER2 = Module("jaeger2", package="github.com/jaegertracing/jaeger/cmd/jaeger")
REGISTRY = Module("registry")
