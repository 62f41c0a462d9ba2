#!/usr/bin/env bash
# Writes the chart's templates from the manifests in config, so that both say
# the same; config/chart_test.go looks that they do. Only what a value changes is
# written here.
set -euo pipefail
cd "$(dirname "$0")/.."
templates=charts/ticketflow/templates
mkdir -p dist "$templates"
overlay=$(mktemp -d dist/overlay.XXXXXX)
trap 'rm -rf "$overlay"' EXIT

# manifests PATH: a part of config, with the labels of config/default.
manifests() {
  cat >"$overlay/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../config/$1]
labels: [{pairs: {app.kubernetes.io/part-of: ticketflow}, includeTemplates: $2}]
END
  "${KUBECTL:-kubectl}" kustomize "$overlay" | sed -e 's/{{/{{ "{{" }}/g' -e 's/ticketflow-system/{{ .Release.Namespace }}/g'
}

# values PART: puts the values of a Deployment in.
values() {
  awk -v part="$1" '
    function arguments() {
      print "        {{- if ne .Release.Namespace \"ticketflow-system\" }}"
      print "        - --system-namespace={{ .Release.Namespace }}"
      print "        {{- end }}"
      if (part == "apiserver") {
        print "        {{- if .Values.certManager.enabled }}"
        print "        - --tls-cert-file=/tls/tls.crt"
        print "        - --tls-private-key-file=/tls/tls.key"
        print "        {{- end }}"
      }
      print "        {{- range .Values." part ".extraArgs }}"
      print "        - {{ . | quote }}"
      print "        {{- end }}"
    }
    within && !/^        - / { arguments(); within = 0 }
    skipping && /^          / { next }
    { skipping = 0 }
    /^      - args:$/ { within = 1 }
    /^  replicas: / { print "  replicas: {{ .Values." part ".replicas }}"; next }
    /^        image: / { print "        image: \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\""; next }
    /^        imagePullPolicy: / { print "        imagePullPolicy: {{ .Values.image.pullPolicy }}"; next }
    /^        resources:$/ { print "        resources: {{- toYaml .Values." part ".resources | nindent 10 }}"; skipping = 1; next }
    part == "apiserver" && /^      serviceAccountName: / {
      print "      {{- if .Values.certManager.enabled }}"
      print "      volumes: [{name: tls, secret: {secretName: ticketflow-apiserver-cert}}]"
      print "      {{- end }}"
    }
    part == "apiserver" && /^        securityContext:$/ {
      print "        {{- if .Values.certManager.enabled }}"
      print "        volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]"
      print "        {{- end }}"
    }
    part == "apiserver" && /^kind: APIService$/ { api = 1 }
    part == "apiserver" && api && /^metadata:$/ {
      print
      print "  {{- if .Values.certManager.enabled }}"
      print "  annotations: {cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/ticketflow-apiserver}"
      print "  {{- end }}"
      api = 0
      next
    }
    { print }'
}

for part in rbac policy flow-control; do
  manifests $part true >"$templates/$part.yaml"
done
# Who uninstalls a release does not thereby delete all tickets.
manifests crd true | sed '/^  annotations:$/a\    helm.sh/resource-policy: keep' >"$templates/crd.yaml"
{
  echo '{{- if .Values.networkPolicy.enabled }}'
  manifests network-policy true
  echo '{{- end }}'
} >"$templates/network-policy.yaml"
for part in manager apiserver; do
  manifests $part true | values $part >"$templates/$part.yaml"
done
{
  echo '{{- if .Values.certManager.enabled }}'
  sed -e 's/ticketflow-system/{{ .Release.Namespace }}/g' config/cert-manager/certificate.yaml
  echo '{{- end }}'
} >"$templates/certificate.yaml"
