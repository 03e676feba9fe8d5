# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What these tests keep of Ansible's modules (tests/support/python) is never older than the files that it comes from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
