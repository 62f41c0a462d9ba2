// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// session is one run of the plugin: who calls, from where, on which cluster.
type session struct {
	genericiooptions.IOStreams
	flags    *genericclioptions.ConfigFlags
	clock    clock.PassiveClock
	terminal *bool
	noColor  bool
	// zone is the time zone that times are told in.
	zone *time.Location
	// lines are what is read of In: one reader, since it reads ahead.
	lines *bufio.Reader
}

// cluster is a cluster that the plugin talks to.
type cluster struct {
	client client.Client
	// served is the aggregated API, for what is created of a part of a ticket and
	// answered as another kind.
	served    rest.Interface
	namespace string
	// chosen says that the namespace was named, not taken from the context.
	chosen bool
}

// connect makes the client that the flags describe. Nothing is asked yet.
func (s *session) connect() (*cluster, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if raw, err := s.flags.ToRawKubeConfigLoader().RawConfig(); err == nil && len(raw.Clusters) == 0 && config.Host == clientcmd.ClusterDefaults.Server {
		return nil, clientcmd.ErrEmptyConfig // not what clientcmd makes up for it
	}
	config.QPS, config.Burst = 50, 300 // a person's commands, like kubectl's
	config.WarningHandler = rest.NewWarningWriter(s.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	namespace, chosen, err := s.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	made, err := client.New(config, client.Options{Scheme: scheme, Mapper: newMapper()})
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	config.APIPath, config.GroupVersion, config.NegotiatedSerializer = "/apis", &restv1.GroupVersion, serializer.NewCodecFactory(scheme).WithoutConversion()
	served, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	return &cluster{client: made, served: served, namespace: namespace, chosen: chosen}, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, restv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	return scheme, nil
}

// newMapper knows the few kinds that the plugin reads. It spares a command two
// or three requests, and its user the right to ask what the cluster serves.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Workflow", "StoredTicket"} {
		mapper.Add(restv1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(restv1.GroupVersion.WithKind("TicketID"), meta.RESTScopeRoot)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("User"), meta.RESTScopeRoot)
	return mapper
}

// isTerminal says whether a person sits there who can be asked.
func (s *session) isTerminal() bool { return s.isShown(s.In) && s.isShown(s.ErrOut) }

// isShown says whether a stream is a terminal.
func (s *session) isShown(stream any) bool {
	if s.terminal != nil {
		return *s.terminal
	}
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a descriptor fits
}

// paint says whether the output is coloured: in a terminal that can do it, if
// nobody minds (https://no-color.org).
func (s *session) paint() paint {
	return paint(!s.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && s.isShown(s.Out))
}

// write writes what a command answers.
func (s *session) write(text string) error {
	if _, err := io.WriteString(s.Out, text); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// say writes a line for people.
func (s *session) say(format string, arguments ...any) {
	_, _ = fmt.Fprintln(s.Out, clean(fmt.Sprintf(format, arguments...))) // nobody listens if this fails
}

// note writes a line beside the output.
func (s *session) note(format string, arguments ...any) {
	_, _ = fmt.Fprintln(s.ErrOut, clean(fmt.Sprintf(format, arguments...))) // nobody listens if this fails
}
