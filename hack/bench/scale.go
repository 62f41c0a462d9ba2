// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/hack/local"
)

// What many tickets cost: they are copies of one that went through REST, put
// straight into etcd, since opening each by itself would measure something else
// for a quarter of an hour.

// firstCopy is the wire id of the first copy, beyond what is given meanwhile.
const firstCopy = 1_000_000

// people that the copies are spread over.
const people = 200

// template is a typical ticket: 8 fields, 6 history entries.
func (b *bench) template(ctx context.Context) (map[string]any, error) {
	path, err := b.rest.open(ctx)
	if err != nil {
		return nil, err
	}
	for range 5 {
		if err := b.rest.Call(ctx, "PATCH", path, map[string]any{"transition_id": 2, "suggestion": "handled"}, nil); err != nil {
			return nil, err
		}
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(path, "tickets/"), 10, 64)
	if err != nil {
		return nil, err
	}
	return b.stamped(ctx, id)
}

// stamped is a ticket as it is once nothing more will be written.
func (b *bench) stamped(ctx context.Context, id int64) (map[string]any, error) {
	for range 100 {
		list := ticketList()
		if err := b.raw.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		for i := range list.Items {
			got, _, err := unstructured.NestedInt64(list.Items[i].Object, "status", "id")
			if err == nil && got == id && list.Items[i].GetAnnotations() != nil {
				return list.Items[i].Object, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("ticket %d is not stamped as opened", id)
}

func ticketList() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "ticketflow.dev", Version: "v1alpha1", Kind: "TicketList"})
	return list
}

// fill puts so many tickets into etcd, which runs for this alone.
func fill(ctx context.Context, data string, count int, ticket func(n int) (name, value string, err error)) error {
	stop, etcd, err := startEtcd(ctx, data)
	if err != nil {
		return err
	}
	defer stop()
	const batch = 100
	for from := 0; from < count; from += batch {
		var puts []clientv3.Op
		for n := from; n < min(from+batch, count); n++ {
			name, value, err := ticket(n)
			if err != nil {
				return err
			}
			puts = append(puts, clientv3.OpPut("/registry/ticketflow.dev/tickets/"+namespace+"/"+name, value))
		}
		if _, err := etcd.Txn(ctx).Then(puts...).Commit(); err != nil {
			return fmt.Errorf("write tickets: %w", err)
		}
	}
	return nil
}

// startEtcd starts etcd on the data of the `up` that was stopped.
func startEtcd(ctx context.Context, data string) (stop func(), client *clientv3.Client, err error) {
	free, err := local.FreeAddress()
	if err != nil {
		return nil, nil, err
	}
	address := "http://" + free
	process := exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "etcd"), "--name=ticketflow", "--data-dir="+filepath.Join(data, "etcd"),
		"--listen-client-urls="+address, "--advertise-client-urls="+address, "--listen-peer-urls=http://127.0.0.1:0",
		"--quota-backend-bytes="+strconv.Itoa(8<<30), "--log-level=error")
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		return nil, nil, err
	}
	client, err = clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 30 * time.Second})
	return func() {
		_ = client.Close()
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
	}, client, err
}

// copyOf is the n-th copy: its own names and numbers, and its own people.
func copyOf(ticket map[string]any, n int, opened time.Time) (name, value string, err error) {
	object := (&unstructured.Unstructured{Object: ticket}).DeepCopy()
	name = fmt.Sprintf("copy-%07d", n)
	object.SetName(name)
	object.SetGenerateName("")
	object.SetUID("")
	object.SetResourceVersion("")
	object.SetManagedFields(nil)
	at := opened.UTC().Format(time.RFC3339)
	person := fmt.Sprintf("person%03d", n%people)
	for path, value := range map[string]any{
		"metadata.uid": uuid.NewString(), "metadata.creationTimestamp": at, "spec.creator": person,
		"status.id": int64(firstCopy + n), "status.serialNumber": fmt.Sprintf("loonflow_20180101%07d", n), "status.openedAt": at, "status.updatedAt": at,
		"status.title": fmt.Sprintf("typical ticket number %d", n),
	} {
		if err := unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...); err != nil {
			return "", "", err
		}
	}
	if err := unstructured.SetNestedStringSlice(object.Object, []string{person}, "status", "participants", "users"); err != nil {
		return "", "", err
	}
	related := []any{map[string]any{"user": person, "handled": true}, map[string]any{"user": fmt.Sprintf("person%03d", (n+7)%people)}}
	if err := unstructured.SetNestedSlice(object.Object, related, "status", "related"); err != nil {
		return "", "", err
	}
	data, err := json.Marshal(object.Object)
	return name, string(data), err
}

