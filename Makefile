# `make` alone lists the targets. Every target sets up .venv itself.
# Variables: DATA TEST WEIGHTS BACKBONES PROTOCOL FOLDS RUNS RUN SELECT OUT

PYTHON ?= python3
HARNESS = .venv/bin/harness
# An option is passed only where its variable is set.
option = $(if $($(1)),--$(2) "$($(1))")

.DEFAULT_GOAL := help
.PHONY: help install zoo submission report test test-all test-runtimes lint bench bench-forecast ablation audit clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: pyproject.toml constraints.txt
	@echo "Setting up .venv (once; some minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 2; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,search,labels,distributed,onnx]'
	@touch $@

install: .venv/installed ## set up .venv

zoo: .venv/installed ## train every backbone, forecast, update leaderboard.md (DATA= TEST= WEIGHTS= BACKBONES= PROTOCOL= FOLDS= RUNS=)
	@$(HARNESS) zoo $(call option,DATA,data) $(call option,TEST,test) $(call option,WEIGHTS,weights) \
	  $(call option,BACKBONES,backbones) $(call option,PROTOCOL,protocol) $(call option,FOLDS,folds) $(call option,RUNS,runs)

submission: .venv/installed ## pack the best run as a zip, check and dry-run it (RUN= SELECT= OUT= RUNS=)
	@$(HARNESS) submission $(call option,RUNS,runs) $(call option,RUN,run) $(call option,SELECT,select) $(call option,OUT,out)

report: .venv/installed ## write report.html (RUNS= OUT=)
	@$(HARNESS) report $(call option,RUNS,runs) $(call option,OUT,out)

test: .venv/installed ## the tests, under ten minutes
	@.venv/bin/python -m pytest -m "not slow and not runtimes"

test-all: .venv/installed ## every test that this machine can run, but the old runtimes
	@.venv/bin/python -m pytest -m "not runtimes"

test-runtimes: .venv/installed ## packed zips under TensorFlow 2.17.0 with Keras 3.4.1
	@.venv/bin/python -m pytest -m runtimes

lint: .venv/installed ## ruff and mypy
	@.venv/bin/ruff check . && .venv/bin/mypy

bench: .venv/installed ## measure against the plain way, into docs/benchmarks.md
	@.venv/bin/python -m benchmarks

bench-forecast: .venv/installed ## leave-one-world-out study of the forecasts
	@.venv/bin/python -m benchmarks.forecast

ablation: .venv/installed ## each part of the strong protocol removed once (DATA= TEST= WEIGHTS=)
	@.venv/bin/python -m benchmarks.ablation $(call option,DATA,data) $(call option,TEST,test) $(call option,WEIGHTS,weights)

audit: .venv/installed ## look the dependencies up in the advisory database
	@.venv/bin/python -m pip install --quiet pip-audit && .venv/bin/python -m pip_audit

clean: ## remove .venv and everything that tools leave behind
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
