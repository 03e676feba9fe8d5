# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python keeps what it has compiled of the modules in a zip file, as it does of all others, and reads no Kubernetes API for nothing.

Ansible sends each module to Python as a zip file, and Python compiles all that is in it anew: most of the time that a small
module takes, and a play runs dozens. And each module of kubernetes.core reads the 800 classes of the Kubernetes client, of which
it uses none or one: here a class is read when it is first asked for. What Ansible reads to make the zip file is kept, too
(ansible_keeps.py). bin/test has this folder in PYTHONPATH, where each Python finds it when it starts.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType

TYPE_CHECKING = False  # not of typing, which not every Python that starts needs
if TYPE_CHECKING:
    from typing import Any

_FOLDER = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "__pycache__", f"zip-{sys.implementation.cache_tag}"
)
_ZIPIMPORT = vars(zipimport)
_compile = _ZIPIMPORT["_compile_source"]
_name = vars(_imp)["_fix_co_filename"]  # after the archive that it comes from now


def _compile_once(path: str, source: bytes) -> CodeType:
    """The code of a module: compiled now, if no module with this very content ever was."""
    kept = _imp.source_hash(0, source).hex()
    code: CodeType | None = _Store.read(kept)
    if code is None:
        code = _compile(path, source)
        _Store.write(code, kept)
    else:
        _name(code, path)
    return code


class _Store:
    """What is kept, by name."""

    @staticmethod
    def read(name: str) -> Any:
        try:
            with open(os.path.join(_FOLDER, name), "rb") as file:
                return marshal.loads(file.read())
        except (OSError, EOFError, ValueError, TypeError):
            return None

    @staticmethod
    def write(value: Any, name: str) -> None:
        """As a whole or not at all. Who may not write here does without."""
        path = os.path.join(_FOLDER, name)
        fresh = f"{path}.{os.getpid()}"
        try:
            data = marshal.dumps(value)
            os.makedirs(_FOLDER, exist_ok=True)
            with open(fresh, "wb") as file:
                file.write(data)
            os.replace(fresh, path)
        except (OSError, ValueError):
            return


_ZIPIMPORT["_compile_source"] = _compile_once


# The packages that only bring together the classes of the modules below them, and the beginnings of these modules' names.
_GATHERED = ("kubernetes.client", "kubernetes.client.api", "kubernetes.client.models")
_GATHERED_FROM = ("kubernetes.client.api.", "kubernetes.client.models.")


class _Loader:
    """What Python would load a module with."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Late(_Loader):
    """Loads a package that gathers classes: "from MODULE import CLASS" is done when the class is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        places, lines = {}, []
        for line in self._loader.get_source(module.__name__).splitlines():
            words = line.split()
            if words[:1] == ["from"] and len(words) == 4 and words[1].startswith(_GATHERED_FROM):
                places[words[3]] = words[1]
            else:
                lines.append(line)

        def late(name: str) -> Any:
            if name not in places:
                raise AttributeError(
                    f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module
                )
            found = getattr(import_module(places[name]), name)
            setattr(module, name, found)
            return found

        vars(module)["__getattr__"] = late
        exec(compile("\n".join(lines), str(module.__file__), "exec"), vars(module))


class _Keeping(_Loader):
    """Loads a module of Ansible, and has it keep its answers."""

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        getattr(import_module("ansible_keeps"), _KEEPING[module.__name__])(module, _Store)


# What of ansible_keeps, which not every Python that starts needs, is for which module.
_KEEPING = {
    "ansible._internal._templating._jinja_bits": "keep_templates",
    "ansible.config.manager": "keep_settings",
    "ansible.executor.module_common": "keep_modules",
    "ansible.plugins.loader": "keep_filters",
    "ansible.utils.collection_loader._collection_finder": "keep_metadata",
}
_LOADERS = {**dict.fromkeys(_GATHERED, _Late), **dict.fromkeys(_KEEPING, _Keeping)}


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _LOADERS or not (spec := PathFinder.find_spec(name, path, target)):
            return None
        spec.loader = _LOADERS[name](spec.loader)  # type: ignore[assignment]
        return spec


sys.meta_path.insert(0, _Finder)


def _hand_over(path: str) -> None:
    """Have what comes by the standard input run by a process of tests/support/warm_python.py, if it is there."""
    import _socket

    files = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    mask = os.umask(0)
    message = marshal.dumps((os.getcwd(), dict(os.environ), mask))
    os.umask(mask)
    with_it = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)]
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(path)
        connection.sendmsg([message], with_it)
    except OSError:
        return
    ended = connection.recv(1)
    os._exit(ended[0] if ended else 1)


def namespaces() -> str:
    """Which processes, files and addresses this process sees."""
    return " ".join(os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "pid", "net", "user"))


_place = os.environ.get("TRACESTACK_WARM_PYTHON", "")
if _place and len(sys.orig_argv) == 1 and not os.isatty(0):
    _mine = f"{sys.executable}:{namespaces()}:"
    if _place.startswith(_mine):
        _hand_over(_place[len(_mine) :])
