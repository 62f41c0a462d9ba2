// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"ticketflow.dev/ticketflow/internal/plugin"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// run runs the plugin without a cluster.
func run(t *testing.T, input string, arguments ...string) (code int, out, told string) {
	t.Helper()
	var o, e bytes.Buffer
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nothing"))
	streams := genericiooptions.IOStreams{In: strings.NewReader(input), Out: &o, ErrOut: &e}
	code = plugin.Run(t.Context(), plugin.Options{IOStreams: streams}, arguments)
	return code, o.String(), e.String()
}

const sound = `apiVersion: ticketflow.dev/v1alpha1
kind: Workflow
metadata: {name: vpn}
spec:
  fields:
  - {name: days, type: Integer, validation: "self > 0"}
  states:
  - {name: new, type: Start, form: [{field: days, access: Required}], transitions: [{name: submit, to: end}]}
  - {name: end, type: End}
`

func TestCheck(t *testing.T) {
	cases := map[string]struct {
		input string
		code  int
		out   string
		told  string
	}{
		"a sound workflow": {sound, plugin.ExitOK, "-: workflow vpn is sound: 2 states, 1 fields\n", ""},
		"other objects are passed over": {"kind: Secret\napiVersion: v1\n---\n" + sound, plugin.ExitOK,
			"-: workflow vpn is sound: 2 states, 1 fields\n", ""},
		"a transition that leads nowhere": {strings.Replace(sound, "to: end", "to: nowhere", 1), plugin.ExitFailed,
			`spec.states[new].transitions[submit].to: there is no state "nowhere"`, "problems in 1 workflows"},
		"CEL that is wrong": {strings.Replace(sound, "self > 0", "self > true", 1), plugin.ExitFailed, "wrong CEL", "1 problems"},
		"a key that there is not": {strings.Replace(sound, "  fields:", "  colour: red\n  fields:", 1), plugin.ExitFailed,
			"spec.colour: there is no such key", "1 problems"},
		"a value that there is not": {strings.Replace(sound, "Integer", "Money", 1), plugin.ExitFailed,
			`spec.fields[0].type: Unsupported value: "Money": supported values:`, "problems"},
		"a rule of the CRD": {strings.Replace(sound, "type: End}", "type: End, participants: {users: [a]}}", 1), plugin.ExitFailed,
			"only a Normal state names participants", "problems"},
		"a name that is given twice": {strings.Replace(sound, "  - {name: end", "  - {name: new, type: Normal}\n  - {name: end", 1), plugin.ExitFailed,
			"spec.states[1]: Duplicate value", "problems"},
		"a key that is given twice": {"metadata: {}\n" + sound, plugin.ExitFailed, "", `key "metadata" already set`},
		"what is no YAML":           {sound + "---\n\n a: [\n", plugin.ExitFailed, "", "- is no YAML: yaml: line 1"},
		"what is no object":         {"- a\n", plugin.ExitFailed, "", "no object"},
		"no workflow":               {"kind: Secret\napiVersion: v1\n", plugin.ExitFailed, "", "there is no Workflow in [-]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, told := run(t, tc.input, "workflow", "check", "-f", "-")
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(told, tc.told) {
				t.Errorf("code %d\n%s%s", code, out, told)
			}
		})
	}
}

