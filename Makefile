# Everything starts here. Needs git, make and a Python of 3.11 or later; nothing else, no root, no Docker.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
RUN := $(VENV)/bin/python -m
PUSHJOBS := $(VENV)/bin/pushjobs
SDKS := tests/acceptance/sdks

.PHONY: help install install-dev sdks demo demo-campaign up test test-full check format docs site screenshots bench chaos lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# Found by running it: a shim of that name may be on the path and fail.
define find_python
for python in "$${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do \
	[ -n "$$python" ] && "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	python=; \
done; \
[ -n "$$python" ] || { echo 'pushjobs needs Python 3.11 or later with venv and pip; name one with PYTHON=…' >&2; exit 2; }
endef

# A stamp is newer than its lock file or the environment is brought up to date; a half-made environment has no stamp.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(find_python); test -x $(VENV)/bin/python || "$$python" -m venv $(VENV)
	@echo 'installing from requirements.lock …'
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	@echo 'installing from requirements-dev.lock …'
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

install: $(VENV)/installed ## make .venv and install pushjobs into it

# SDKs for Node, for the tests that point them at our door. Without npm those are skipped, and say so.
sdks:
	@if command -v npm >/dev/null && ! [ $(SDKS)/node_modules/.package-lock.json -nt $(SDKS)/package-lock.json ]; then \
		echo 'installing the SDKs for Node …'; \
		npm ci --silent --prefix $(SDKS) && touch $(SDKS)/node_modules/.package-lock.json || \
		echo 'npm could not install them: their tests are skipped'; \
	fi

install-dev: $(VENV)/installed-dev sdks ## the same with what tests and checks need

demo: $(VENV)/installed ## watch 300 notices being scheduled, sent and counted
	@$(PUSHJOBS) demo

demo-campaign: $(VENV)/installed ## watch the daily news going to 100,000 readers (some two minutes)
	@$(VENV)/bin/python examples/daily_news/run.py

up: $(VENV)/installed ## run everything on this machine, with the WeChat sandbox
	@$(PUSHJOBS) up --sandbox

# Two passes: what measures time runs alone. In the first a file stays in one process (tests/scheduling.py), of which
# there are three: each waits half its time.
test: $(VENV)/installed-dev sdks ## the whole suite with reduced counts, under five minutes on two cores
	@$(RUN) pytest --numprocesses 3 -m 'not timing'
	@$(RUN) pytest -m timing

test-full: export PUSHJOBS_TEST_FULL := 1
test-full: test ## the same with full counts

check: $(VENV)/installed-dev ## lint, types, imports
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/installed-dev ## format and mend what can be mended
	@$(RUN) ruff check --fix
	@$(RUN) ruff format

docs: $(VENV)/installed ## write the pages of docs/reference anew from the code
	@$(RUN) docs.generate

site: $(VENV)/installed-dev ## build all pages as a site in site/, to be opened as files or served
	@$(RUN) docs.website

# Needs Debian's chromium and fonts-noto-cjk.
screenshots: export PUSHJOBS_SCREENSHOTS := docs/images
screenshots: $(VENV)/installed-dev ## take the pictures of the console anew, in a real browser
	@$(RUN) pytest tests/acceptance/test_console.py tests/acceptance/test_console_pages.py tests/acceptance/test_five_questions.py

bench: $(VENV)/installed-dev ## measure every figure that is promised, about an hour (or: make bench FIGURES=sends)
	@$(RUN) benchmarks $(FIGURES)

# Six minutes; SEED=7 repeats a run's faults.
chaos: $(VENV)/installed ## kill everything at random under 50,000 jobs, and count each at the sandbox
	@$(PUSHJOBS) chaos --jobs 50000 --per-second 200 $(if $(SEED),--seed $(SEED))

lock: ## write the lock files anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade \
		pyproject.toml --extra local --group build --output-file requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade \
		--group dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## remove the environment, the site and the caches, not the data
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis
