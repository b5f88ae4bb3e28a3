.PHONY: run test test-api faults fuzz bench check format lock wheels

# Python 3.11 or later
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
# How long `make fuzz` runs. It prints its SEED, and `make fuzz SEED=...` repeats the run.
SECONDS ?= 600
SEED = $(strip $(shell od -An -N4 -tu4 /dev/urandom))
# The contract's linters and the tests of the clients need Node.js. Without npm they are skipped, with a message.
NODE := $(if $(shell command -v npm),tests/node_modules/.package-lock.json)
NODE_BIN := tests/node_modules/.bin

run: .venv/installed
	@$(BIN)/todo-api serve

test: .venv/installed-dev $(NODE)
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

# Tests the service on the database at TEST_DATABASE_URL, such as a provider's or a cluster. Use an empty database: the
# service migrates it, and the tests leave the tasks of their users there. The service takes DATABASE_PREPARED_STATEMENTS
# and the other variables of that prefix. The output ends with the tests that do not run, and why.
# Each of the two workers starts a service with a pool of its own.
test-api: .venv/installed-dev $(NODE)
	@test -n "$$TEST_DATABASE_URL" || { echo "Name the database to test: TEST_DATABASE_URL=postgresql://... make test-api"; exit 1; }
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# What takes minutes.
faults: .venv/installed-dev
	$(BIN)/pytest -m slow tests/faults

fuzz: .venv/installed-dev
	FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=$(SEED) $(BIN)/pytest tests/contract/test_fuzzing.py

# Needs an idle machine with two cores and takes about 15 minutes. tests/load/README.md describes what each part measures.
bench: .venv/installed-dev $(NODE)
	$(BIN)/python -m tests.load

check: .venv/installed-dev $(NODE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.checks.migrations
ifdef NODE
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE_BIN)/redocly lint --extends=recommended-strict openapi.yaml
	$(NODE_BIN)/spectral lint --ruleset tests/checks/spectral.yaml --fail-severity=warn openapi.yaml
	$(BIN)/python -m tests.checks.compatibility
else
	@echo "Skipped: the contract's linters and its comparison with the released contract. They need npm, which is not installed."
	@test -z "$$CI" || { echo "CI must not skip any check: install Node.js."; exit 1; }
endif

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv. Writes the lock files from pyproject.toml for every Python version from 3.11.
lock:
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group local -c requirements.txt -o requirements-local.txt
	$(COMPILE) pyproject.toml --group dev -c requirements.txt -c requirements-local.txt -o requirements-dev.txt

# Checks that every package has a wheel for the image's version of Python, which may differ from the local one.
wheels: .venv/installed
	$(PIP) --quiet --dry-run --no-deps --target nowhere \
		--python-version $$(sed -n '1s/FROM python:\([0-9.]*\).*/\1/p' Dockerfile) \
		--require-hashes --only-binary :all: -r requirements.txt

# Only what `make run` needs. It takes a while, so pip reports its progress.
.venv/installed: requirements.txt requirements-local.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("This is Python %s, but 3.11 or later is required: make PYTHON=python3.x ..." % sys.version.split()[0])'
	@echo "Installing the dependencies into .venv. This takes about 20 seconds, and only once."
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.txt -r requirements-local.txt
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

tests/node_modules/.package-lock.json: tests/package-lock.json
	npm ci --prefix tests --loglevel=error
