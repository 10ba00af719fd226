# Two commands for a newcomer: `make demo` and `make test`. Everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo

# What the others share, and the program that writes their slides, are no benchmarks; those that
# install other people's programs (minutes, gigabytes) run only when asked for: `make bench-peers`.
PEERS = benchmarks/tiatoolbox_run.py benchmarks/wsinfer_run.py
SHARED = $(addprefix benchmarks/,bare.py by_turns.py gigapixel.py peers.py random_models.py)
BENCHMARKS = $(filter-out $(SHARED) $(PEERS),$(wildcard benchmarks/*.py))

.PHONY: demo view test check bench bench-peers install install-dev system screenshots sample clean

demo: $(VENV)/installed
	$(if $(SLIDE),$(BIN)/breastpath analyze "$(SLIDE)" --out "$(OUT)" $(ARGS),$(BIN)/breastpath demo --out "$(OUT)" $(ARGS))

view: $(VENV)/installed
	$(BIN)/breastpath view $(if $(SLIDE),"$(SLIDE)")

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip wheel

$(VENV)/installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[all,cpu]"
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# Libraries that Qt and a software OpenGL need, and a virtual screen for machines without one.
system:
	./tools/system-packages

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/npe2 validate src/napari_breastpath/napari.yaml
	$(BIN)/lint-imports

test: system check
	./tools/with-screen $(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/installed-dev
	for script in $(BENCHMARKS); do echo "== $$script"; ./tools/with-screen $(BIN)/python $$script $(or $(ARGS),--quick) || exit 1; done

bench-peers: BENCHMARKS = $(PEERS)
bench-peers: bench

sample: $(VENV)/installed-dev
	$(BIN)/python sample_data/synthetic_slide.py src/napari_breastpath/sample/sample_slide.tif

screenshots: $(VENV)/installed-dev system
	./tools/with-screen $(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
