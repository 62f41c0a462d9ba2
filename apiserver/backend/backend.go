// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backend is what handlers have of the cluster: reads from the informer
// cache and the index, and the way in which an action is asked for and waited
// for. It has no rules about tickets: those are the engine's.
package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/index"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/graphs"
	"ticketflow.dev/ticketflow/internal/history"
	"ticketflow.dev/ticketflow/internal/slim"
)

// +kubebuilder:rbac:groups=ticketflow.dev,resources=tickets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=ticketflow.dev,resources=workflows;ticketrecords;scripts;notifiers;users;departments;userroles;applications,verbs=get;list;watch
// +kubebuilder:rbac:groups=ticketflow.dev,resources=actors,verbs=act-as
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",namespace=ticketflow-system,resources=secrets,verbs=get;create
// +kubebuilder:rbac:groups="",namespace=ticketflow-system,resources=secrets,resourceNames=ticketflow-apiserver-tls,verbs=update
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,verbs=get;list;watch
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1.rest.ticketflow.dev,verbs=patch

// Options of a Backend.
type Options struct {
	// Config of the control plane.
	Config *rest.Config
	// Scheme that knows Ticketflow's and Kubernetes' types.
	Scheme *runtime.Scheme
	// Clock to tell the time by.
	Clock clock.PassiveClock
	// Location that times sent without a zone are in; nil is UTC.
	Location *time.Location
	// ActionTimeout is how long an action is waited for.
	ActionTimeout time.Duration
}

// Backend is what handlers have of the cluster.
type Backend struct {
	cache     cache.Cache
	client    client.WithWatch
	directory *directory.Directory
	graphs    *graphs.Graphs
	index     *index.Index
	clock     clock.PassiveClock
	location  *time.Location
	timeout   time.Duration
	waiters   waiters
	turns     turns
	deleted   deleted
	// workflows are what Workflows answers, looked up once after each change.
	workflows atomic.Pointer[func() []Listed]

	ready sync.Once
	done  chan struct{} // closed once the index has the first list
}

const indexRecordsOf = "spec.ticketName"

// New makes a Backend. Start it before use.
func New(o Options) (*Backend, error) {
	if o.ActionTimeout <= 0 {
		return nil, errors.New("the action timeout must be longer than 0")
	}
	config := rest.CopyConfig(o.Config)
	// The server has its own priority level; a client-side limit would only hide it.
	config.QPS, config.Burst = -1, -1
	config.DisableCompression = true // both ends have more to do than the wire between them
	objects, err := slim.NewCache(config, cache.Options{Scheme: o.Scheme, ReaderFailOnMissingInformer: true})
	if err != nil {
		return nil, fmt.Errorf("make the cache: %w", err)
	}
	writer, err := client.NewWithWatch(config, client.Options{Scheme: o.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	b := &Backend{
		cache: objects, client: writer,
		directory: directory.New(objects).Remembering(), graphs: graphs.New(objects), index: index.New(),
		clock: o.Clock, location: cmp.Or(o.Location, time.UTC), timeout: o.ActionTimeout, done: make(chan struct{}),
		waiters: waiters{byName: map[types.NamespacedName]map[*waiter]struct{}{}},
		turns:   turns{byName: map[types.NamespacedName]*turn{}},
		deleted: newDeleted(),
	}
	b.forgetWorkflows()
	return b, nil
}

// Start fills the cache and serves it until the context ends.
func (b *Backend) Start(ctx context.Context) error {
	if err := directory.AddIndexes(ctx, b.cache); err != nil {
		return fmt.Errorf("index the cache: %w", err)
	}
	err := b.cache.IndexField(ctx, &v1alpha1.TicketRecord{}, indexRecordsOf, func(o client.Object) []string {
		record, ok := o.(*v1alpha1.TicketRecord)
		if !ok {
			return nil
		}
		return []string{string(record.Spec.TicketName)}
	})
	if err != nil {
		return fmt.Errorf("index records: %w", err)
	}
	for _, object := range []client.Object{
		&v1alpha1.TicketRecord{}, &v1alpha1.Script{}, &v1alpha1.Notifier{}, &v1alpha1.Department{}, &v1alpha1.UserRole{},
	} {
		if _, err := b.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	for _, remembered := range []struct {
		object client.Object
		forget func()
	}{
		{&v1alpha1.User{}, b.directory.Forget},
		{&v1alpha1.Application{}, b.directory.Forget},
		{&v1alpha1.Workflow{}, b.forgetWorkflows},
		{&appsv1.ControllerRevision{}, b.forgetWorkflows},
	} {
		if err := b.forgetWith(ctx, remembered.object, remembered.forget); err != nil {
			return err
		}
	}
	tickets, err := b.cache.GetInformer(ctx, &v1alpha1.Ticket{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch tickets: %w", err)
	}
	registration, err := tickets.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    b.seen,
		UpdateFunc: func(_, next any) { b.seen(next) },
		DeleteFunc: b.gone,
	})
	if err != nil {
		return fmt.Errorf("watch tickets: %w", err)
	}
	go func() {
		if b.cache.WaitForCacheSync(ctx) && toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			b.ready.Do(func() { close(b.done) })
		}
	}()
	return b.cache.Start(ctx)
}

// forgetWith calls forget whenever an object of a type has changed.
func (b *Backend) forgetWith(ctx context.Context, object client.Object, forget func()) error {
	informer, err := b.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { forget() },
		UpdateFunc: func(any, any) { forget() },
		DeleteFunc: func(any) { forget() },
	})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// Ready says whether the cache and the index have been filled.
