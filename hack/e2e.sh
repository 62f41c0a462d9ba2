#!/usr/bin/env bash
# Runs the end-to-end suite on a node of its own, and takes it down again.
# With KEEP=yes the node stays. Where a test failed, the node's and the pods'
# logs are in dist/e2e-logs. Usage: e2e.sh [ARGUMENT OF go test...]
set -euo pipefail
cd "$(dirname "$0")/.."

result=0
hack/cluster/cluster.sh up || result=$?
if [ $result -eq 77 ]; then
  exit 0 # said why
elif [ $result -ne 0 ]; then
  exit $result
fi
finish() {
  result=$?
  if [ $result -ne 0 ]; then
    rm -rf dist/e2e-logs
    hack/cluster/cluster.sh logs dist/e2e-logs
    "$PWD/bin/kubernetes/kubectl" get events --all-namespaces >dist/e2e-logs/events.txt || true
    echo "Logs are in dist/e2e-logs."
  fi
  [ "${KEEP:-}" = yes ] || hack/cluster/cluster.sh down
  exit $result
}
trap finish EXIT
export KUBECONFIG=$PWD/.cluster/kubeconfig
make --no-print-directory build image
hack/cluster/cluster.sh load dist/ticketflow.tar
go test -tags e2e ./test/e2e -count 1 -timeout 30m "$@"
