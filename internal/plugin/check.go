// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func workflowCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "workflow",
		Short: "Work on workflows, before they are applied",
		Args:  noSuchCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(checkCommand(s))
	return c
}

func checkCommand(s *session) *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use:   "check -f FILE",
		Short: "Tell what is wrong with workflows in files, without a cluster",
		Long: "Tell what is wrong with workflows in files, without a cluster: what kube-apiserver would\n" +
			"refuse, and what the workflow would not compile for. What lies outside the workflow, such\n" +
			"as whether a role has members, only a cluster can say. Other objects are passed over.",
		Example:           "  kubectl ticket workflow check -f config/samples/vpn-access.yaml\n  helm template . | kubectl ticket workflow check -f -",
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usagef(c, "which file? Give one with -f; - is the standard input")
			}
			return s.check(c.Context(), files)
		},
	}
	c.Flags().StringArrayVarP(&files, "filename", "f", nil, "a file with workflows, - for the standard input; may be given several times")
	must(c.MarkFlagFilename("filename", "yaml", "yml", "json"))
	return c
}

// checker counts what it checks.
type checker struct {
	*session
	schema              *schema
	workflows, problems int
}

func (s *session) check(ctx context.Context, files []string) error {
	schema, err := workflowSchema()
	if err != nil {
		return err
	}
	c := &checker{session: s, schema: schema}
	for _, name := range files {
		if err := c.file(ctx, name); err != nil {
			return err
		}
	}
	switch {
	case c.workflows == 0:
		return advise(fmt.Errorf("there is no Workflow in %v", files), "Give a file with apiVersion %s and kind Workflow.", v1alpha1.SchemeGroupVersion)
	case c.problems > 0:
		return advise(fmt.Errorf("%d problems in %d workflows", c.problems, c.workflows), "Mend them and check again.")
	}
	return nil
}

func (c *checker) file(ctx context.Context, name string) error {
	in := c.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return advise(fmt.Errorf("read the workflow: %w", err), "Name a file that is there with -f.")
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(in))
	above := 0 // lines, so that errors name the file's
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		data, err := yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), above), document...)) // a key given twice is a mistake too
		above += bytes.Count(document, []byte("\n")) + 1
		if err != nil {
			return advise(fmt.Errorf("%s is no YAML: %w", name, err), "Mend that first.")
		}
		if err := c.object(ctx, name, data); err != nil {
			return err
		}
	}
}

// object checks one object of a file, if it is a workflow.
func (c *checker) object(ctx context.Context, file string, data []byte) error {
	var object map[string]any
	if err := utiljson.Unmarshal(data, &object); err != nil {
		return advise(fmt.Errorf("%s holds something that is no object: %w", file, err), "Mend that first.")
	}
	if object["kind"] != "Workflow" || object["apiVersion"] != v1alpha1.SchemeGroupVersion.String() {
		return nil
	}
	c.workflows++
	problems := c.schema.problems(ctx, object)
	var w v1alpha1.Workflow
	if err := json.Unmarshal(data, &w); err != nil {
		problems = append(problems, engine.Problem{Path: "spec", Message: err.Error()})
	} else {
		_, found := engine.Compile(w.Namespace, w.Name, w.Spec, engine.IDs{})
		problems = append(problems, found...)
	}
	if len(problems) == 0 {
		c.say("%s: workflow %s is sound: %d states, %d fields", file, w.Name, len(w.Spec.States), len(w.Spec.Fields))
		return nil
	}
	c.problems += len(problems)
	for _, p := range problems {
		c.say("%s: workflow %s: %s", file, w.Name, p)
	}
	return nil
}
