# The verbs of this project; `make help` lists them. CI calls the same ones.
# Everything goes into this folder (.venv, target, dist, build) and into the caches of pip and cargo.

PYTHON ?= python3

VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Runs a command with a cargo that is new enough, and brings one where there is none.
CARGO  := $(BIN)/python tools/with_cargo.py

# What the wheel is built from, folders too: a file that is gone changes its folder.
SOURCES := $(shell find rust python \( -name __pycache__ -o -path '*/tests' -o -path '*/fuzz' -o -name '*.so' \) -prune -o -print) Cargo.toml Cargo.lock pyproject.toml

# The tests are about the wheel that is installed here, whatever the shell around us has set.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX SCRIPTSTEP_HOME
export PYTHONNOUSERSITE := 1
export PYO3_PYTHON := $(abspath $(BIN)/python)

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test soak fuzz lint format bench wheel clean

help:
	@echo 'make demo     build and install the wheel, then run examples/diabetes four times and show what happened and why'
	@echo 'make test     all tests, Rust and Python, against the installed wheel'
	@echo 'make soak     the long counts of the tests: an hour or so; the figures go into build/soak.txt'
	@echo 'make fuzz     a minute of each fuzz target: rules against a naive matcher, bytes against the decoders (SECONDS=60)'
	@echo 'make lint     formatting, lints, types, stubs and the import contracts; changes nothing'
	@echo 'make format   put Rust and Python files into the form that lint asks for'
	@echo 'make bench    measure against the peers and write benches/README.md (SIZE=small, normal or full)'
	@echo 'make wheel    build the wheel into dist/'
	@echo 'make clean    remove what was built: .venv, target, dist, build'
	@echo
	@echo 'make test ARGS="-k manifest" hands arguments on to pytest.'
	@echo 'PYTHON=python3.12 makes .venv with that interpreter (3.10 or newer); it is $(PYTHON) now.'

demo: $(STAMPS)/installed $(STAMPS)/demo
	@$(BIN)/python examples/diabetes/demo.py

test: $(STAMPS)/installed $(STAMPS)/demo $(STAMPS)/test
	@$(BIN)/python -I tools/which_scriptstep.py
	@echo 'test: cargo test'
	@$(CARGO) cargo test --package scriptstep-core --locked --quiet
	@echo 'test: pytest'
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=8 --dist=loadfile $(ARGS)

soak: $(STAMPS)/installed $(STAMPS)/test
	@$(CARGO) $(BIN)/python tools/soak.py

fuzz: $(STAMPS)/build
	@$(CARGO) $(BIN)/python tools/fuzz.py --seconds $(or $(SECONDS),60) $(ARGS)

lint: $(STAMPS)/installed $(STAMPS)/lint
	@echo 'lint: rustfmt'
	@$(CARGO) --component rustfmt cargo fmt --all --check
	@$(CARGO) --component rustfmt cargo fmt --manifest-path rust/core/fuzz/Cargo.toml --check
	@echo 'lint: clippy'
	@$(CARGO) --component clippy cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	@echo 'lint: rustdoc'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) cargo doc --package scriptstep-core --no-deps --locked --quiet
	@echo 'lint: the core knows nothing of Python'
	@mkdir -p build && $(CARGO) cargo tree --package scriptstep-core --edges all --prefix none --locked > build/core-tree.txt
	@! grep '^pyo3' build/core-tree.txt
	@echo 'lint: ruff'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo 'lint: `make format` writes them so'; exit 1; }
	@echo 'lint: mypy'
	@$(BIN)/mypy
	@echo 'lint: the stub of scriptstep._core'
	@cd build && ../$(BIN)/python -m mypy.stubtest --concise scriptstep._core
	@echo 'lint: import contracts'
	@$(BIN)/lint-imports --no-cache > build/imports.txt || { cat build/imports.txt; exit 1; }
	@echo 'lint: nothing to complain about'

format: $(STAMPS)/lint
	@$(CARGO) --component rustfmt cargo fmt --all
	@$(CARGO) --component rustfmt cargo fmt --manifest-path rust/core/fuzz/Cargo.toml
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMPS)/installed
	@$(BIN)/python -m benches --size $(or $(SIZE),normal) $(ARGS)

wheel: $(STAMPS)/wheel
	@ls dist/scriptstep-*.whl

clean:
	rm -rf $(VENV) target dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/build: requirements/build.txt
	@$(PYTHON) tools/check_python.py
	@test -x $(BIN)/python || echo 'making $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@$(PIP) install -r $<
	@touch $@

$(STAMPS)/wheel: $(SOURCES) | $(STAMPS)/build
	@echo 'building the wheel'
	@rm -f dist/scriptstep-*.whl
	@$(CARGO) $(BIN)/maturin build --release --locked --quiet --out dist
	@touch $@

# First the wheel itself, whatever stands there under the same version; then what it depends on.
$(STAMPS)/installed: $(STAMPS)/wheel
	@echo 'installing the wheel into $(VENV)'
	@$(PIP) install --force-reinstall --no-deps dist/scriptstep-*.whl
	@$(PIP) install dist/scriptstep-*.whl
	@touch $@

$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/lint: $(STAMPS)/%: requirements/%.txt | $(STAMPS)/build
	@echo 'installing what $* needs into $(VENV)'
	@$(PIP) install -r $<
	@touch $@