func (b *Backend) Ready() error {
	select {
	case <-b.done:
		return nil
	default:
		return errors.New("the caches are being filled")
	}
}

// Synced is closed once Ready.
func (b *Backend) Synced() <-chan struct{} { return b.done }

// seen takes note of a ticket: the index first, then whoever waits, so that
// what is answered is listed.
func (b *Backend) seen(object any) {
	head, ok := object.(*v1alpha1.Ticket)
	if !ok {
		return
	}
	b.index.Put(head)
	b.waiters.tell(nameOf(head), head)
}

func (b *Backend) gone(object any) {
	if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	ticket, ok := object.(*v1alpha1.Ticket)
	if !ok {
		return
	}
	b.index.Delete(nameOf(ticket))
	b.deleted.note(ticket)
	b.waiters.tell(nameOf(ticket), nil)
}

func nameOf(t *v1alpha1.Ticket) types.NamespacedName {
	return types.NamespacedName{Namespace: t.Namespace, Name: t.Name}
}

// Directory answers about people, applications and scripts.
func (b *Backend) Directory() *directory.Directory { return b.directory }

// Now is the time by the server's clock, in the zone of times without one.
func (b *Backend) Now() time.Time { return b.clock.Now().In(b.location) }

// Reader reads from the cache.
func (b *Backend) Reader() client.Reader { return b.cache }

// CurrentGraph is the graph that a workflow's new tickets follow.
func (b *Backend) CurrentGraph(ctx context.Context, w *v1alpha1.Workflow) (*engine.Graph, error) {
	return b.graphs.Current(ctx, w)
}

// RevisionOf is the graph of the revision that a ticket started with: enough to
// name what it shows. Who may do what is asked of Graph.
func (b *Backend) RevisionOf(ctx context.Context, t *v1alpha1.Ticket) (*engine.Graph, error) {
	return b.graphs.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
}

// Graph is the graph that a ticket follows, with the rights that are in force.
func (b *Backend) Graph(ctx context.Context, t *v1alpha1.Ticket) (*engine.Graph, error) {
	return b.graphs.Of(ctx, t)
}

// HeadByID is TicketByID without fields and history, and the cheaper for it.
func (b *Backend) HeadByID(id v1alpha1.WireID) (*v1alpha1.Ticket, bool) { return b.index.HeadByID(id) }

// TicketByID finds an opened ticket by its wire id. It must not be changed.
func (b *Backend) TicketByID(id v1alpha1.WireID) (*v1alpha1.Ticket, bool) { return b.index.ByID(id) }

// Ticket finds a ticket by name. It must not be changed.
func (b *Backend) Ticket(ctx context.Context, namespace, name string) (*v1alpha1.Ticket, bool) {
	var ticket v1alpha1.Ticket
	err := b.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &ticket, client.UnsafeDisableDeepCopy)
	return &ticket, err == nil
}

