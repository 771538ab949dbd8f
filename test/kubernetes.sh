#!/bin/bash
# Checks the manifests of packaging/kubernetes against Kubernetes' schemas, which kubectl-validate brings along, and
# sees that a wrong field fails. It builds the tool from its pinned module: minutes the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=sigs.k8s.io/kubectl-validate@v0.0.4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOBIN=$work go install "$tool"
"$work/kubectl-validate" --version 1.30 packaging/kubernetes
mkdir "$work/broken"
sed 's/terminationGracePeriodSeconds:/terminationGraceSeconds:/' packaging/kubernetes/relay.yaml >"$work/broken/relay.yaml"
if "$work/kubectl-validate" --version 1.30 "$work/broken" >"$work/out" 2>&1 || ! grep -q terminationGraceSeconds "$work/out"; then
	echo "a manifest with a wrong field passes:"
	cat "$work/out"
	exit 1
fi
