# Touchline. `make` alone explains itself.
.DEFAULT_GOAL := help
.PHONY: help setup demo test simulate drill lint format proto proto-baseline train bench fuzz overload faults docs screenshots lock clean
SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

help: ## this list
	@echo 'make <target> [ARGS="…"]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## prepares .venv with the touchline command, and everything that it runs on

.venv/packages: requirements/dev.lock
	@echo '→ Python packages, by their hashes (a minute or two the first time)'
	@python3 -c 'import sys; sys.exit("Touchline needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@python3 -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

gen/ready: .venv/packages $(shell find proto -name '*.proto') scripts/proto.sh
	@echo '→ Python of proto/'
	@scripts/proto.sh
	@touch $@

.venv/ready: gen/ready pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo '→ Kafka, Postgres and Zipkin (fetched once, checked by their hashes)'
	@$(BIN)/touchline fetch
	@touch $@
	@echo 'Ready: .venv/bin/touchline --help'

demo: setup ## plays a retailer's service day, live, and audits it (ARGS="--hours 1 --speed max --no-browser")
	@$(BIN)/touchline demo $(ARGS)

test: setup ## all tests, on real Kafka and Postgres, three at a time (ARGS="-k nps" for some, "-n 0" one by one)
	@$(BIN)/python -m pytest -p tests.rooms -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

simulate: setup ## the runtime in a world where everything goes wrong, by seed (ARGS="--schedules 100000 --seed 1 --jobs 2", "--replay SEED --shrink")
	@$(BIN)/python -m tests.simulation $(ARGS)

drill: setup ## causes each alert's fault, and says whether the alert fires and ends (ARGS="--only lock" for some)
	@$(BIN)/python -m tests.drill $(ARGS)

lint: setup ## format, style, types, import contracts, protobuf
	@scripts/lint.sh

format: setup ## formats the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

proto: gen/ready ## generates the Python of proto/

proto-baseline: setup ## takes proto/ as it stands for what later changes must not break (at a release)
	@scripts/proto_baseline.sh

.venv/train: .venv/ready requirements/train.lock
	@echo '→ packages for training'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/train.lock
	@touch $@

.venv/teacher: .venv/ready requirements/teacher.lock
	@echo '→ packages for the teacher: some gigabytes'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/teacher.lock
	@touch $@

train: setup .venv/train $(if $(TEACHER),.venv/teacher) ## trains the models anew from ../shared/data (TEACHER=1 asks the teacher first, FEEDBACK=file learns from corrections)
	@$(BIN)/python -m services.sentiment.training --data ../shared/data $(if $(TEACHER),--teacher .teacher/notes.npz) $(if $(FEEDBACK),--feedback $(FEEDBACK)) $(ARGS)
	@$(BIN)/python -m services.escalation.training --data ../shared/data

.venv-bench/ready: requirements/bench.lock
	@$(BIN)/python -m bench.peers.quix

bench: setup .venv-bench/ready ## measures us beside our peers (ARGS="--quick --json FILE" for ten minutes of it)
	@$(BIN)/python -m bench $(ARGS)

faults: setup ## seeded schedules of faults on real Kafka and Postgres (ARGS="--schedules N --seed S")
	@$(BIN)/python -m faults $(ARGS)

fuzz: setup ## bad input for everything that reads: no crash, no hang, no half effect (ARGS="--examples 100000 --seed 1")
	@$(BIN)/python -m tests.fuzz $(ARGS)

overload: setup ## the gateway under twice what it can do: what is shed, how long the rest waits, what is lost
	@$(BIN)/python -m bench.overload $(ARGS)

docs: setup ## writes docs/events.md from the comments in proto/
	@$(BIN)/python scripts/events_doc.py

screenshots: setup ## takes the README's pictures of the dashboard and of a trace
	@$(BIN)/python scripts/screenshot.py

lock: ## locks the packages anew (needs uv); by hashes, without addresses
	$(LOCK) --extra dev pyproject.toml -o requirements/dev.lock
	$(LOCK) -c requirements/dev.lock --extra train pyproject.toml -o requirements/train.lock
	$(LOCK) -c requirements/train.lock --extra teacher pyproject.toml -o requirements/teacher.lock
	$(LOCK) -c requirements/dev.lock pyproject.toml -o requirements/run.lock
	printf 'grpcio-tools\nmypy-protobuf\n' | $(LOCK) -c requirements/dev.lock - -o requirements/build.lock
	$(LOCK) requirements/bench.in -o requirements/bench.lock

clean: ## removes what was made here, but not the data of a running stack
	rm -rf .venv .venv-bench gen build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
