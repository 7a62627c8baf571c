# The same checks that CI runs. Nothing but Go is needed.
STATICCHECK ?= go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED = 0

.PHONY: build check format vet staticcheck test race deploy-check docs

build:
	go build -o vigil ./cmd/vigil

check: format vet staticcheck test

format:
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...

staticcheck:
	$(STATICCHECK) ./...

test:
	go test -timeout 30m ./...
	cd proofs/ifma/gen && go test ./...

# The race detector needs a C compiler; proofs/ is left out because it is pure
# arithmetic and ten times slower under it.
race:
	CGO_ENABLED=1 go test -race $$(go list ./... | grep -v -e /proofs/ -e '/interop$$')

# Lets Prometheus's own parser read what is in deploy/, and plays its rules. It is a
# module of its own because its dependencies are many.
deploy-check:
	cd deploy/check && go test ./...

# Writes the pages that are generated from the code.
docs:
	go test . ./alarm -update
	go test ./app -run TestThePageOfMetrics -update
	go test ./cmd/vigil -run ThePageOfCommands -update
