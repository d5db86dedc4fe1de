SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Steps run one after the other: each uses all cores by itself, and their output stays readable.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
# A clean clone is built once: what is kept there for the next build, or for a debugger, takes time and
# fills the disk.
ifdef CI
export CARGO_INCREMENTAL := 0
export CARGO_PROFILE_DEV_DEBUG := 0
endif

TARGET := $(or $(CARGO_TARGET_DIR),target)
OPENLINE := $(abspath $(TARGET))/debug/openline
PYTHON := .work/venv/bin/python
FUZZ_SECONDS ?= 60
DELIVERY_SEEDS ?= 1
SOAK_MINUTES ?= 60

say = @printf '\n== %s\n' '$(1)'

##@ Use

run: ## Build the server and serve http://127.0.0.1:8000 (needs Rust alone)
	cargo run --release -p openline -- serve

web: web/node_modules/.package-lock.json ## Build the pages, web/src to web/dist
	$(call say,Pages: build)
	cd web && npm run build

##@ Check

check: fmt clippy tidy unit ## The quick gate: format, lints, rules, unit tests (needs Rust alone)

test: setup fmt clippy tidy unit brokers wasm web-check sdk-check programs autobahn-quick delivery peers ## All that a change must pass

check-all: test long delivery-all faults bugs conformance doc deny fuzz ## test, and all that takes longer

conformance: setup programs ## All 517 Autobahn cases: server, client, server through HAProxy over HTTP/2
	$(call say,Autobahn: all cases against the server)
	$(PYTHON) conformance/autobahn.py server --bin $(OPENLINE) --cases all
	$(call say,Autobahn: all cases against the client)
	$(PYTHON) conformance/autobahn.py client --bin $(TARGET)/debug/examples/autobahn_client --cases all
	$(call say,Autobahn: all cases against the server through HAProxy over HTTP/2)
	$(PYTHON) conformance/autobahn.py server --bin $(OPENLINE) --cases all --via-haproxy

bench: ## Measure Openline beside its peers and write bench/RESULTS.md
	python3 bench/run.py

soak: setup ## Have the server work for SOAK_MINUTES (60) and judge whether it stays as it was; writes bench/SOAK.md
	$(call say,Soak: $(SOAK_MINUTES) minutes)
	cargo build --release -p openline --locked
	OPENLINE_BIN=$(abspath $(TARGET))/release/openline $(PYTHON) bench/soak --minutes $(SOAK_MINUTES)

release: ## Build what is handed out: a static program, its manual, licences, checksums
	$(call say,Release: a static program and what goes with it)
	packaging/release.sh $(TARGET)/dist

##@ Single steps

setup: ## Install what the conformance suite needs: Python and JavaScript peers, Chromium, Xvfb, proxies, brokers
	$(call say,Set-up of the conformance suite)
	conformance/setup.sh

fmt: ## Check the format
	$(call say,Format)
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path bench/Cargo.toml --all --check

clippy: ## Lint, with warnings as errors
	$(call say,Lints)
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

tidy: ## Check the repository's own rules
	$(call say,Rules of the repository)
	cargo test -p tidy --locked --quiet

unit: ## Run the crates' tests
	$(call say,Tests of the crates)
	cargo test --workspace --exclude tidy --all-features --locked --quiet

brokers: setup ## Run the tests that need redis-server and nats-server
	$(call say,Tests against Redis and NATS)
	cargo test --workspace --exclude tidy --all-features --locked --quiet --lib -- --ignored broker:: faults::broker_server

long: setup sdk/typescript/node_modules/.package-lock.json ## Run the tests that take minutes: 100 kills, 1,000 cuts
	$(call say,Long tests)
	cargo test -p openline-server --locked --test cuts -- --ignored --test-threads=1
	cargo test -p openline --locked --test durability -- --ignored
	cargo test -p openline-client --locked --test cuts -- --ignored
	cargo build -p openline --locked
	cargo build -p openline-client --example storm --locked
	cd sdk/typescript && OPENLINE_BIN=$(OPENLINE) npm run test:soak
	OPENLINE_BIN=$(OPENLINE) .work/venv/bin/pytest -m long conformance/tests

