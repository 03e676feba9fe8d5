#!/bin/sh
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# keep.sh SECONDS COMMAND...   runs a command, and again SECONDS after it has ended, however often. supervisord would give up
# after three attempts, and a network may be away for longer. The lines that it prints divide the log: reach.py reads them.
#
# SIGTERM ends the whole process group, for socat leaves the connections to processes that outlive it.
seconds=$1
shift
trap 'trap - TERM; kill -TERM 0' TERM
while :; do
  echo "tracestack: started"
  "$@" <&0 &
  wait $!
  echo "tracestack: ended with status $?, again in $seconds s"
  sleep "$seconds" &
  wait $!
done
