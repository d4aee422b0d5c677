# Every target does its own set-up: a virtual environment in the checkout, with pinned dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OURS := app actors protocol storage mixnet tests bench
SUBPACKAGES := actors protocol storage mixnet

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format typing vectors bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## create .venv with pinned dependencies

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "usernym needs Python 3.11 or newer (PYTHON=... chooses one)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## mixnet, node, Alice and Bob as processes: the whole story, with its claims proved
	$(BIN)/usernym demo

test: $(READY) ## all tests
	$(BIN)/python -Im pytest $(PYTEST_ARGS)

check: $(READY) typing ## format, lint, types, import rule
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/ruff check $(OURS)
	$(BIN)/mypy
	$(BIN)/mypy tests bench
	PYTHONPATH=.typing $(BIN)/lint-imports

format: $(READY) ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format $(OURS)
	$(BIN)/ruff check --fix $(OURS)

# The type checker must see the root folders as one package: a folder of links says so.
typing:
	@rm -rf .typing && mkdir -p .typing/usernym
	@for f in app/*.py app/py.typed; do ln -s ../../$$f .typing/usernym/; done
	@for d in $(SUBPACKAGES); do ln -s ../../$$d .typing/usernym/$$d; done

vectors: $(READY) ## rewrite tests/vectors (the generator uses none of the codec)
	$(BIN)/python -I tests/support/make_vectors.py

bench: $(READY) ## packets per operation; speeds as a share of this machine's Ed25519 rate
	$(BIN)/python -I bench/run.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .typing .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist *.egg-info
