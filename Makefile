# Two commands on a fresh machine: `make train` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 5000
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
WORKERS ?= 2
READY := .venv/.ready

# Notes are patient data: nothing that is started from here reports to anyone.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help setup train test lint types sweep ui bench

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(READY) ## create .venv from the pinned versions

# torch first and by itself: where a CPU build is at hand, nothing then pulls another one. Bytecode is a
# third of the work: made apart, it uses all cores.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "EmbedLink needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(PIP) $$(grep '^torch==' requirements.lock)
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --editable .
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	touch $@

train: $(READY) ## run the main job on the demo data
	$(BIN)/python train.py

# A worker that has nothing left takes tests from the end of another's: fixtures of a module are rarely
# made twice. One thread each; about 1 GB of memory.
test: $(READY) ## run the tests; WORKERS=2
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

lint: $(READY) ## check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## check types
	$(BIN)/mypy

sweep: $(READY) ## train with 0, 1, 2 and 4 layers unfrozen on the demo data
	$(BIN)/python train.py -m unfreeze=0,1,2,4

ui: $(READY) ## compare runs in the browser; PORT=5000
	$(BIN)/python -m embedlink.experiment.ui --port $(PORT)

bench: $(READY) ## measure against upstream's linker
	$(BIN)/python -m benchmarks
