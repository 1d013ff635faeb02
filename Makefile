# `make` prints what there is. Each target sets up what it needs: git, make and Python 3.11 are enough.

UV_VERSION := 0.13.8
# A uv of our own, where the machine has none. It stands outside the clone, so that the next clone needs no network.
UV_HOME := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dvckit/uv-$(UV_VERSION)
UV := $(if $(shell uv --version 2>/dev/null),$(shell command -v uv),$(UV_HOME)/bin/uv)
RUN := "$(UV)" run --locked --quiet
SYNC := "$(UV)" sync --locked --quiet --inexact
REPAIR := $(RUN) --no-sync python -I -m dvckit.doctor.installed "$(UV)"

.DEFAULT_GOAL := help
.PHONY: help reproduce test verify faults system image check bench bench-scale docs hooks env dev uv

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Data under `dvc add` that are not here come from the remote.
reproduce: env ## set up, run both pipelines, print the scores beside the baselines and where the report is
	@$(RUN) dvckit check
	@git -c core.quotePath=false ls-files '*.dvc' | while IFS= read -r file; do test -e "$${file%.dvc}" || $(RUN) dvckit data pull "$$file" || exit; done
	@$(RUN) dvc repro --all-pipelines
	@$(RUN) dvckit summary

test: dev ## the tests (at most 10 minutes on two cores)
	@$(RUN) pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

verify: env ## reproduce HEAD in an empty clone and compare every byte with dvc.lock
	@$(RUN) dvckit verify

faults: dev ## the long tests: commands of the docs, simulations, full disk, Ctrl-C and kill in every stage, other machines
	@$(RUN) pytest -m faults --numprocesses 3 --dist loadfile --no-loadscope-reorder

system: dev ## tests with real servers, trackers and a browser; Debian: apt install chromium chromium-driver openssh-server
	@$(RUN) pytest -m system --numprocesses 3 --dist loadfile --no-loadscope-reorder

image: dev ## build the container image and test it, with docker or the tool that IMAGE_TOOL names
	@$(RUN) pytest -m image

check: dev ## lint, types, layers, declared dependencies
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache
	@$(RUN) deptry titanic
	@cd packages/dvckit && $(RUN) deptry src

bench: dev ## time commands and long tables, as ratios to the bare work in the same run; kill runs and recover them
	@$(RUN) python tests/bench.py
	@$(RUN) python tests/bench_models.py
	@$(RUN) python tests/bench_data.py
	@$(RUN) python tests/bench_kills.py
	@$(RUN) pytest -m fuzz --numprocesses 2
	@$(RUN) python tests/bench_sweep.py
	@$(RUN) python packages/dvckit/tests/compare/simulation.py

bench-scale: dev ## ten million rows in partitions: workers, memory, a new part, accuracy; takes hours
	@$(RUN) python tests/bench_scale.py

docs: dev ## write what derives from the schema, and build the documentation into site/
	@$(RUN) dvckit dictionary
	@$(RUN) mkdocs build --quiet --strict --config-file docs/mkdocs.yml

hooks: env ## let git run `dvc checkout`, `dvc status` and `dvc push` at its own checkout, commit and push, and merge dvc.lock
	@$(RUN) dvckit hooks

# A killed set-up leaves half an environment, or packages without some of their files, dvckit among them; uv sees none of it.
# As every command of dvckit, the last line also lets DVC find the embedded remote from every revision.
env: uv
	@command -v git >/dev/null || { echo "error: git is not installed; install it (Debian: apt install git)" >&2; exit 1; }
	@git rev-parse --git-dir >/dev/null || { echo "error: $(CURDIR) is not a git clone of yours; get it with git clone" >&2; exit 1; }
	@test ! -e .venv -a ! -L .venv || .venv/bin/python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || rm -rf .venv
	@$(SYNC)
	@$(REPAIR) 2>/dev/null || { rm -rf .venv/lib/python*/*/dvckit-*.dist-info; $(SYNC) && $(REPAIR); }
	@$(RUN) dvckit libraries

dev: env
	@"$(UV)" sync --locked --quiet --group dev

# It is put in its place as a whole: what a kill leaves of it is no uv.
uv:
	@"$(UV)" --version >/dev/null 2>&1 || { \
		for python in python3.11 python3 python ""; do \
			"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && break; \
		done; \
		test -n "$$python" || { echo "error: there is neither uv nor Python 3.11 on PATH; install one of them" >&2; exit 1; }; \
		new="$(UV_HOME)/$$$$"; "$$python" -m venv "$$new" && \
		"$$new/bin/pip" install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
		mkdir -p "$(UV_HOME)/bin" && rm -rf "$(UV_HOME)/bin/uv" && mv "$$new/bin/uv" "$(UV_HOME)/bin/uv" && rm -rf "$$new"; }

.DEFAULT:
	@echo "error: there is no target '$@'; these are:" >&2
	@$(MAKE) --no-print-directory help >&2
	@exit 2
