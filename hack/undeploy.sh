#!/usr/bin/env bash
# Removes what a manifest installed. Without --everything, whatever holds data
# stays: the definitions of the kinds, with all tickets, the policy that guards
# them, and the system namespace with its tokens and counters.
# Usage: undeploy.sh [--everything] MANIFEST
set -euo pipefail
kubectl=${KUBECTL:-kubectl}
everything=
[ "$1" != --everything ] || { everything=yes; shift; }
manifest=$1

# documents WANTED PATTERN: those of the manifest that are of these kinds, or with
# WANTED 0 all others.
documents() {
  awk -v wanted="$1" -v kinds="^($2)\$" '
    function flush() { if (document != "" && (kind ~ kinds) == wanted) printf "---\n%s", document; document = kind = "" }
    /^---$/ { flush(); next }
    /^kind: / { kind = $2 }
    { document = document $0 "\n" }
    END { flush() }' "$manifest"
}

if [ -n "$everything" ] && "$kubectl" get crd tickets.ticketflow.dev >/dev/null 2>&1; then
  # While the manager is there to let go of them: it keeps a workflow as long as
  # there are unfinished tickets.
  "$kubectl" delete tickets.ticketflow.dev --all --all-namespaces --timeout 5m
  "$kubectl" delete workflows.ticketflow.dev --all --all-namespaces --timeout 2m
fi
# First of all, since a namespace cannot be deleted while a group does not answer.
"$kubectl" delete apiservice v1.rest.ticketflow.dev --ignore-not-found
# Before their roles go, so that the manager can still give its lease back.
documents 1 Deployment | "$kubectl" delete --ignore-not-found --cascade=foreground --timeout 2m -f -
if [ -n "$everything" ]; then
  "$kubectl" delete --ignore-not-found --timeout 5m -f "$manifest"
else
  documents 0 'CustomResourceDefinition|Namespace|ValidatingAdmissionPolicy|ValidatingAdmissionPolicyBinding' |
    "$kubectl" delete --ignore-not-found --timeout 5m -f -
fi
