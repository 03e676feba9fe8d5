# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, tries and removes releases on the host: folders HOME/releases/NAME that hold all that a job runs.

release.py safe USER GROUP NAME TARGET HOME...  whether what is in the homes is the role's to write and delete. Prints those that are
                                       left alone: others than root can change them. TARGET, where root installs, must be none of them
release.py folder USER FOLDER          make a folder that the user writes to
release.py install HOME NAME PYTHON FOLDER   of FOLDER/release.tar.gz and FOLDER/requirements.txt
release.py try RELEASE USER [r:FILE | w:FOLDER ...]   whether the user can run it, read the files and write to the folders
release.py check RELEASE JOB           whether the release understands the job file
release.py prune HOME [RELEASE]        remove what no job names and no process uses; prints what went. RELEASE must be there

A release is done when it holds the file "complete". What is not done is made anew. What went wrong is printed in one line.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_COLLECTION = "src/ansible_collections/tracestack/jaeger"
_RELEASE = re.compile("[0-9a-f]{16}")
_MARK = ".made-by-tracestack"
# What the releases before there was a mark wrote.
_OF_A_RELEASE = {"src", "venv", "complete"}
_OF_A_JOB = {"job.json", "fingerprint", "inventory"}
_IMPORTS = "import jaeger_es_maintenance.scheduled, ansible_collections.tracestack.jaeger.plugins.modules.es_maintenance"


_CHECK = """
import sys
from jaeger_es_maintenance.job import read_job
from jaeger_es_maintenance.flags import UsageError
try:
    read_job(sys.argv[1])
except UsageError as wrong:
    sys.exit(str(wrong))
"""


class Problem(Exception):
    """A sentence for the user."""


def safe(user: str, group: str, name: str, target: str, *homes: str) -> None:
    """Look at the folders before anything is written to them or deleted in them. Without a target, nobody reads a job."""
    for home in map(Path, homes):
        fault = _open_to_others(home, user) if os.getuid() == 0 else ""
        if fault and str(home) == target:
            raise Problem(fault)
        if fault:
            print(home)
            continue
        job = home / "jobs" / name
        for folder in (job, *home.glob("releases/*")):
            if strange := _strange(folder, home):
                raise Problem(
                    f"{folder} (rollover_schedule_home) was not made by this role: it has no file {_MARK}, and {strange} among its "
                    "files. Nothing was changed or deleted: set rollover_schedule_home to another folder."
                )
    if os.getuid() == 0 and user != "root" and target:
        _check_group(user, group)


def _open_to_others(home: Path, user: str) -> str:
    """Who else than root could replace what root writes, runs and deletes there; nothing if nobody could."""
    inside = [home / "releases", home / "jobs", *home.glob("releases/*"), *home.glob("jobs/*")]
    for folder in (*_leading_to(home), *inside):
        if fault := _not_roots(folder, user):
            return (
                f"rollover_schedule_home is {home}: root installs programs there, and {fault}, who could replace them. Set it to a "
                f"folder that only root can write to, as are all folders above it, or make {folder} such a folder."
            )
    return ""


def _leading_to(folder: Path) -> Iterator[Path]:
    """The folder and all above it, also those that links lead by."""
    for one in (*reversed(folder.parents), folder):
        yield one
        if one.is_symlink():
            yield from _leading_to(one.parent / one.readlink())


