# make demo    builds, sends mail to a Microsoft 365 in a box, shows what arrived
# make check   everything that must pass before a change goes in
# make help    the other targets

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Where Go's own archive puts it, for a root whose PATH lacks it.
export PATH := $(PATH):/usr/local/go/bin
GO      ?= go
export GO
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME  ?= 10m
BENCHTIME ?= 1s

# The same sources give the same bytes wherever they are built.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

# Packages whose goroutines and processes meet each other; the others have none.
CONCURRENT = ./cache ./cmd/front ./internal/agent/... ./internal/cli ./internal/fleet ./internal/control \
	./internal/deliver ./internal/emulator ./internal/quota ./internal/route ./internal/smtpd ./internal/spool ./internal/submit

.PHONY: help build demo check format vet lint test race system crash packages deb package package-full fuzz bench microbench clean

help:
	@echo "make build            bin/sendmail and bin/m365-emulator"
	@echo "make demo             send a few messages to the emulator and show what arrived"
	@echo "make check            format, vet, staticcheck, tests, race tests, system tests, secret search"
	@echo "make test             the tests that need nothing but Go"
	@echo "make system           the tests with real peers (root, Debian, its packages)"
	@echo "make fleet-soak       20 agents of a fleet, under load and with random faults (half an hour)"
	@echo "make interop          the tests with an independent OAuth server (node 18, npm)"
	@echo "make crash            kill the program at its system calls, fill its disk (root, strace; 90 s)"
	@echo "make corpora          send other projects' messages through the program (root, Debian)"
	@echo "make peer-suites      run other mail programs' own tests against this one (root, Debian)"
	@echo "make packages         install the Debian packages that 'make check' uses"
	@echo "make callers-more     run more callers of sendmail, in a Debian of their own (root, Debian)"
	@echo "make callers-web      run web applications of Debian that send mail (root, Debian)"
	@echo "make import-peers     import files and queues that other mailers made (root, Debian)"
	@echo "make ansible          play packaging/ansible in a Debian of its own (root, Debian)"
	@echo "make check-full       make check, and all that takes longer (hours)"
	@echo "make kubernetes       check the manifests of packaging/kubernetes against Kubernetes' schemas (minutes)"
	@echo "make release          build all packages, tarballs and the image's root, install each (root)"
	@echo "make deb              build the Debian package, in build/deb"
	@echo "make package          install that package in fresh Debian 12 and 13, use it there, lintian (root)"
	@echo "make package-full     the same for all architectures, with piuparts, built twice (minutes)"
	@echo "make fuzz FUZZTIME=1m each fuzz target for that long"
	@echo "make bench            measure beside the floor and Debian's mailers, write docs/performance.md"
	@echo "make microbench       the benchmarks of the packages"
	@echo "make clean            remove what was built"

build:
	$(BUILD) -o bin/sendmail ./cmd/sendmail
	$(BUILD) -o bin/front ./cmd/front
	$(BUILD) -o bin/fleet ./cmd/fleet
	$(BUILD) -o bin/m365-emulator ./cmd/m365-emulator

demo:
	@test/packages.sh go || [ "$$?" = 3 ]
	@$(MAKE) --no-print-directory build
	@test/demo.sh

check:
	@test/check.sh

# --- the steps of make check ---

format:
	@out=$$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do [ ! -e "$$f" ] || gofmt -l "$$f"; done); \
	if [ -n "$$out" ]; then echo "not formatted (gofmt -w fixes it):"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags system ./test/...

# emulator.New is how Go tests start one; all else in a program's packages is reached by a program.
lint:
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags system ./test/...
	@dead=$$($(GO) tool deadcode ./cmd/... | sed '/internal\/emulator\/.*: New$$/d'); \
	if [ -n "$$dead" ]; then echo "no program reaches these functions:"; echo "$$dead"; exit 1; fi

# Fuzz targets run their seeds here; internal/archtest holds the tree's rules.
test:
	$(GO) test -p 2 -timeout 10m ./...

# The race detector needs cgo and a C compiler, which test/packages.sh installs.
race:
	@if command -v $${CC:-gcc} >/dev/null; then \
		set -x; CGO_ENABLED=1 $(GO) test -race -p 2 -timeout 15m $(CONCURRENT); \
	elif [ "$${CI:-}" = true ]; then echo "race tests: FAIL: no C compiler"; exit 1; \
	else echo "race tests: SKIP: no C compiler"; fi

# Most of these tests wait for other programs, not for a processor.
system: build
	$(GO) test -tags system -count=1 -timeout 10m -parallel 8 -v ./test/system/ ./test/fleet/ | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'

