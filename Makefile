# Every target sets up its own environment first; Python 3.11-3.13 and make are all it needs.
PYTHON ?= python3
BIN := .venv/bin
# Tests wait for servers and other processes much of the time: one more than there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(6, (os.cpu_count() or 1) + 1))')

# Where an image forbids Python to keep what it compiled, each of hundreds of processes compiles Prefect anew.
unexport PYTHONDONTWRITEBYTECODE

SPREAD := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test kernels stories check bench foreign notebooks docs lock setup clean

demo: setup          ## the whole path, offline and without keys: sandbox, flows, lake, backtest, report
	$(BIN)/tapehouse demo

test: kernels        ## the specification, in less than a quarter of an hour on two cores
	$(BIN)/pytest -q -m "not long" $(SPREAD)

kernels: setup       ## what tests share of compiled code: a minute of work once, then nothing
	$(BIN)/python -m tests.compile_kernels

stories: setup       ## what takes longest: storms, kills, whole recordings
	$(BIN)/pytest -q -m long $(SPREAD)

check: setup         ## what must be green besides the tests: style, types, import contracts, lock file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -n 1 exchange warehouse pipelines backtest sandbox tapehouse.py tests
	$(BIN)/lint-imports

bench: setup         ## measured on this machine, written to docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

foreign: setup       ## clients and DuckDBs that others made, run against the sandbox and the catalog
	$(BIN)/python -m tests.foreign

notebooks: setup     ## execute the notebooks and export them with their outputs to build/notebooks
	$(BIN)/python -m tests.export_notebooks

docs: setup          ## the pages that are made: dictionary, checks, and the outputs of the cookbook
	$(BIN)/python -m warehouse.dictionary
	$(BIN)/python -m warehouse.checks.page
	$(BIN)/python -m tests.cookbook

setup: .venv/ready   ## .venv with pinned, hashed dependencies and .venv/bin/tapehouse

.venv/ready: requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Tapehouse needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is {v[0]}.{v[1]}: say make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile \
		-r requirements.lock -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

COMPILE = build/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --quiet

lock:                ## renew requirements.lock (running) and requirements-dev.lock (beyond it): hashes, no host names
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --extra dev --upgrade -o build/lock/all.txt
	cp build/lock/all.txt build/lock/running.txt
	$(COMPILE) -o build/lock/running.txt
	sed 's/^ *//' build/lock/running.txt > requirements.lock
	sed 's/^ *//' build/lock/all.txt | grep -vxFf requirements.lock > requirements-dev.lock

clean:               ## forget the environment and everything built
	rm -rf .venv build out
