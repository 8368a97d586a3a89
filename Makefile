# What people and CI type. Everything is set up on the way; nothing but python3 (3.10 or newer) and a package index is
# needed. PYTHON names another interpreter; PYTEST_ARGS goes to pytest.

PYTHON ?= python3
PYTEST_ARGS ?=

.PHONY: help try try-stop test test-vm fast lint schemas docs coverage bench conformance started mutants package lock clean

help:                ## show this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | expand -t 12

try:                 ## run the quickstart: a Flask and a Django application, each on a loopback port
	@$(PYTHON) -B -m tools.quickstart start

try-stop:            ## stop the quickstart
	@$(PYTHON) -B -m tools.quickstart stop

test:                ## everything that CI runs: linters, types, layers, all tests (as root: as an ordinary user too)
	@$(PYTHON) -B -m tools.check test $(PYTEST_ARGS)

test-vm:             ## as root on Debian: limits by cgroups and confinement on a kernel of their own, in a virtual machine
	@$(PYTHON) -B -m tools.vm $(PYTEST_ARGS)

fast:                ## the tests that start no process
	@$(PYTHON) -B -m tools.check fast $(PYTEST_ARGS)

lint:                ## formatting, lint, types, import layers
	@$(PYTHON) -B -m tools.check lint

docs:                ## the documentation as a site, in site/: every link is checked, nothing is loaded from elsewhere
	@$(PYTHON) -B -m tools.check docs

coverage:            ## branch coverage of the packages that do nothing but compute, by the tests that start no process
	@$(PYTHON) -B -m tools.check coverage

schemas:             ## write schemas/ and the generated documents again
	@$(PYTHON) -B -m tools.check schemas

bench:               ## measure against other servers: benchmarks/RESULTS.md (BENCH_ARGS="--seconds 1 --rounds 1")
	@$(PYTHON) -B -m tools.check bench $(BENCH_ARGS)

conformance:         ## as root on Debian: ask an Apache with mod_wsgi the same as this project: docs/conformance.md
	@$(PYTHON) -B -m tools.check conformance

started:             ## write down anew what processes call at their start, whose code spawners gather
	@$(PYTHON) -B -m tools.check started

mutants:             ## break each listed line, one at a time, and see that its test fails (minutes; as root: all of them)
	@$(PYTHON) -B -m tools.check mutants $(MUTANTS_ARGS)

package:             ## the sdist and a wheel in dist/, checked, installed and started
	@$(PYTHON) -B -m tools.check package

lock:                ## choose the versions of all packages that tests and linters use anew: uv.lock, tools/constraints.txt
	@$(PYTHON) -B -m tools.check lock

clean: try-stop      ## stop the quickstart and remove what the other targets made
	@$(PYTHON) -B -m tools.clean
