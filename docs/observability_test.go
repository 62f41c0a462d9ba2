// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/internal/metrics"
)

// described are the parts of what a metric says of itself, which it tells as
// text alone.
var described = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "([^"]*)",.*variableLabels: \{([^}]*)\}`)

// measured is one metric.
type measured struct {
	name, kind, help string
	labels           []string
}

// row is how the document tells of a metric.
func (m measured) row() string {
	labels := "–"
	if len(m.labels) > 0 {
		labels = "`" + strings.Join(m.labels, "` `") + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", m.name, m.kind, labels, m.help)
}

// everything is all that the code measures, by name.
func everything(t *testing.T) map[string]measured {
	t.Helper()
	all := map[string]measured{}
	for _, collector := range metrics.All() {
		kind := "gauge"
		switch collector.(type) {
		case *prometheus.CounterVec:
			kind = "counter"
		case *prometheus.HistogramVec:
			kind = "histogram"
		}
		descs := make(chan *prometheus.Desc, 100)
		collector.Describe(descs)
		close(descs)
		for desc := range descs {
			parts := described.FindStringSubmatch(desc.String())
			if parts == nil {
				t.Fatalf("%s is not understood", desc)
			}
			m := measured{name: parts[1], kind: kind, help: parts[2]}
			if parts[3] != "" {
				m.labels = strings.Split(parts[3], ",")
			}
			all[m.name] = m
		}
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEachMetricIsDocumentedAsItIs(t *testing.T) {
	var want []string
	for _, m := range everything(t) {
		want = append(want, m.row())
		if (m.kind == "counter") != strings.HasSuffix(m.name, "_total") || !strings.HasPrefix(m.name, "ticketflow_") {
			t.Errorf("%s is no name for a %s", m.name, m.kind)
		}
		for _, label := range m.labels {
			if !slices.Contains(bounded, label) {
				t.Errorf("%s has the label %s, which may have no end of values", m.name, label)
			}
		}
	}
	got := regexp.MustCompile("(?m)^\\| `ticketflow_.*$").FindAllString(read(t, "observability.md"), -1)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the code (-) and observability.md (+) differ:\n%s", diff)
	}
}

// bounded are the labels whose values come from sets that have an end.
var bounded = []string{
	"namespace", "workflow", "state", "progress", "from", "to", "transition", "action", "kind", "notifier",
	"type", "outcome", "reason", "route", "method", "code",
}

// foreign are the metrics of others that alerts and the dashboard use; the
// manager's suite looks that they are served.
var foreign = map[string][]string{
	"up": {"job"},
	"controller_runtime_max_concurrent_reconciles": {"controller"},
	"controller_runtime_reconcile_errors_total":    {"controller"},
	"workqueue_depth": {"name"},
}

// checkQuery looks that a query is one, and that the metrics and labels in it
// are there.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$workflow", ".*").Replace(query)
	expression, err := parser.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	known, used := everything(t), map[string]bool{}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, ok := labelsOf(known, selector.Name)
		if !ok {
			t.Errorf("%s: there is no metric %s", where, selector.Name)
		}
		for _, label := range labels {
			used[label] = true
		}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != "__name__" && !slices.Contains(labels, matcher.Name) {
				t.Errorf("%s: %s has no label %s", where, selector.Name, matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if grouping, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range grouping.Grouping {
				if !used[label] {
					t.Errorf("%s: it is grouped by %s, which no metric in it has", where, label)
				}
			}
		}
		return nil
	})
}

func labelsOf(known map[string]measured, name string) ([]string, bool) {
	if labels, ok := foreign[name]; ok {
		return labels, true
	}
	if m, ok := known[name]; ok && m.kind != "histogram" {
		return m.labels, true
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if m, ok := known[strings.TrimSuffix(name, suffix)]; ok && strings.HasSuffix(name, suffix) && m.kind == "histogram" {
			return append([]string{"le"}, m.labels...), true
		}
	}
	return nil, false
}

func TestEachAlertCanFireAndSaysWhatToDo(t *testing.T) {
	var rules struct {
		Spec struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert, Expr         string
					Labels, Annotations map[string]string
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "../config/prometheus/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	document, seen := read(t, "observability.md"), 0
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			seen++
			checkQuery(t, rule.Alert, rule.Expr)
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s does not say what is wrong, and how wrong", rule.Alert)
			}
			if want := "docs/observability.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook_url"] != want {
				t.Errorf("%s: got the runbook %s, want %s", rule.Alert, rule.Annotations["runbook_url"], want)
			}
			if lines := regexp.MustCompile(`(?m)^### ` + rule.Alert + `\n\n\S`).FindString(document); lines == "" {
				t.Errorf("%s has no lines in observability.md", rule.Alert)
			}
		}
	}
	if documented := strings.Count(document, "\n### Ticketflow"); seen == 0 || documented != seen {
		t.Errorf("there are %d alerts, and %d are documented", seen, documented)
	}
}

func TestEachPanelOfTheDashboardShowsWhatIsMeasured(t *testing.T) {
	type panel struct {
		Title, Type string
		Targets     []struct{ Expr string }
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "../config/prometheus/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkQuery(t, "panel "+p.Title, target.Expr)
			shown += target.Expr + "\n"
		}
	}
	for name := range everything(t) {
		if !strings.Contains(shown, name) {
			t.Errorf("%s is on no panel", name)
		}
	}
}
