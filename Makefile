# Every target does its own set-up: a virtual environment in .venv and what it needs in it.
#
#   make demo     watch photosortd sort photos        (PHOTOS=~/Pictures: your own)
#   make test     every test that this machine can run
#   make torture  the proof that nothing is lost, in its long form (hours; as root)
#                 (PART=kill: one part alone, tests/torture/test_kill.py)
#   make bench    how fast the daemon is, each beside its yardstick (hours; WHAT=backfill: one
#                 alone, BENCH=--short: a look whether it works)
#   make starter  the bundle that ships: teachers, and small networks that learn from them
#                 (hours; docs/starter.md says from what)
#   make bench-train  the trainer against a plain Keras script   (PHOTOS=DIR: yours)
#   make check    format, lint, types, import layers, imports without TensorFlow
#
#   sudo make install      the service: commands, units, an example configuration
#   sudo make uninstall    all of that goes; configuration, memory and library stay

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test torture bench bench-train check format demo-bundle network starter install uninstall clean

help:
	@sed -n 's/^#   //p' Makefile

# One line that says what is missing beats a traceback from pip.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "python3 is missing. Install it: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "python3-venv is missing. Install it: sudo apt install python3-venv" >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "installing photosortd (a minute or two)"
	@$(PIP) install -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing photosortd, TensorFlow and the test tools (a few minutes)"
	@$(PIP) install -e '.[demo,trainer,dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@$(BIN)/photosortd demo $(if $(PHOTOS),--photos "$(PHOTOS)")

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope $(PYTEST)

torture: $(VENV)/.dev
	@mkdir -p build
	@$(BIN)/python -m pytest tests/torture$(PART:%=/test_%.py) --effort=long \
	  --figures=build/torture$(PART:%=-%).md $(PYTEST)

WHAT ?= start scan rest backfill latency scaling small

bench: $(VENV)/.dev
	@mkdir -p build/bench
	@set -e; for what in $(WHAT); do \
	  $(BIN)/python benchmarks/$$what.py --json build/bench/$$what.json $(BENCH); echo; done

bench-train: $(VENV)/.dev
	@$(BIN)/python benchmarks/train.py $(if $(PHOTOS),--photos "$(PHOTOS)") $(BENCH)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit/test_imports.py

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The bundle of `make demo`, learned anew from PHOTOS=<a folder with one folder a category>.
demo-bundle: $(VENV)/.dev
	@test -n "$(PHOTOS)" || { echo "say from which photos: make demo-bundle PHOTOS=DIR" >&2; exit 2; }
	@rm -rf build/demo-run
	@$(BIN)/photosort-train train "$(PHOTOS)" --backbone small_scratch --folds 0 \
	  --trial-epochs 0 --precision 0.6 --out build/demo-run $(TRAIN)
	@rm -rf daemon/photosortd/assets/demo-bundle
	@cp -r build/demo-run/bundle daemon/photosortd/assets/demo-bundle
	@du -sh daemon/photosortd/assets/demo-bundle

# What ships, learned anew (docs/starter.md): first the network, in an hour or two, from
# UNLABELLED=<a folder of any photos>; then the starter, in half an hour, from PHOTOS=<a folder with
# one folder a category>, too, measured on HOLD="<a,b c>", collections that are held out in turn.
# WEIGHTS=<ImageNet's weights>, TRAIN="<more options of train>". Stopped, the same line goes on.
TEACHING = --backbone mobilenet_v2 --trial-epochs 0 --split 72/24/4 $(WEIGHTS:%=--weights-dir %)
SORTING = --begin-with packaged --frozen --labelled 0.1 --looks 1 --unlabelled "$(UNLABELLED)"

network: $(VENV)/.dev
	@test -n "$(UNLABELLED)" || { \
	  echo "say from which photos: make network UNLABELLED=DIR" >&2; exit 2; }
	@$(BIN)/python -m photosort_trainer.starter network "$(UNLABELLED)" --work build/network \
	  $(WEIGHTS:%=--weights-dir %)

starter: $(VENV)/.dev
	@test -n "$(PHOTOS)" && test -n "$(UNLABELLED)" && test -n "$(HOLD)" || { \
	  echo "say from which photos: make starter PHOTOS=DIR UNLABELLED=DIR HOLD='A,B C'" >&2; \
	  exit 2; }
	@$(BIN)/python benchmarks/apart.py "$(PHOTOS)" $(HOLD:%=--hold %) --seeds 1 \
	  --train '$(TEACHING) $(TRAIN)' --distill '$(SORTING)' --work build/starter/apart \
	  --json build/starter/apart.json
	@test -e build/starter/teacher/bundle || \
	  $(BIN)/photosort-train train "$(PHOTOS)" $(TEACHING) $(TRAIN) --out build/starter/teacher
	@$(BIN)/photosort-train distill build/starter/teacher $(SORTING) --out build/starter/student
	@$(BIN)/python -m photosort_trainer.starter bundle build/starter/student/bundle \
	  --apart build/starter/apart.json --about docs/starter-photos.md --assets daemon/photosortd/assets

install uninstall:
	@sh systemd/install.sh $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
