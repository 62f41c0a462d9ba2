// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which version of Ticketflow this is.
package version

import "runtime/debug"

// number is set by the linker: `make build` and `make image` give it VERSION.
var number string

// String is the version, such as 0.1.0. Of a program that was built without one,
// it is what the Go toolchain knows of it.
func String() string {
	if number != "" {
		return number
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