// listed waits until the index has so many tickets.
func listed(ctx context.Context, rest *restClient, count int) error {
	var page struct {
		Total int `json:"total"`
	}
	for range 1200 {
		if err := rest.Call(ctx, "GET", "tickets?category=all&per_page=1", nil, &page); err != nil {
			return err
		}
		if page.Total >= count {
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return fmt.Errorf("only %d of %d tickets are listed", page.Total, count)
}

// settled waits until the programs are idle: after a start the manager looks at
// every ticket once, which says nothing about lists. Nobody waits for ever.
func (b *bench) settled() error {
	fmt.Fprintln(os.Stderr, "waiting until all is quiet")
	const look, idle = 2 * time.Second, 200 * time.Millisecond
	var before time.Duration
	for range 150 {
		used, err := b.up.Processes()
		if err != nil {
			return err
		}
		var sum time.Duration
		for _, process := range used {
			sum += process.CPU
		}
		if sum-before < idle {
			return nil
		}
		before = sum
		time.Sleep(look)
	}
	fmt.Fprintln(os.Stderr, "it is not: the figures hold what else is done")
	return nil
}

// again kills a program of ours, which is then started again, and answers how long
// it takes until that works.
func (b *bench) again(ctx context.Context, program string, works func(ctx context.Context) error) (time.Duration, error) {
	fmt.Fprintf(os.Stderr, "the %s, killed\n", program)
	used, err := b.up.Processes()
	if err != nil {
		return 0, err
	}
	running, ok := used[program]
	if !ok {
		return 0, fmt.Errorf("the %s does not run", program) // the id 0 would be all of this group
	}
	begun := time.Now()
	if err := syscall.Kill(running.PID, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("kill the %s: %w", program, err)
	}
	for range 6000 {
		time.Sleep(100 * time.Millisecond)
		if err = works(ctx); err == nil {
			return time.Since(begun), nil
		}
	}
	return 0, fmt.Errorf("the %s, killed, does not work again: %w", program, err)
}

// query is a row of the table of many tickets. Each client asks for other values.
type query struct {
	name   string
	path   func(client, n int) string // below /api/v1.0/; nil asks for /healthz
	budget time.Duration              // of p99; 0 for none
}

// queries are the rows of the table, with so many tickets.
func queries(tickets int) []query {
	list := func(format string, value func(client, n int) any) func(client, n int) string {
		return func(client, n int) string { return "tickets?" + fmt.Sprintf(format, value(client, n)) }
	}
	const quick, walk = 5 * time.Millisecond, 50 * time.Millisecond // a walk looks at each candidate, as a search within titles must
	page := func(_, n int) any { return n }
	some := func(client, n int) any { return (client*7919 + n) % 1000 }
	return []query{
		// What the slowest of these take is the machine's doing.
		{"nothing: /healthz", nil, 0},
		{"list all", list("category=all&page=%d", page), quick},
		{"list duty", list("category=duty&page=%d", func(_, n int) any { return 1 + n%5 }), quick},
		{"list by workflow, state", list("category=all&workflow_ids=1&is_end=0&page=%d", page), quick},
		{"list by creator", list("category=all&from_admin=1&creator=person%03d", func(c, n int) any { return (c*31 + n) % people }), quick},
		{"list by time", list("category=all&reverse=0&create_start=%s", func(_, n int) any {
			from := time.Now().Add(-time.Duration(1000+n%1000) * time.Minute).UTC()
			return from.Format("2006-01-02") + "&page=" + strconv.Itoa(1+n%50)
		}), quick},
		{"list by id", list("category=all&ticket_ids=%d", func(c, n int) any { return firstCopy + (c*7919+n)%1000 }), quick},
		{"list by serial number", list("category=all&sn=loonflow_20180101%07d", some), quick},
		{"list by title", list("category=all&title=number+%d", some), walk},
		{"detail", func(c, n int) string { return fmt.Sprintf("tickets/%d", firstCopy+(c*7919+n*31)%tickets) }, quick},
	}
}
