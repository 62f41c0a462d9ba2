// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ticketflow.dev/ticketflow/hack/local"
)

// result is what one row gave with one number of clients.
type result struct {
	rate     float64 // per second
	p50, p99 time.Duration
	count    int
}

type row struct {
	name    string
	results [2]result                // one client, 32 clients
	cpu     map[string]time.Duration // of one operation with 32 clients, by process
}

// measure lets clients work for a while and counts.
func measure(ctx context.Context, clients int, each time.Duration, work func(client int) func(context.Context) error) (result, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failure error
	var group sync.WaitGroup
	start := make(chan struct{})
	var begun time.Time
	for client := range clients {
		do := work(client)
		if err := do(ctx); err != nil { // the first, that makes what is needed, is not counted
			return result{}, err
		}
		group.Go(func() {
			<-start
			var mine []time.Duration
			var err error
			for time.Since(begun) < each && err == nil {
				before := time.Now()
				err = do(ctx)
				mine = append(mine, time.Since(before))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			if err != nil {
				failure = err
			}
		})
	}
	begun = time.Now()
	close(start)
	group.Wait()
	took := time.Since(begun)
	if failure != nil {
		return result{}, failure
	}
	slices.Sort(all)
	return result{count: len(all), rate: float64(len(all)) / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}, nil
}

// print writes the table, and the budgets of the architecture under it: those whose
// rows were measured.
func print(rows []row) {
	if len(rows) == 0 {
		return
	}
	fmt.Printf("%-18s %12s %10s %12s %10s %10s\n", "", "1 client /s", "median", "32 clients/s", "median", "p99")
	by := map[string][2]result{}
	for _, r := range rows {
		by[r.name] = r.results
		one, many := r.results[0], r.results[1]
		fmt.Printf("%-18s %12.0f %10s %12.0f %10s %10s\n", r.name, one.rate, short(one.p50), many.rate, short(many.p50), short(many.p99))
	}
	fmt.Printf("\n%-18s", "CPU ms/operation")
	programs := []string{"kube-apiserver", "etcd", "manager", "apiserver"}
	for _, name := range programs {
		fmt.Printf(" %14s", name)
	}
	fmt.Println()
	for _, r := range rows {
		fmt.Printf("%-18s", r.name)
		for _, name := range programs {
			fmt.Printf(" %14.2f", milliseconds(r.cpu[name]))
		}
		fmt.Println()
	}
	fmt.Println()
	both := func(a, b string) bool { return by[a][0].count > 0 && by[b][0].count > 0 }
	if both("REST handle", "raw status update") {
		budget("REST handle / half the raw status updates, 32 clients", by["REST handle"][1].rate/(by["raw status update"][1].rate/2), 0.8, true)
		budget("one action / one raw write, 1 client, medians", float64(by["REST handle"][0].p50)/float64(by["raw status update"][0].p50), 4, false)
	}
	if both("REST handle", "raw ticket status") {
		fmt.Printf("%-62s %7.2f\n", "the same, of raw status updates with tickets' own schema", by["REST handle"][1].rate/(by["raw ticket status"][1].rate/2))
	}
	for _, name := range []string{"REST detail", "REST transitions", "REST flowlogs"} {
		if both(name, "raw get") {
			budget(name+" / raw get, 32 clients", by[name][1].rate/by["raw get"][1].rate, 3, true)
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

func budget(what string, got, want float64, atLeast bool) {
	verdict, sign := "missed", "<="
	if atLeast {
		sign = ">="
	}
	if (got >= want) == atLeast {
		verdict = "kept"
	}
	fmt.Printf("%-62s %7.2f, budget %s %.1f: %s\n", what, got, sign, want, verdict)
}

// listRow is a query with many tickets.
type listRow struct {
	query
	result
	stolen float64 // the part of the processors' time that other machines had
}

// printScale writes the table of many tickets, and the budgets under it.
func printScale(tickets int, rows []listRow, starts map[string]time.Duration, used map[string]local.Process) {
	fmt.Printf("\n%-26s %12s %10s %10s %10s\n", fmt.Sprintf("%d tickets", tickets), "8 clients/s", "median", "p99", "stolen")
	for _, r := range rows {
		fmt.Printf("%-26s %12.0f %10s %10s %9.1f%%\n", r.name, r.rate, short(r.p50), short(r.p99), 100*r.stolen)
	}
	fmt.Println()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Printf("%-26s %8d MiB\n", name, used[name].Memory)
	}
	fmt.Println()
	for _, r := range rows {
		if r.budget > 0 {
			budget(r.name+", p99 in ms", milliseconds(r.p99), milliseconds(r.budget), false)
		}
	}
	budget("apiserver, MiB", float64(used["apiserver"].Memory), 1536, false)
	budget("manager, MiB", float64(used["manager"].Memory), 1536, false)
	for _, what := range slices.Sorted(maps.Keys(starts)) {
		budget("start to ready, s: "+what, starts[what].Seconds(), 30, false)
	}
}
