// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package script_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

func TestSecretsAreStruckOut(t *testing.T) {
	cases := map[string]struct {
		secrets []string
		said    script.Said
		want    string
	}{
		"wherever they are":                            {secrets: []string{"s3cret"}, said: said("a s3cret, s3crets"), want: "a ***, ***s"},
		"also without the line feed that ends a file":  {secrets: []string{"s3cret\n"}, said: said("s3cret!\ns3cret\n"), want: "***!\n***\n"},
		"the longer one where one is part of another":  {secrets: []string{"s3cret", "s3cret-more"}, said: said("s3cret-more"), want: "***"},
		"but not what is too short to be a secret":     {secrets: []string{"a"}, said: said("banana"), want: "banana"},
		"with the part that is left before a cut":      {secrets: []string{"s3cret"}, said: script.Said{Data: []byte("x s3cr"), CutAfter: true}, want: "x "},
		"with the part that is left after a cut":       {secrets: []string{"s3cret"}, said: script.Said{Data: []byte("cret x"), CutBefore: true}, want: " x"},
		"whole, where a whole one is at the cut":       {secrets: []string{"abcabc"}, said: script.Said{Data: []byte("x abcabc"), CutAfter: true}, want: "x ***"},
		"also where it has bytes that are no text":     {secrets: []string{"s3\xffret"}, said: said("s3\xffret \xff"), want: "*** �"},
		"and what looks like a part stays without cut": {secrets: []string{"s3cret"}, said: said("s3cr"), want: "s3cr"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := script.NewSecrets(c.secrets...).Strike(c.said); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func said(text string) script.Said { return script.Said{Data: []byte(text)} }

func TestResults(t *testing.T) {
	secrets := script.NewSecrets("s3cret")
	cases := map[string]struct{ got, want script.Result }{
		"what was said is the comment": {
			got: script.Succeeded(nil, secrets, said("done s3cret\n")), want: script.Result{Succeeded: true, Message: "done ***\n"},
		},
		"what was said at length is cut": {
			got:  script.Succeeded(nil, secrets, script.Said{Data: []byte("abc s3c"), CutAfter: true}),
			want: script.Result{Succeeded: true, Message: "abc …"},
		},
		"a result sets fields and the comment, without secrets": {
			got:  script.Succeeded([]byte(`{"fields": {"n": 3}, "comment": "s3cret"}`), secrets, said("noise")),
			want: script.Result{Succeeded: true, Message: "***", Fields: v1alpha1.JSONObject{"n": int64(3)}},
		},
		"a result that is no JSON is a failure that tells what was said last": {
			got:  script.Succeeded([]byte(`{"fields": [`), secrets, said("first"), said("last s3cret")),
			want: script.Result{Message: "the result is not the JSON that is expected: unexpected end of JSON input: last ***"},
		},
		"fields that are no object are a failure": {
			got:  script.Succeeded([]byte(`{"fields": 3}`), secrets, said("")),
			want: script.Result{Message: "the result is not the JSON that is expected: json: cannot unmarshal number into Go struct field .fields of type map[string]interface {}"},
		},
		"a failure that says why needs no exit status that says nothing": {
			got: script.Failed("exit status 1", secrets, said("why\n")), want: script.Result{Message: "why"},
		},
		"a failure that says nothing has its exit status": {
			got: script.Failed("exit status 1", secrets, said(" \n")), want: script.Result{Message: "exit status 1"},
		},
		"a failure tells the first that says anything": {
			got: script.Failed("exit status 3", secrets, said(" \n"), said("why\n")), want: script.Result{Message: "exit status 3: why"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("unexpected result (-want +got):\n%s", diff)
			}
		})
	}
	long := script.Succeeded(nil, nil, said(strings.Repeat("x", 20<<10)))
	if len(long.Message) > script.MaxMessage {
		t.Errorf("the message has %d bytes", len(long.Message))
	}
}
