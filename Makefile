.DEFAULT_GOAL := help
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help dev build test fuzz cover lint bench bench-embedded bench-store bench-trigger soak soak-store soak-faults

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## Run everything on this machine
	go run ./cmd/realtime-gw dev

build: ## Build bin/realtime-gw
	go build -trimpath -o bin/realtime-gw ./cmd/realtime-gw

test: ## Install what is missing, run all tests with the race detector, and fuzz for a minute
	./scripts/install-missing
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	@rm -f tests/.cache/clients.txt tests/.cache/browser.txt
	go test -race -count=1 -timeout 15m ./...; status=$$?; for table in clients browser; do echo; cat tests/.cache/$$table.txt || status=1; done; exit $$status
	./scripts/fuzz /60

FUZZTIME ?= 5m

fuzz: ## Give every fuzz target FUZZTIME, one after the other
	./scripts/fuzz $(FUZZTIME)

cover: ## Run the tests, and say how many of the program's statements they run
	./scripts/install-missing
	./scripts/cover

lint: ## Run golangci-lint
	go run $(GOLANGCI) run

bench: ## Measure what the gateway costs and spares, against its bounds: prints docs/performance.md's tables
	go run ./tests/load $(BENCH)

BENCH_EMBEDDED := go test -run '^$$' -timeout 60m ./internal/embedded

bench-embedded: ## Measure the embedded shape server, against its bounds; takes minutes
	$(BENCH_EMBEDDED) -count 3 -benchtime 1000x -bench CommitToFirstByte
	$(BENCH_EMBEDDED) -count 3 -benchtime 10s -bench ChangeAmongShapes
	$(BENCH_EMBEDDED) -v -benchtime 1x -bench 'TenThousandShapes|MillionChanges'

SEEDS ?= 1000

soak: ## Play the oracle's first SEEDS seeds, but for those that tests/.cache/oracle.log calls green
	ORACLE_SEEDS=$(SEEDS) go test -count=1 -timeout 0 -run 'TestSoak$$' -v ./tests/oracle

CHECKS ?= 1000

soak-store: ## Hold the run store against its model with CHECKS seeds, on databases of two collations
	go test -count=1 -timeout 0 -run 'TestModel$$|TestNothingForeign$$' -v ./internal/runstore -rapid.checks=$(CHECKS)

bench-store: ## Measure the run store on a million runs in each table, and the trigger path; takes minutes
	go test -run '^$$' -timeout 60m -count 3 -benchtime 500x -bench . -v ./internal/runstore
	go test -run '^$$' -timeout 60m -count 3 -benchtime 5000x -bench . ./internal/trigger

bench-trigger: ## Measure POST trigger over HTTP, with Postgres and Redis beside it, and what takes the time; on Linux
	go test -run '^$$' -timeout 30m -benchtime 1x -bench TriggerOverHTTP ./tests/platform

soak-faults: ## Have the upstream fail in every way, for up to a minute each; takes about 40 minutes
	FAULTS_LONG=1 go test -count=1 -timeout 0 -v ./tests/faults
