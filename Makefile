# Everything runs through one virtual environment, made from the hash-pinned lock.
# In an environment that is active, which may have no pip, the interpreter that it was made from.
PYTHON ?= $(shell python3 -c 'import sys; print(sys._base_executable)')
BIN := .venv/bin
SETUP := .venv/.installed

.PHONY: setup demo test search check env lock clean

setup: $(SETUP)

# `--without-pip` and `pip --python`: Debian's python3 has no ensurepip unless python3-venv is there.
$(SETUP): requirements-dev.lock pyproject.toml
	@echo "Setting up .venv from requirements-dev.lock: a minute or a few, the first time only."
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --require-hashes -r requirements-dev.lock
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/decision-ledger demo

test: setup
	$(BIN)/python -m pytest

# The tests with other numbers, examples and order than in every run before; a failure says how to see it again.
search: setup
	$(BIN)/python -m pytest --randomly-seed=default --hypothesis-profile=search

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

# The three secrets that docker-compose.yml asks for; an .env that is there is kept.
env: .env

.env:
	@umask 077; secret() { od -An -tx1 -N$$1 /dev/urandom | tr -d ' \n'; }; \
	printf 'POSTGRES_PASSWORD=%s\nLEDGER_LOGIN_PASSWORD=%s\nLEDGER_TOKEN_PEPPER=%s\n' "$$(secret 24)" "$$(secret 24)" "$$(secret 32)" > $@

lock: setup
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
