# Everything here does its own set-up and repeats cheaply. Paths are relative, so that a folder
# with spaces in its name will do; tools/environment.py remembers what is installed.

# The first Python that will do. To name another: make PYTHON=/path/to/python3.12 test
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$name && break; done)
VENV := .venv/bin/python

# Where the demonstration listens and keeps its data. RESET=1 makes everything new.
PORT ?= 8000
DATA ?= demo-data
RESET ?=
export PORT DATA

# How long a soak goes on with further seeds, and how long a steady load lasts, in minutes.
SOAK_MINUTES ?= 0
MINUTES ?= 30
WORKERS ?= 1
# On which store `make bench-peers` has our own bank: postgresql or sqlite.
STORE ?= postgresql
# How far it grows: to ten million where the disk has room (45 GB), which takes eight minutes.
CARDS ?=
# How many user codes the sprayer knows.
CUSTOMERS ?= 1000000
# How many PIN letters a batch has.
LETTERS ?= 10000

.NOTPARALLEL:
.PHONY: help demo test check soak bench bench-letters bench-peers steady spray catalogue reference locks format clean
.PHONY: python run-environment test-environment interop-environment peers-environment
.PHONY: system-packages
.PHONY: check-format check-lint check-types check-imports check-catalogue check-docs

help:
	@echo "make demo       the portal and its simulator (PORT=8000 DATA=demo-data RESET=1)"
	@echo "make test       every check and every test, with coverage"
	@echo "make check      format, lint, types, imports, catalogue, docs"
	@echo "make soak       the tests that take minutes: hundreds of kills, every answer explained"
	@echo "                (SOAK_MINUTES=480: further seeds until then)"
	@echo "make bench      the measurements"
	@echo "make bench-peers  the same beside PostgreSQL's floor and other servers (CARDS=100000)"
	@echo "make steady     80 % of the capacity for MINUTES=30 (DATABASE=URL WORKERS=1): memory, errors"
	@echo "make spray      one code on each of CUSTOMERS=1000000 user codes, while owners sign in"
	@echo "make bench-letters  LETTERS=10000 PIN letters as one batch: time and memory"
	@echo "make format     put the source in order"
	@echo "make catalogue  bring the English catalogue up to the source"
	@echo "make reference  bring the reference pages up to the source"
	@echo "make locks      lock the requirements again (UPGRADE=1: newest versions)"
	@echo "make clean      take away what the above made, except DATA"

demo: run-environment
	@exec .venv/bin/sesame demo --port "$$PORT" --data "$$DATA" $(if $(filter-out 0,$(RESET)),--reset)

# One process more than processors, as many a test waits for a clock, a browser or a server; and
# what servers and command lines of the tests import is compiled once.
test: system-packages test-environment interop-environment check
	rm -rf .cache/coverage
	PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$(CURDIR)/.cache/python" \
		$(VENV) -m coverage run -m pytest --numprocesses $$(($$(nproc) + 1)) --dist worksteal
	$(VENV) -m coverage combine --quiet
	$(VENV) -m coverage report
	$(VENV) tools/pure_cores.py

check: check-format check-lint check-types check-imports check-catalogue check-docs

check-format: test-environment
	$(VENV) -m ruff format --check .

check-lint: test-environment
	$(VENV) -m ruff check .

check-types: test-environment
	$(VENV) -m mypy

check-imports: test-environment
	.venv/bin/lint-imports --cache-dir .cache/import-linter

check-catalogue: test-environment
	$(VENV) tools/catalogue.py check

check-docs: test-environment
	$(VENV) tools/reference.py check
	$(VENV) -m pytest --quiet tests/docs

soak: test-environment
	SOAK_MINUTES="$(SOAK_MINUTES)" $(VENV) -m pytest -m soak

bench: test-environment
	$(VENV) -m bench

# Some twenty minutes, with the ten million cards. STORE=sqlite has our own bank on a file,
# and leaves the growth out.
bench-peers: test-environment peers-environment
	$(VENV) -m bench peers --store "$(STORE)" $(if $(CARDS),--cards "$(CARDS)")

steady: test-environment
	$(VENV) -m bench.steady --minutes "$(MINUTES)" --workers "$(WORKERS)" $(if $(DATABASE),--database "$(DATABASE)")

# Ten minutes of one processor, with a million.
spray: test-environment
	$(VENV) -m bench.spray --customers "$(CUSTOMERS)"

# A minute and a half of one processor, with ten thousand.
bench-letters: test-environment
	$(VENV) -m bench.letters --letters "$(LETTERS)"

format: test-environment
	$(VENV) -m ruff format .
	$(VENV) -m ruff check --fix .

catalogue: test-environment
	$(VENV) tools/catalogue.py update

reference: test-environment
	$(VENV) tools/reference.py update
	$(VENV) tools/draw_reader.py update

locks: python
	"$(PYTHON)" tools/locks.py $(if $(filter-out 0,$(UPGRADE)),--upgrade)

clean:
	rm -rf .venv .cache .pytest_cache .import_linter_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

run-environment: python
	@"$(PYTHON)" tools/environment.py run

test-environment: python
	@"$(PYTHON)" tools/environment.py test

interop-environment: test-environment system-packages
	@"$(PYTHON)" tools/environment.py interop

peers-environment: test-environment
	@"$(PYTHON)" tools/environment.py peers

system-packages: python
	@"$(PYTHON)" tools/system_packages.py

python:
	@test -n "$(PYTHON)" || { \
	echo "Python 3.11, 3.12 or 3.13 is missing: run  apt-get install python3 python3-venv" >&2; \
	exit 1; }
