// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

const (
	// pageSize is how many tickets are asked for at once: some 5 MB of typical ones.
	pageSize = 1000
	// readers are how many pages are read at once, which bounds what they hold.
	readers = 2
)

// lister lists tickets for an informer, a page after the other, and packs each
// while the next is on its way. Informers would have every ticket sent as an event
// of its own, which costs kube-apiserver twice as much and the reader three times.
//
// kube-apiserver serves pages from memory as long as it knows what was there when
// the first was asked for, that is if a ticket was written since etcd was last
// compacted, some minutes ago; else from etcd, which takes as long as events do.
type lister struct {
	toolscache.ListerWatcherWithContext // watches
	tickets                             rest.Interface
	transform                           toolscache.TransformFunc
	pageSize                            int64
	followed                            atomic.Pointer[followed]
}

func newLister(watches toolscache.ListerWatcher, tickets rest.Interface, transform toolscache.TransformFunc, pageSize int64) *lister {
	return &lister{ListerWatcherWithContext: toolscache.ToListerWatcherWithContext(watches), tickets: tickets, transform: transform, pageSize: pageSize}
}

// ticketClient asks for tickets, which it does not decode.
func ticketClient(config *rest.Config) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath = &v1alpha1.SchemeGroupVersion, "/apis"
	config.UserAgent = cmp.Or(config.UserAgent, rest.DefaultKubernetesUserAgent())
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion() // for refusals
	tickets, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make the client that lists tickets: %w", err)
	}
	return tickets, nil
}

// IsWatchListSemanticsUnSupported has an informer list before it watches.
func (l *lister) IsWatchListSemanticsUnSupported() bool { return true }

// List implements toolscache.ListerWatcher.
func (l *lister) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// Watch implements toolscache.ListerWatcher.
func (l *lister) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// ListWithContext lists the tickets of all namespaces as they are now, also where
// the options would do with an older state.
func (l *lister) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	var list metav1.List
	var mu sync.Mutex
	reading, asking := errgroup.WithContext(ctx) // no page is asked for once one cannot be read
	reading.SetLimit(readers)
	err := l.pages(ctx, asking, func(page []byte) {
		reading.Go(func() error {
			tickets, err := l.packed(page)
			mu.Lock()
			defer mu.Unlock()
			list.Items = append(list.Items, tickets...)
			return err
		})
	}, &list.ListMeta)
	if err := errors.Join(reading.Wait(), err); err != nil {
		l.swap(nil)
		return nil, fmt.Errorf("list tickets: %w", err)
	}
	return &list, nil
}

// wait waits until kube-apiserver has the tickets in memory, which takes minutes
// after its start if there are many: pages would be read from etcd until then, and
// delay it. To who asks for a selection, however old, it says that it is not ready.
func (l *lister) wait(ctx context.Context) error {
	none := v1alpha1.SchemeGroupVersion.Group + "/none" // no ticket has that label
	told := false
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := l.get(ctx, metav1.ListOptions{LabelSelector: none, ResourceVersion: "0"})
		if !apierrors.IsTooManyRequests(err) {
			return true, err
		}
		if !told {
			klog.FromContext(ctx).Info("Waiting for kube-apiserver to list tickets", "reason", err.Error())
			told = true
		}
		return false, nil
	})
}

// pages gets all pages, while asking is not done, and what the list as a whole has.
func (l *lister) pages(ctx, asking context.Context, got func(page []byte), list *metav1.ListMeta) error {
	for {
		page, err := l.get(asking, metav1.ListOptions{Limit: l.pageSize, Continue: list.Continue})
		if err != nil {
			return err
		}
		var head struct {
			metav1.ListMeta `json:"metadata"`
		}
		if err := read(page, &head); err != nil {
			return err
		}
		if list.Continue == "" { // the first
			if err := l.follow(ctx, head.ResourceVersion); err != nil {
				return err
			}
		}
		got(page)
		if *list = head.ListMeta; list.Continue == "" {
			return nil
		}
	}
}

func (l *lister) get(ctx context.Context, o metav1.ListOptions) ([]byte, error) {
	answer := l.tickets.Get().Resource("tickets").VersionedParams(&o, metav1.ParameterCodec).Do(ctx)
	if err := answer.Error(); err != nil { // Raw would not read what a refusal says
		return nil, err
	}
	return answer.Raw()
}

// packed reads the tickets of a page and packs them.
func (l *lister) packed(page []byte) ([]runtime.RawExtension, error) {
	var list struct {
		Items []*v1alpha1.Ticket `json:"items"`
	}
	if err := read(page, &list); err != nil {
		return nil, err
	}
	tickets := make([]runtime.RawExtension, 0, len(list.Items))
	for _, ticket := range list.Items {
		ticket.TypeMeta = metav1.TypeMeta{} // as tickets that are watched have it
		if _, err := l.transform(ticket); err != nil {
			return nil, err
		}
		tickets = append(tickets, runtime.RawExtension{Object: ticket})
	}
	return tickets, nil
}

// read reads JSON as kube-apiserver's clients do, in half the time.
func read(data []byte, into any) error {
	return json.Unmarshal(data, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
