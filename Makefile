# The targets use the virtual environment in VENV, and create it if it is missing.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
CHAOS ?= full
SCREENSHOTS ?= screenshots
THEMES := django-admin-interface django-grappelli django-jazzmin django-unfold

BIN := $(VENV)/bin
CONSUMER := $(VENV)/consumer
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
METADATA := setup.cfg pyproject.toml

# Delete the target of a failed recipe: a half-made virtual environment must not count as made.
.DELETE_ON_ERROR:
.PHONY: help demo run test follow chaos mutants browser screenshots bench lint types audit hooks docs reference clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Run the example project against a fake Altoviz, and check every result
	$(BIN)/python example_project/demo.py

run: $(VENV)/.installed ## Serve the example project on 127.0.0.1, with some events in it (PORT=8000)
	$(BIN)/python example_project/demo.py run --port $(PORT)

test: $(VENV)/.installed-test ## Run the tests
	$(BIN)/python -m pytest -n auto --cov --cov-report=term-missing

follow: $(BIN)/python ## Do what the tutorial and the READMEs say, in empty directories
	$(BIN)/python -m tests.follow

chaos: $(VENV)/.installed-chaos ## Kill all parts at random; needs PostgreSQL, MariaDB, redis-server (CHAOS=small)
	CHAOS=$(CHAOS) $(BIN)/python -m pytest tests/chaos

mutants: $(VENV)/.installed-test ## Measure how many faults the tests find (MUTANTS="sync/*.py --mutants 20")
	$(BIN)/python -m tests.mutation $(MUTANTS)

browser: $(VENV)/.installed-browser ## Use every page of the admin in Chromium; needs chromium and npm
	BROWSER=required $(BIN)/python -m pytest -n auto tests/browser

screenshots: $(VENV)/.installed-browser ## Take pictures of all pages of the admin (SCREENSHOTS=screenshots)
	$(BIN)/python -m tests.browser.screenshots $(SCREENSHOTS)

lint: $(VENV)/.installed-lint ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-types ## Check the types, also in a project that has the package installed
	$(BIN)/mypy
	rm -rf build $(CONSUMER)
	$(PIP) install --no-deps --upgrade --target $(CONSUMER) .
	cd tests/consumer && PYTHONPATH=$(abspath $(CONSUMER)) $(abspath $(BIN))/python -m mypy

audit: $(VENV)/.installed-audit ## Check the archives, their files, the requirements and the code (see .ci/audit)
	PATH=$(abspath $(BIN)):$$PATH .ci/audit

hooks: $(VENV)/.installed-hooks ## Run the hooks of Git on all files ("pre-commit install" lets Git run them)
	$(BIN)/pre-commit run --all-files

docs: $(VENV)/.installed-docs ## Build the documentation into docs/_build/html, and check its links
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d docs/_build/doctrees . docs/_build/html

reference: $(VENV)/.installed ## Write into the reference what the code knows: columns, options, settings
	$(BIN)/python -m docs.generate

bench: ## Compare with bare views and the peers (BENCH="--length short --databases sqlite")
	$(PYTHON) benchmarks/run.py $(BENCH)

clean: ## Remove everything that the other targets have made
	rm -rf $(VENV) $(SCREENSHOTS) build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache
	rm -rf benchmarks/.venv benchmarks/results docs/_build
	rm -f example_project/*.sqlite3*
	find django_altoviz example_project tests $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "Python 3.10 or later is needed; $(PYTHON) is older." >&2; \
		echo "Choose another one: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	}
	$(PYTHON) -m venv $(VENV)

# Install once, and again when the requirements in METADATA have changed.
$(VENV)/.installed: $(METADATA) | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-test: $(METADATA) | $(BIN)/python
	$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-chaos: $(METADATA) | $(BIN)/python
	$(PIP) install --editable '.[test]' 'psycopg[binary]' mysqlclient
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(VENV)/.installed-browser: $(METADATA) tests/browser/package.json | $(BIN)/python
	$(PIP) install --editable '.[test]' playwright $(THEMES)
	npm install --silent --no-fund --no-audit --prefix tests/browser
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(VENV)/.installed-lint: | $(BIN)/python
	$(PIP) install ruff
	@touch $@

$(VENV)/.installed-audit: | $(BIN)/python
	$(PIP) install bandit build check-manifest pip-audit twine
	@touch $@

$(VENV)/.installed-hooks: $(VENV)/.installed-lint $(VENV)/.installed-types
	$(PIP) install pre-commit
	@touch $@

$(VENV)/.installed-docs: $(METADATA) | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-types: $(METADATA) | $(BIN)/python
	$(PIP) install --editable '.[test]' mypy django-stubs djangorestframework-stubs types-requests
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test