def _not_roots(folder: Path, user: str) -> str:
    """Why not only root can change what is in the folder; nothing if it is so, or if it is not there."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return ""
    if found.st_uid != 0:
        return f"{folder} belongs to {_name_of(found.st_uid)}"
    if found.st_mode & 0o002:
        return f"{folder} is open to everybody"
    if _is_account(user) and user != "root" and _may(user, "-w", str(folder)):
        return f"{folder} is open to {user}"
    if found.st_mode & 0o020 and (others := _members(found.st_gid) - {"root"}):
        return f"{folder} is open to {', '.join(sorted(others))}"
    return ""


def _members(group: int) -> set[str]:
    """The accounts in a group."""
    try:
        named = grp.getgrgid(group).gr_mem
    except KeyError:
        named = []
    return {*named, *(one.pw_name for one in pwd.getpwall() if one.pw_gid == group)}


def _check_group(user: str, group: str) -> None:
    """The group reads the job, secrets among it."""
    if not _is_account(user):
        return  # the role makes it, with a group of its own
    account = pwd.getpwnam(user)
    try:
        found = grp.getgrnam(group) if group else grp.getgrgid(account.pw_gid)
    except KeyError:
        raise Problem(f"there is no group {group or account.pw_gid} (rollover_schedule_group).") from None
    if found.gr_gid not in os.getgrouplist(user, account.pw_gid):
        raise Problem(f"the user {user} is not in the group {found.gr_name} (rollover_schedule_group).")
    if others := sorted(_members(found.gr_gid) - {user, "root"}):
        raise Problem(
            f"the group {found.gr_name} of the user {user} has other members ({', '.join(others[:3])}), who could read the job's "
            f"passwords: set rollover_schedule_group to a group of the user {user} alone."
        )


def _is_account(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _strange(folder: Path, home: Path) -> str:
    """What is in a folder of a job or a release that the role did not make; nothing if it is the role's."""
    if folder.parent.name == "releases" and not _RELEASE.fullmatch(folder.name):
        return ""  # not looked at by anything
    names = {one.name for one in folder.iterdir()} if folder.is_dir() else set()
    if _MARK in names:
        return ""
    if folder.parent == home / "releases":
        return min(names - _OF_A_RELEASE, default="")
    return min((name for name in names if not _is_part_of_job(folder / name)), default="")


def _is_part_of_job(path: Path) -> bool:
    if path.name == "run":
        return "jaeger_es_maintenance" in _text(path)
    return path.name.isdigit() and path.is_dir() and {one.name for one in path.iterdir()} <= _OF_A_JOB


def make_folder(user: str, folder: Path) -> None:
    """Make it for the user. Root does so only where nobody can put a link in its place meanwhile, else the user does."""
    if os.getuid() == 0 and not any(_not_roots(one, user) for one in _leading_to(folder.parent)):
        folder.mkdir(parents=True, mode=0o750)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1, follow_symlinks=False)
    else:
        _run(
            ["mkdir", "--parents", "--mode=750", str(folder)],
            f"the user {user} cannot make {folder}:",
            **_become(user),
        )


def install(home: Path, name: str, python: str, folder: Path) -> None:
    """Make the release, unless somebody else has done so meanwhile."""
    release = home / "releases" / name
    with _locked(home):
        if not (release / "complete").exists():
            shutil.rmtree(release, ignore_errors=True)
            release.mkdir(parents=True)
            (release / _MARK).touch()
            _unpack(folder / "release.tar.gz", release)
            _make_venv(release, folder / "requirements.txt", python)
            (release / "complete").touch()


def _unpack(package: Path, release: Path) -> None:
    """The collection into its place, and the program beside it."""
    collection = release / _COLLECTION
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)  # none for a folder
            if ".." in Path(member.name).parts or not (member.isreg() or member.isdir()):
                raise Problem(
                    f"the package of the release has an entry that does not belong there: {member.name}."
                )
            if content:
                file = collection / member.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.read())
    (collection / "maintenance/src/jaeger_es_maintenance").rename(release / "src/jaeger_es_maintenance")
    shutil.rmtree(collection / "maintenance")


def _make_venv(release: Path, requirements: Path, python: str) -> None:
    """The environment, just what the lock has; src is on its path."""
    venv = release / "venv"
    own = str(venv / "bin/python")
    _run([python, "-I", "-m", "venv", str(venv)], "the virtual environment cannot be made")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "--require-hashes", "-r", str(requirements)], "its requirements cannot be installed")
    (packages,) = venv.glob("lib/python3*/site-packages")
    (packages / "jaeger_es_maintenance.pth").write_text(f"{release / 'src'}\n")
    _run([own, "-I", "-m", "compileall", "-q", str(release / "src")], "its source cannot be compiled")