// Heads answers a list query with the tickets' heads: no fields and no history.
func (b *Backend) Heads(q index.Query) index.Page { return b.index.List(q) }

// List answers a list query with whole tickets, and how many there are in all.
// They must not be changed.
func (b *Backend) List(q index.Query) (tickets []*v1alpha1.Ticket, total int) {
	page := b.index.List(q)
	for _, head := range page.Heads {
		tickets = append(tickets, slim.Whole(head))
	}
	return tickets, page.Total
}

// EachHead shows every ticket's head of a list query, oldest first.
func (b *Backend) EachHead(q index.Query, show func(head *v1alpha1.Ticket)) { b.index.Each(q, show) }

// Script finds a script of a namespace.
func (b *Backend) Script(ctx context.Context, namespace, name string) (*v1alpha1.Script, bool) {
	var script v1alpha1.Script
	err := b.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &script, client.UnsafeDisableDeepCopy)
	return &script, err == nil
}

// Notifier finds a notifier of a namespace.
func (b *Backend) Notifier(ctx context.Context, namespace, name string) (*v1alpha1.Notifier, bool) {
	var notifier v1alpha1.Notifier
	err := b.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &notifier, client.UnsafeDisableDeepCopy)
	return &notifier, err == nil
}

// Department finds a department by metadata.name.
func (b *Backend) Department(ctx context.Context, name string) (*v1alpha1.Department, bool) {
	var department v1alpha1.Department
	err := b.cache.Get(ctx, types.NamespacedName{Name: name}, &department, client.UnsafeDisableDeepCopy)
	return &department, err == nil && name != ""
}

// UserRole finds a role by metadata.name.
func (b *Backend) UserRole(ctx context.Context, name string) (*v1alpha1.UserRole, bool) {
	var role v1alpha1.UserRole
	err := b.cache.Get(ctx, types.NamespacedName{Name: name}, &role, client.UnsafeDisableDeepCopy)
	return &role, err == nil
}

// History is a ticket's whole history, oldest first: what its records have and
// what its status still has.
func (b *Backend) History(ctx context.Context, t *v1alpha1.Ticket) ([]v1alpha1.HistoryEntry, error) {
	if int64(len(t.Status.History)) >= t.Status.HistoryCount {
		return t.Status.History, nil
	}
	entries, err := history.Recorded(ctx, b.cache, t, client.MatchingFields{indexRecordsOf: t.Name})
	if err == nil && int64(len(entries)+len(t.Status.History)) < t.Status.HistoryCount {
		// A record is written just before the status that drops its entries; the
		// two watches may bring them the other way round.
		entries, err = history.Recorded(ctx, b.client, t, history.ByLabel(t))
	}
	if err != nil {
		return nil, err
	}
	return append(entries, t.Status.History...), nil
}

// Records are the parts of a ticket's history that have moved out of its status,
// oldest first. Those that were recorded after the ticket was read are not among
// them: together they are one state of the ticket.
func (b *Backend) Records(ctx context.Context, t *v1alpha1.Ticket) ([]v1alpha1.TicketRecordSpec, error) {
	if int64(len(t.Status.History)) >= t.Status.HistoryCount {
		return nil, nil
	}
	var found v1alpha1.TicketRecordList
	if err := b.client.List(ctx, &found, client.InNamespace(t.Namespace), history.ByLabel(t)); err != nil {
		return nil, fmt.Errorf("list the ticket's records: %w", err)
	}
	var out []v1alpha1.TicketRecordSpec
	for i := range found.Items {
		spec := found.Items[i].Spec
		last := spec.FirstSeq + int64(len(spec.Entries)) - 1
		if string(spec.TicketName) == t.Name && spec.TicketID == t.Status.ID && last <= t.Status.HistoryCount {
			out = append(out, spec)
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.TicketRecordSpec) int { return cmp.Compare(a.FirstSeq, b.FirstSeq) })
	return out, nil
}

// Snapshot is a ticket as the engine sees it.
func Snapshot(t *v1alpha1.Ticket) engine.Snapshot {
	return engine.Snapshot{Namespace: t.Namespace, Name: t.Name, UID: string(t.UID), Spec: t.Spec, Status: t.Status}
}
