# `make help` lists the targets. Each does its own set-up: all it asks for is python3 (3.11 or newer, with venv) and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
DISTRIBUTIONS := proto services/framework services/discord-service services/orchestrator-service services/execution-service \
	services/discord-simulator services/cli operator

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(STAMP) ## Make .venv with the locked versions

$(STAMP): requirements/dev.lock $(DISTRIBUTIONS:%=%/pyproject.toml) tools/setup
	@PYTHON=$(PYTHON) tools/setup $(DISTRIBUTIONS)
	@touch $@

.PHONY: lock
lock: $(STAMP) ## Resolve the dependencies anew into requirements/dev.lock
	@tools/lock