func TestTheSamplesAreSound(t *testing.T) {
	for _, sample := range []string{"vpn-access.yaml", "release.yaml"} {
		path := testenv.Path("config", "samples", sample)
		if code, out, told := run(t, "", "workflow", "check", "--filename", path); code != plugin.ExitOK {
			t.Errorf("%s: code %d\n%s%s", sample, code, out, told)
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	cases := map[string]struct {
		arguments string
		want      string
	}{
		"a command that there is not": {"nope", "error: there is no command \"nope\"\nSee 'kubectl ticket --help'.\n"},
		"a command that is misspelt":  {"lits", "error: there is no command \"lits\": did you mean list?\nSee 'kubectl ticket --help'.\n"},
		"a flag that there is not":    {"list --nope", "error: unknown flag: --nope\nSee 'kubectl ticket list --help'.\n"},
		"a missing ticket":            {"approve", "error: TICKET is missing\nSee 'kubectl ticket approve --help'.\n"},
		"a missing transition":        {"do 17", "error: TRANSITION is missing\nSee 'kubectl ticket do --help'.\n"},
		"one argument more":           {"show 17 18", "error: \"18\" is more than kubectl ticket show takes\nSee 'kubectl ticket show --help'.\n"},
		"a format that there is not":  {"show 17 -o xml", "error: there is no output format \"xml\": it is one of json, yaml, kyaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file\nSee 'kubectl ticket show --help'.\n"},
		"a drawing that there is not": {"graph vpn -o png", "error: there is no output format \"png\": it is one of mermaid, svg\nSee 'kubectl ticket graph --help'.\n"},
		"no file to check":            {"workflow check", "error: which file? Give one with -f; - is the standard input\nSee 'kubectl ticket workflow check --help'.\n"},
		"a workflow command":          {"workflow draw", "error: there is no command \"draw\"\nSee 'kubectl ticket workflow --help'.\n"},
		"a wrong template":            {"show 17 -o go-template={{", "error: error parsing template {{, template: output:1: unclosed action\nSee 'kubectl ticket show --help'.\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, told := run(t, "", strings.Fields(tc.arguments)...)
			if diff := cmp.Diff(tc.want, told); code != plugin.ExitUsage || out != "" || diff != "" {
				t.Errorf("code %d, output %q (-want +got):\n%s", code, out, diff)
			}
		})
	}
}

func TestNoCluster(t *testing.T) {
	cases := map[string]struct{ arguments, want string }{
		"no kubeconfig":                     {"list", "Say which cluster: set KUBECONFIG, or give --kubeconfig or --context."},
		"a kubeconfig that is not there":    {"list --kubeconfig /nothing", "Name a file that is there, with --kubeconfig or KUBECONFIG."},
		"a cluster that cannot be reached":  {"show 17 --server https://127.0.0.1:1", "Check that the cluster is up and that --context, --server or KUBECONFIG name the right one."},
		"a workflow file that is not there": {"workflow check -f /nothing", "Name a file that is there with -f."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, _, told := run(t, "", strings.Fields(tc.arguments)...)
			if code != plugin.ExitFailed || !strings.HasPrefix(told, "error: ") || !strings.Contains(told, tc.want) {
				t.Errorf("code %d: %s", code, told)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	code, out, told := run(t, "")
	if code != plugin.ExitOK || told != "" || !strings.Contains(out, "Work with tickets") || strings.Contains(out, "--kubeconfig") {
		t.Errorf("code %d: %s%s", code, out, told)
	}
	if _, out, _ := run(t, "", "options"); !strings.Contains(out, "--kubeconfig") || !strings.Contains(out, "--no-color") {
		t.Error(out)
	}
}

// TestEveryCommandHasAnExample: that is what people read first, and every
// command is in the document.
func TestEveryCommandHasAnExample(t *testing.T) {
	_, out, _ := run(t, "", "__complete", "")
	document, err := os.ReadFile(testenv.Path("docs", "kubectl-ticket.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name == "" || strings.HasPrefix(name, ":") || name == "help" || name == "options" {
			continue
		}
		commands++
		arguments := []string{name, "--help"}
		if name == "workflow" {
			arguments = []string{name, "check", "--help"}
		}
		_, help, _ := run(t, "", arguments...)
		if !strings.Contains(help, "Examples:\n  kubectl ticket "+name) {
			t.Errorf("%s has no example:\n%s", name, help)
		}
		if !strings.Contains(string(document), "\nkubectl ticket "+name) {
			t.Errorf("docs/kubectl-ticket.md has no example of %s", name)
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands: %s", commands, out)
	}
}
