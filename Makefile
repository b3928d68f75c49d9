# `make` lists the targets. Everything runs in .venv, which is made when it is first needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# As a plain path, so that a folder named broca in which somebody stands does not hide the package.
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt --config-settings editable_mode=compat --editable
# With it each of the many processes that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install demo test test-browser chaos fuzz check docs perf serve worker migrate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make .venv and install Broca into it

demo: $(VENV)/.installed ## score a tiny model on planted data; REAL=1: a real model on real data
	@$(BIN)/python -m broca demo $(if $(REAL),--real)

test: $(VENV)/.installed-test ## run all tests; ARGS are passed to pytest
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

test-browser: $(VENV)/.installed-browser ## drive every page in Chromium, on both stacks; ARGS are passed to pytest
	$(BIN)/python -m pytest tests/browser -n 2 $(ARGS)

chaos: $(VENV)/.installed-test ## kill everything at random under load: FAULTS=30 STACK=both SEED=1 OUT=folder
	@$(BIN)/python -m tests.chaos --faults $(or $(FAULTS),30) --stack $(or $(STACK),both) \
		$(if $(SEED),--seed $(SEED)) $(if $(OUT),--out $(OUT))

fuzz: $(VENV)/.installed-test ## hold a server against its OpenAPI document on both stacks; CASES=10000
	FUZZ_CASES=$(or $(CASES),10000) $(BIN)/python -m pytest -q -s tests/e2e/test_contract.py

check: $(VENV)/.installed-test ## lint, format, types, direction of imports, the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory docs

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(VENV)/.installed-test ## build the documentation as a site in site/; a dead link is an error
	$(BIN)/python -m mkdocs build --strict

perf: $(VENV)/.installed-perf ## measure speed and memory beside the plain way; LINE=P6: one line of the table
	@$(BIN)/python -m perf $(LINE)

serve: $(VENV)/.installed ## serve the API with a database and one worker; ARGS are passed on
	@$(BIN)/python -m broca serve $(ARGS)

worker: $(VENV)/.installed ## start one more worker for the database of the environment
	@$(BIN)/python -m broca worker

migrate: $(VENV)/.installed ## bring the schema of the database of the environment up to date
	@$(BIN)/python -m broca migrate

clean: ## remove caches and build products; .venv stays
	rm -rf build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew only where there is no environment that works.
$(VENV)/.created:
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(MAKE) --no-print-directory environment
	@touch $@

.PHONY: environment
environment:
	@command -v $(PYTHON) > /dev/null || \
		{ echo "$(PYTHON) is not installed; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Broca needs Python 3.11 or newer, $(PYTHON) is older; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "$(PYTHON) cannot make environments: venv or ensurepip is missing (Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) '.[all]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) '.[all,test,docs]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-browser: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) '.[all,test,docs,browser]'
	@touch $(VENV)/.installed $(VENV)/.installed-test $@

$(VENV)/.installed-perf: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) '.[all,perf]'
	@touch $(VENV)/.installed $@
