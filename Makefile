# `make help` lists what there is.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

KUBERNETES := bin/kubernetes
KUBECTL ?= $(CURDIR)/$(KUBERNETES)/kubectl
VERSION ?= 0.1.0
IMAGE ?= ticketflow.dev/ticketflow:$(VERSION)
# The programs say which version they are.
LDFLAGS := -X ticketflow.dev/ticketflow/internal/version.number=$(VERSION)
LINT := go tool -modfile=hack/tools/golangci/go.mod golangci-lint
# A set KUBEBUILDER_ASSETS is used instead of building Kubernetes.
export KUBEBUILDER_ASSETS ?= $(CURDIR)/$(KUBERNETES)

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make TARGET\n"} \
	  /^[a-zA-Z_-]+:.*?##/ { printf "  %-14s %s\n", $$1, $$2 } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) }' $(MAKEFILE_LIST)

##@ Use

.PHONY: run
run: build kubernetes ## Bring everything up with the samples loaded; Ctrl-C stops it.
	bin/ticketflow up --load config/samples

.PHONY: demo
demo: build kubernetes kubectl ## Walk through the README's example and check the answers.
	hack/demo.sh

##@ Development

.PHONY: test
test: kubernetes ## Run all tests, with the race detector, on a real kube-apiserver.
	go test -race -timeout 20m ./...

.PHONY: cluster-up
cluster-up: ## Bring up a real Kubernetes node for tests, on this machine; takes root.
	@hack/cluster/cluster.sh up

.PHONY: cluster-down
cluster-down: ## Take that node down, with all that it made.
	@hack/cluster/cluster.sh down

.PHONY: test-e2e
test-e2e: ## Test Ticketflow as installed on such a node; skipped, saying so, where there can be none.
	@hack/e2e.sh

.PHONY: bench
bench: build kubernetes ## Measure REST beside the raw kube-apiserver, in one table.
	go run ./hack/bench

.PHONY: bench-timers
bench-timers: build kubernetes ## Measure how 10 000 timers fire that fall due within a minute.
	go run ./hack/bench -timers 10000

.PHONY: chaos
chaos: build kubernetes ## Kill the manager at random while tickets go their ways, and check what became of them.
	go run ./hack/chaos $(CHAOS)

FUZZTIME ?= 10m
.PHONY: fuzz
fuzz: kubernetes ## Send random requests to every endpoint, and random values to the engine, for FUZZTIME each.
	go test ./apiserver/rest -timeout 0 -ginkgo.focus 'Whatever is sent' -fuzz-endpoints $(FUZZTIME)
	for target in FuzzCompile FuzzCondition; do go test ./engine -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); done

.PHONY: lint
lint: ## Check the code, the import walls included.
	$(LINT) run

.PHONY: fmt
fmt: ## Format the code.
	gofmt -w api apiserver cmd config controllers engine hack internal

.PHONY: vet
vet: ## Look for mistakes that compile.
	go vet -tags e2e ./...

.PHONY: generate
generate: ## Regenerate deepcopy, apply configurations, CRDs, roles and the chart.
	hack/generate.sh

.PHONY: verify
verify: vet ## Regenerate everything and fail on a difference.
	hack/verify.sh

##@ Build

.PHONY: build
build: ## Build the programs into bin/.
	go build -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...
	cp cmd/kubectl-ticket/kubectl_complete-ticket bin/

.PHONY: image
image: ## Make the image IMAGE of VERSION without Docker: dist/ticketflow.tar.
	mkdir -p dist
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "-s -w $(LDFLAGS)" -o dist/ticketflow ./cmd/ticketflow
	cd hack/image && go run . -program ../../dist/ticketflow -name "$(IMAGE)" -version "$(VERSION)" -arch "$$(go env GOARCH)" -output ../../dist/ticketflow.tar

.PHONY: docker-image
docker-image: ## Make the image IMAGE of VERSION with Docker.
	docker build --build-arg VERSION="$(VERSION)" --tag "$(IMAGE)" .

.PHONY: build-installer
build-installer: kubectl ## Write all manifests, with IMAGE in them, to dist/install.yaml.
	mkdir -p dist
	KUBECTL=$(KUBECTL) hack/manifests.sh "$(IMAGE)" >dist/install.yaml.new
	mv dist/install.yaml.new dist/install.yaml

##@ Deployment, to the cluster that kubectl points at

.PHONY: deploy
deploy: build-installer ## Install or upgrade Ticketflow, and wait until it serves.
	$(KUBECTL) apply --server-side --force-conflicts -f dist/install.yaml
	$(KUBECTL) rollout status --namespace ticketflow-system --timeout 5m deployment/ticketflow-manager deployment/ticketflow-apiserver
	$(KUBECTL) wait --for condition=Available --timeout 2m apiservice/v1.rest.ticketflow.dev

.PHONY: undeploy
undeploy: build-installer ## Remove Ticketflow, but keep tickets, definitions and secrets.
	KUBECTL=$(KUBECTL) hack/undeploy.sh dist/install.yaml

.PHONY: uninstall
uninstall: build-installer ## Remove Ticketflow and DELETE ALL TICKETS.
	KUBECTL=$(KUBECTL) hack/undeploy.sh --everything dist/install.yaml

##@ What is built once

.PHONY: kubernetes
kubernetes: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl, once.
	@missing=(); \
	for program in etcd kube-apiserver kube-controller-manager kubectl; do \
	  [ -x "$(KUBEBUILDER_ASSETS)/$$program" ] && [ "$(KUBEBUILDER_ASSETS)" != "$(CURDIR)/$(KUBERNETES)" ] || missing+=($$program); \
	done; \
	[ $${#missing[@]} -eq 0 ] || hack/kubernetes/build.sh $(KUBERNETES) "$${missing[@]}"

.PHONY: kubectl
kubectl: ## Build kubectl, once, unless KUBECTL names one.
	@[ "$(KUBECTL)" != "$(CURDIR)/$(KUBERNETES)/kubectl" ] || hack/kubernetes/build.sh $(KUBERNETES) kubectl

.PHONY: clean
clean: ## Remove what was built, and the data of `make run`.
	rm -rf bin dist .data
