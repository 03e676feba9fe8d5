# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible keeps, from one play to the next, what a module is made of and what its own YAML files say.

In each play Ansible reads and parses some 60 files for each module that the play uses, to find out which of them to send: 0.3 s of a
processor. Here it only looks whether these files are what they were. And each play, and many a task, parses the same YAML files of
Ansible and of the collections: half of the second that a play takes to start. Each task compiles its templates anew, and looks for
Ansible's filters and tests. sitecustomize.py brings it into Ansible.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any, Protocol

_ARGUMENTS = ["name", "module_fqn", "module_data", "zf", "date_time", "extension_manager"]
# What Ansible writes by itself, the same for all modules.
_STUBS = ("ansible/__init__.py", "ansible/module_utils/__init__.py")


class _Notes:
    """A zip file that notes what is written to it: the names, the files and what is in them."""

    def __init__(self, archive: Any, origin: Callable[[bytes], str]) -> None:
        self._archive = archive
        self._origin = origin
        self.entries: list[tuple[str, str, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    def writestr(self, entry: Any, content: bytes | str) -> None:
        self._archive.writestr(entry, content)
        data = content.encode() if isinstance(content, str) else bytes(content)
        path = self._origin(data if isinstance(content, str) else content)
        self.entries.append((str(entry.filename), path, _digest(data) if path else data))

    @property
    def complete(self) -> bool:
        """Whether it all comes of files. Not so what Ansible makes of a redirection, of which it may have to warn."""
        return all(path or not data or name in _STUBS for name, path, data in self.entries)


class Store(Protocol):
    """Where answers are kept, by name."""

    def read(self, name: str) -> Any:
        """What was kept; None if nothing was."""

    def write(self, value: Any, name: str) -> None:
        """Keep it, if it is made of Python's own types."""


def _once(store: Store, name: str, make: Callable[[], Any]) -> Any:
    """What is kept; made and kept now, if nothing was."""
    found = store.read(name)
    if found is None:
        found = make()
        store.write(found, name)
    return found


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def keep_modules(common: ModuleType, store: Store) -> None:
    """Change ansible.executor.module_common, if it is one that we know, so that it keeps its answers."""
    find = common.recursive_finder
    if list(inspect.signature(find).parameters) != _ARGUMENTS:
        return

    def origin(data: bytes) -> str:
        tag = common.Origin.get_tag(data)
        return str(tag.path) if tag and tag.path else ""

    def kept(*arguments: Any) -> Any:
        _name, module_fqn, module_data, zf, date_time, extension_manager = arguments
        key = b"\0".join(
            [*(one.encode() for one in (common.__version__, module_fqn, origin(module_data))), module_data]
        )
        file = f"module-{_digest(key).hex()}"
        if not extension_manager.module_names and (known := _contents(store.read(file))):
            profile, contents = known
            for member, data in contents:
                zf.writestr(common._make_zinfo(member, date_time, zf=zf), data)
            return common.ModuleMetadataV1(serialization_profile=profile)
        notes = _Notes(zf, origin)
        metadata = find(*arguments[:3], notes, *arguments[4:])
        if notes.complete and not extension_manager.module_names:
            store.write((str(metadata.serialization_profile), notes.entries), file)
        return metadata

    common.recursive_finder = kept  # type: ignore[attr-defined]


def keep_yaml(function: str, module: ModuleType, store: Store) -> None:
    """Change a function of a module that reads YAML without tags, so that it keeps its answers."""
    load = getattr(module, function)

    def kept(source: Any, *more: Any) -> Any:
        data = source.read() if hasattr(source, "read") else source
        text = data.encode() if isinstance(data, str) else data
        return _once(store, f"{function}-{_digest(text).hex()}", lambda: load(data, *more))

    setattr(module, function, kept)


keep_settings = partial(keep_yaml, "yaml_load")
keep_metadata = partial(keep_yaml, "_meta_yml_to_dict")


def keep_templates(bits: ModuleType, store: Store) -> None:
    """Change ansible._internal._templating._jinja_bits, so that it keeps the code that Jinja makes of templates and conditions."""
    environment, settings = bits.AnsibleEnvironment, import_module("ansible.constants")
    compile_all, compile_expression = environment.compile, environment.compile_expression
    versions = import_module("ansible.release").__version__, version("jinja2")

    def file(env: Any, kind: str, source: str) -> str:
        context = bits._TemplateCompileContext.current(optional=True)
        ways = [getattr(env, name) for name in bits._TEMPLATE_OVERRIDE_FIELD_NAMES]
        key = repr(
            (
                versions,
                settings.COLLECTIONS_PATHS,
                ways,
                bool(context and context.escape_backslashes),
                str(source),
            )
        )
        return f"{kind}-{_digest(key.encode()).hex()}"

    def template(env: Any, source: Any, *more: Any, **named: Any) -> Any:
        if more or named or not isinstance(source, str):
            return compile_all(env, source, *more, **named)
        return _once(store, file(env, "template", source), lambda: compile_all(env, source))

    def expression(env: Any, source: str, undefined_to_none: bool = True) -> Any:
        name = file(env, "expression", source)
        code = store.read(name)
        if code is not None:
            made = env.template_class.from_code(env, code, env.make_globals(None), None)
            return bits.TemplateExpression(made, undefined_to_none)

        def noted(*arguments: Any, **named: Any) -> Any:
            found = compile_all(env, *arguments, **named)
            store.write(found, name)
            return found

        env.compile = noted
        try:
            return compile_expression(env, source, undefined_to_none)
        finally:
            del env.compile

    environment.compile, environment.compile_expression = template, expression


def keep_filters(loader: ModuleType, _store: Store) -> None:
    """Have the first process of a play look for filters and tests, once, instead of each of its tasks. ansible.plugins.loader."""

    def look() -> None:
        for each in (loader.filter_loader, loader.test_loader):
            each._ensure_non_collection_wrappers()  # which it does once

    if os.path.basename(sys.argv[0]) == "ansible-playbook":
        os.register_at_fork(before=look)


def _contents(record: Any) -> tuple[str, list[tuple[str, bytes]]] | None:
    """What goes into the zip file, by name; None if a file has changed."""
    if record is None:
        return None
    profile, entries = record
    contents = []
    for name, path, data in entries:
        content = data
        if path:
            try:
                with open(path, "rb") as source:
                    content = source.read()
            except OSError:
                return None
            if _digest(content) != data:
                return None
        contents.append((name, content))
    return profile, contents
