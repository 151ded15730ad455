# `make demo` and `make test` do all set-up themselves; a machine needs only Python,
# make and git (and apt, when it is root, for the tools that the tests use).
# PYTHON=python3.12 chooses the Python that .venv is made with, TESTS what is tested.

PYTHON ?=
BENCH ?= --quick
TESTS ?=
export PYTHON

.PHONY: help demo test test-lowest bench lint format tools environment test-environment clean

help:
	@echo "make demo    start the relay, send one mail per usage, show what SES would get"
	@echo "make test    install what the tests need, and run all checks and tests"
	@echo "make test-lowest"
	@echo "             the fast tests, with the lowest versions of the libraries"
	@echo "make bench   measure the relay beside a baseline and a floor (BENCH=--goal: all of it)"
	@echo "make lint    formatting, lint and types only"
	@echo "make format  format the code and repair what ruff can repair"
	@echo "make clean   remove .venv, .venv-lowest and what the tools leave"

demo: environment
	@.venv/bin/python scripts/demo.py

test: lint tools
	@.venv/bin/python -m pytest $(TESTS)

test-lowest:
	@scripts/environment lowest
	@.venv-lowest/bin/python -m pytest $(or $(TESTS),tests/unit tests/contract tests/fuzz)

bench: test-environment
	@.venv/bin/python -m bench $(BENCH)

lint: test-environment
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	@.venv/bin/python -m mypy relay tests bench scripts/demo.py scripts/map.py scripts/screenshots.py

format: test-environment
	@.venv/bin/python -m ruff format .
	@.venv/bin/python -m ruff check --fix .

tools: test-environment
	@scripts/test-tools

environment:
	@scripts/environment run

test-environment:
	@scripts/environment test

clean:
	rm -rf .venv .venv-lowest build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find relay tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +
