// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config has the manifests that a control plane needs before Ticketflow
// runs on it.
package config

import "embed"

// Manifests are the CRDs, the roles and the admission policy.
//
//go:embed crd/bases/*.yaml rbac/*.yaml policy/*.yaml
var Manifests embed.FS
