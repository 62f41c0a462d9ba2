// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// minSecret is the shortest secret that is struck out: to strike out every
	// "a" would hide nothing and spoil everything.
	minSecret = 4
	struckOut = "***"
)

// Secrets are values that must not be in what a script says.
type Secrets []string

// NewSecrets takes values without the white space around them: a Secret made
// from a file ends with a line feed that is rarely printed.
func NewSecrets(values ...string) Secrets {
	var s Secrets
	for _, value := range values {
		if value = strings.TrimSpace(value); len(value) >= minSecret {
			s = append(s, value)
		}
	}
	// The longest first: another one may be a part of it.
	slices.SortStableFunc(s, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return s
}

// SecretsOf are the secrets among variables.
func SecretsOf(variables []Variable) Secrets {
	var values []string
	for _, variable := range variables {
		if variable.Secret {
			values = append(values, variable.Value)
		}
	}
	return NewSecrets(values...)
}

// Strike strikes the secrets out of what was said, also those of which only a
// part is left where the piece was cut, and makes it text.
func (s Secrets) Strike(said Said) string {
	pairs := make([]string, 0, 2*len(s))
	for _, secret := range s {
		pairs = append(pairs, secret, struckOut)
	}
	text := strings.NewReplacer(pairs...).Replace(string(said.Data))
	if said.CutAfter {
		text = text[:len(text)-s.overlap(text, func(secret string, n int) bool { return strings.HasSuffix(text, secret[:n]) })]
	}
	if said.CutBefore {
		text = text[s.overlap(text, func(secret string, n int) bool { return strings.HasPrefix(text, secret[len(secret)-n:]) }):]
	}
	return strings.ToValidUTF8(text, "�")
}

// overlap is the length of the longest part of a secret that is at the cut.
func (s Secrets) overlap(text string, isThere func(secret string, n int) bool) int {
	longest := 0
	for _, secret := range s {
		for n := min(len(secret)-1, len(text)); n > longest; n-- {
			if isThere(secret, n) {
				longest = n
			}
		}
	}
	return longest
}
