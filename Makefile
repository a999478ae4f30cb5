# Everything a checkout can do. `make demo` and `make test` work on a machine that has nothing of this yet.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
MEMBERS ?= 1
GENERATION ?= 1.33
MEMBER_GENERATION ?= $(GENERATION)
# Tests wait as much as they work: three at a time, each worker with a lab of its own (7 GB of memory for all of them).
WORKERS ?= 3
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# As root on Debian what is missing is installed; elsewhere its name is said.
INSTALL = @test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo "Install $(1), then run this again." >&2; exit 1; }; \
	echo "installing $(1)" >&2; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null

.PHONY: help setup engine images wheel demo lab lab-down test lint format test-unit test-ssh test-cluster test-kills bench

help: ## Show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## Make .venv with fedssh and all that its development needs

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "fedssh needs Python 3.11 or newer: install it, then run this again." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) -s python-venv
	@echo "installing fedssh and its tools into $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: python-venv sshd
python-venv:
	$(call INSTALL,python3-venv)

sshd: # a real sshd, the shells that masters have, and those of laptops
	@test -x /usr/sbin/sshd && (for p in busybox zsh fish; do command -v $$p >/dev/null || exit 1; done) || $(MAKE) -s install-sshd
.PHONY: install-sshd
install-sshd:
	$(call INSTALL,openssh-server busybox zsh fish)

engine: # A Docker engine that answers
	@lab/engine.sh

lab: setup engine ## Start real clusters in containers: fedhost and MEMBERS members (MEMBERS=1), of Kubernetes GENERATION (1.33 or 1.21)
	@$(BIN)/python -m lab up --members $(MEMBERS) --generation $(GENERATION) --member-generation $(MEMBER_GENERATION)
	@test $(MEMBERS) = 1 || echo "All of them: $(BIN)/invoke federate --all --hosts .lab/hosts.yaml"

lab-down: setup engine ## Remove them
	@$(BIN)/python -m lab down

images: setup engine # What the lab's machines are made of; the first time takes some ten minutes
	@$(BIN)/python -m lab build

wheel: setup ## Build dist/fedssh-*.whl, for pipx, uv or pip
	@$(BIN)/pip wheel -q --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

demo: lab ## Start the lab and federate member1 with fedhost
	$(BIN)/invoke federate --member member1
	@echo
	@echo "Type next:  . $(BIN)/activate && invoke status"
	@echo "Look inside: docker exec fedssh-lab-fedhost kubectl -n kube-federation-system get kubefedclusters"

lint: setup ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

test-unit: setup sshd ## Tests that need no clusters
	@$(PYTEST) tests/unit

test-ssh: setup sshd ## Tests on a real sshd
	@$(BIN)/pytest tests/ssh

test-cluster: setup images ## Tests on real clusters
	@$(PYTEST) tests/cluster

test-kills: setup images ## Kill every verb and cut its connections at every remote execution
	@$(BIN)/python -m tests.cluster.kills --workers $(WORKERS)

bench: setup sshd builders images ## Measure fedssh beside other ways to do the same (as root); writes bench/RESULTS.md
	@$(BIN)/python -m bench $(BENCH)

builders: # what makes the bench's stand-ins of kubectl and the like, and gets Python for its machines
	@(for p in gcc mmdebstrap; do command -v $$p >/dev/null || exit 1; done) || $(MAKE) -s install-builders
.PHONY: builders install-builders
install-builders:
	$(call INSTALL,gcc libc6-dev mmdebstrap)

test: lint sshd images ## Everything; at the end it says what took longest
	@$(PYTEST) --durations 25
