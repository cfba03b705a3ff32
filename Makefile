# The two commands are `make run` and `make test`. Both work in a fresh clone.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Those that the tests run on come first.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
WORKERS ?= auto

.PHONY: help run serve test test-long bench lint types contracts audit sbom lock picture clean setup browser programs

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

run: .venv/.installed ## Run the site on this machine, with a demo campaign (PORT=8010 for another port)
	@exec $(BIN)/python -m ops.development $(if $(PORT),--port $(PORT))

serve: .venv/.installed ## Serve the site to its readers; .env holds the settings
	@exec $(BIN)/flask --app app serve

test: setup lint types contracts ## Check everything that CI checks
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not slow'

test-long: setup ## Run the long tests too
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

bench: .venv/.installed-dev ## Measure the speed (BENCH=--quick for a short look); writes docs/performance.md
	$(BIN)/python -m bench $(BENCH)

setup: .venv/.installed-dev browser programs

lint: .venv/.installed-dev ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit -q -ll -c pyproject.toml -r app.py admin campaigns core ops payments sandbox widget

types: .venv/.installed-dev ## Check types, strictly
	$(BIN)/mypy .

contracts: .venv/.installed-dev ## Check that imports run one way
	$(BIN)/lint-imports

audit: .venv/.installed-dev ## Ask whether a package we run on has a known hole
	@.ci/audit

sbom: .venv/.installed-dev ## List what Goalpost is built of, as build/sbom.json (CycloneDX)
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements.txt --output-format JSON --output-file build/sbom.json

lock: .venv/.installed-dev ## Pin the newest versions of what requirements*.in name
	@for name in requirements requirements-dev; do \
		echo "$$name.in"; \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
			$$name.in --output-file $$name.txt; \
	done

picture: setup ## Draw docs/images anew, from the demo article and the gallery
	$(BIN)/python docs/draw_pictures.py

clean: ## Remove what was made here, except instance/ and .env
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

browser: .venv/.installed-dev
	@.ci/browser

programs:
	@.ci/program redis-server redis-server
	@.ci/program nginx nginx

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo 'Goalpost needs Python 3.11 or newer. Install it, or name it: make run PYTHON=/path/to/python3'; exit 1; }
	@echo 'Making .venv'
	@$(PYTHON) -m venv .venv

# With hashes: what is installed is what was locked, to the byte.
.venv/.installed: requirements.txt | .venv/bin/python
	@.ci/install requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt | .venv/bin/python
	@.ci/install requirements-dev.txt
	@touch $@ .venv/.installed
