# `make demo` and `make test` do all set-up themselves; a machine needs only Python,
# make and git (and apt, when it is root, for the tools that the tests use).
# PYTHON=python3.12 chooses the Python that .venv is made with, TESTS what is tested,
# JOBS=1 in how many processes.

PYTHON ?=
BENCH ?= --quick
TESTS ?=
JOBS ?= auto
export PYTHON

.PHONY: help demo test docs test-lowest test-pythons test-wheel dist test-systemd test-image test-fleet bench lint format screenshots tools environment test-environment clean

help:
	@echo "make demo    start the relay, send one mail per usage, show each as people read it"
	@echo "make test    install what the tests need, and run all checks and tests"
	@echo "make test-lowest"
	@echo "             the fast tests, with the lowest versions of the libraries"
	@echo "make test-pythons"
	@echo "             the fast tests and the main job, with each Python from 3.11 to 3.14"
	@echo "make test-wheel"
	@echo "             all tests against the package as it is installed (TESTS: some)"
	@echo "make dist    build the packages and their SBOM in dist"
	@echo "make test-systemd"
	@echo "             the unit in deploy/, run by a systemd in a container (as root)"
	@echo "make test-image"
	@echo "             the image, built and run by Docker or podman (podman as root)"
	@echo "make test-fleet"
	@echo "             the long tests of queues that relays share: kills, several relays"
	@echo "make bench   measure the relay beside a baseline and a floor (BENCH=--goal: all of it)"
	@echo "make docs    make the site of docs/ in build/site"
	@echo "make lint    formatting, lint and types only"
	@echo "make format  format the code and repair what ruff can repair"
	@echo "make screenshots"
	@echo "             take the pictures of the page anew, that tests and documents have"
	@echo "make clean   remove .venv, those beside it and what the tools leave"

demo: environment
	@.venv/bin/python scripts/demo.py

test: lint tools
	@.venv/bin/python -m pytest -n $(JOBS) --maxprocesses 8 --dist loadfile $(TESTS)

test-lowest:
	@scripts/environment lowest
	@.venv-lowest/bin/python -m pytest $(or $(TESTS),tests/unit tests/contract tests/fuzz)

test-pythons:
	@scripts/test-pythons $(TESTS)

test-wheel: tools
	@.venv/bin/python -m scripts.packages tested .venv-wheel
	@cd .venv-wheel/sources && ../environment/bin/python -m pytest -n $(JOBS) --maxprocesses 8 --dist loadfile $(TESTS)

dist: test-environment
	@.venv/bin/python -m scripts.packages build dist

# In a network of its own, which the container shares: its ports meet nobody else's.
test-systemd: test-environment
	@scripts/systemd-machine .venv/systemd || { code=$$?; [ $$code = 77 ] && exit 0; exit $$code; }; \
	unshare -n sh -c 'ip link set lo up && \
		exec env SYSTEMD_MACHINE=.venv/systemd .venv/bin/python -m pytest tests/systemd'

test-image: test-environment
	@scripts/with-image .venv/image .venv/bin/python -m pytest -rP tests/image || \
		{ code=$$?; [ $$code = 77 ] && exit 0; exit $$code; }

test-fleet: test-environment
	@.venv/bin/python -m pytest tests/fleet/long

bench: test-environment
	@.venv/bin/python -m bench $(BENCH)

# From nothing each time: Sphinx says what is wrong with a page when it reads it alone.
docs: test-environment
	@rm -rf build/site build/doctrees
	@.venv/bin/python -m sphinx -q -W --keep-going -d build/doctrees docs build/site
	@echo "build/site/index.html is its first page."

lint: test-environment
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	@.venv/bin/python -m mypy relay tests bench scripts/demo.py scripts/kustomize.py scripts/map.py scripts/reference scripts/sample_pictures.py scripts/screenshots.py

format: test-environment
	@.venv/bin/python -m ruff format .
	@.venv/bin/python -m ruff check --fix .

screenshots: tools
	@.venv/bin/python scripts/screenshots.py --kept --docs

tools: test-environment
	@scripts/test-tools

environment:
	@scripts/environment run

test-environment:
	@scripts/environment test

clean:
	rm -rf .venv .venv-lowest .venv-wheel .venv-3.* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find relay tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +
