// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFeatureIsLeftOutWhereKubeAPIServerKnowsIt(t *testing.T) {
	for title, c := range map[string]struct {
		help string
		want []string
	}{
		"a version that has it": {
			help: "--feature-gates mapStringBool\nkube:DetectCacheInconsistency=true|false (BETA - default=true)",
			want: []string{"--feature-gates=DetectCacheInconsistency=false"},
		},
		"a version that does not know it": {help: "--feature-gates mapStringBool\nkube:Another=true|false (BETA - default=true)"},
	} {
		t.Run(title, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "kube-apiserver")
			if err := os.WriteFile(program, []byte("#!/bin/sh\ncat <<'END'\n"+c.help+"\nEND\n"), 0o700); err != nil { //nolint:gosec // it is run
				t.Fatal(err)
			}
			p := &plane{programs: map[string]string{"kube-apiserver": program}}
			if diff := cmp.Diff(c.want, p.featureGates(t.Context())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
