// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1 holds what the aggregated API serves and reads. Nothing of it is
// stored: tickets are as a Kubernetes user may see them, actions are what such a
// user asks for.
//
// +kubebuilder:object:generate=true
package v1
