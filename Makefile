# make run     predictions by a real Triton, as a table and out/first_run.png; SAMPLES=folder takes your own pictures
# make serve   the same server, kept running
# make test    every test
# make check   formatting, lint and types
# make lock    compile requirements/*.txt anew from pyproject.toml

PYTHON ?= python3
IN_VENV := .venv/bin
INSTALL := $(IN_VENV)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run serve test check lock clean

run: .venv/serve.stamp
	@$(IN_VENV)/python -m server.first_run $(if $(SAMPLES),--samples "$(SAMPLES)")

serve: .venv/serve.stamp
	@$(IN_VENV)/python -m server.first_run --serve

test: .venv/dev.stamp
	$(IN_VENV)/python -m pytest

check: .venv/dev.stamp
	$(IN_VENV)/ruff format --check .
	$(IN_VENV)/ruff check .
	$(IN_VENV)/mypy

.venv/%.stamp: requirements/%.txt pyproject.toml client/pyproject.toml
	@sh requirements/check_machine.sh "$(PYTHON)"
	@echo "Installing requirements/$*.txt into .venv; the first time this takes a minute or two"
	@test -x $(IN_VENV)/python || "$(PYTHON)" -m venv .venv
	@$(INSTALL) --require-hashes --requirement requirements/$*.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable . --editable ./client
	@touch $@

lock:
	sh requirements/lock.sh

clean:
	rm -rf .venv out
