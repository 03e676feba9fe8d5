# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help site test test-servers test-kubernetes test-all bench down teardown clean-data status lock

# Folder of all that the local inventory writes; the same as tracestack_home in inventories/local.
HOME_DIR ?= .local
ARGS ?=

export PATH := $(CURDIR)/.venv/bin:$(PATH)
PLAY = .venv/bin/ansible-playbook
SUPERVISORCTL = "$(HOME_DIR)/supervisor/venv/bin/supervisorctl" -c "$(HOME_DIR)/supervisor/supervisord.conf"

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

site:  ## set everything up on this machine and run the whole story
	@bin/bootstrap
	@$(PLAY) playbooks/site.yml $(ARGS)

test:  ## set everything up and run the tests
	@bin/bootstrap $(if $(findstring kubernetes,$(ARGS)),--kubernetes,--dev)
	@bin/test $(ARGS)

test-servers:  ## run the integration tests on the further servers, and those of TLS and users
	@bin/bootstrap --dev
	@bin/test --servers $(ARGS)

test-kubernetes:  ## run the tests on a real Kubernetes cluster of this machine (root; builds it at the first run)
	@bin/bootstrap --kubernetes
	@bin/test --kubernetes $(ARGS)

test-all:  ## run all of these, and each integration test on each of the six servers
	@bin/bootstrap --kubernetes
	@bin/test --with servers --with kubernetes --with rest $(ARGS)

bench:  ## measure a daily pass and the API against others (40 minutes), write docs/benchmarks.md
	@bin/bootstrap --bench
	@PYTHONPATH=.:collections .venv/bin/python -m bench $(ARGS)

status:  ## what runs
	@if $(SUPERVISORCTL) pid 2>/dev/null | grep -q '^[0-9]'; then $(SUPERVISORCTL) status || true; \
	else echo 'Nothing runs; `make site` starts it.'; fi

down:  ## stop everything, keep the data
	@bin/bootstrap
	@$(PLAY) playbooks/down.yml $(ARGS)

teardown:  ## remove from the cluster what `make site` put there, and the cluster if it is Minikube's
	@bin/bootstrap
	@$(PLAY) playbooks/teardown.yml $(ARGS)

clean-data:  ## delete what Elasticsearch has stored, after `make down`
	@bin/bootstrap
	@$(PLAY) playbooks/clean_data.yml $(ARGS)

lock:  ## pin the requirements anew, with hashes
	@bin/bootstrap --dev
	@.venv/bin/python -m pip install -q --disable-pip-version-check uv==0.13.9
	@$(call lock,.,requirements,3.11)
	@$(call lock,.,requirements-dev,3.11)
	@$(call lock,app,requirements,3.11)
	@$(call lock,app,requirements-build,3.11)
	@$(call lock,maintenance,requirements,3.11,--no-deps)
	@$(call lock,maintenance,requirements-build,3.11)
	@$(call lock,roles/supervisor/files,requirements,3.9)
	@$(call lock,roles/rollover_schedule/files,requirements,3.11)
	@$(call lock,bench,requirements-curator,3.11)
	@$(call lock,bench/api,requirements,3.11)

# $(call lock,FOLDER,NAME,OLDEST PYTHON[,OPTION]): FOLDER/NAME.txt of FOLDER/NAME.in
define lock
cd $(1) && { head -n 2 $(2).in; echo '# Made of $(2).in by `make lock`.'; \
"$(CURDIR)/.venv/bin/uv" pip compile -q --universal --python-version $(3) --generate-hashes --no-header --no-emit-index-url \
  $(4) $(2).in; } >$(2).txt.new && mv $(2).txt.new $(2).txt
endef
