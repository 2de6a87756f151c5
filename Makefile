# Two commands do everything: `make run` to try PingPilot, `make test` to test it.

PYTHON ?= python3
PIP = .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test check

run: .venv/runtime
	.venv/bin/pingpilot sandbox

# Twice the cores of a small machine, since many tests wait; who is done takes over from the others
test: .venv/dev
	.venv/bin/pytest --numprocesses 4 --dist worksteal

check: .venv/dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/runtime
