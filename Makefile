# make run     predict sample users on Triton, write out/quickstart.png; SAMPLES=folder uses your own images
# make serve   keep a server running on loopback under server.supervisor; HTTP_PORT=9000 GRPC_PORT=… take other ports
# make demo    open a page that shows what the models answer and why; DEMO_PORT=8888 takes another port
# make test    run all tests
# make environments   install what the tests need
# make wheel   build and check the client's wheel, install it in clean environments and test it there
# make release   build all files of a release into dist/, and say what a person has to do next
# make perf-tools   install perf_analyzer in .venv/perf_analyzer
# make perf    run all performance experiments except peers and ab_ranking, write results/PERFORMANCE.md; needs nginx
# make soak    run half an hour at 60% load; check that memory, handles and latency stay flat
# make peers   install FastAPI, LitServe, BentoML, MLServer and Ray Serve, and compare Triton with them
# make reliability   run all reliability experiments (an hour), write results/RELIABILITY.md; needs nginx, Prometheus
# make load    simulate a day of the product in two minutes, write out/load.html
# make docs    build the documentation site in out/docs
# make docker-check  run the images' install steps in clean environments, then their commands; needs Python 3.12
# make check   check format, lint and types
# make clean   delete .venv and out
# make help    list these commands
# make sbom    write out/sbom.json: the packages installed in .venv, as CycloneDX
# make audit   check the pinned packages for known vulnerabilities; needs a network
# make lock    compile requirements/*.txt from pyproject.toml; needs uv

.DEFAULT_GOAL := help

PYTHON ?= python3
IN_VENV := .venv/bin
PIP := $(IN_VENV)/python -m pip --quiet --disable-pip-version-check
# Two `make` at the same time would spoil the environment that both install.
ONE_AT_A_TIME := flock pyproject.toml
# Bytecode is compiled on first use, because most modules are never imported.
INSTALL := $(PIP) install --no-compile
# Install the requirements in $(2) into the separate environment $(1), which needs no pip of its own.
INSTALL_INTO = $(IN_VENV)/python -m venv --without-pip $(1) && \
	$(PIP) --python $(1)/bin/python install --no-compile --require-hashes --requirement $(2)

HTTP_PORT ?= 8000
GRPC_PORT ?= 8001
METRICS_PORT ?= 8002
READY_PORT ?= 8003
DEMO_PORT ?= 8080

.PHONY: help run serve demo test environments wheel perf perf-tools soak peers reliability load docs docker-check check sbom audit lock clean release

help:
	@sed -n 's/^# make /make /p' Makefile

run: .venv/serve.stamp
	@$(IN_VENV)/python -m quickstart $(if $(SAMPLES),--samples "$(SAMPLES)")

serve: .venv/serve.stamp
	@$(IN_VENV)/python -m quickstart --serve --http-port=$(HTTP_PORT) --grpc-port=$(GRPC_PORT) --metrics-port=$(METRICS_PORT) --ready-port=$(READY_PORT)

demo: .venv/demo.stamp
	@$(IN_VENV)/python -m quickstart.demo --port=$(DEMO_PORT)

test: environments
	$(IN_VENV)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

environments: $(patsubst %,.venv/%.stamp,dev perf_analyzer peers/fastapi peers/mlserver compat oldest_runtime obp)

wheel: .venv/dev.stamp .venv/package.stamp
	$(IN_VENV)/python -m pytest tests/compat/check_wheel.py

release: .venv/dev.stamp .venv/package.stamp .venv/audit.stamp
	@$(IN_VENV)/python -m release check
	@$(MAKE) --no-print-directory sbom docs
	@$(IN_VENV)/python -m release build

perf-tools: .venv/perf_analyzer.stamp

perf: .venv/dev.stamp .venv/perf_analyzer.stamp .venv/peers/fastapi.stamp
	@$(IN_VENV)/python -m perf latency
	@$(IN_VENV)/python -m perf breakdown
	@$(IN_VENV)/python -m perf earlier
	@$(IN_VENV)/python -m perf server_settings
	@$(IN_VENV)/python -m perf scaling
	@$(IN_VENV)/python -m perf response_cache
	@$(IN_VENV)/python -m perf priority
	@$(IN_VENV)/python -m perf inference_check
	@$(IN_VENV)/python -m perf gallery_scan
	@$(IN_VENV)/python -m perf access_log
	@$(IN_VENV)/python -m perf ranking_latency
	@$(IN_VENV)/python -m perf ab
	@$(IN_VENV)/python -m perf offline_scoring
	@$(IN_VENV)/python -m perf install_size
	@$(IN_VENV)/python -m perf report
	@$(IN_VENV)/python -m docs.headline

