# Every target creates .venv (with pip, pinned by constraints.txt) if it needs it.
PYTHON   ?= python3
TASK     ?= sr
PRESET   ?= laptop
METHODS  ?=
BACKBONE ?=
SEEDS    ?=
ENGINE   ?=
JOBS     ?=
SUITE    ?=
ARGS     ?=

BIN     := .venv/bin
READY   := .venv/installed
OPTIONS  = --preset $(PRESET) $(if $(METHODS),--methods "$(METHODS)") \
           $(if $(BACKBONE),--backbone $(BACKBONE)) $(if $(SEEDS),--seeds $(SEEDS)) \
           $(if $(ENGINE),--engine $(ENGINE)) $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup bench demo report entries boards perf test fuzz lint doctor

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "variables for bench, demo, report and entries: TASK=sr METHODS=\"dni ftn\" PRESET=laptop BACKBONE= SEEDS=0,1 ENGINE=local|ray|slurm:partition=gpu JOBS= ARGS=\"--train bsds500-train\""
	@echo "test and fuzz take ARGS= too, perf takes SUITE=, and every target PYTHON=python3.12"

setup: $(READY)  ## create .venv and install everything into it

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("dialbench needs Python 3.11 or later; set PYTHON=") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (the first time takes a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

bench: $(READY)  ## train what is missing, sweep the dial, write the report (TASK=sr)
	@$(BIN)/dialbench run $(TASK) $(OPTIONS)

demo: $(READY)  ## turn the dial of what is trained, on images of your own, in a browser (TASK=sr)
	@$(BIN)/dialbench demo $(TASK) $(OPTIONS)

report: $(READY)  ## write the report again from what is stored (TASK=sr)
	@$(BIN)/dialbench report $(TASK) $(OPTIONS)

entries: $(READY)  ## make entries of a finished run, one for each method and baseline (TASK=sr)
	@$(BIN)/dialbench board submit $(TASK) $(OPTIONS) && $(BIN)/dialbench board build

boards: $(READY)  ## build the leaderboards from their entries, check them, write their pages and docs/results.md
	@$(BIN)/dialbench board build && $(BIN)/dialbench board check && $(BIN)/dialbench board page && $(BIN)/dialbench board results

perf: $(READY)  ## measure how fast it is, as ratios within this run (slow; SUITE=forward for a part)
	@$(BIN)/python -m benchmark.perf $(SUITE)

test: $(READY)  ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 $(ARGS)

fuzz: $(READY)  ## try 20,000 broken files on each parser of leaderboard entries (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m slow tests/leaderboard/test_fuzz.py $(ARGS)

lint: $(READY)  ## check style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

doctor: $(READY)  ## check the installation, data and weights in one screen
	@$(BIN)/dialbench doctor
