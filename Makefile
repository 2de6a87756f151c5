# `make` lists what there is. Two commands do everything: `make run` to try PingPilot, `make test` to test it.

PYTHON ?= python3
PIP = .venv/bin/pip install --disable-pip-version-check --constraint constraints.txt

# Daemons start by the hundred in the tests: no machine's setting makes each of them compile all modules anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test check lint format types imports docs image screenshots bench

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand --tabs=10

run: .venv/runtime ## try PingPilot with local stand-ins of all platforms
	.venv/bin/pingpilot sandbox

# More than twice the cores of a small machine, since many tests wait; who is done takes over from the others
test: .venv/dev ## run all tests
	.venv/bin/pytest --numprocesses 6 --dist worksteal

check: lint format types imports ## run all checks: the four below

lint: .venv/dev ## ruff's rules
	.venv/bin/ruff check

format: .venv/dev ## ruff's formatting; `.venv/bin/ruff format` applies it
	.venv/bin/ruff format --check

types: .venv/dev ## mypy
	.venv/bin/mypy

imports: .venv/dev ## import-linter: which room may import which
	.venv/bin/lint-imports

docs: .venv/docs ## the documentation as a site, in build/docs/site
	@.venv/bin/python -m website

# A client may be there whose engine is not: the one that answers builds
image: ## the container's image, with Docker or Podman
	@for engine in docker podman; do \
		if $$engine info >/dev/null 2>&1; then exec $$engine build --tag pingpilot .; fi; \
	done; echo 'An image needs Docker or Podman, and neither answers on this machine: install one, or start it.' >&2; exit 1

screenshots: .venv/dev ## take the pictures in docs/images anew, of the running program in Chromium
	.venv/bin/python -m screenshots

bench: .venv/bench ## measure how fast it is on this machine, in a quarter of an hour: docs/performance.md
	.venv/bin/python -m benchmarks

.venv/bin/python:
	@echo 'Making a virtual environment in .venv ...'
	@$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what PingPilot needs into .venv, once: this takes about a minute.'
	@$(PIP) --editable .
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what PingPilot and its tests need into .venv, once: this takes some minutes.'
	@$(PIP) --editable '.[dev]'
	@touch $@ .venv/runtime

.venv/docs: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what the documentation needs into .venv, once.'
	@$(PIP) --editable '.[docs]'
	@touch $@ .venv/runtime

# The stand-ins of the platforms and PostgreSQL come with the tests
.venv/bench: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing what the benchmarks need into .venv, once: this takes some minutes.'
	@$(PIP) --editable '.[dev,bench]'
	@touch $@ .venv/dev .venv/runtime
