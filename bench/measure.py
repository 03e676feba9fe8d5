# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands one after another and says how long that took and how much memory the largest process had.

A process of its own, started bare (python -I -S), because Linux counts what a process was forked from to its
peak: forked from the benchmark itself, a Go program of 20 MB would seem to need 60.

JSON on stdin: commands, env, cwd, log. JSON on stdout: wall and cpu (seconds), peak (KiB), codes.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run what stdin names, until one fails."""
    request = json.load(sys.stdin)
    os.chdir(request["cwd"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    redirections = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, request["log"], flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    peak = 0
    cpu = 0.0
    codes = []
    start = time.monotonic()
    for command in request["commands"]:
        child = os.posix_spawn(command[0], command, request["env"], file_actions=redirections)
        _pid, status, usage = os.wait4(child, 0)  # of the child and of its own children
        peak = max(peak, usage.ru_maxrss)
        cpu += usage.ru_utime + usage.ru_stime
        codes.append(os.waitstatus_to_exitcode(status))
        if codes[-1]:
            break
    print(json.dumps({"wall": time.monotonic() - start, "cpu": cpu, "peak": peak, "codes": codes}))


if __name__ == "__main__":
    main()
