# make demo and make test do their own set-up. Nothing needs root or a variable.

.DEFAULT_GOAL := help
.PHONY: help setup demo test thorough lint lock clean
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
	@echo "make clean     remove .venv and caches; runs/ stays"

setup: $(STAMP)
	@:

$(STAMP): requirements/cpu.lock requirements/setup.sh pyproject.toml
	@bash requirements/setup.sh .venv $(STAMP)

demo: setup
	@$(BIN)/raystar evolve configs/arithmetic.yaml

test: lint
	$(BIN)/python -m pytest -q -m "not slow" -n auto
	$(BIN)/python -m pytest -q -m "slow and not thorough" -n 2 --dist loadscope --no-loadscope-reorder --durations=8 \
		tests/actors/engines tests/integration tests/train tests/cluster tests # the longest first

thorough: setup
	$(BIN)/python -m pytest -q -m thorough

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

lock: setup
	$(BIN)/python requirements/make_locks.py

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find $(CODE) tests -name __pycache__ -type d -prune -exec rm -rf {} +
