// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds Ticketflow's resources: the workflows that platform
// teams write, the tickets that follow them, and the directory of people,
// scripts and applications around them. It does no I/O and decides nothing:
// rules about tickets live in package engine.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=ticketflow.dev
package v1alpha1
