// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures REST beside the raw kube-apiserver, on the same control
// plane in the same run, with one client and with 32, and prints one table. It
// brings up a Ticketflow of its own on a temporary folder and stops it again.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"ticketflow.dev/ticketflow/config"
	"ticketflow.dev/ticketflow/hack/local"
)

//go:embed manifests.yaml
var manifests []byte

// options are the command's flags.
type options struct {
	seconds, tickets, workflows, timers int
	only                                string
}

func main() {
	var o options
	flag.IntVar(&o.seconds, "seconds", 5, "how long each row is measured")
	flag.StringVar(&o.only, "only", "", "a regular expression: which rows of the first table are measured")
	flag.IntVar(&o.tickets, "tickets", 100_000, "how many tickets are loaded for the second table; 0 for none")
	flag.IntVar(&o.workflows, "workflows", 100, "how many workflows there are besides those that are measured: a list looks at all of them")
	flag.IntVar(&o.timers, "timers", 0, "how many timers fall due within a minute; then nothing else is measured")
	flag.Parse()
	log.SetLogger(logr.Discard()) // the clients have nothing to tell but their errors
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	rows, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	folder, err := os.MkdirTemp("", "ticketflow-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	tickets, err := likeTickets()
	if err != nil {
		return err
	}
	b := &bench{folder: folder, each: time.Duration(o.seconds) * time.Second, only: rows, manifests: append(withWorkflows(manifests, o.workflows), tickets...)}
	if err := b.start(); err != nil {
		return err
	}
	defer func() {
		if b.up != nil {
			b.up.Stop()
		}
	}()
	if o.timers > 0 {
		return b.timers(context.Background(), o.timers)
	}
	if err := b.beside(context.Background()); err != nil {
		return err
	}
	if o.tickets == 0 {
		return nil
	}
	return b.atScale(context.Background(), o.tickets)
}

// bench is one run, and what it brought up.
type bench struct {
	folder string
	each   time.Duration
	only   *regexp.Regexp
	// manifests are what is loaded at each start.
	manifests []byte
	up        *local.Ticketflow
	raw       *rawClient
	rest      *restClient
}

func (b *bench) start() error {
	var err error
	if b.up, err = local.Up(b.folder, b.manifests); err != nil {
		return err
	}
	b.rest = newREST(b.up)
	b.raw, err = newRaw(b.up)
	return err
}

// otherWorkflow is a workflow that is there, and that nobody opens tickets on.
const otherWorkflow = `
---
apiVersion: ticketflow.dev/v1alpha1
kind: Workflow
metadata: {name: other%d, namespace: bench}
spec:
  admins: [admin%d]
  states:
  - {name: new, type: Start, form: [{field: title, access: Required}], transitions: [{name: submit, to: work}]}
  - {name: work, participants: {variables: [Creator]}, transitions: [{name: done, to: end}]}
  - {name: end, type: End}
`

// likeTickets is a kind with the schema of tickets that Ticketflow knows nothing of.
func likeTickets() ([]byte, error) {
	crd, err := config.Manifests.ReadFile("crd/bases/ticketflow.dev_tickets.yaml")
	if err != nil {
		return nil, err
	}
	crd = bytes.Replace(crd, []byte("name: tickets.ticketflow.dev"), []byte("name: tickets.bench.ticketflow.dev"), 1)
	return bytes.Replace(crd, []byte("group: ticketflow.dev"), []byte("group: bench.ticketflow.dev"), 1), nil
}

func withWorkflows(manifests []byte, count int) []byte {
	all := bytes.Clone(manifests)
	for n := range count {
		all = fmt.Appendf(all, otherWorkflow, n, n)
	}
	return all
}

// beside measures REST and the raw kube-apiserver with few tickets.
func (b *bench) beside(ctx context.Context) error {
	var rows []row
	for _, m := range []struct {
		name string
		work func(client int) func(ctx context.Context) error
	}{
		{"raw create", b.raw.create},
		{"raw status update", b.raw.updateStatus},
		{"raw ticket status", b.updateTicket},
		{"raw get", b.raw.get},
		{"REST create", b.rest.create},
		{"REST handle", b.rest.handle},
		{"REST detail", b.rest.read("")},
		{"REST transitions", b.rest.read("/transitions")},
		{"REST flowlogs", b.rest.read("/flowlogs")},
	} {
		if !b.only.MatchString(m.name) {
			continue
		}
		r, err := b.row(ctx, m.name, m.work)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, r)
	}
	print(rows)
	return nil
}

// row measures with one client and with 32, and what the processes spend.
func (b *bench) row(ctx context.Context, name string, work func(client int) func(ctx context.Context) error) (row, error) {
	r := row{name: name, cpu: map[string]time.Duration{}}
	for i, clients := range []int{1, 32} {
		fmt.Fprintf(os.Stderr, "%s, %d clients\n", name, clients)
		before, err := b.up.Processes()
		if err != nil {
			return row{}, err
		}
		if r.results[i], err = measure(ctx, clients, b.each, work); err != nil {
			return row{}, err
		}
		after, err := b.up.Processes()
		if err != nil {
			return row{}, err
		}
		for process, used := range after { // of the last, with 32 clients
			r.cpu[process] = (used.CPU - before[process].CPU) / time.Duration(r.results[i].count)
		}
	}
	return r, nil
}

// atScale measures lists, detail, memory and the start with many tickets.
func (b *bench) atScale(ctx context.Context, tickets int) error {
	ticket, err := b.template(ctx)
	if err != nil {
		return fmt.Errorf("make a typical ticket: %w", err)
	}
	fmt.Fprintf(os.Stderr, "loading %d tickets\n", tickets)
	b.up.Stop()
	begun := time.Now()
	oldest := begun.Add(-time.Duration(tickets) * time.Minute)
	err = fill(ctx, local.Data(b.folder), tickets, func(n int) (string, string, error) {
		return copyOf(ticket, n, oldest.Add(time.Duration(n)*time.Minute))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "loaded after %s; starting anew\n", time.Since(begun).Round(time.Second))
	if err := b.start(); err != nil {
		return err
	}
	if err := listed(ctx, b.rest, tickets); err != nil {
		return err
	}
	if err := b.settled(); err != nil {
		return err
	}
	var rows []listRow
	for _, q := range queries(tickets) {
		row, err := b.listRow(ctx, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		rows = append(rows, row)
	}
	used, err := b.up.Processes()
	if err != nil {
		return err
	}
	starts := map[string]time.Duration{"all, with kube-apiserver": b.up.Ready}
	act := b.rest.handle(0)
	if err := act(ctx); err != nil { // opens the ticket
		return err
	}
	list := func(ctx context.Context) error { return b.rest.Fetch(ctx, "tickets?category=all&per_page=1") }
	if starts["apiserver"], err = b.again(ctx, "apiserver", list); err != nil {
		return err
	}
	if starts["manager"], err = b.again(ctx, "manager", act); err != nil {
		return err
	}
	printScale(tickets, rows, starts, used)
	return nil
}

// listRow measures a query with 8 clients.
func (b *bench) listRow(ctx context.Context, q query) (listRow, error) {
	fmt.Fprintf(os.Stderr, "%s, 8 clients\n", q.name)
	before, err := local.Stolen()
	if err != nil {
		return listRow{}, err
	}
	got, err := measure(ctx, 8, b.each, func(client int) func(context.Context) error {
		n, rest := 0, b.rest.alone()
		return func(ctx context.Context) error {
			if n++; q.path == nil {
				return rest.Healthy(ctx)
			}
			return rest.Fetch(ctx, q.path(client, n))
		}
	})
	if err != nil {
		return listRow{}, err
	}
	after, err := local.Stolen()
	return listRow{query: q, result: got, stolen: float64(after-before) / float64(b.each) / float64(runtime.NumCPU())}, err
}