reliability: .venv/dev.stamp
	@$(IN_VENV)/python -m reliability overload
	@$(IN_VENV)/python -m reliability faults
	@$(IN_VENV)/python -m reliability malformed
	@$(IN_VENV)/python -m reliability attacks
	@$(IN_VENV)/python -m reliability restarts
	@$(IN_VENV)/python -m reliability variants
	@$(IN_VENV)/python -m reliability monitoring
	@$(IN_VENV)/python -m reliability soak
	@$(IN_VENV)/python -m reliability report

soak: .venv/dev.stamp
	@$(IN_VENV)/python -m reliability soak

PEERS := $(patsubst requirements/peers/%.in,.venv/peers/%.stamp,$(wildcard requirements/peers/*.in))

peers: .venv/dev.stamp $(PEERS)
	@$(IN_VENV)/python -m perf peers
	@$(IN_VENV)/python -m perf report

load: .venv/dev.stamp
	@$(IN_VENV)/python -m perf.load

docs: .venv/dev.stamp
	@$(IN_VENV)/python docs/collect.py out/docs_source
	@NO_MKDOCS_2_WARNING=1 $(IN_VENV)/mkdocs build --quiet
	@echo "Open out/docs/index.html; for the search, serve it: python3 -m http.server --bind 127.0.0.1 --directory out/docs"

docker-check: .venv/dev.stamp
	@$(IN_VENV)/python -m tests.docker.check

check: .venv/dev.stamp
	$(IN_VENV)/ruff format --check .
	$(IN_VENV)/ruff check .
	$(IN_VENV)/mypy
	$(IN_VENV)/mypy --python-version 3.10 client/src

# All environments need its pip only, so that they can be installed at the same time.
.venv/bin/pip:
	@sh requirements/check_machine.sh "$(PYTHON)"
	@$(ONE_AT_A_TIME) "$(PYTHON)" -m venv .venv

.venv/%.stamp: requirements/%.txt pyproject.toml client/pyproject.toml | .venv/bin/pip
	@echo "Installing requirements/$*.txt into .venv; this takes a minute or two"
	@$(ONE_AT_A_TIME) $(INSTALL) --require-hashes --requirement requirements/$*.txt
	@$(ONE_AT_A_TIME) $(INSTALL) --no-deps --no-build-isolation --editable . --editable ./client
	@touch $@

# A separate folder without dependencies: those of this old wheel conflict with the rest of the environment.
.venv/perf_analyzer.stamp: requirements/perf_analyzer.txt | .venv/bin/pip
	@echo "Installing perf_analyzer into .venv/perf_analyzer"
	@$(INSTALL) --no-deps --require-hashes --upgrade --target .venv/perf_analyzer --requirement requirements/perf_analyzer.txt
	@touch $@

# Off-policy estimators that ours are compared with. A separate folder without dependencies: these estimators need none.
.venv/obp.stamp: requirements/obp.txt | .venv/bin/pip
	@$(INSTALL) --no-deps --require-hashes --upgrade --target .venv/obp --requirement requirements/obp.txt
	@touch $@

# Third-party clients.
.venv/compat.stamp: requirements/compat.txt | .venv/bin/pip
	@echo "Installing requirements/compat.txt into .venv/compat"
	@$(call INSTALL_INTO,.venv/compat,$<)
	@touch $@

# The ONNX Runtime of the oldest container that we support.
.venv/oldest_runtime.stamp: requirements/oldest_runtime.txt | .venv/bin/pip
	@echo "Installing requirements/oldest_runtime.txt into .venv/oldest_runtime"
	@$(call INSTALL_INTO,.venv/oldest_runtime,$<)
	@touch $@

# One environment per peer, because their dependencies conflict.
.venv/peers/%.stamp: requirements/peers/%.txt | .venv/bin/pip
	@echo "Installing requirements/peers/$*.txt into .venv/peers/$*"
	@$(call INSTALL_INTO,.venv/peers/$*,$<)
	@touch $@

# The tools that build and check the client's wheel.
.venv/package.stamp: requirements/package.txt .venv/dev.stamp
	@echo "Installing requirements/package.txt into .venv/package"
	@$(call INSTALL_INTO,.venv/package,$<)
	@touch $@

.venv/audit.stamp: requirements/audit.txt .venv/serve.stamp
	@echo "Installing requirements/audit.txt into .venv/audit"
	@$(IN_VENV)/python -m venv .venv/audit
	@.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

sbom: .venv/audit.stamp
	@mkdir -p out
	@.venv/audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file out/sbom.json $(IN_VENV)/python
	@echo "out/sbom.json: the packages installed in .venv"

# Strict: if a package cannot be looked up, the audit fails.
audit: .venv/audit.stamp
	@.venv/audit/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes \
		$(patsubst %,--requirement %,$(wildcard requirements/*.txt)) || { \
		echo "audit: failed: a package above has a known vulnerability or cannot be looked up (no network, or an" \
			"index without such data); in the latter case, run it with network access" >&2; exit 1; }

lock:
	sh requirements/lock.sh

clean:
	rm -rf .venv out dist
