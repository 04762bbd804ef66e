#!/bin/sh
# Installs the platform from the archive that it lies in: no network and no compiler, only Python 3.11 or newer.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
test -d wheelhouse || { echo "There is no wheelhouse here: unpack the archive that make archive made" >&2; exit 1; }
test -x .venv/bin/python || "$python" -m venv .venv
pip() { .venv/bin/python -m pip "$@" --quiet --disable-pip-version-check --no-index --find-links wheelhouse; }
pip install --no-deps --require-hashes -r requirements-run.lock
pip install --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q kobe_platform assets checks resources  # who runs it may not be let write bytecode here
.venv/bin/kobe --help >/dev/null
echo "Installed. Next: .venv/bin/kobe config check, .venv/bin/kobe keys init, .venv/bin/kobe units --to units (docs/operations.md)"
