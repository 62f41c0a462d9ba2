// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures REST beside the raw kube-apiserver, on the same control
// plane in the same run, with one client and with 32, and prints one table. It
// brings up a Ticketflow of its own on a temporary folder and stops it again.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"ticketflow.dev/ticketflow/hack/local"
)

//go:embed manifests.yaml
var manifests []byte

func main() {
	seconds := flag.Int("seconds", 5, "how long each row is measured")
	only := flag.String("only", "", "a regular expression: which rows of the first table are measured")
	tickets := flag.Int("tickets", 100_000, "how many tickets are loaded for the second table; 0 for none")
	timers := flag.Int("timers", 0, "how many timers fall due within a minute; then nothing else is measured")
	flag.Parse()
	if err := run(time.Duration(*seconds)*time.Second, *only, *tickets, *timers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(each time.Duration, only string, tickets, timers int) error {
	rows, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	folder, err := os.MkdirTemp("", "ticketflow-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	b := &bench{folder: folder, each: each, only: rows}
	if err := b.start(); err != nil {
		return err
	}
	defer func() {
		if b.up != nil {
			b.up.Stop()
		}
	}()
	if timers > 0 {
		return b.timers(context.Background(), timers)
	}
	if err := b.beside(context.Background()); err != nil {
		return err
	}
	if tickets == 0 {
		return nil
	}
	return b.atScale(context.Background(), tickets)
}

// bench is one run, and what it brought up.
type bench struct {
	folder string
	each   time.Duration
	only   *regexp.Regexp
	up     *local.Ticketflow
	raw    *rawClient
	rest   *restClient
}

func (b *bench) start() error {
	var err error
	if b.up, err = local.Up(b.folder, manifests); err != nil {
		return err
	}
	b.rest = newREST(b.up)
	b.raw, err = newRaw(b.up)
	return err
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
	for _, l := range lists {
		fmt.Fprintf(os.Stderr, "%s, 8 clients\n", l.name)
		got, err := measure(ctx, 8, b.each, func(client int) func(context.Context) error {
			n, rest := 0, b.rest.alone()
			return func(ctx context.Context) error {
				n++
				return rest.Fetch(ctx, "tickets?"+l.query(client, n))
			}
		})
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, listRow{l.name, got, l.title})
	}
	detail, err := measure(ctx, 8, b.each, func(client int) func(context.Context) error {
		n, rest := 0, b.rest.alone()
		return func(ctx context.Context) error {
			n++
			return rest.Fetch(ctx, fmt.Sprintf("tickets/%d", firstCopy+(client*7919+n*31)%tickets))
		}
	})
	if err != nil {
		return fmt.Errorf("detail: %w", err)
	}
	rows = append(rows, listRow{"detail", detail, false})
	used, err := b.up.Processes()
	if err != nil {
		return err
	}
	printScale(tickets, rows, b.up.Ready, used)
	return nil
}
