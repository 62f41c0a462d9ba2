// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// lister lists tickets.
type lister struct {
	*session
	output              *output
	mine, todo, related bool
	watch, everywhere   bool
	noHeaders           bool

	cluster *cluster
	printer printers.ResourcePrinter // nil for a table
}

func listCommand(s *session) *cobra.Command {
	l := &lister{session: s}
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "get"},
		Short:   "List tickets",
		Long:    "List tickets of a namespace, or of all. Filters add up: each narrows the list.",
		Example: "  kubectl ticket list --todo          # what waits for me\n" +
			"  kubectl ticket list --mine -o wide  # what I have opened\n" +
			"  kubectl ticket list -A --watch",
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return l.run(c) },
	}
	l.output = newOutput(c, true)
	flags := c.Flags()
	flags.BoolVar(&l.mine, "mine", false, "only what I have opened")
	flags.BoolVar(&l.todo, "todo", false, "only what waits for me")
	flags.BoolVar(&l.related, "related", false, "only what I am or was involved in")
	flags.BoolVarP(&l.watch, "watch", "w", false, "go on and show every change, until interrupted")
	flags.BoolVarP(&l.everywhere, "all-namespaces", "A", false, "tickets of all namespaces")
	flags.BoolVar(&l.noHeaders, "no-headers", false, "no headers above the table")
	return c
}

func (l *lister) run(c *cobra.Command) error {
	var err error
	if l.printer, err = l.output.printer(c); err != nil {
		return err
	}
	if l.cluster, err = l.connect(); err != nil {
		return err
	}
	found, err := l.list(c.Context())
	if err != nil {
		return err
	}
	if l.watch {
		return l.follow(c.Context(), found)
	}
	if l.printer != nil && l.output.isNames() {
		return l.shower()(found...) // names are printed one by one
	}
	if l.printer != nil {
		return l.print(l.printer, &v1alpha1.TicketList{Items: found})
	}
	if len(found) == 0 {
		l.note("%s", l.nothing())
		return nil
	}
	return l.table()(found...)
}

// list are the tickets that are wanted, in the order in which they were opened.
func (l *lister) list(ctx context.Context) ([]v1alpha1.Ticket, error) {
	var found []v1alpha1.Ticket
	var nobody error
	err := pages(ctx, l.cluster.client, func(page *restv1.StoredTicketList) {
		if l.mine || l.todo || l.related {
			nobody = mustBeUser(page.Viewer)
		}
		for i := range page.Items {
			if t := asTicket(&page.Items[i]); l.wanted(t, page.Viewer.User) {
				found = append(found, *t)
			}
		}
	}, l.options()...)
	if err != nil {
		return nil, fmt.Errorf("list tickets: %w", err)
	}
	slices.SortStableFunc(found, func(a, b v1alpha1.Ticket) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Status.ID, b.Status.ID))
	})
	return found, nobody
}

// options are what the server narrows the list by: one of the filters.
func (l *lister) options() []client.ListOption {
	namespace := l.cluster.namespace
	if l.everywhere {
		namespace = ""
	}
	options := []client.ListOption{client.InNamespace(namespace)}
	category := ""
	switch {
	case l.todo:
		category = "duty"
	case l.mine:
		category = "owner"
	case l.related:
		category = "relation"
	default:
		return options
	}
	return append(options, client.MatchingFields{"category": category})
}

// wanted says whether a ticket passes the filters.
func (l *lister) wanted(t *v1alpha1.Ticket, user v1alpha1.UserName) bool {
	return (!l.mine || t.Spec.Creator == user) && (!l.todo || waitsForUser(t, user)) && (!l.related || isRelated(t, user))
}

// waitsForUser is the list of duties as REST clients know it: who has voted in
// an All state is not waited for any more.
func waitsForUser(t *v1alpha1.Ticket, user v1alpha1.UserName) bool {
	return !engine.HasEnded(&t.Status) && slices.Contains(t.Status.Participants.Users, user)
}

func isRelated(t *v1alpha1.Ticket, user v1alpha1.UserName) bool {
	return t.Spec.Creator == user ||
		slices.ContainsFunc(t.Status.Related, func(r v1alpha1.RelatedUser) bool { return r.User == user })
}

func (l *lister) nothing() string {
	what := "There are no tickets"
	if l.todo {
		what = "Nothing waits for you"
	} else if l.mine || l.related {
		what = "There are no such tickets"
	}
	if l.everywhere {
		return what + "."
	}
	return fmt.Sprintf("%s in namespace %s; -A looks into all.", what, l.cluster.namespace)
}
