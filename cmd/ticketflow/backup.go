// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/backup"
)

// where says which cluster, and where Ticketflow's own objects are in it.
type where struct{ kubeconfig, context, systemNamespace string }

func (w *where) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&w.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (default: $KUBECONFIG, else ~/.kube/config)")
	flags.StringVar(&w.context, "context", "", "context of the kubeconfig to use")
	flags.StringVar(&w.systemNamespace, "system-namespace", "ticketflow-system", "namespace that Ticketflow is installed in")
}

func (w *where) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = w.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: w.context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	return config, nil
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	return client.New(config, client.Options{Scheme: scheme})
}

func reporter(command *cobra.Command) func(string, ...any) {
	return func(format string, arguments ...any) {
		_, _ = fmt.Fprintf(command.ErrOrStderr(), format+"\n", arguments...) // nobody listens if this fails
	}
}

func exportCommand() *cobra.Command {
	var from where
	var secrets bool
	command := &cobra.Command{
		Use:   "export FILE",
		Short: "Write everything into a file, for another cluster: definitions, tickets, histories, ids",
		Long: `Write everything into a file, for another cluster: definitions, tickets with
their status, histories, and the ids that REST clients know them by. "-" is
standard output. docs/backup.md says what is in it and how consistent it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			config, err := from.config()
			if err != nil {
				return err
			}
			c, err := newClient(config)
			if err != nil {
				return err
			}
			export := &backup.Export{
				From: c, SystemNamespace: from.systemNamespace, WithSecrets: secrets,
				Clock: clock.RealClock{}, Report: reporter(command),
			}
			if secrets {
				export.Report("The export holds Secrets in the clear: whoever has it can act as every application.")
			}
			if arguments[0] == "-" {
				return export.Run(command.Context(), command.OutOrStdout())
			}
			return toFile(arguments[0], func(out io.Writer) error { return export.Run(command.Context(), out) })
		},
	}
	from.addFlags(command.Flags())
	command.Flags().BoolVar(&secrets, "with-secrets", false, "take along the Secrets that definitions refer to, in the clear")
	return command
}

// toFile writes a file that is there only when it is whole.
func toFile(path string, write func(io.Writer) error) error {
	partial := path + ".partial"
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return os.Rename(partial, path)
}

func importCommand() *cobra.Command {
	var to where
	var overwrite bool
	var as string
	command := &cobra.Command{
		Use:   "import FILE",
		Short: "Bring here what `ticketflow export` wrote, with all ids kept",
		Long: `Bring here what ` + "`ticketflow export`" + ` wrote, with all ids kept. It can be run
again, also after it was cut off. What is there and differs is left alone and
named, and the command fails at the end. docs/backup.md says more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			config, err := to.config()
			if err != nil {
				return err
			}
			importer := &backup.Import{SystemNamespace: to.systemNamespace, Overwrite: overwrite, Report: reporter(command)}
			if importer.To, err = newClient(config); err != nil {
				return err
			}
			if !command.Flags().Changed("as") {
				as = backup.ImporterName(to.systemNamespace)
			}
			if as != "" {
				config = rest.CopyConfig(config)
				config.Impersonate = rest.ImpersonationConfig{UserName: as}
			}
			if importer.Restorer, err = newClient(config); err != nil {
				return err
			}
			outcome, err := importer.Run(command.Context(), func() (io.ReadCloser, error) { return os.Open(arguments[0]) })
			return told(command, outcome, err, as)
		},
	}
	to.addFlags(command.Flags())
	command.Flags().BoolVar(&overwrite, "overwrite", false, "replace what is there and differs")
	command.Flags().StringVar(&as, "as", as, "whom to act as for what only the manager and an import may write; empty for oneself (default: the service account ticketflow-importer of the system namespace)")
	return command
}

// told tells what came of an import.
func told(command *cobra.Command, outcome backup.Outcome, err error, as string) error {
	report := reporter(command)
	report("%d written, %d there already, %d tickets have gone on here since, %d differ.",
		outcome.Created, outcome.Same, outcome.Ahead, outcome.Differing)
	for _, difference := range outcome.Differences {
		report("  %s", difference)
	}
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "impersonate"):
		return fmt.Errorf("%w\nimporting needs the verb impersonate on the service account that it acts as, %s (the Role ticketflow-import has it)", err, as)
	case err != nil:
		return fmt.Errorf("%w\nit can be run again: what is there already is found", err)
	case outcome.Differing > 0:
		return fmt.Errorf("%d objects are there and differ; they were left alone", outcome.Differing)
	}
	return nil
}
