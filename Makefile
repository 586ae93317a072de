# `make run` and `make test` install everything that they need. Only Python and Java must be installed before.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
POSTS ?= 1000
SECONDS ?= 60
WORK ?= work
TARGET ?= dev
# Two processes, each with its own Spark, because tests often wait. All tests of a file run in the same process, because
# they share fixtures.
PARALLEL ?= -n 2 --dist loadfile
# databricks-connect 17.3 needs Python 3.12. This is the first one found; make looks for it only when it is needed.
CONNECT := .venv-connect
CONNECT_PYTHON ?= $(shell \
	for python in $(PYTHON) python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && echo "$$python" && break; \
	done)

AIRFLOWS := .venv-airflow
# The newest version of Amazon MWAA. tests/airflow has the pins of each version that is tested.
AIRFLOW ?= 3.2.1

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: run
run: $(VENV)/installed ## run the main job with generated posts, print the answers, and write a report
	@rm -rf $(WORK)/dump $(WORK)/lake
	@$(BIN)/pinlake emulate --posts $(POSTS) --to $(WORK)/dump --dirt 0.02 --duplicates 0.03
	@$(BIN)/pinlake run --source $(WORK)/dump --lake $(WORK)/lake --report $(WORK)/report.html

.PHONY: run-kafka
run-kafka: $(VENV)/installed ## run the same with a database, Kafka and the sink before it
	@$(BIN)/python -m tools.whole kafka $(WORK)/kafka $(POSTS)

.PHONY: run-stream
run-stream: $(VENV)/installed ## run emulator and stream at the same time for a minute; the answers change as posts arrive
	@$(BIN)/python -m tools.whole stream $(WORK)/stream $(SECONDS)

.PHONY: run-s3
run-s3: $(VENV)/installed ## run the same as run-kafka, in a bucket; downloads 650 MB of jars once
	@$(BIN)/python -m tools.whole s3 $(WORK)/s3 $(POSTS)

.PHONY: test
test: $(VENV)/installed ## run the tests without the slow ones
	@$(BIN)/pytest $(PARALLEL) -m "not slow"

.PHONY: test-slow
test-slow: $(VENV)/installed ## run the slow tests: whole runs, and tests that wait
	@$(BIN)/pytest $(PARALLEL) --no-loadscope-reorder -rs -m slow

.PHONY: bundle-check
bundle-check: $(VENV)/installed ## check the bundle, also with the Databricks CLI and in a workspace if they are configured
	@$(BIN)/pytest tests/bundle
	@if ! command -v databricks >/dev/null; then \
		echo "bundle checked offline only: no program databricks is on the PATH; install the Databricks CLI, 1.13 or newer"; \
	elif [ -z "$$DATABRICKS_HOST" ] && ! grep -qs '^ *host *=' "$${DATABRICKS_CONFIG_FILE:-$$HOME/.databrickscfg}"; then \
		echo "bundle checked in no workspace: none is configured; run databricks auth login, or set DATABRICKS_HOST"; \
	else \
		databricks bundle validate --strict --target $(TARGET) && databricks bundle plan --target $(TARGET); \
	fi

.PHONY: test-connect
test-connect: $(VENV)/installed $(CONNECT)/installed ## run the Spark tests with databricks-connect
	@$(CONNECT)/bin/pytest $(PARALLEL) --connect=$(BIN)/python tests/connect tests/clean tests/gold tests/ingest tests/lake \
		tests/pipeline/test_real_sample.py tests/show/test_alerts.py

.PHONY: test-airflow
test-airflow: $(VENV)/installed $(AIRFLOWS)/installed-$(AIRFLOW) ## run the tests of the DAG in a real Airflow
	@$(AIRFLOWS)/bin/python -m pytest --confcutdir tests/airflow tests/airflow

.PHONY: lint
lint: $(VENV)/installed ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: lint-aws
lint-aws: $(VENV)/installed ## check the CloudFormation templates with checkov; the suite checks them with cfn-lint
	@LOG_LEVEL=ERROR $(BIN)/uv tool run --quiet --python $(BIN)/python --from "$$(grep -o 'checkov==[0-9.]*' pyproject.toml)" \
		checkov --directory infra/aws --framework cloudformation --compact --quiet --skip-download

.PHONY: format
format: $(VENV)/installed ## fix style errors that can be fixed automatically
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/installed ## run the benchmarks, and update benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

.PHONY: docs
docs: $(VENV)/installed ## generate docs/data-model.md, the dashboard and the alerts
	@$(BIN)/python -m tools.data_model docs/data-model.md
	@$(BIN)/python -m tools.dashboard resources/warehouse/answers.lvdash.json
	@$(BIN)/python -m tools.alerts resources/warehouse

.PHONY: docs-site
docs-site: $(VENV)/installed ## build the documentation site in work/site; a broken link is an error
	@test -x $(BIN)/mkdocs || $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[site]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo 'the site is in work/site: open work/site/index.html'

