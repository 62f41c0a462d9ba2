#!/usr/bin/env bash
# Regenerates everything and fails on a difference to what is checked in.
set -euo pipefail
cd "$(dirname "$0")/.."

before=$(git status --porcelain; git diff)
hack/generate.sh
go mod tidy
for module in kubernetes image; do (cd hack/$module && go mod tidy); done
unformatted=$(gofmt -l api apiserver cmd config controllers engine hack internal test)
if [ -n "$unformatted" ]; then
  echo "not formatted; make fmt does it:"
  echo "$unformatted"
  exit 1
fi
after=$(git status --porcelain; git diff)
if [ "$before" != "$after" ]; then
  echo "what is checked in differs from what is generated; make generate and commit:"
  git status --short
  git diff --stat
  exit 1
fi
echo "Everything that is generated is up to date."
