#!/usr/bin/env bash
# Regenerates everything that is generated and checked in.
set -euo pipefail
cd "$(dirname "$0")/.."
gen() { go tool -modfile=hack/tools/go.mod controller-gen "$@"; }
gen object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
rm -f config/crd/bases/*.yaml
# What the aggregated API serves is stored nowhere and has no CRDs.
gen crd paths=./api/v1alpha1 output:crd:artifacts:config=config/crd/bases
for part in manager apiserver; do
  sources=./controllers/...
  # All of the API server's markers stand above its backend.
  [ $part = apiserver ] && sources=./apiserver/backend
  gen rbac:roleName=ticketflow-$part,fileName=$part-role.yaml paths=$sources output:rbac:artifacts:config=config/rbac
done
# The chart's templates, by kubectl's own kustomize.
KUBECTL=$(command -v "${KUBECTL:-${KUBEBUILDER_ASSETS:-bin/kubernetes}/kubectl}") ||
  { echo "there is no kubectl to write the chart with: make kubectl builds it" >&2; exit 1; }
KUBECTL=$KUBECTL hack/chart.sh
