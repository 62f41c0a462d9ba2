// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

func TestLists(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "slim")
}

var _ = Describe("A cache of tickets", Ordered, func() {
	var (
		config *rest.Config
		k8s    client.Client
		pages  atomic.Int32 // that were asked for
	)
	BeforeAll(func(ctx SpecContext) {
		environment, administrator := testenv.ForSpecs()
		config, k8s = rest.CopyConfig(environment.Config), administrator
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Has("limit") {
					pages.Add(1)
				}
				return next.RoundTrip(r)
			})
		})
		for _, namespace := range []string{"one", "two"} {
			Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
			for n := range 3 {
				ticket := fixtures.Ticket(namespace, fmt.Sprintf("%s-%d", namespace, n))
				Expect(k8s.Create(ctx, ticket)).To(Succeed())
			}
		}
	})

	// filled is a cache that asks for so many tickets at once.
	filled := func(pageSize int64) cache.Cache {
		GinkgoHelper()
		c, err := newCache(config, cache.Options{Scheme: testenv.Scheme()}, pageSize)
		Expect(err).NotTo(HaveOccurred())
		_, err = c.GetInformer(context.Background(), &v1alpha1.Ticket{}, cache.BlockUntilSynced(false))
		Expect(err).NotTo(HaveOccurred())
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- c.Start(ctx) }()
		DeferCleanup(func() {
			stop()
			Expect(<-ended).To(Succeed())
		})
		listed, cancel := context.WithTimeout(ctx, testenv.Timeout)
		defer cancel()
		Expect(c.WaitForCacheSync(listed)).To(BeTrue())
		return c
	}
	stored := func(ctx SpecContext) []v1alpha1.Ticket {
		GinkgoHelper()
		var list v1alpha1.TicketList
		Expect(k8s.List(ctx, &list)).To(Succeed())
		for i := range list.Items {
			list.Items[i].ManagedFields = nil
		}
		return list.Items
	}

	DescribeTable("has each ticket of all namespaces once and whole, whatever the number of pages", func(ctx SpecContext, pageSize, want int) {
		pages.Store(0)
		var list v1alpha1.TicketList
		Expect(filled(int64(pageSize)).List(ctx, &list)).To(Succeed())
		Expect(list.Items).To(ConsistOf(stored(ctx)))
		Expect(list.Items).To(HaveLen(6))
		Expect(pages.Load()).To(BeEquivalentTo(want))
	},
		Entry("six", 1, 6), Entry("three that are full", 2, 3), Entry("two, the last not full", 4, 2), Entry("one that is full", 6, 1), Entry("one", 100, 1),
	)

	It("has what is changed, deleted and created after its list", func(ctx SpecContext) {
		c := filled(2)
		changed := &v1alpha1.Ticket{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "one", Name: "one-1"}, changed)).To(Succeed())
		changed.Labels = map[string]string{"team": "red"}
		Expect(k8s.Update(ctx, changed)).To(Succeed())
		Expect(k8s.Delete(ctx, fixtures.Ticket("two", "two-0"))).To(Succeed())
		Expect(k8s.Create(ctx, fixtures.Ticket("two", "two-3"))).To(Succeed())
		Eventually(func(g Gomega) {
			var list v1alpha1.TicketList
			g.Expect(c.List(ctx, &list)).To(Succeed())
			g.Expect(list.Items).To(ConsistOf(stored(ctx)))
		}).Should(Succeed())
	})

	It("says why it may not list them", func(ctx SpecContext) {
		nobody := rest.CopyConfig(config)
		nobody.Impersonate.UserName = "nobody"
		_, err := listerOf(nobody, &toolscache.ListWatch{}).ListWithContext(ctx, metav1.ListOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`User "nobody" cannot list resource "tickets"`)))
	})
})

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func listerOf(config *rest.Config, watches toolscache.ListerWatcher) *lister {
	tickets, err := ticketClient(config)
	if err != nil {
		panic(err)
	}
	return newLister(watches, tickets, Transform(), 2)
}

// watched is a lister whose watches are those that a test opened, in turn.
type watched struct {
	*lister
	opened []*watch.FakeWatcher
	from   []string // which resource versions
}

// answering lists from a server that answers one request after the other.
func answering(t *testing.T, answers ...func(w http.ResponseWriter, r *http.Request)) *watched {
	t.Helper()
	next := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if next == len(answers) {
			t.Errorf("nothing is left to answer %s", r.URL)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answers[next](w, r)
		next++
	}))
	t.Cleanup(func() {
		server.Close()
		if next < len(answers) {
			t.Errorf("%d of %d answers were asked for", next, len(answers))
		}
	})
	all := &watched{}
	all.lister = listerOf(&rest.Config{Host: server.URL}, &toolscache.ListWatch{
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			all.opened, all.from = append(all.opened, watch.NewFake()), append(all.from, o.ResourceVersion)
			return all.opened[len(all.opened)-1], nil
		},
	})
	return all
}

func says(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, text) }
}

const nothing = `{"metadata":{"resourceVersion":"7"},"items":[]}`

func TestPagesAreAskedForOnceTheyAreInMemory(t *testing.T) {
	l := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("labelSelector") == "" {
			t.Error("what is asked for would be read from etcd")
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}, says(nothing), says(`{"metadata":{"resourceVersion":"8"},"items":[{"metadata":{"name":"one"}}]}`))
	list, err := l.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if got := list.(*metav1.List); len(got.Items) != 1 || got.ResourceVersion != "8" {
		t.Errorf("got %d tickets at %q", len(got.Items), got.ResourceVersion)
	}
}

