// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package graphs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/util/validation"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/graphs"
)

var given = engine.IDs{
	Workflow: 2,
	States:   map[string]v1alpha1.WireID{"new": 5, "lead": 6, "ops": 7, "grant": 8, "confirm": 9, "end": 10},
	Transitions: map[string]v1alpha1.WireID{
		"new/submit": 1, "lead/approve": 2, "lead/reject": 3, "ops/done": 4, "grant/granted": 5, "confirm/ok": 6,
	},
	Fields: map[string]v1alpha1.WireID{"days": 1, "account": 2},
}

func name(t *testing.T, change func(*v1alpha1.Workflow)) string {
	t.Helper()
	w := fixtures.Workflow("it")
	change(w)
	revision, err := graphs.NewRevision(w, given)
	if err != nil {
		t.Fatal(err)
	}
	return revision.Name
}

func TestNewRevisionName(t *testing.T) {
	before := name(t, func(*v1alpha1.Workflow) {})
	cases := map[string]struct {
		change func(*v1alpha1.Workflow)
		same   bool
	}{
		"the same spec is the same revision":                         {change: func(*v1alpha1.Workflow) {}, same: true},
		"a later generation with the same spec is the same revision": {change: func(w *v1alpha1.Workflow) { w.Generation = 9 }, same: true},
		"suspending does not change how tickets go":                  {change: func(w *v1alpha1.Workflow) { w.Spec.Suspend = true }, same: true},
		"another spec is another revision":                           {change: func(w *v1alpha1.Workflow) { w.Spec.DisplayName = "VPN" }},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			if after := name(t, c.change); (after == before) != c.same {
				t.Errorf("%s and %s", before, after)
			}
		})
	}
}

func TestLongNames(t *testing.T) {
	for _, long := range []string{strings.Repeat("a", 253), strings.Repeat("a", 219) + "." + strings.Repeat("b", 33)} {
		got := name(t, func(w *v1alpha1.Workflow) { w.Name = long })
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 {
			t.Errorf("%s: %v", got, problems)
		}
		if problems := validation.IsValidLabelValue(graphs.LabelValue(long)); len(problems) > 0 {
			t.Errorf("%s: %v", graphs.LabelValue(long), problems)
		}
	}
}

func TestARevisionComesBackAsItWas(t *testing.T) {
	w := fixtures.Workflow("it")
	w.Spec.States[0].Label = v1alpha1.JSONObject{"large": int64(1) << 60}
	revision, err := graphs.NewRevision(w, given)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := graphs.Compile(revision)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Spec, graph.Spec, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("unexpected spec (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(given, graph.IDs); diff != "" {
		t.Errorf("unexpected ids (-want +got):\n%s", diff)
	}
	if graph.Namespace != "it" || graph.Name != "vpn" {
		t.Errorf("it became %s/%s", graph.Namespace, graph.Name)
	}
}
