VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PREFIX   ?= /usr/local
FUZZTIME ?= 10s
LINT     := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

TESTED   := gunicorn uvicorn hypercorn=python3-hypercorn uwsgi=uwsgi-plugin-python3 puma unicorn node=nodejs plackup=starlet \
	haproxy socat supervisord=supervisor runsv=runit
SERVERS  := gunicorn uvicorn hypercorn=python3-hypercorn uwsgi=uwsgi-plugin-python3 puma unicorn node=nodejs \
	php-fpm8.2=php8.2-fpm plackup=starlet nginx=nginx-light haproxy lighttpd caddy apache2=apache2-bin

.PHONY: run build test long race lint bench matrix fuzz install clean

run: build
	@cat examples/demo/try.txt
	@exec bin/hupwatch -c examples/demo/hupwatch.toml

build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags nethttpomithttp2 -ldflags "-s -w -X main.version=$(VERSION)" \
		-o bin/ ./cmd/hupwatch ./examples/demo ./examples/load/cmd/load

test: # installs what the tests need if it is missing and this is root on Debian
	@.ci/packages $(TESTED)
	go vet ./...
	go test -race -shuffle=on -parallel=4 -timeout=20m ./...
	go test -run '^TestSimulation(ReplaysASeedExactly)?$$' ./runner/rollout -simulation.seeds=1000

long: # what make test does a little of, for an hour
	go test -race -timeout=1h -run '^TestReloadsOfGunicorn' ./cmd/hupwatch -reloads=50
	go test -timeout=1h -run '^TestSimulation$$' ./runner/rollout -simulation.seeds=100000

race: # whatever depends on timing, ten times over
	go test -race -shuffle=on -count=10 -timeout=1h ./...

lint:
	$(LINT) run ./...

bench: build # what hupwatch costs, beside what the same takes without it; BENCH=-help
	go run ./cmd/bench -hupwatch bin/hupwatch $(BENCH)
	go test -run '^$$' -bench . -benchmem ./...

matrix: build # what reloads of real servers lose under load, each with its recipe in examples; MATRIX=-help
	@.ci/packages $(SERVERS)
	go run ./cmd/matrix $(MATRIX)

fuzz:
	@.ci/fuzz $(FUZZTIME)

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 bin/hupwatch $(DESTDIR)$(PREFIX)/bin/hupwatch

clean:
	rm -rf bin examples/*/run/ examples/gunicorn/releases examples/gunicorn/current
