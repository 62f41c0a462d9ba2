// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/graphs"
)

// notThere says that there is no such object.
type notThere struct{ what string }

// Error is what there is not.
func (e *notThere) Error() string { return "there is no " + e.what }

// pageSize is how much is listed at a time.
const pageSize = 500

// pages lists page by page and answers the resource version of the whole.
func pages[T any, L interface {
	*T
	client.ObjectList
}](ctx context.Context, reader client.Reader, visit func(L), options ...client.ListOption) (string, error) {
	token := ""
	for {
		page := L(new(T))
		if err := reader.List(ctx, page, append(slices.Clone(options), client.Limit(pageSize), client.Continue(token))...); err != nil {
			return "", err
		}
		visit(page)
		if token = page.GetContinue(); token == "" {
			return page.GetResourceVersion(), nil
		}
	}
}

// ticket finds a ticket by its name, or by its id.
func (c *cluster) ticket(ctx context.Context, nameOrID string) (*v1alpha1.Ticket, error) {
	if id, err := strconv.ParseInt(nameOrID, 10, 32); err == nil && id > 0 {
		return c.ticketByID(ctx, v1alpha1.WireID(id))
	}
	var found v1alpha1.Ticket
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: nameOrID}, &found)
	switch {
	case err == nil:
		return &found, nil
	case apierrors.IsNotFound(err) && !isNotInstalled(err):
		return nil, c.noTicket("ticket %q in namespace %s", nameOrID, c.namespace)
	}
	return nil, fmt.Errorf("read ticket %s/%s: %w", c.namespace, nameOrID, err)
}

func (c *cluster) noTicket(format string, arguments ...any) error {
	return advise(&notThere{fmt.Sprintf(format, arguments...)}, "See which there are: kubectl ticket list -A; choose a namespace with -n.")
}

// ticketByID looks in the namespace first. Ids are unique across the cluster,
// so that it need not be named; but not everyone may look everywhere.
func (c *cluster) ticketByID(ctx context.Context, id v1alpha1.WireID) (*v1alpha1.Ticket, error) {
	wanted := client.MatchingFields{directory.IndexStatusID: directory.IDKey(id)}
	where := []string{c.namespace}
	if !c.chosen {
		where = append(where, "")
	}
	for i, namespace := range where {
		var found v1alpha1.TicketList
		err := c.client.List(ctx, &found, client.InNamespace(namespace), wanted)
		switch {
		case err == nil && len(found.Items) > 0:
			return &found.Items[0], nil
		case err != nil && (i == 0 || !apierrors.IsForbidden(err)):
			return nil, fmt.Errorf("look for ticket %d: %w", id, err)
		}
	}
	return nil, c.noTicket("ticket with the ID %d in namespace %s or any other that you may look into", id, c.namespace)
}

// workflow finds a workflow by name.
func (c *cluster) workflow(ctx context.Context, name string) (*v1alpha1.Workflow, error) {
	var found v1alpha1.Workflow
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &found)
	switch {
	case err == nil:
		return &found, nil
	case apierrors.IsNotFound(err) && !isNotInstalled(err):
		return nil, advise(&notThere{fmt.Sprintf("workflow %q in namespace %s", name, c.namespace)},
			"See which there are: kubectl get workflows.ticketflow.dev -A; choose a namespace with -n.")
	}
	return nil, fmt.Errorf("read workflow %s/%s: %w", c.namespace, name, err)
}

// current is the graph that a workflow's new tickets follow.
func (c *cluster) current(ctx context.Context, w *v1alpha1.Workflow) (*engine.Graph, error) {
	if w.Status.Revision == "" {
		message := "it has not been judged yet: is the manager running?"
		if ready := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			message = ready.Message
		}
		return nil, advise(fmt.Errorf("workflow %s/%s opens no tickets: %s", w.Namespace, w.Name, message),
			"Mend the workflow and apply it again; kubectl ticket workflow check -f FILE tells beforehand.")
	}
	graph, err := c.graphs.Current(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("workflow %s/%s: %w", w.Namespace, w.Name, err)
	}
	return graph, nil
}

// graphOf is the graph that a ticket follows to its end.
func (c *cluster) graphOf(ctx context.Context, t *v1alpha1.Ticket) (*engine.Graph, error) {
	if t.Status.WorkflowRevision == "" {
		return nil, c.notOpened(t)
	}
	graph, err := c.graphs.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
	if err != nil {
		return nil, fmt.Errorf("workflow of ticket %s/%s: %w", t.Namespace, t.Name, err)
	}
	return graph, nil
}

// notOpened is the error for a ticket that was refused or is not decided yet.
func (c *cluster) notOpened(t *v1alpha1.Ticket) error {
	opened := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionOpened)
	if opened == nil {
		return advise(fmt.Errorf("ticket %s/%s is not opened yet", t.Namespace, t.Name),
			"Try again in a moment; if it stays so, the manager is not running.")
	}
	return refused(engine.Reason(opened.Reason), fmt.Sprintf("ticket %s/%s was not opened: %s", t.Namespace, t.Name, opened.Message), c.handle(t))
}

// handle is how a ticket is named to commands, from where the caller is.
func (c *cluster) handle(t *v1alpha1.Ticket) string { return t.Name + c.where(t) }

// where is the flag that a command about a ticket needs, if it needs one.
func (c *cluster) where(t *v1alpha1.Ticket) string {
	if t.Namespace == c.namespace && !c.chosen {
		return ""
	}
	return " -n " + t.Namespace
}

// records are the blocks of a ticket's older history, oldest first.
func (c *cluster) records(ctx context.Context, t *v1alpha1.Ticket) ([]v1alpha1.TicketRecord, error) {
	var found []v1alpha1.TicketRecord
	_, err := pages(ctx, c.client, func(page *v1alpha1.TicketRecordList) { found = append(found, page.Items...) },
		client.InNamespace(t.Namespace), client.MatchingLabels{v1alpha1.LabelTicket: graphs.LabelValue(t.Name)})
	if err != nil {
		return nil, fmt.Errorf("read the older history of ticket %s/%s: %w", t.Namespace, t.Name, err)
	}
	found = slices.DeleteFunc(found, func(r v1alpha1.TicketRecord) bool {
		return string(r.Spec.TicketName) != t.Name || r.Spec.TicketID != t.Status.ID
	})
	slices.SortFunc(found, func(a, b v1alpha1.TicketRecord) int { return cmp.Compare(a.Spec.FirstSeq, b.Spec.FirstSeq) })
	return found, nil
}

// history joins records and status, oldest entry first. A record is written
// before the status that drops its entries, so that both may have them.
func history(records []v1alpha1.TicketRecord, t *v1alpha1.Ticket) []v1alpha1.HistoryEntry {
	var all []v1alpha1.HistoryEntry
	add := func(entries []v1alpha1.HistoryEntry) {
		for _, entry := range entries {
			if len(all) == 0 || entry.Seq > all[len(all)-1].Seq {
				all = append(all, entry)
			}
		}
	}
	for i := range records {
		add(records[i].Spec.Entries)
	}
	add(t.Status.History)
	// What was recorded after the ticket was read is not part of it.
	return slices.DeleteFunc(all, func(e v1alpha1.HistoryEntry) bool { return e.Seq > t.Status.HistoryCount })
}

// snapshot is a ticket as the engine sees it.
func snapshot(t *v1alpha1.Ticket) engine.Snapshot {
	return engine.Snapshot{Namespace: t.Namespace, Name: t.Name, UID: string(t.UID), Spec: t.Spec, Status: t.Status}
}
