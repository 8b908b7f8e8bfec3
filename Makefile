# What people do with Sluice, one target each. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO      ?= go
KEEP    ?=
ARCH    ?= amd64
SLICE   ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: sluice stack ## build bin/sluice and bin/sluice-local (the first time takes a quarter of an hour: it compiles Kubernetes and Temporal)

.PHONY: sluice
sluice: ## build bin/sluice alone
	@echo "building bin/sluice"
	@$(GO) build -ldflags='-s -w' -o bin/sluice ./cmd/sluice
	@mkdir -p bin/programs
	@ln -sf ../sluice bin/programs/sluice

.PHONY: stack
stack: ## build bin/sluice-local alone: Kubernetes control planes, simulated nodes and Temporal in one program
	@echo "building bin/sluice-local (Kubernetes, KWOK and Temporal; only the first time is slow)"
	@$(GO) build -C deploy/local -ldflags='-s -w' -o ../../bin/sluice-local .
	@mkdir -p bin/programs
	@$(GO) build -C deploy/local -ldflags='-s -w' -o ../../bin/programs/ ./programs/...
	@$(GO) build -C probes -ldflags='-s -w' -o ../bin/programs/ .

# Twice, and compared: who builds a commit himself can tell whether an image is of it.
.PHONY: image
image: ## build bin/image/sluice-linux-amd64.oci.tar, a container image, with a bill of what it is made of; ARCH=arm64 for another
	@$(GO) build -C tools -o ../bin/tools/ ./image
	@for build in 1 2; do \
		echo "building an image for linux/$(ARCH), $$build of 2"; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -trimpath -buildvcs=true -ldflags='-s -w -buildid=' \
			-o bin/image/$$build/sluice ./cmd/sluice; \
		bin/tools/image --program bin/image/$$build/sluice --out bin/image/$$build --arch $(ARCH) \
			--release "$$(git describe --tags --always --dirty)" --revision "$$(git rev-parse HEAD)" --epoch "$$(git log -1 --format=%ct)"; \
	done
	@cmp bin/image/1/sluice-linux-$(ARCH).oci.tar bin/image/2/sluice-linux-$(ARCH).oci.tar
	@mv bin/image/1/sluice-linux-$(ARCH).* bin/image/
	@rm -r bin/image/1 bin/image/2
	@echo "bin/image/sluice-linux-$(ARCH).oci.tar: both are the same"

.PHONY: vuln
vuln: ## ask the Go vulnerability database about what sluice calls; needs vuln.go.dev, or GOVULNDB=file:///FOLDER with a copy
	@$(GO) build -C tools -o ../bin/tools/ golang.org/x/vuln/cmd/govulncheck
	@bin/tools/govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

.PHONY: programs
programs: ## install the system programs that the demo needs, where we are root on Debian; else name them
	@.ci/install prometheus

.PHONY: demo
demo: programs build ## watch a component travel through five clusters, and bad versions be stopped; KEEP=1 leaves the stack up, FULL=1 has people approve and freeze, and read what probes know, too
	@bin/sluice demo $(if $(KEEP),--keep) $(if $(FULL),--full)

.PHONY: demo-short
demo-short: programs build ## the demo on three small clusters
	@bin/sluice demo --short

# Two lanes beside each other: packages that take minutes wait for control planes, Temporal and nodes, and leave the cores to the others.
# They print each test. Vetting is of `make check`; without debug information, linking takes half as long.
LONG      = ./internal/e2e ./internal/workload/drivers
GOTESTSUM = $(CURDIR)/bin/tools/gotestsum --format-hide-empty-pkg
TESTFLAGS = -vet=off -ldflags='-s -w'

.PHONY: test
test: build tools ## run every test; those that lack a system program are skipped by name and listed at the end
	@echo "of the simulated rollouts, the slice of commit $(SLICE) is played (make test SLICE=... plays another's)"
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-long test-rest

.PHONY: test-long
test-long:
	@$(GOTESTSUM) --format testname -- $(TESTFLAGS) -timeout 30m -p 1 $(LONG)
	@cd deploy/local && $(GOTESTSUM) --format testname -- $(TESTFLAGS) -timeout 20m -p 1 ./...
	@cd probes && $(GOTESTSUM) --format testname -- $(TESTFLAGS) -timeout 10m -p 1 ./...

