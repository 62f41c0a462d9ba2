// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// notThere says that there is no such object.
type notThere struct{ what string }

// Error is what there is not.
func (e *notThere) Error() string { return "there is no " + e.what }

// pageSize is how much is listed at a time.
const pageSize = 500

// pages lists page by page.
func pages[T any, L interface {
	*T
	client.ObjectList
}](ctx context.Context, reader client.Reader, visit func(L), options ...client.ListOption) error {
	token := ""
	for {
		page := L(new(T))
		if err := reader.List(ctx, page, append(slices.Clone(options), client.Limit(pageSize), client.Continue(token))...); err != nil {
			return err
		}
		visit(page)
		if token = page.GetContinue(); token == "" {
			return nil
		}
	}
}

// seen is a ticket as the caller may see it, with what it follows and what the
// caller may do with it.
type seen struct {
	*v1alpha1.Ticket
	records []v1alpha1.TicketRecordSpec
	graph   *engine.Graph
	viewer  *restv1.Viewer
}

// ticket finds a ticket by its name, or by its id.
func (c *cluster) ticket(ctx context.Context, nameOrID string) (*seen, error) {
	if id, err := strconv.ParseInt(nameOrID, 10, 32); err == nil && id > 0 {
		return c.ticketByID(ctx, nameOrID)
	}
	t, err := c.read(ctx, client.ObjectKey{Namespace: c.namespace, Name: nameOrID})
	if isMissing(err) {
		return nil, c.noTicket("ticket %q in namespace %s", nameOrID, c.namespace)
	}
	return t, err
}

func (c *cluster) noTicket(format string, arguments ...any) error {
	return advise(&notThere{fmt.Sprintf(format, arguments...)}, "See which there are: kubectl ticket list -A; choose a namespace with -n.")
}

// ticketByID finds a ticket wherever it is: ids are unique across the cluster.
func (c *cluster) ticketByID(ctx context.Context, id string) (*seen, error) {
	var found restv1.TicketID
	err := c.client.Get(ctx, client.ObjectKey{Name: id}, &found)
	switch {
	case isMissing(err), err == nil && c.chosen && found.Ticket.Namespace != c.namespace:
		return nil, c.noTicket("ticket with the ID %s%s", id, c.within())
	case err != nil:
		if refusal := refusalIn(err, id); refusal != nil {
			return nil, refusal
		}
		return nil, fmt.Errorf("look for ticket %s: %w", id, err)
	}
	return c.read(ctx, client.ObjectKey{Namespace: found.Ticket.Namespace, Name: found.Ticket.Name})
}

// within names the namespace where that was chosen.
func (c *cluster) within() string {
	if !c.chosen {
		return ""
	}
	return " in namespace " + c.namespace
}

// read reads a ticket with what it follows.
func (c *cluster) read(ctx context.Context, key client.ObjectKey) (*seen, error) {
	var stored restv1.StoredTicket
	if err := c.client.Get(ctx, key, &stored); err != nil {
		if refusal := refusalIn(err, key.Name); refusal != nil {
			return nil, refusal
		}
		return nil, fmt.Errorf("read ticket %s: %w", key, err)
	}
	if stored.Definition == nil || stored.Viewer == nil {
		return nil, fmt.Errorf("read ticket %s: the server says neither what it follows nor who reads it", key)
	}
	graph, err := compiled(key.Namespace, stored.Definition)
	if err != nil {
		return nil, fmt.Errorf("workflow of ticket %s: %w", key, err)
	}
	return &seen{Ticket: asTicket(&stored), records: stored.Records, graph: graph, viewer: stored.Viewer}, nil
}

// asTicket is the ticket as it is stored.
func asTicket(stored *restv1.StoredTicket) *v1alpha1.Ticket {
	t := &v1alpha1.Ticket{ObjectMeta: stored.ObjectMeta, Spec: stored.Spec, Status: stored.Status}
	t.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("Ticket"))
	return t
}

// compiled makes a graph of a definition.
func compiled(namespace string, d *restv1.Definition) (*engine.Graph, error) {
	graph, problems := engine.Compile(namespace, d.Workflow, d.Spec, engine.IDs(d.IDs))
	if len(problems) > 0 {
		return nil, advise(fmt.Errorf("this plugin does not understand it: %s", problems[0]), "Use a plugin of the server's version.")
	}
	return graph, nil
}

// workflow is the graph that a workflow's new tickets follow.
func (c *cluster) workflow(ctx context.Context, name string) (*engine.Graph, error) {
	var found restv1.Workflow
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &found)
	switch {
	case isMissing(err):
		return nil, advise(&notThere{fmt.Sprintf("workflow %q in namespace %s", name, c.namespace)},
			"See which there are: kubectl get workflows.rest.ticketflow.dev -A; choose a namespace with -n.")
	case err != nil:
		return nil, fmt.Errorf("read workflow %s/%s: %w", c.namespace, name, err)
	case found.Definition == nil:
		return nil, advise(fmt.Errorf("workflow %s/%s opens no tickets: %s", c.namespace, name, found.Trouble),
			"Mend the workflow and apply it again; kubectl ticket workflow check -f FILE tells beforehand.")
	}
	graph, err := compiled(c.namespace, found.Definition)
	if err != nil {
		return nil, fmt.Errorf("workflow %s/%s: %w", c.namespace, name, err)
	}
	return graph, nil
}

// handle is how a ticket is named to commands, from where the caller is.
func (c *cluster) handle(t *seen) string { return t.Name + c.where(t) }

// where is the flag that a command about a ticket needs, if it needs one.
func (c *cluster) where(t *seen) string {
	if t.Namespace == c.namespace && !c.chosen {
		return ""
	}
	return " -n " + t.Namespace
}

// history joins records and status, oldest entry first. A record is written
// before the status that drops its entries, so that both may have them.
func history(records []v1alpha1.TicketRecordSpec, t *v1alpha1.Ticket) []v1alpha1.HistoryEntry {
	var all []v1alpha1.HistoryEntry
	add := func(entries []v1alpha1.HistoryEntry) {
		for _, entry := range entries {
			if len(all) == 0 || entry.Seq > all[len(all)-1].Seq {
				all = append(all, entry)
			}
		}
	}
	for i := range records {
		add(records[i].Entries)
	}
	add(t.Status.History)
	return all
}

// snapshot is a ticket as the engine sees it.
func snapshot(t *v1alpha1.Ticket) engine.Snapshot {
	return engine.Snapshot{Namespace: t.Namespace, Name: t.Name, UID: string(t.UID), Spec: t.Spec, Status: t.Status}
}