delivery: programs sdk/typescript/node_modules/.package-lock.json ## Hold what clients see to the delivery promise: a seed on each broker
	$(call say,Delivery: DELIVERY_SEEDS=$(DELIVERY_SEEDS) on each broker)
	cd sdk/typescript && npm run build
	testkit/delivery.sh $(TARGET)/debug $(TARGET)/delivery $(DELIVERY_SEEDS)

delivery-all: ## The same with ten seeds
	$(MAKE) delivery DELIVERY_SEEDS="$$(seq -s ' ' 1 10)"

faults: setup programs ## Test what breaks things for the delivery checker (needs root)
	$(call say,Faults: each does what it says)
	OPENLINE_BIN=$(OPENLINE) cargo test -p openline-check --lib --locked --quiet -- --ignored faults::

bugs: setup programs ## Have the delivery checker find ten bugs that are put in on purpose, on each broker
	$(call say,Seeded bugs: embedded and Redis and NATS)
	$(TARGET)/debug/openline-check bugs --broker embedded --bin $(OPENLINE) --out .work/bugs/embedded
	$(TARGET)/debug/openline-check bugs --broker redis --nodes 2 --bin $(OPENLINE) --out .work/bugs/redis
	$(TARGET)/debug/openline-check bugs --broker nats --nodes 2 --bin $(OPENLINE) --out .work/bugs/nats

wasm: ## Build the pure crates for a machine without sockets and clocks
	$(call say,The pure crates for wasm32)
	rustup target add wasm32-unknown-unknown
	cargo build -p openline-ws-proto -p openline-protocol -p openline-engine --target wasm32-unknown-unknown --locked

web-check: web/node_modules/.package-lock.json ## Check the pages, and that web/dist is what web/src builds to
	$(call say,Pages: types and built output and tests)
	cd web && npm run check && npm test

sdk-check: sdk/typescript/node_modules/.package-lock.json ## Check the TypeScript SDK: types, tests, sizes
	$(call say,TypeScript SDK: types and tests and sizes)
	cd sdk/typescript && npm run check && npm test && npm run size

programs: ## Build what the conformance suite runs
	$(call say,Programs under test)
	cargo build --workspace --exclude tidy --all-features --bins --examples --locked

autobahn-quick: setup programs ## 331 of the Autobahn cases, server and client
	$(call say,Autobahn: quick selection against the server)
	$(PYTHON) conformance/autobahn.py server --bin $(OPENLINE) --cases quick
	$(call say,Autobahn: quick selection against the client)
	$(PYTHON) conformance/autobahn.py client --bin $(TARGET)/debug/examples/autobahn_client --cases quick

peers: setup programs sdk/typescript/node_modules/.package-lock.json ## Talk to real peers: other libraries, a browser, proxies
	$(call say,Real peers)
	OPENLINE_BIN=$(OPENLINE) .work/venv/bin/pytest -n 2 --dist worksteal conformance/tests
	$(call say,TypeScript SDK: against the server)
	cd sdk/typescript && OPENLINE_BIN=$(OPENLINE) npm run test:live

doc: ## Build the documentation, with warnings as errors
	$(call say,Documentation)
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --all-features --locked

deny: ## Check licences, bans and sources of dependencies
	$(call say,Dependencies: licences and bans and sources)
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check licenses bans sources

fuzz: ## Run each fuzz target for FUZZ_SECONDS (60)
	$(call say,Fuzz targets: $(FUZZ_SECONDS) s each)
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	cd fuzz && for target in $$(cargo fuzz list); do \
		mkdir -p corpus/$$target; \
		printf '\n-- %s\n' $$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run $$target corpus/$$target seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -print_final_stats=1; \
	done

help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Written by npm itself; newer than the lock file when it was installed from it.
web/node_modules/.package-lock.json: web/package-lock.json
	$(call say,Pages: tools)
	cd web && npm ci --no-audit --no-fund
	touch $@

sdk/typescript/node_modules/.package-lock.json: sdk/typescript/package-lock.json
	$(call say,TypeScript SDK: tools)
	cd sdk/typescript && npm ci --no-audit --no-fund
	touch $@

.PHONY: run web check test check-all conformance bench release soak setup fmt clippy tidy unit brokers long delivery delivery-all faults bugs wasm web-check sdk-check \
	programs autobahn-quick peers doc deny fuzz help
