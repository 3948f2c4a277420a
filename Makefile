# Fraudlake. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
MAIN := .venv/bin
FLINK := .venv-flink/bin
MAIN_EXTRAS := alerts,lakehouse,orchestration,stack,dev
FLINK_EXTRAS := flink,dev-flink
KERNEL_SOURCES := $(shell find flink_jobs/kernel -type f 2>/dev/null)
FLINK_TESTS := tests/pipelines tests/flink_jobs

export DAGSTER_DISABLE_TELEMETRY := yes
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Each of the many processes of a test run would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help python setup up demo check test test-live ui down constraints

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## -- set up -----------------------------------------------------------------------------------

setup: .venv/.ready .venv-flink/.ready .venv/.jars .venv/.kernel ## Make both environments, fetch the jars, build the kernel

# The doctor lives in the environment: what it needs itself is said here.
python:
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) here. Debian: apt-get install python3.11 \
	python3.11-venv; others: docs/install.md. Or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }

.venv/.ready: pyproject.toml constraints/main.txt | python
	@echo "main environment (.venv): a minute or two the first time"
	@test -x $(MAIN)/python || $(PYTHON) -m venv .venv
	@$(MAIN)/pip install --quiet -e '.[$(MAIN_EXTRAS)]' -c constraints/main.txt
	@touch $@

.venv-flink/.ready: pyproject.toml constraints/flink.txt | python
	@echo "Flink's environment (.venv-flink): a minute or two the first time"
	@test -x $(FLINK)/python || $(PYTHON) -m venv .venv-flink
	@$(FLINK)/pip install --quiet -e '.[$(FLINK_EXTRAS)]' -c constraints/flink.txt
	@touch $@

.venv/.jars: .venv/.ready fraudlake/stack/jars.lock
	@echo "jars of the servers"
	@$(MAIN)/fraudlake jars fetch
	@touch $@

.venv/.kernel: .venv/.ready .venv-flink/.ready $(KERNEL_SOURCES)
	@echo "kernel of the job"
	@$(MAIN)/fraudlake jars kernel
	@touch $@

## -- use --------------------------------------------------------------------------------------

up: setup ## Start the stack of real servers, the job and the sinks
	@$(MAIN)/fraudlake up

demo: setup ## See it work: stack, transactions, attacks, alerts, history
	@$(MAIN)/fraudlake demo

ui: setup ## Start the stack with Dagster
	@$(MAIN)/fraudlake up --ui

down: .venv/.ready ## Stop the stack; data stays
	@$(MAIN)/fraudlake down

## -- check ------------------------------------------------------------------------------------

check: setup ## Format, lint, types, import rules, examples in docstrings, fast tests
	$(MAIN)/ruff format --check .
	$(MAIN)/ruff check .
	$(MAIN)/mypy
	$(MAIN)/lint-imports
	$(MAIN)/pytest -q --doctest-modules bench fraudlake orchestration pipelines sinks
	$(MAIN)/pytest -q -n logical --dist worksteal -m "not live and not flink"

test: check ## All of check, the tests in Flink's environment, and those on real servers
	$(FLINK)/python -m pytest -q -m flink $(FLINK_TESTS)
	@$(MAKE) test-live

test-live: setup ## The tests on real servers: two stacks, which are started and stopped
	$(MAIN)/pytest -q -m live -n 2 --dist worksteal

## -- maintain ---------------------------------------------------------------------------------

constraints: ## Write constraints/ anew from clean environments
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	for pair in 'main $(MAIN_EXTRAS)' 'flink $(FLINK_EXTRAS)'; do \
	  set -- $$pair && $(PYTHON) -m venv "$$folder/$$1" && \
	  "$$folder/$$1/bin/pip" install --quiet -e ".[$$2]" && \
	  "$$folder/$$1/bin/pip" freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' > "constraints/$$1.txt"; \
	done
