.DEFAULT_GOAL := help
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help dev build test lint bench soak

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## Run everything on this machine
	go run ./cmd/realtime-gw dev

build: ## Build bin/realtime-gw
	go build -trimpath -o bin/realtime-gw ./cmd/realtime-gw

test: ## Install what is missing, then run all tests with the race detector
	./scripts/install-missing
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	@rm -f tests/.cache/clients.txt
	go test -race -count=1 -timeout 15m ./...; status=$$?; cat tests/.cache/clients.txt 2>/dev/null; exit $$status

lint: ## Run golangci-lint
	go run $(GOLANGCI) run

bench: ## Measure: prints the README's tables
	go run ./tests/bench

SEEDS ?= 1000

soak: ## Play the oracle's first SEEDS seeds, but for those that tests/.cache/oracle.log calls green
	ORACLE_SEEDS=$(SEEDS) go test -count=1 -timeout 0 -run 'TestSoak$$' -v ./tests/oracle
