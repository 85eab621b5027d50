# Everything runs from .venv, which the first target makes. A second run installs nothing.
#   make backtest                   one backtest on the embedded market
#   make PYTHON=/path/to/python3.12 test

PYTHON ?= python3
SOAK_MINUTES ?= 30
TEST_WORKERS ?= 2
BIN := .venv/bin
# Constraints of the build environment too, so that hatchling is the same one everywhere (old pip reads the first name, new the second).
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: backtest test clients check contract-cert bench soak cassettes cassettes-cert clean help

backtest: .venv/.installed ## one backtest on the embedded market; prints the summary and the report's path
	@$(BIN)/tomking backtest

test: .venv/.test ## the whole suite, but for the long ones
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -m "not bench and not soak and not cert"

clients: .clients/.python .clients/.node ## two clients of the broker's API by other people, which the suite then runs too

check: .venv/.test ## lint, format, types, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_house.py

contract-cert: .venv/.test ## the contract of every broker in TastyTrade's own sandbox, with your keys; skipped without
	@$(BIN)/python -m pytest -m cert tests/contract

bench: .venv/.test ## speed and memory, as ratios taken in one run; then scenarios and simulated weeks against accepted figures
	@$(BIN)/python tests/bench/run.py
	@$(BIN)/python -m pytest -q -m bench tests/scenarios tests/live --benchmark-columns=median,iqr,rounds --benchmark-sort=name

soak: .venv/.test ## randomised tests with new seeds for SOAK_MINUTES (30), from where the last soak stopped
	@$(BIN)/python tests/soak/run.py --minutes $(SOAK_MINUTES)

cassettes: .venv/.test ## records the cassettes of tests anew, against the emulator in one process
	@$(BIN)/python -m tests.cassettes.record
	@$(BIN)/python -m tests.scenarios.cassettes.record

cassettes-cert: .venv/.test ## the same against the real sandbox with your own keys, into tests/cassettes/cert
	@$(BIN)/python -m tests.cassettes.record cert

clean: ## remove .venv, .clients and every cache; runs, imported markets and the soak's log stay
	rm -rf .venv .clients .bench .hypothesis .benchmarks .mypy_cache .pytest_cache .ruff_cache build dist
	find sim adapters live scenarios conf tests -type d -name __pycache__ -prune -exec rm -rf {} +

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 24

# --clear: a .venv left by an interrupted run is made again.
.venv/.python:
	@command -v "$(PYTHON)" >/dev/null || { echo "make: '$(PYTHON)' is not here; Python 3.11 or later is wanted: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); Python 3.11 or later is wanted: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "make: '$(PYTHON)' cannot make a venv; on Debian or Ubuntu: apt install python3-venv" >&2; exit 2; }
	@"$(PYTHON)" -m venv --clear .venv
	@touch $@

.venv/.installed: .venv/.python pyproject.toml constraints.txt
	@echo "Installing tomking into .venv (once)"
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

.venv/.test: .venv/.installed
	@echo "Installing the test extras into .venv (once)"
	@$(PIP) install --quiet -c constraints.txt -e ".[test]"
	@touch $@

# In an environment of its own: what this client needs is none of the project's business.
.clients/.python: .venv/.python tests/clients/requirements.txt
	@echo "Installing the Python client into .clients/python (once)"
	@$(BIN)/python -m venv --clear .clients/python
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .clients/python/bin/python -m pip install --quiet -r tests/clients/requirements.txt
	@touch $@

.clients/.node: tests/clients/packages.txt
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "make: node or npm is not here; Node 20 or later is wanted for the npm client; on Debian or Ubuntu: apt install nodejs npm" >&2; exit 2; }
	@node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "make: node is $$(node --version); Node 20 or later is wanted for the npm client" >&2; exit 2; }
	@echo "Installing the npm client into .clients/node (once)"
	@rm -rf .clients/node && mkdir -p .clients/node
	@npm install --prefix .clients/node --no-package-lock --no-save --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel=error $$(grep -v '^#' tests/clients/packages.txt) >/dev/null
	@touch $@
