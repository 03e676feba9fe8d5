# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What these tests keep of Ansible (tests/support/python) is never older than what it comes from, and never another's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

from tests.support.playbooks import play

MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.some.thing.plugins.module_utils.words import WORD
module = AnsibleModule({})
module.exit_json(word=WORD)
"""


def test_a_changed_import_is_seen(tmp_path: Path) -> None:
    """Of a file that the module imports, and of one that this file begins to import."""
    plugins = tmp_path / "ansible_collections/some/thing/plugins"
    for name, text in (("modules/say.py", MODULE), ("module_utils/more.py", "WORD = 'third'\n")):
        (plugins / name).parent.mkdir(parents=True)
        (plugins / name).write_text(text)
    words = plugins / "module_utils/words.py"
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "some.thing.say"]
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
    seen = []
    for text in ("WORD = 'first'\n", "WORD = 'second'\n", "from .more import WORD\n"):
        words.write_text(text)
        done = subprocess.run(
            command,
            env=os.environ | settings | {"ANSIBLE_STDOUT_CALLBACK": "json"},
            capture_output=True,
            text=True,
            check=True,
        )
        (play,) = json.loads(done.stdout)["plays"]
        seen.append(play["tasks"][0]["hosts"]["localhost"]["word"])
    assert seen == ["first", "second", "third"]


PLAY = r"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: ["'UNIQUE' | length == 20", "'a\\.b' is regex('a.{2}b')", some is not defined]
    - ansible.builtin.template: {src: first.j2, dest: first}
    - ansible.builtin.template: {src: second.j2, dest: second}
    - ansible.builtin.template: {src: second.j2, dest: third, trim_blocks: false}
    - ansible.builtin.copy: {content: "{{ 'UNIQUE' | regex_replace('^(.)', '\\1-') }}", dest: fourth}
    - ansible.builtin.debug: {msg: "{{ 'UNIQUE' | no_such_filter }}"}
"""


def test_a_template_is_read_in_its_own_way(tmp_path: Path) -> None:
    """The second time as the first: the same text with other settings, conditions, backslashes, and what is wrong."""
    unique = token_hex(10)
    body = "{% if true %}\nUNIQUE\n{% endif %}\n".replace("UNIQUE", unique)
    (tmp_path / "first.j2").write_text(f"#jinja2: trim_blocks: False\n{body}")
    (tmp_path / "second.j2").write_text(body)
    (tmp_path / "play.yml").write_text(PLAY.replace("UNIQUE", unique))
    for _dummy in ("compiled", "kept"):
        run = play("play.yml", {}, folder=tmp_path)
        assert run.count("ok") == 5, run.output
        assert "No filter named 'no_such_filter'" in run.error
        made = [(tmp_path / name).read_text() for name in ("first", "second", "third", "fourth")]
        with_lines = f"\n{unique}\n"
        assert made == [with_lines, f"{unique}\n", with_lines, f"{unique[0]}-{unique[1:]}"]
