.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
PARALLEL := -n 2 --dist worksteal
FAST := --doctest-modules learners ensembles stream tests -m "not services and not slow" -q $(PARALLEL)

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "alluvia needs Python 3.11 or newer: set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

setup: $(STAMP)  ## make .venv with everything

run: setup  ## run the main job on embedded defaults with real data
	$(BIN)/python -m examples.shuttle

test: setup  ## run all tests, with a real Kafka and Redis
	$(BIN)/pytest --doctest-modules learners ensembles stream tests $(PARALLEL)

check: setup  ## ruff, mypy and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest $(FAST)

coverage: setup  ## what the fast tests reach
	$(BIN)/pytest $(FAST) --cov --cov-report=term:skip-covered

# The pins of peers conflict with ours and with each other's: an environment for each.
.venv-%/.ready: benchmarks/%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench: setup .venv-peers/.ready .venv-quix/.ready  ## measure against peers, with a real Kafka and Redis, for about an hour
	$(BIN)/python -m benchmarks.all

faults: setup  ## break it on purpose, for about two hours: kills, outages, zombies, bad records, a soak
	$(BIN)/python -m tests.faults.kills
	$(BIN)/python -m tests.faults.outage
	$(BIN)/python -m tests.faults.corrupt
	$(BIN)/python -m tests.faults.replaying
	$(BIN)/python -m tests.faults.fuzz
	$(BIN)/python -m tests.faults.soak
	$(BIN)/python -m tests.faults.zombie
	$(BIN)/python -m tests.faults.rebalance
	$(BIN)/python -m tests.faults.torn
	$(BIN)/python -m tests.faults.shards
	$(BIN)/python -m tests.faults.slow

services-up: setup  ## start a real Kafka and Redis on free ports, without Docker
	$(BIN)/python docker/services.py up

services-down: setup  ## stop them
	$(BIN)/python docker/services.py down

.PHONY: help setup run test check coverage bench faults services-up services-down
