# make run   set everything up and run the main job
# make test  run the tests          make lint  style and types          make clean  remove what make made
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quant-harness
# The multimodal part of llama.cpp is not used, and takes half of the compile time.
BUILD_ARGS := -DLLAVA_BUILD=OFF $(CMAKE_ARGS)
LLAMA := $(shell grep ^llama-cpp-python== requirements.lock)
# Another version or other arguments (a GPU, say) make another wheel.
BUILD := $(shell echo '$(LLAMA) $(BUILD_ARGS)' | cksum | cut -d' ' -f1)
WHEELS := $(CACHE)/wheels/$(BUILD)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
# Clients of other people, some of which pin other versions of our own packages, live apart.
CLIENTS := .venv-clients
MODELS ?= q4_k_m,q8_0
READY := $(VENV)/.ready-$(BUILD)

.PHONY: run test lint setup clean

run: $(READY)
	$(VENV)/bin/harness run --models $(MODELS)

test: $(READY) $(CLIENTS)/.ready
	HARNESS_TEST_CLIENTS=$(abspath $(CLIENTS)/bin/python) $(VENV)/bin/python -m pytest

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

setup: $(READY)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; say which with PYTHON=python3.12, for instance."; exit 2; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@if ! ls $(WHEELS)/*.whl >/dev/null 2>&1; then \
		echo "Compiling $(LLAMA): 3 to 8 minutes on 2 cores, once; the wheel is kept in $(WHEELS)"; \
		mkdir -p $(WHEELS).part && \
		CMAKE_ARGS="$(BUILD_ARGS)" $(PIP) wheel --no-deps --wheel-dir $(WHEELS).part "$(LLAMA)" && \
		mv $(WHEELS).part $(WHEELS); \
	fi
	@echo "Installing the Python packages of requirements.lock"
	@$(PIP) install --find-links $(WHEELS) --requirement requirements.lock
	@$(PIP) install --force-reinstall --no-deps $(WHEELS)/*.whl
	@$(PIP) install --no-deps --editable .
	@touch $@

$(CLIENTS)/.ready: requirements-clients.lock
	@test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	@echo "Installing the clients that the tests try: requirements-clients.lock"
	@$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements-clients.lock
	@touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
