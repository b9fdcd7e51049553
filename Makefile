# make quickstart | test | lint | clean; PYTHON=python3.11 chooses the interpreter of a new .venv
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n 2 --dist loadfile
REQUIREMENTS := $(wildcard requirements/*.txt) setup.py pyproject.toml

.PHONY: quickstart test lint clean

quickstart: $(VENV)/.installed
	$(BIN)/python tools/quickstart.py $(QUICKSTART_ARGS)

test: $(VENV)/.installed
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .

# an environment that is there already is used as it is; it is installed into again only when
# the requirements have changed
$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; v == "3.11" or sys.exit("make: $(PYTHON) is Python " + v + ", and this project needs 3.11: name one, as in PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c requirements/constraints.txt torch
	$(BIN)/python -m pip install --quiet -c requirements/constraints.txt -r requirements/tests.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
