# Two commands for a newcomer: `make run` and `make test`. Everything lives in .venv and data, and nothing outside is touched.
PYTHON ?= python3
BIN := .venv/bin
# A file's tests share what they stand on; the order is ours (tests/conftest.py), and not by how many tests a file has.
ON_TWO := -n 2 --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# An interpreter without pip, which `venv` leaves behind where it is not whole, must not be taken for done.
.DELETE_ON_ERROR:
.PHONY: run test quick check bench soak docs clean

run: .venv/run.stamp
	$(BIN)/yunduan demo --if-empty
	$(BIN)/yunduan serve

test: .venv/dev.stamp
	$(BIN)/pytest $(ON_TWO) -m "not release"

quick: .venv/dev.stamp
	$(BIN)/pytest $(ON_TWO) -m "not slow and not release"

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/reference.py --check

bench: .venv/dev.stamp
	$(BIN)/python -m bench

soak: .venv/dev.stamp
	$(BIN)/pytest $(ON_TWO) -m release
	$(BIN)/python tools/soak.py

docs: .venv/dev.stamp
	$(BIN)/python tools/reference.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --upgrade "pip>=25.1"

.venv/run.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/pip install -q -e .
	touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/pip install -q -e '.[postgresql,import]' --group dev
	touch .venv/run.stamp $@

clean:
	rm -rf .venv .cache build dist
