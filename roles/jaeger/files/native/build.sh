#!/bin/sh
# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# build.sh DIR PROGRAM...   builds programs of Jaeger v1.57.0 (all-in-one, es-rollover, es-index-cleaner) from the
# sources that go.mod and go.sum pin, into a folder below DIR that is named after them, and prints that folder.
# What is there already is kept. GO names the go to use, version 1.24 or newer.
set -eu
version=v1.57.0
dist=$1
shift
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)
cd "$(dirname "$0")"
target=$dist/jaeger-${version#v}-$(cat go.mod go.sum | sha256sum | cut -c1-12)
mkdir -p "$target"
export GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
for program; do
  [ ! -x "$target/$program" ] || continue
  "${GO:-go}" build -trimpath -ldflags "-s -w -X github.com/jaegertracing/jaeger/pkg/version.latestVersion=$version" \
    -o "$target/.$program.$$" "github.com/jaegertracing/jaeger/cmd/$program" >&2
  mv "$target/.$program.$$" "$target/$program"
done
echo "$target"
