# make run   set everything up and run the main job
# make test  run the tests          make lint  style and types          make clean  remove what make made
# make test-clients  run other people's programs (HELM, lm-eval, Inspect ...) against our server
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
# Other people's programs pin other versions of our own packages, and of each other's: they live apart.
EVALS := .venv-evals
CLIENTS := .venv-clients
# Python compiles at the first import the little of them that is used.
INSTALL := python -m pip --disable-pip-version-check --quiet install --no-compile
MODELS ?= q4_k_m,q8_0
READY := $(VENV)/.ready-$(BUILD)

.PHONY: run test test-clients lint setup clean

run: $(READY)
	$(VENV)/bin/harness run --models $(MODELS)

test: $(READY)
	$(VENV)/bin/python -m pytest

test-clients: $(READY) $(EVALS)/.ready $(CLIENTS)/.ready
	HARNESS_TEST_EVALS=$(abspath $(EVALS)/bin/python) HARNESS_TEST_CLIENTS=$(abspath $(CLIENTS)/bin/python) \
		$(VENV)/bin/python -m pytest tests/clients

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

# The locks are whole, so that pip has nothing to resolve (--no-deps); an environment of another lock is made anew.
# torch comes first and with what it needs: which build that is, and with which libraries of NVIDIA, is for pip to find.
$(EVALS)/.ready: requirements-evals.lock
	@$(PYTHON) -m venv --clear $(EVALS)
	@echo "Installing HELM, lm-eval and LiteLLM: requirements-evals.lock"
	@$(EVALS)/bin/$(INSTALL) --constraint $< torch
	@$(EVALS)/bin/$(INSTALL) --no-deps --requirement $<
	@touch $@

$(CLIENTS)/.ready: requirements-clients.lock
	@$(PYTHON) -m venv --clear $(CLIENTS)
	@echo "Installing Inspect, openai and LangChain: requirements-clients.lock"
	@$(CLIENTS)/bin/$(INSTALL) --no-deps --requirement $<
	@touch $@

clean:
	rm -rf $(VENV) $(EVALS) $(CLIENTS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
