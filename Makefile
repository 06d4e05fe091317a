# Everything runs inside .venv (REPLICATE_VENV: another folder), which is made on first use. `make help` lists the targets.
PYTHON ?= python3
VENV := $(or $(REPLICATE_VENV),.venv)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKED_READY := $(VENV)/.ready-locked
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup lock artifact artifact-full tables beyond export benchmark coverage demo test test-slow fuzz kill-test bench bench-training lint format results readme clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(if $(LOCKED),$(LOCKED_READY),$(READY)) ## Make .venv with pinned versions (PYTHON=python3.12 chooses the interpreter, LOCKED=1 checks hashes)

define NEW_ENOUGH
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	{ echo "error: $(PYTHON) is older than Python 3.10; choose another one: make setup PYTHON=python3.12" >&2; exit 1; }
endef

$(READY): pyproject.toml constraints.txt
	@$(NEW_ENOUGH)
	@echo "setting up $(VENV) (a few minutes the first time)" >&2
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@
	@echo "ready: source $(VENV)/bin/activate, then replicate run table2 --profile smoke; or make tables" >&2

# What is installed already would not be compared with its hash, so the environment is made anew. torch's build for the CPU
# is complete with the first file; where the index has its build for GPUs, pip check names what the second file adds.
$(LOCKED_READY): pyproject.toml constraints.txt requirements.lock requirements-cpu.lock
	@$(NEW_ENOUGH)
	@$(PYTHON) -m docs.lock --check
	@echo "setting up $(VENV) from requirements.lock (a few minutes)" >&2
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes --no-deps -r requirements-cpu.lock
	@$(PIP) check >/dev/null 2>&1 || { echo "adding what torch needs on a GPU, from requirements.lock" >&2; \
		$(PIP) install --require-hashes -r requirements.lock; }
	$(PIP) install --no-index --no-build-isolation --no-deps -e .
	@$(PIP) check >&2
	@touch $(READY) $@
	@echo "ready: source $(VENV)/bin/activate, then replicate run table2 --profile smoke; or make tables" >&2

lock: $(READY) ## Write requirements.lock from pyproject.toml and constraints.txt (WHEELS=FOLDER: also torch's builds for the CPU)
	$(BIN)/python -m docs.lock $(if $(WHEELS),--wheels $(WHEELS))

artifact: $(READY) ## Show in under 15 minutes that the software and a real table come out as stated in ARTIFACT.md (RAVDESS=FILE: not downloaded)
	@$(BIN)/python -m docs.run_artifact --short $(OPTIONS)

artifact-full: $(READY) ## Run every row of ARTIFACT.md and train every table of docs/results/ (hours; IEMOCAP4=FILE MOSI=FOLDER RAVDESS=FILE)
	@$(BIN)/python -m docs.run_artifact $(OPTIONS)

tables: $(READY) ## Train and print every table and claim on the positive control: a self-test on generated features
	$(BIN)/replicate run all --profile control

beyond: $(READY) ## Train and print the tables beyond the paper: its text against its code, distillation methods, causal models, context extractors, HuBERT, teachers, fusion, smaller models
	$(BIN)/replicate run protocol distillation ablation-dmd ablation-mtpkdot causal context hubert \
		modalities imperfect-teacher gap fusion cost deploy --profile control

export: tables ## Export the best speech-only model to ONNX, checked against PyTorch
	$(BIN)/replicate export onnx

benchmark: export ## Time PyTorch and onnxruntime on the exported model
	$(BIN)/replicate benchmark

test: $(READY) ## Run the tests that are not slow
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(READY) ## Run the tests that take 10 seconds or more
	$(BIN)/python -m pytest -n auto -m slow

fuzz: $(READY) ## Read mutated files for MINUTES=10 or CASES=100000, limited in time and memory, and print what happened
	$(BIN)/python -m tests.fuzz --seed $(or $(SEED),0) $(if $(CASES),--cases $(CASES),--minutes $(or $(MINUTES),10))

kill-test: $(READY) ## Kill commands KILLS=20 times while they write, complete them, and compare the files
	$(BIN)/python -m tests.kill --kills $(or $(KILLS),20)

bench: $(READY) ## Run the timing cases of tests/benchmarks
	$(BIN)/python -m pytest -m bench tests/benchmarks

bench-training: $(READY) ## Measure time and memory of training over sizes of corpus, model and seeds, of a large store, and of start-up (15 minutes)
	$(BIN)/replicate bench-training
	$(BIN)/python -m pytest -s -m bench tests/benchmarks/test_scale.py tests/benchmarks/test_start_up.py

coverage: $(READY) ## Simulate how often intervals hold the true value, for docs/statistics.md (10 minutes)
	$(BIN)/python -m docs.simulate_coverage --jobs 2
	$(BIN)/python -m docs.fill_readme

lint: $(READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/python -m docs.lock --check

format: $(READY) ## Correct style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(READY) ## Train the model of replicate demo again, from the clips of RAVDESS in DATA (a minute)
	$(BIN)/python -m docs.build_demo $(or $(DATA),$(error give the folder with the clips: make demo DATA=FOLDER))

# <!-- begin make-results -->
results: $(READY) ## Make docs/results/ and the blocks of all pages anew, from the corpora in DATA (7 hours on 2 cores as far as measured; can be interrupted)
# <!-- end -->
	$(BIN)/python -m docs.measure $(or $(DATA),$(error give the folder with the corpora: make results DATA=FOLDER)) $(OPTIONS)

readme: $(READY) ## Write the generated sections of README.md and docs/: measured tables, commands and options
	$(BIN)/python -m docs.expected
	$(BIN)/python -m docs.fill_readme
	$(BIN)/python -m docs.generate_commands

clean: ## Remove .venv and caches; results/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