def attempt(release: Path, user: str, *needs: str) -> None:
    """Do as the user what a run does."""
    become = _become(user)
    python = str(release / "venv/bin/python")
    try:
        _run([python, "-I", "-c", _IMPORTS], "", **become)
    except Problem as why:
        raise Problem(
            f"the user {user} cannot run {python}:{why} Let it read that folder and the Python that it is made of "
            "(rollover_schedule_home, rollover_schedule_python)."
        ) from None
    flags = {"r": ("-r", "read"), "w": ("-w", "write to")}
    for kind, _colon, path in (need.partition(":") for need in needs):
        flag, verb = flags[kind]
        if not _may(user, flag, path):
            raise Problem(f"the user {user} cannot {verb} {path}, or it is not there: the job would fail.")


def _may(user: str, flag: str, path: str) -> bool:
    return subprocess.run(["test", flag, path], check=False, **_become(user)).returncode == 0


def check(release: Path, job: str) -> None:
    """Read the job file as a run does."""
    _run([str(release / "venv/bin/python"), "-I", "-c", _CHECK, job], "the job file is wrong:")


def prune(home: Path, needed: str = "") -> None:
    """Remove what nothing needs. Without any job all of it goes, if nothing of it runs."""
    if not home.is_dir():
        return
    with _locked(home):
        if needed and not Path(needed, "complete").exists():
            raise Problem(f"another play has removed {needed} meanwhile: run this one again.")
        named = "".join(_text(run) for run in home.glob("jobs/*/run"))
        used = named + "".join(_text(Path(line)) for line in _command_lines())
        starting = re.search(rf"{re.escape(str(home))}/jobs/[^/\s\0]+/run", used[len(named) :])
        for old in _own(home) if not starting else ():
            if f"{old}/" not in used:
                shutil.rmtree(old)
                print(old)
        gone = not any(home.glob("jobs/*")) and not any(home.glob("releases/*"))
        if gone:
            for folder in (home / "jobs", home / "releases"):
                if folder.is_dir():
                    folder.rmdir()
            (home / ".lock").unlink()
    if gone and not any(home.iterdir()):
        home.rmdir()
        print(home)


def _own(home: Path) -> list[Path]:
    """The releases and the jobs in it. The folder is the user's choice, and may hold what is somebody else's."""
    found = [one for one in home.glob("releases/*") if _RELEASE.fullmatch(one.name)]
    found += [one.parent for one in home.glob("jobs/*/*/job.json") if one.parent.name.isdigit()]
    return [one for one in found if not _strange(one if one.parent.name == "releases" else one.parent, home)]


def _command_lines() -> Iterator[str]:
    mine = str(os.getpid())
    yield from (str(one) for one in Path("/proc").glob("[0-9]*/cmdline") if one.parent.name != mine)


def _text(file: Path) -> str:
    """What is in it; nothing if it has gone, as processes do."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Alone in this folder: several hosts of an inventory may be one machine."""
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _become(user: str) -> dict[str, Any]:
    """How subprocess runs something as that user. Only root can be somebody else."""
    if os.getuid() != 0:
        return {}
    found = pwd.getpwnam(user)
    groups = os.getgrouplist(user, found.pw_gid)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups, "cwd": "/"}


def _run(command: list[str], what: str, **options: Any) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as problem:
        raise Problem(f"{what} {command[0]}: {problem.strerror}.") from None
    if done.returncode:
        words = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Problem(f"{what} {'; '.join(words[-3:]) or f'exit code {done.returncode}'}")


def main(command: str, *words: str) -> int:
    """Run a command of the list above."""
    os.umask(0o022)
    commands: dict[str, Callable[[], None]] = {
        "safe": lambda: safe(*words),
        "folder": lambda: make_folder(words[0], Path(words[1])),
        "install": lambda: install(Path(words[0]), words[1], words[2], Path(words[3])),
        "try": lambda: attempt(Path(words[0]), *words[1:]),
        "check": lambda: check(Path(words[0]), words[1]),
        "prune": lambda: prune(Path(words[0]), *words[1:]),
    }
    try:
        commands[command]()
    except Problem as problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