.PHONY: test-rest
test-rest:
	@others=$$($(GO) list ./... | grep -v $(patsubst ./%,-e '/%$$',$(LONG))); \
		SLUICE_SLICE=$(SLICE) $(GOTESTSUM) --format pkgname -- $(TESTFLAGS) -timeout 30m -p 2 $$others
	@cd tools && $(GOTESTSUM) --format pkgname -- $(TESTFLAGS) -timeout 5m ./...
	@cd probe && $(GOTESTSUM) --format pkgname -- $(TESTFLAGS) -timeout 5m ./...

.PHONY: mutate
mutate: ## see whether the cheap tests notice mistakes: each of internal/mutate/mutations.txt, one at a time; ONLY=pattern picks some
	@$(GO) test -count=1 -v -timeout 120m ./internal/mutate -run TestMutations -mutate -only "$(ONLY)"

.PHONY: exhaustive
exhaustive: ## play all simulated rollouts of the comparison with a baseline: 1,000 without a change and 1,000 with, of each kind
	@$(GO) test -count=1 -v -timeout 60m ./internal/baseline -run TestFalseStopsAndFoundFaults -exhaustive

.PHONY: bench
bench: build ## print speed, memory and API requests against their limits; BIG=1 runs a stage of 2,000 fake clusters instead
ifdef BIG
	@BIG=$(BIG) $(GO) test -run "^$$" -bench BigStage -benchtime 1x -timeout 60m ./internal/e2e
else
	@$(GO) test -run "^$$" -bench 'Limits|Ratio|BatchGap|Requests|LedgerWrites' -benchtime 1x -timeout 30m \
		./internal/plan ./pipelines/rule ./internal/check ./internal/ledger/postgres ./internal/server ./internal/agent ./internal/prober ./internal/e2e
endif

.PHONY: histories
histories: build ## write the histories of the integration tests' runs into the folder of the newest shape; SHAPE=N names it
	@test -n "$(SHAPE)" || { echo "which shape? make histories SHAPE=3 (the newest of workflows/shape)"; exit 1; }
	@test ! -e workflows/testdata/histories/$(SHAPE)/SHA256SUMS || { echo "shape $(SHAPE) is closed: a change of what workflows ask for needs a new shape"; exit 1; }
	@mkdir -p workflows/testdata/histories/$(SHAPE)
	@SLUICE_RECORD_HISTORIES=$(CURDIR)/workflows/testdata/histories/$(SHAPE) $(GO) test -count=1 -timeout 20m ./internal/e2e

.PHONY: close-shape
close-shape: ## write down the sums of a shape's histories: from then on they stay as they are; SHAPE=N names it
	@cd workflows/testdata/histories/$(SHAPE) && test ! -e SHA256SUMS && sha256sum *.json.gz > SHA256SUMS

.PHONY: tools
tools: ## build the pinned tools (tools/go.mod) into bin/tools
	@mkdir -p bin/tools
	@$(GO) build -C tools -o ../bin/tools/ tool

.PHONY: fmt
fmt: ## format all Go files
	@gofmt -w $$(git ls-files -co --exclude-standard '*.go')

.PHONY: check
check: tools ## formatting, vet, staticcheck and Temporal's workflowcheck
	@echo "gofmt"; out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$out" ]; then echo "not formatted: $$out"; exit 1; fi
	@echo "go vet"; $(GO) vet ./...
	@echo "go vet deploy/local"; $(GO) vet -C deploy/local ./...
	@echo "go vet tools"; $(GO) vet -C tools ./...
	@echo "go vet probe"; $(GO) vet -C probe ./...
	@echo "go vet probes"; $(GO) vet -C probes ./...
	@echo "staticcheck"; bin/tools/staticcheck ./...
	@echo "staticcheck probe"; cd probe && ../bin/tools/staticcheck ./...
	@echo "staticcheck probes"; cd probes && ../bin/tools/staticcheck ./...
	@echo "workflowcheck"; bin/tools/workflowcheck -config workflowcheck.yaml ./workflows/...

.PHONY: ci
ci: build check test demo-short ## what CI runs

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin out