# 20 agents on one mailbox: five minutes of load, then ten of random faults. FLEETFLAGS="-alone /path/to/sendmail".
.PHONY: fleet-soak
fleet-soak: build
	$(GO) vet -tags soak ./test/fleet/ && $(GO) tool staticcheck -tags soak ./test/fleet/
	$(GO) test -tags soak -count=1 -timeout 60m -v ./test/fleet/ $(FLEETFLAGS)

# npm asks its registry the first time, and when package-lock.json has changed.
.PHONY: interop
interop:
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		cd test/interop; \
		[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund; \
		$(GO) vet -tags interop . && $(GO) tool staticcheck -tags interop . && $(GO) test -tags interop -count=1 -timeout 2m .; \
	elif [ "$${CI:-}" = true ]; then echo "interop tests: FAIL: no node or npm (apt-get install nodejs npm)"; exit 1; \
	else echo "interop tests: SKIP: no node or npm"; fi

# Test messages of other projects, fetched at pinned versions; CORPORAFLAGS=-update writes docs/corpora.md.
.PHONY: corpora
corpora: build
	test/packages.sh --yes corpora
	test/corpora/fetch.sh build/corpora/fetched
	$(GO) vet -tags corpora ./test/corpora/ && $(GO) tool staticcheck -tags corpora ./test/corpora/
	$(GO) test -tags corpora -count=1 -timeout 30m ./test/corpora/ $(CORPORAFLAGS)

# Other mail programs' own suites, fetched at pinned versions; PEERFLAGS=-update writes docs/peer-suites.md.
.PHONY: peer-suites
peer-suites: build
	test/packages.sh --yes peers
	test/peers/fetch.sh build/peers
	$(GO) vet -tags peers ./test/peers/ && $(GO) tool staticcheck -tags peers ./test/peers/
	$(GO) test -tags peers -count=1 -timeout 15m ./test/peers/ $(PEERFLAGS)

# Programs, web applications and mailers of Debian in systems of their own; CALLERSFLAGS=-update writes docs/callers-*.md.
.PHONY: callers-more callers-web import-peers ansible
TEST_callers-more = More
TEST_callers-web = Web
TEST_import-peers = ImportPeers
TEST_ansible = Ansible
callers-more callers-web import-peers ansible: build
	test/packages.sh --yes callers
	$(GO) vet -tags callers ./test/callers/ && $(GO) tool staticcheck -tags callers ./test/callers/
	$(GO) test -tags callers -count=1 -timeout 30m -run '^Test$(TEST_$@)$$' ./test/callers/ $(CALLERSFLAGS)

# All judges that take longer than "make check" may: tens of minutes, hours for the crash tests. Nothing is skipped.
.PHONY: check-full
check-full:
	test/packages.sh --yes go system deb full
	CI=true $(MAKE) check
	$(MAKE) corpora peer-suites callers-more callers-web import-peers ansible package-full
	$(MAKE) crash CRASHFLAGS="-long -timeout 3h"

# The manifests of packaging/kubernetes against Kubernetes' schemas.
.PHONY: kubernetes
kubernetes:
	test/kubernetes.sh

# Kills, broken and full disks; CRASHFLAGS="-long -timeout 3h" takes every point.
CRASHFLAGS ?= -timeout 10m
crash:
	$(GO) vet -tags crash ./test/crash/
	$(GO) test -tags crash -count=1 -v ./test/crash/ $(CRASHFLAGS) | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'

# --- the rest ---

packages:
	test/packages.sh --yes go system deb

deb:
	packaging/deb/packages.sh
	packaging/deb/build.sh

# Built for this machine alone, and installed in Debian systems of its own. Two tests for
# each processor: dpkg works half of the time and waits the other half.
package:
	packaging/deb/packages.sh
	packaging/release.sh $$($(GO) env GOHOSTARCH)
	packaging/deb/lint.sh
	$(GO) vet -tags package ./test/package/ && $(GO) tool staticcheck -tags package ./test/package/
	$(GO) test -tags package -count=1 -timeout 15m -parallel $$(($$(nproc) * 2)) -v ./test/package/ | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'

# All files that users get, in build/release, and each installed in a system of its own.
.PHONY: release
release:
	packaging/deb/packages.sh
	packaging/release.sh
	$(GO) test -tags package -count=1 -timeout 15m -v ./test/package/ \
		-run 'TestRelease|TestRPM|TestAPK|TestTarball|TestContainerRoot' | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'

package-full: release
	packaging/deb/check.sh
	packaging/twice.sh
	$(GO) test -tags package -count=1 -timeout 30m -parallel $$(($$(nproc) * 2)) -v ./test/package/ | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'

fuzz:
	FUZZTIME=$(FUZZTIME) GO=$(GO) test/fuzz.sh

bench: build
	$(BUILD) -o build/bench/floor ./bench/cmd/floor
	$(GO) build -o bin/bench ./bench/cmd/bench
	bin/bench $(BENCHFLAGS)

microbench:
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

clean:
	rm -rf bin build
