# make demo and make test do their own set-up. Nothing needs root or a variable.

.DEFAULT_GOAL := help
.PHONY: help setup demo test thorough cluster-test moto lint lock clean
SHELL := /bin/bash
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

BIN := .venv/bin
STAMP := .venv/.set-up
CODE := search train actors cluster

help:
	@echo "make demo      set up, then four rounds of self-evolution on this machine (configs/arithmetic.yaml)"
	@echo "make test      set up, then all checks: lint, fast tests, slow tests"
	@echo "make setup     only the set-up: .venv, the pinned packages, this project"
	@echo "make lint      ruff, import-linter, mypy"
	@echo "make lock      resolve requirements/*.in into the locks again"
	@echo "make thorough  slow tests that make test leaves out: every objective at every ZeRO stage, eval-reward-model and select"
	@echo "make cluster-test  three hosts on this machine (root; installs Debian packages): ray up, submit, Slurm; 25 minutes"
	@echo "make moto      an S3 server for the tests of runs in object stores, which are skipped without it"
	@echo "make clean     remove .venv and caches; runs/ stays"

setup: $(STAMP)
	@:

$(STAMP): requirements/cpu.lock requirements/setup.sh pyproject.toml
	@bash requirements/setup.sh .venv $(STAMP)

demo: setup
	@$(BIN)/raystar evolve configs/arithmetic.yaml

test: lint
	$(BIN)/python -m pytest -q -m "not slow and not cluster" -n auto
	$(BIN)/python -m pytest -q -m "slow and not thorough" -n 2 --dist loadscope --no-loadscope-reorder --durations=8 \
		tests/actors/engines tests/integration tests/train tests/cluster tests # the longest first

thorough: setup
	$(BIN)/python -m pytest -q -m thorough

cluster-test: setup moto
	bash tests/hosts/install_packages.sh
	$(BIN)/python -m pytest -q -x -s -m cluster --durations=0 tests/hosts

moto: .venv-moto/.set-up # an S3 server for the tests of runs in object stores

.venv-moto/.set-up: requirements/moto.lock
	python3 -m venv .venv-moto
	.venv-moto/bin/pip install --quiet --no-deps -r requirements/moto.lock
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

lock: setup
	$(BIN)/python requirements/make_locks.py

clean:
	rm -rf .venv .venv-moto build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find $(CODE) tests -name __pycache__ -type d -prune -exec rm -rf {} +
