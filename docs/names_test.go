// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// short is a resource of ours that kubectl is asked for by a name which others
// have, too: Argo's workflows, Argo CD's applications, OpenShift's users.
var short = regexp.MustCompile(`kubectl[^\n|;]*? (?:get|describe|delete|edit|patch|wait|label|annotate|create|explain)(?: --?[\w=-]+)* ` +
	`(?:tickets?|workflows?|scripts?|notifiers?|users?|departments?|userroles?|applications?|ticketrecords?)(?:[ /,\n` + "`" + `]|$)`)

func TestResourcesAreNamedInFull(t *testing.T) {
	for _, sound := range []string{"kubectl get tickets.ticketflow.dev -n it", "kubectl ticket show x", "kubectl create secret generic ops"} {
		if short.MatchString(sound) {
			t.Errorf("%q is no short name", sound)
		}
	}
	for _, wrong := range []string{"kubectl get tickets", "kubectl --namespace it get workflows", "kubectl delete ticket/x"} {
		if !short.MatchString(wrong) {
			t.Errorf("%q is a short name", wrong)
		}
	}
	var files []string
	for _, pattern := range []string{"../README.md", "../CONTRIBUTING.md", "*.md", "../hack/*.sh", "../config/samples/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = slices.Concat(files, found)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range short.FindAllString(string(data), -1) {
			t.Errorf("%s: %q may mean somebody else's: write the resource with its group", file, line)
		}
	}
}
