# Everything runs in .venv, which the first target makes and which is renewed when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: run test lint bench clean

run: .venv/run
	@$(BIN)/dmsb run braunschweig --policy conditional --force --report

test: .venv/dev
	$(BIN)/python -m pytest -n 2

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev
	$(BIN)/python -m tests.benchmarks

# What a run needs, and what development needs besides: PyTorch and SUMO among it.
.venv/run: pyproject.toml
	@echo "Setting up .venv (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) '.[study]' 2> .venv/pip.log || (cat .venv/pip.log; exit 1)
	@touch $@

.venv/dev: pyproject.toml
	@echo "Setting up .venv for development (once, a few minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) '.[dev]' 2> .venv/pip.log || (cat .venv/pip.log; exit 1)
	@touch $@ .venv/run

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
