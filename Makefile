# `make help` lists the targets. Each does its own set-up: all it asks for is python3 (3.11 or newer, with venv) and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
DISTRIBUTIONS := proto services/framework services/discord-service services/orchestrator-service services/execution-service \
	services/discord-simulator services/cli operator
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(STAMP) ## Make .venv with the locked versions (every other target does this first)

$(STAMP): requirements/dev.lock $(DISTRIBUTIONS:%=%/pyproject.toml) tools/setup
	@PYTHON=$(PYTHON) tools/setup $(DISTRIBUTIONS)
	@touch $@

.PHONY: dev
dev: $(STAMP) ## Run the whole platform here: simulator (or Discord, with DISCORD_BOT_TOKEN), page, bot; ARGS go to `botswain dev`
	@exec $(BIN)/botswain dev $(ARGS)

.PHONY: test
test: lint ## Lint, then every test but the long ones; ARGS go to pytest
	@$(BIN)/pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

.PHONY: test-all
test-all: lint ## Lint, then every test
	@$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

.PHONY: check-main-job
check-main-job: $(STAMP) ## Headless: 201 messages through the whole platform, each answered once and in order; a JSON line last
	@$(BIN)/python tests/checks/main_job.py $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## Kill, cut off and replace every part under load; nothing may be lost or answered twice. SEED repeats a run; a JSON line last
	@PYTHONPATH=tests/lib $(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: bench-framework
bench-framework: $(STAMP) ## Speed of the service framework; a JSON line last
	@$(BIN)/python tests/benchmarks/bench_framework.py $(ARGS)

.PHONY: bench-discord
bench-discord: $(STAMP) ## Events a CPU-second through discord-service, beside stock discord.py; a JSON line last
	@$(BIN)/python tests/benchmarks/discord_events.py $(ARGS)

.PHONY: bench-pipeline
bench-pipeline: $(STAMP) ## Messages into the ledger and to their answers, and memory with many guilds, beside stock discord.py; a JSON line last
	@$(BIN)/python tests/benchmarks/bench_pipeline.py $(ARGS)

.PHONY: bench-execution
bench-execution: $(STAMP) ## Tool calls through execution-service, beside the SDK's own client; a JSON line last
	@$(BIN)/python tests/benchmarks/bench_execution.py $(ARGS)

.PHONY: bench-operator
bench-operator: $(STAMP) ## The operator with 1,000 bots on the API server emulator; a JSON line last
	@$(BIN)/python tests/benchmarks/bench_operator.py $(ARGS)

.PHONY: check-policies
check-policies: $(STAMP) ## checkov on the chart, on what the operator makes, and on the Dockerfile (makes an environment for it at first)
	@$(BIN)/python tests/checks/policies.py

.PHONY: e2e
e2e: $(STAMP) ## The whole life of a bot on the cluster of KUBECONFIG (tests/e2e/cluster/README.md)
	@BOTSWAIN_E2E=1 $(BIN)/pytest tests/e2e/cluster -x $(ARGS)

.PHONY: images
images: ## Build the container images (BUILDER, IMAGE_REGISTRY, IMAGE_TAG, BASE_IMAGE)
	@tools/images $(ARGS)

.PHONY: kind
kind: ## A kind cluster with the operator, the simulator and a sample bot, and its page forwarded
	@tools/kind

.PHONY: screenshot
screenshot: $(STAMP) ## Take docs/images/main-job.png anew
	@SCREENSHOT=docs/images/main-job.png $(BIN)/pytest tests/e2e/test_browser.py $(ARGS)

.PHONY: lint
lint: $(STAMP) ## All static checks
	@tools/lint

.PHONY: format
format: $(STAMP) ## Format the code and mend what ruff can
	@$(BIN)/ruff check --quiet --fix . && $(BIN)/ruff format --quiet .

.PHONY: proto
proto: $(STAMP) ## Generate botswain_proto from proto/botswain
	@tools/proto

.PHONY: lock
lock: $(STAMP) ## Resolve the dependencies anew into requirements/dev.lock; ARGS go to `uv pip compile`
	@tools/lock $(ARGS)

.PHONY: clean
clean: ## Remove .venv, caches and what `botswain dev` stored here
	@rm -rf .venv .tools .botswain .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