func TestAListThatIsCutShortIsAnError(t *testing.T) {
	first := says(`{"metadata":{"resourceVersion":"8","continue":"more"},"items":[{"metadata":{"name":"one"}}]}`)
	for name, second := range map[string]func(http.ResponseWriter, *http.Request){
		"a page is refused": func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("continue"); got != "more" {
				t.Errorf("the second page was asked for as %q", got)
			}
			w.WriteHeader(http.StatusGone)
			says(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}`)(w, r)
		},
		"a page is no JSON":                says(`{"metadata":`),
		"a page has what tickets have not": says(`{"metadata":{"resourceVersion":"8"},"items":[{"status":{"id":"seven"}}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			l := answering(t, says(nothing), first, second)
			list, err := l.ListWithContext(t.Context(), metav1.ListOptions{})
			if err == nil {
				t.Fatalf("got %v", list)
			}
			if !l.opened[0].IsStopped() {
				t.Error("the watch that should have gone on from it is open")
			}
			if strings.Contains(name, "refused") != apierrors.IsResourceExpired(err) {
				t.Errorf("an informer would not know what to do about: %v", err)
			}
		})
	}
}

// Neither kube-apiserver nor this program has to remember what happens meanwhile.
func TestWhatHappensDuringAListIsToldByTheWatchThatGoesOnFromIt(t *testing.T) {
	var l *watched
	l = answering(t, says(nothing),
		says(`{"metadata":{"resourceVersion":"8","continue":"more"},"items":[{"metadata":{"name":"one"}}]}`),
		func(w http.ResponseWriter, r *http.Request) {
			for range 3 { // taken at once: the fake watch has no room for any
				l.opened[0].Modify(decoded(t))
			}
			says(`{"metadata":{"resourceVersion":"8"},"items":[{"metadata":{"name":"two"}}]}`)(w, r)
		})
	list, err := l.ListWithContext(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := l.WatchWithContext(t.Context(), metav1.ListOptions{ResourceVersion: list.(*metav1.List).ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	go l.opened[0].Delete(decoded(t))
	want := decoded(t)
	want.ManagedFields = nil
	for _, kind := range []watch.EventType{watch.Modified, watch.Modified, watch.Modified, watch.Deleted} {
		event := <-events.ResultChan()
		if event.Type != kind {
			t.Errorf("got %s, want %s", event.Type, kind)
		}
		head := event.Object.(*v1alpha1.Ticket)
		if head.Status.Packed == nil {
			t.Error("what waited was not packed")
		}
		if diff := cmp.Diff(want, Whole(head)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	events.Stop()
	events.Stop()
	if _, more := <-events.ResultChan(); more || !l.opened[0].IsStopped() {
		t.Error("it goes on after it was stopped")
	}
	if diff := cmp.Diff([]string{"8"}, l.from); diff != "" {
		t.Errorf("watches were opened from: -want +got:\n%s", diff)
	}
}

func TestAWatchThatEndsTellsWhatItHadBefore(t *testing.T) {
	for name, end := range map[string]func(*watch.FakeWatcher){
		"it is closed": (*watch.FakeWatcher).Stop,
		"it fails":     func(source *watch.FakeWatcher) { source.Error(&metav1.Status{Code: http.StatusGone}) },
	} {
		t.Run(name, func(t *testing.T) {
			source := watch.NewFake()
			f := keep(t.Context(), "8", source, Transform())
			source.Add(decoded(t))
			end(source)
			if event := <-f.ResultChan(); event.Type != watch.Added {
				t.Errorf("got %v", event)
			}
			if event, more := <-f.ResultChan(); more {
				t.Errorf("got %v", event)
			}
		})
	}
}

func TestAWatchThatNobodyTakesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	source := watch.NewFake()
	f := keep(ctx, "8", source, Transform())
	source.Add(decoded(t)) // and waits
	cancel()
	<-f.over
}

// An informer would take one that ends at once for a reason to list anew.
func TestAWatchThatHasEndedIsNotTakenUp(t *testing.T) {
	l := answering(t, says(nothing), says(`{"metadata":{"resourceVersion":"8"},"items":[]}`))
	if _, err := l.ListWithContext(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	l.opened[0].Stop()
	<-l.followed.Load().over
	events, err := l.WatchWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "8"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"8", "8"}, l.from); diff != "" {
		t.Errorf("watches were opened from: -want +got:\n%s", diff)
	}
	if events != watch.Interface(l.opened[1]) {
		t.Error("it is not the second")
	}
}

func TestAWatchThatGoesOnFromElsewhereIsAnotherOne(t *testing.T) {
	l := answering(t, says(nothing), says(`{"metadata":{"resourceVersion":"8"},"items":[]}`))
	if _, err := l.ListWithContext(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WatchWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "9"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"8", "9"}, l.from); diff != "" {
		t.Errorf("watches were opened from: -want +got:\n%s", diff)
	}
	if !l.opened[0].IsStopped() || l.opened[1].IsStopped() {
		t.Error("the first must be stopped, the second not")
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	l := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if list, err := l.ListWithContext(ctx, metav1.ListOptions{}); err == nil {
		t.Errorf("got %v", list)
	}
}

// Two libraries read tickets: this one what is listed, Kubernetes' what is watched.
func TestWhatIsListedIsReadAsWhatIsWatched(t *testing.T) {
	filler := tickets()
	for range 2000 {
		var ticket, want, got v1alpha1.Ticket
		filler.Fill(&ticket)
		data, err := json.Marshal(&ticket)
		if err != nil {
			t.Fatal(err)
		}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &want); err != nil {
			t.Fatal(err)
		}
		if err := read(data, &got); err != nil {
			t.Fatalf("%v:\n%s", err, data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}
