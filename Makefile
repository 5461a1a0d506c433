# The front doors of this repository: `make run`, `make test`, `make bench`.
# A target does one thing and says what it is doing; nothing is installed
# outside .venv except Debian packages, and those only as root (see tests/install-services).
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.PHONY: run test bench lint unit integration lock catalogues clean-demo clean services help

help: ## what can be asked for
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: $(VENV)/.runtime catalogues ## a running network of eight countries' demonstration organisations
	@$(BIN)/python docker/demo/run.py

test: $(VENV)/.development catalogues services ## everything: lint, types, import rules, all tests
	@sh tests/run-everything $(BIN)

lint: $(VENV)/.development ## style, types, import rules
	@sh tests/run-everything $(BIN) lint

unit: $(VENV)/.development catalogues ## the tests that open no socket
	@$(BIN)/python -m pytest tests/unit

bench: $(VENV)/.development catalogues ## each figure with its floor, measured in the same run
	@$(BIN)/python -m tests.benchmarks

services: ## RabbitMQ, PostgreSQL, Chromium for the tests (Debian, as root; else says what is missing)
	@sh tests/install-services

$(VENV)/bin/python:
	@PYTHON=$(PYTHON) sh docker/make-venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python docker/requirements.txt setup.cfg pyproject.toml
	@echo "Installing the pinned packages into $(VENV) (about a minute the first time) ..."
	@$(PIP) install --require-hashes -r docker/requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime docker/requirements-dev.txt
	@echo "Installing the pinned test tools into $(VENV) ..."
	@$(PIP) install --require-hashes -r docker/requirements-dev.txt
	@touch $@

catalogues: $(VENV)/.runtime
	@$(BIN)/python -m broker.service.catalogues

lock: $(VENV)/.development ## pin and hash the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --extra build setup.cfg --output-file docker/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --extra build --extra dev setup.cfg --output-file docker/requirements-dev.txt

clean-demo: ## forget the demonstration's state
	rm -rf .demo

clean: clean-demo ## forget everything that can be made again
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/js/node_modules
