# Everything runs in .venv, which the first target makes and which is renewed when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
PYTEST := $(BIN)/python -m pytest -n 2

.PHONY: run test slow coverage lint lint-page docs linkcheck results bench build clean

# One hour of a real junction: a summary, and a page to look at.
run: .venv/run
	@$(BIN)/dmsb run braunschweig --policy conditional --force --report

# Every test but the slow ones, in random order: the seed is printed, and --randomly-seed=N brings an order back.
# Pages are looked at in a browser, which is fetched where that is possible.
test: .venv/dev
	@$(BIN)/python -m tests.view.fetch_browser
	$(PYTEST) -m "not slow"

# What takes long: whole studies, and the distribution built, installed and tested.
slow: .venv/dev
	$(PYTEST) -m slow

# The tests once more, counting the lines that they run: that takes half as long again.
coverage: .venv/dev
	$(PYTEST) -m "not slow" --cov

# Style and types, those of the page's JavaScript among them.
lint: .venv/dev lint-page
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Only the page's JavaScript. It needs Node.js, and is left out where there is none, but not in CI.
lint-page:
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory node_modules/.ready && npm run --silent lint; \
	elif [ -z "$$CI" ]; then echo "The page's JavaScript is not checked: that needs Node.js with npm."; \
	else echo "The page's JavaScript cannot be checked: that needs Node.js with npm." >&2; exit 1; fi

# The site, in docs/_build/html. A warning is an error.
docs: .venv/dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo docs/_build/html/index.html

# Links of the site to other sites.
linkcheck: .venv/dev
	$(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/linkcheck

# All results that the site shows, with the command, the machine and the commit of each. It takes hours, and goes on where
# it was cut off. One of them: .venv/bin/python -m tests.studies.results calibration
results: .venv/dev
	$(BIN)/python -m tests.studies.results

# Figures per CPU-second beside their targets.
bench: .venv/dev
	$(BIN)/python -m tests.benchmarks

# The distribution: dist/*.tar.gz and dist/*.whl.
build: .venv/dev
	$(BIN)/python -m build

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

# What checks the page's JavaScript.
node_modules/.ready: package.json
	@npm install --no-package-lock --no-audit --no-fund --silent
	@touch $@

# Remove what all this has made.
clean:
	rm -rf .venv node_modules build dist docs/_build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
