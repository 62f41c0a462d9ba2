// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"os"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"
)

func TestWhenTheOutputIsColoured(t *testing.T) {
	cases := map[string]struct {
		terminal *bool
		noColor  bool
		env      map[string]string
		want     paint
	}{
		"in a terminal":                  {terminal: ptr.To(true), want: true},
		"not in a pipe":                  {terminal: ptr.To(false)},
		"not where it is no file":        {},
		"not with --no-color":            {terminal: ptr.To(true), noColor: true},
		"not with NO_COLOR":              {terminal: ptr.To(true), env: map[string]string{"NO_COLOR": "1"}},
		"not in a terminal without them": {terminal: ptr.To(true), env: map[string]string{"TERM": "dumb"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			for key, value := range tc.env {
				t.Setenv(key, value)
			}
			s := &session{terminal: tc.terminal, noColor: tc.noColor, IOStreams: genericiooptions.IOStreams{Out: &bytes.Buffer{}}}
			if got := s.paint(); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
		})
	}
}

// TestAPipeIsNoTerminal: nobody is asked there.
func TestAPipeIsNoTerminal(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = read.Close(), write.Close() })
	s := &session{IOStreams: genericiooptions.IOStreams{In: read, Out: write, ErrOut: write}}
	if s.isTerminal() {
		t.Error("a pipe is taken for a terminal")
	}
}