.PHONY: lab
lab: $(VENV)/installed ## open the notebooks in JupyterLab, with generated posts
	@test -x $(BIN)/jupyter-lab || $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[lab]'
	@PINLAKE_SOURCE=$(CURDIR)/$(WORK)/lab/dump PINLAKE_LAKE=$(CURDIR)/$(WORK)/lab/lake JUPYTER_PATH=$(CURDIR)/.jupyter \
		PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/jupyter lab notebooks/00_start_here.ipynb

.PHONY: notebooks
notebooks: $(VENV)/installed ## run the notebooks, and store copies with outputs in docs/notebooks
	@$(BIN)/python -m tools.notebooks notebooks docs/notebooks

.PHONY: pictures
pictures: run ## take the picture of the report that README shows; needs chromium
	@$(BIN)/python -m tools.pictures $(WORK)/report.html docs/pictures/report.png

# For a version range, uv keeps the version that is already in the file. To upgrade it, change the file.
.PHONY: requirements
requirements: $(VENV)/installed ## generate requirements.txt from pyproject.toml
	@$(BIN)/uv pip compile --quiet --no-deps --no-header --no-annotate --extra local --extra workspace \
		--extra transports pyproject.toml -o requirements.txt

.PHONY: wheel
wheel: $(VENV)/installed ## build the wheel into dist/
	@$(BIN)/uv run --no-project --quiet --python $(BIN)/python tools/build_wheel.py

.PHONY: install
install: $(VENV)/installed ## install the environment, the program and the jars

# Check Java before the downloads, which are useless without it.
$(VENV)/installed: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python {v[0]}.{v[1]} found as $(PYTHON), 3.11 or newer is needed; install it, or name another with make PYTHON=python3.12")'
	@$(PYTHON) src/pinlake/spark/java.py
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[local,workspace,aws,transports,dev]'; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[local,workspace,aws,transports,dev]'; \
	fi
	@$(BIN)/python -m tools.set_up
	@touch $@

# For a machine that only deploys and checks: nothing that needs Java or Spark.
DEPLOY := .venv-deploy

.PHONY: deploy-tools
deploy-tools: $(DEPLOY)/installed ## install pinlake for a machine that only deploys; needs only uv, neither Java nor Spark
	@echo 'the program is $(DEPLOY)/bin/pinlake; for this shell: export PATH="$(CURDIR)/$(DEPLOY)/bin:$$PATH"'

$(DEPLOY)/installed: pyproject.toml requirements.txt
	@command -v uv >/dev/null 2>&1 || { echo "error: no program uv is on the PATH; install uv, which the bundle's build needs too: docs/workspace.md" >&2; exit 1; }
	@uv venv --quiet --allow-existing --python ">=3.11" $(DEPLOY)
	@uv pip install --quiet --python $(DEPLOY)/bin/python --constraint requirements.txt --editable '.[workspace,aws]'
	@touch $@

.PHONY: connect-python
connect-python:
	@test -n "$(CONNECT_PYTHON)"

# A separate environment, because databricks-connect conflicts with pyspark and needs older versions of pandas and
# pyarrow. The Spark server of the tests is that of $(VENV).
OLDER := grep -vE '^(pandas|pyarrow)==' requirements.txt > $(CONNECT)/requirements.txt

$(CONNECT)/installed: pyproject.toml requirements.txt
	@python="$(CONNECT_PYTHON)"; \
	if test -z "$$python"; then \
		echo "error: no Python 3.12 found, the only one that databricks-connect 17.3 takes; install it, or name it with make CONNECT_PYTHON=/path/to/python3.12 test-connect" >&2; \
		exit 1; \
	elif command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python "$$python" $(CONNECT) && $(OLDER) && \
		uv pip install --quiet --python $(CONNECT)/bin/python --constraint $(CONNECT)/requirements.txt --editable '.[databricks-connect,transports,dev]'; \
	else \
		"$$python" -m venv $(CONNECT) && $(OLDER) && \
		$(CONNECT)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(CONNECT)/requirements.txt --editable '.[databricks-connect,transports,dev]'; \
	fi
	@touch $@

# A separate environment, because Airflow pins a hundred packages. All that it needs is pinned, so another version
# takes the place of the one that is there.
$(AIRFLOWS)/installed-$(AIRFLOW): tests/airflow/requirements-$(AIRFLOW).txt
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(AIRFLOWS)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(AIRFLOWS)/bin/python $<
	@rm -f $(AIRFLOWS)/installed-* && touch $@

.PHONY: clean
clean: ## remove generated files, but not the environments
	@rm -rf $(WORK) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis lake

.PHONY: clean-all
clean-all: clean ## remove generated files and the environments
	@rm -rf $(VENV) $(CONNECT) $(AIRFLOWS) $(DEPLOY)
