// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"testing"

	"ticketflow.dev/ticketflow/internal/wire"
)

func TestFillQ32(t *testing.T) {
	values := map[string]any{
		"title": "vpn {days}", "id": float64(12345678), "days": int64(5), "rate": 2.5, "urgent": true, "unset": nil,
		"people": []any{"lilei", "guiji"}, "extra": map[string]any{"a": 1},
	}
	cases := map[string]struct{ template, want string }{
		"values stand where their keys stood":        {"To do: {title} ({id})", "To do: vpn {days} (12345678)"},
		"spaces do no harm":                          {"{ days }", "5"},
		"numbers, truths and lists are readable":     {"{days} {rate} {urgent} {people} {extra}", `5 2.5 true lilei,guiji {"a":1}`},
		"what is unset is empty":                     {"<{unset}>", "<>"},
		"Q32: a key that is not there stays visible": {"{titel}: {title.__class__}", "{titel}: {title.__class__}"},
		"double braces are braces":                   {"{{title}}", "{title}"},
		"a lone brace is itself":                     {"a { b } c {", "a { b } c {"},
		"an empty template is an empty text":         {"", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := wire.Fill(tc.template, values); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
