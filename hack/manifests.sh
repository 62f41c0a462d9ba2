#!/usr/bin/env bash
# Writes the manifests of config/default, with an image's name put in, to the
# standard output. Usage: manifests.sh IMAGE [KUSTOMIZATION]
set -euo pipefail
image=$1
base=${2:-config/default}
cd "$(dirname "$0")/.."
mkdir -p dist
overlay=$(mktemp -d dist/overlay.XXXXXX)
trap 'rm -rf "$overlay"' EXIT
# The name ends where the tag begins: a colon before it belongs to a port.
tag=${image##*/}
case $tag in
*:*) tag=${image##*:} name=${image%:*} ;;
*) tag=latest name=$image ;;
esac
cat >"$overlay/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../$base]
images: [{name: ticketflow, newName: "$name", newTag: "$tag"}]
END
"${KUBECTL:-kubectl}" kustomize "$overlay"
