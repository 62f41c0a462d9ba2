// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/ptr"
)

const wide = "wide"

// output is how a command writes what it answers.
type output struct {
	flags *genericclioptions.PrintFlags
	// wide says that there is a table, and that it may be wide.
	wide bool
}

func newOutput(c *cobra.Command, withWide bool) *output {
	o := &output{flags: genericclioptions.NewPrintFlags(""), wide: withWide}
	o.flags.AddFlags(c)
	formats := o.formats()
	c.Flags().Lookup("output").Usage = "how to write it: " + strings.Join(formats, ", ") + "; by default for people to read"
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

func (o *output) formats() []string {
	formats := o.flags.AllowedFormats()
	if o.wide {
		formats = append([]string{wide}, formats...)
	}
	return formats
}

// isWide says whether the table is to be wide.
func (o *output) isWide() bool { return o.wide && ptr.Deref(o.flags.OutputFormat, "") == wide }

// isNames says whether nothing but names is wanted.
func (o *output) isNames() bool { return ptr.Deref(o.flags.OutputFormat, "") == "name" }

// printer is the printer for a format; nil where people read.
func (o *output) printer(c *cobra.Command) (printers.ResourcePrinter, error) {
	if o.isWide() || (*o.flags.OutputFormat == "" && *o.flags.TemplatePrinterFlags.TemplateArgument == "") {
		return nil, nil
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	printer, err := o.flags.WithTypeSetter(scheme).ToPrinter()
	var unknown genericclioptions.NoCompatiblePrinterError
	switch {
	case errors.As(err, &unknown):
		return nil, usagef(c, "there is no output format %q: it is one of %s", *o.flags.OutputFormat, strings.Join(o.formats(), ", "))
	case err != nil:
		return nil, usagef(c, "%v", err)
	}
	return printer, nil
}

// print writes an object with a printer.
func (s *session) print(printer printers.ResourcePrinter, object runtime.Object) error {
	if err := printer.PrintObj(object, s.Out); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// must is for what only a programming error can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
