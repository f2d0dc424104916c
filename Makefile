# PilotHAT: bare `make` lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
seed   ?= 1
args   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-all test-net test-system lint format bench fuzz sim docs deb image image-test clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv and install PilotHAT and its tools into it

$(STAMP): setup.cfg pyproject.toml
	@echo "PilotHAT: making a virtual environment in $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "PilotHAT needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module. On Debian or Raspberry Pi OS: sudo apt install python3-venv"; exit 1; }
	@echo "PilotHAT: installing the program and its tools (a minute or two on a Pi) ..."
	@$(BIN)/pip install --disable-pip-version-check -q -e '.[dev]'
	@touch $@
	@echo "PilotHAT: ready."

demo: $(STAMP) ## a car plugs in, charges and leaves: no hardware needed
	@$(BIN)/pilothat demo $(args)

run: $(STAMP) ## run the station: make run args="--config FILE"
	@$(BIN)/pilothat run $(args)

test: $(STAMP) ## the fast tests: no root, network or hardware
	@$(BIN)/pytest -n auto $(args)

test-net: $(STAMP) ## the network proof: needs root and network namespaces
	@$(BIN)/pytest -m net -o testpaths=tests/net -n 6 --dist loadscope $(args)

test-system: $(STAMP) ## the package in a container, the driver on an emulated Pi: needs root
	@$(BIN)/pytest -m system -o testpaths=tests/system -n 3 --dist loadscope $(args)

.foreign: ## the package iso15118 in a venv of its own: a car for the network proof
	@python3 -m venv .foreign
	@.foreign/bin/pip install --disable-pip-version-check -q iso15118 aiofile

test-all: test test-net test-system ## all tests that run without a board

lint: $(STAMP) ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(STAMP) ## measure: ratios and percentiles of one run
	@$(BIN)/python -m tests.bench $(args)

fuzz: $(STAMP) ## a million damaged inputs to the codec, then a minute of guided fuzzing
	@PILOTHAT_FUZZ=1000000 $(BIN)/pytest -n auto tests/fuzz $(args)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --disable-pip-version-check -q atheris
	@$(BIN)/python -m tests.fuzz.atheris_exi -max_total_time=60 -max_len=4096

sim: $(STAMP) ## one seeded session with random faults: make sim seed=7
	@$(BIN)/pilothat sim --first $(seed) --seeds 1 --faults $(args)

docs: $(STAMP) ## draw the state diagrams from the tables
	@$(BIN)/python scripts/diagrams
	@$(BIN)/python scripts/packaging

deb: ## the Debian package: dist/pilothat_VERSION_all.deb
	@scripts/deb

image: $(STAMP) ## an image to flash: make image BASE=raspios-lite.img.xz
	@test -n "$(BASE)" || { echo "Say which image of Raspberry Pi OS Lite: make image BASE=FILE.img.xz"; exit 2; }
	@PYTHON=$(BIN)/python scripts/wheelhouse > /dev/null && scripts/image "$(BASE)" $(args)

image-test: $(STAMP) ## a Debian image booted on an emulated Pi until a car has charged: needs root
	@$(BIN)/pytest -m image -s tests/system $(args)

clean: ## remove what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
