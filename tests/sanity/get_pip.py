# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install pip and the packages named on the command line into a bare virtual environment.

ansible-test downloads such a script; .ci/ansible-test puts this one where it looks first, so that nothing but
the package index is needed. pip itself comes out of Python's own ensurepip.
"""

from __future__ import annotations

import subprocess
import sys

# A process of its own: ensurepip makes this environment's pip ignore every pip.conf.
subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True)
only_for_get_pip = {"--no-setuptools", "--no-wheel"}
packages = [argument for argument in sys.argv[1:] if argument not in only_for_get_pip]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=False).returncode)
