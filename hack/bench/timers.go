// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/hack/local"
)

const (
	// waitingWorkflow is the wire id of the workflow whose tickets wait for a timer.
	waitingWorkflow = 2
	// headStart is how long before the first timer falls due everything is started.
	headStart = 40 * time.Second
	// spread is how long after the first the last timer falls due.
	spread = time.Minute
)

// timers puts so many tickets into etcd that wait for timers of the same
// minute, and measures how they fire.
func (b *bench) timers(ctx context.Context, count int) error {
	var opened struct {
		ID int64 `json:"ticket_id"`
	}
	body := map[string]any{"workflow_id": waitingWorkflow, "transition_id": 10, "title": "a ticket that waits"}
	if err := b.rest.Call(ctx, http.MethodPost, "tickets", body, &opened); err != nil {
		return err
	}
	ticket, err := b.stamped(ctx, opened.ID)
	if err != nil {
		return err
	}
	b.up.Stop()
	first := time.Now().Add(headStart).Truncate(time.Second)
	due := func(n int) time.Time { return first.Add(spread * time.Duration(n) / time.Duration(count)) }
	err = fill(ctx, local.Data(b.folder), count, func(n int) (string, string, error) {
		waiting := (&unstructured.Unstructured{Object: ticket}).DeepCopy()
		timer := map[string]any{"transition": "late", "at": due(n).UTC().Format(time.RFC3339)}
		if err := unstructured.SetNestedSlice(waiting.Object, []any{timer}, "status", "timers"); err != nil {
			return "", "", err
		}
		return copyOf(waiting.Object, n, first.Add(-time.Hour))
	})
	if err != nil {
		return err
	}
	if err := b.start(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d tickets wait; the first timer falls due in %s\n", count, time.Until(first).Round(time.Second))
	w, err := b.watch(ctx, count, first.Add(spread).Add(5*time.Minute))
	if err != nil {
		return err
	}
	lags, err := b.lags(ctx, due)
	if err != nil {
		return err
	}
	w.print(count, lags, time.Since(first.Add(spread)))
	return nil
}

// watched is what was seen while timers fired.
type watched struct {
	memory  map[string]int // the most, by program
	depth   float64        // the most
	metrics map[string]float64
}

// watch looks every half second until all have fired.
func (b *bench) watch(ctx context.Context, count int, deadline time.Time) (*watched, error) {
	w := &watched{memory: map[string]int{}}
	for time.Now().Before(deadline) {
		processes, err := b.up.Processes()
		if err != nil {
			return nil, err
		}
		for name, process := range processes {
			w.memory[name] = max(w.memory[name], process.Memory)
		}
		if w.metrics, err = queue(b.up.Metrics); err != nil {
			return nil, err
		}
		w.depth = max(w.depth, w.metrics["workqueue_depth"])
		var page struct {
			Total int `json:"total"`
		}
		query := fmt.Sprintf("tickets?category=all&workflow_ids=%d&is_end=1&per_page=1", waitingWorkflow)
		if err := b.rest.Call(ctx, http.MethodGet, query, nil, &page); err != nil {
			return nil, err
		}
		if page.Total >= count {
			return w, nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return nil, fmt.Errorf("not all of %d timers have fired", count)
}

var ofTickets = regexp.MustCompile(`^(workqueue_\w+)\{.*name="ticket".*\} (\S+)$`)

// queue are the figures of the ticket reconciler's queue.
func queue(address string) (map[string]float64, error) {
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	out := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if found := ofTickets.FindStringSubmatch(lines.Text()); found != nil {
			value, err := strconv.ParseFloat(found[2], 64)
			if err != nil {
				return nil, err
			}
			out[found[1]] += value // of all priorities
		}
	}
	return out, lines.Err()
}

// lags are how long after its time each timer fired, in order.
func (b *bench) lags(ctx context.Context, due func(n int) time.Time) ([]time.Duration, error) {
	var lags []time.Duration
	options := &client.ListOptions{Namespace: namespace, Limit: 1000}
	for {
		list := ticketList()
		if err := b.raw.client.List(ctx, list, options); err != nil {
			return nil, err
		}
		for i := range list.Items {
			var n int
			if _, err := fmt.Sscanf(list.Items[i].GetName(), "copy-%d", &n); err != nil {
				continue // the one that was copied
			}
			text, _, err := unstructured.NestedString(list.Items[i].Object, "status", "enteredAt")
			if err != nil {
				return nil, err
			}
			fired, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, err
			}
			lags = append(lags, fired.Sub(due(n).Truncate(time.Second)))
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			slices.Sort(lags)
			return lags, nil
		}
	}
}

func (w *watched) print(count int, lags []time.Duration, last time.Duration) {
	fmt.Printf("%d timers within %s\n\n", count, spread)
	fmt.Printf("%-44s %10s\n", "after its time, median", lags[len(lags)/2])
	fmt.Printf("%-44s %10s\n", "after its time, p99", lags[len(lags)*99/100])
	fmt.Printf("%-44s %10s\n", "after its time, latest", lags[len(lags)-1])
	fmt.Printf("%-44s %10.0f\n", "tickets in the queue, most", w.depth)
	reconciliations := w.metrics["workqueue_work_duration_seconds_count"]
	fmt.Printf("%-44s %10.0f\n", "reconciliations", reconciliations)
	for name, metric := range map[string]string{"mean time in the queue, ms": "queue", "mean time of one, ms": "work"} {
		fmt.Printf("%-44s %10.1f\n", name, 1000*w.metrics["workqueue_"+metric+"_duration_seconds_sum"]/reconciliations)
	}
	for _, name := range slices.Sorted(maps.Keys(w.memory)) {
		fmt.Printf("%-44s %10d\n", name+", most, MiB", w.memory[name])
	}
	fmt.Println()
	budget("the last has fired after the last fell due, s", last.Seconds(), 60, false)
	budget("one after its time, latest, s", lags[len(lags)-1].Seconds(), 60, false)
}
