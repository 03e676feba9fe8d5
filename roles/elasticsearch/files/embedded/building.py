# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a pom.xml and a few Java sources to a folder that a server is started from."""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from java_runtime import require_java
from problems import ServerError, require_program, run_tool, writable
from releases import HERE, Module, Release

STAMP = "inputs.sha256"
BUILD_JAVA = 17
DESCRIPTOR = "plugin-descriptor.properties"


def build(wanted: Release, dist: Path) -> bool:
    """Put all that the release needs into DIST/NAME; False when it is there already.

    Safe to call from several processes at once. Takes about 30 s with an empty Maven cache.
    """
    target = dist / wanted.name
    stamp = inputs_hash(wanted)
    if is_built(target, stamp):
        return False
    require_build_tools()
    with writable(dist):
        dist.mkdir(parents=True, exist_ok=True)
        lock = (dist / f".{wanted.name}.lock").open("w", encoding="utf-8")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built(target, stamp):
            return False
        with tempfile.TemporaryDirectory(prefix=f".{wanted.name}.", dir=dist) as scratch:
            fresh = Path(scratch) / "fresh"
            fill(wanted, fresh)
            (fresh / STAMP).write_text(stamp + "\n", encoding="utf-8")
            if target.exists():
                target.rename(Path(scratch) / "old")
            fresh.rename(target)
    return True


def fill(wanted: Release, folder: Path) -> None:
    """Copy the jars by Maven, check them against jars.sha256, compile, and sort the jars into modules."""
    for name in ("lib", "classes", "modules", "plugins"):
        (folder / name).mkdir(parents=True)
    shutil.copy(wanted.source / "pom.xml", folder)
    shutil.copy(HERE / "log4j2.properties", folder)
    run_tool(
        ["mvn", "-q", "-B", "-C", "-Dstyle.color=never", f"-Dserver.version={wanted.version}",
         "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"],
        folder,
        "Maven could not fetch the jars",
    )  # fmt: skip
    check_jars(folder / "lib", wanted.source / "jars.sha256")
    unzip(wanted, folder)
    compile_java(wanted, folder, wanted.launcher, folder / "classes")
    for module in wanted.modules:
        if module.sources:
            compile_module(wanted, folder, module)
    for module in wanted.modules:
        fill_module(wanted, folder, module)
    for module in wanted.modules:
        move(folder / "lib", folder / "modules" / module.name, module.jars)
    for compiler in (folder / "lib").glob("ecj-*.jar"):
        compiler.unlink()


def unzip(wanted: Release, folder: Path) -> None:
    """Unpack plugins, and take single jars out of them."""
    for name, file in wanted.zips.items():
        with zipfile.ZipFile(folder / "lib" / file) as archive:
            archive.extractall(folder / "plugins" / name)
    for file, patterns in wanted.borrowed.items():
        with zipfile.ZipFile(folder / "lib" / file) as archive:
            for name in archive.namelist():
                if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                    archive.extract(name, folder / "lib")
    for path in (folder / "lib").glob("*.zip"):
        path.unlink()


def check_jars(lib: Path, sums: Path) -> None:
    """Raise ServerError unless lib holds exactly the jars in sums."""
    lines = (
        line.split() for line in sums.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    expected = {name: digest for digest, name in lines}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in lib.iterdir()}
    different = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if different:
        raise ServerError(
            f"Maven's jars are not those of {sums}: {', '.join(different)}; remove them from Maven's cache"
            " (~/.m2/repository) and try again, and if that does not help, ask whose repository Maven uses."
        )


def compile_java(wanted: Release, folder: Path, sources: Iterable[str], classes: Path) -> None:
    """Compile against the server's jars: with javac, or with the compiler among the jars, if there is one.

    javac 17 cannot read the classes of a server that needs Java 21, Eclipse's compiler can.
    """
    jars = sorted((folder / "lib").glob("*.jar"))
    own = [str(jar) for jar in jars if jar.name.startswith("ecj-")]
    compiler = ["java", "-jar", own[0], "-source", "17", "-target", "17"] if own else ["javac"]
    run_tool(
        [*compiler, "-nowarn", "-proc:none", "-d", str(classes), "-cp", ":".join(map(str, jars))]
        + [str(HERE / source) for source in sources],
        folder,
        f"{wanted.name} did not compile",
    )


def compile_module(wanted: Release, folder: Path, module: Module) -> None:
    """Compile a module of our own to a jar."""
    target = folder / "modules" / module.name
    target.mkdir()
    with tempfile.TemporaryDirectory(dir=folder) as classes:
        compile_java(wanted, folder, module.sources, Path(classes))
        with zipfile.ZipFile(target / f"{module.name}.jar", "w") as jar:
            for path in sorted(Path(classes).rglob("*.class")):
                jar.write(path, path.relative_to(classes))


def fill_module(wanted: Release, folder: Path, module: Module) -> None:
    """Write the module's descriptor, and copy the jars that it shares with others."""
    target = folder / "modules" / module.name
    target.mkdir(exist_ok=True)
    for pattern in module.shared:
        for jar in (folder / "lib").glob(pattern):
            shutil.copy(jar, target)
    if module.classname:
        lines = [
            *(f"name={module.name}", f"description={module.name}", f"version={wanted.version}"),
            *(f"{wanted.distribution}.version={wanted.version}", "java.version=11"),
            f"classname={module.classname}",
        ]
    else:
        with zipfile.ZipFile(folder / "lib" / f"{module.name}-{wanted.version}.jar") as archive:
            text = archive.read(f"META-INF/es-plugins/{module.name}/{DESCRIPTOR}").decode()
        # On the class path there are no Java modules, so a plugin cannot be one either.
        lines = [line for line in text.splitlines() if not re.match(r"#|modulename=|$", line)]
    (target / DESCRIPTOR).write_text("\n".join(lines) + "\n", encoding="utf-8")


def move(source: Path, target: Path, patterns: Iterable[str]) -> None:
    """Move the files that match."""
    for pattern in patterns:
        for path in source.glob(pattern):
            path.rename(target / path.name)


def inputs_hash(wanted: Release) -> str:
    """What the built folder was made of."""
    digest = hashlib.sha256(repr(wanted).encode())
    for path in [*wanted.sources, HERE / "building.py"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def is_built(target: Path, stamp: str) -> bool:
    """Whether target was made of the inputs with this hash."""
    try:
        return (target / STAMP).read_text(encoding="utf-8").strip() == stamp
    except FileNotFoundError:
        return False


def check(wanted: Release, dist: Path, java: str) -> None:
    """Raise ServerError when the server could not be built, if it must be, or run."""
    require_java(java, wanted.minimum_java)
    if not is_built(dist / wanted.name, inputs_hash(wanted)):
        require_build_tools()


def require_build_tools() -> None:
    """Raise ServerError when Maven or a fitting JDK is missing."""
    require_java("java", BUILD_JAVA)
    require_program("javac", "The Java compiler", f"openjdk-{BUILD_JAVA}-jdk-headless")
    require_program("mvn", "Maven", "maven")
