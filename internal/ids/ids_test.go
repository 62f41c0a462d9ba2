// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package ids_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/ids"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var k8s client.Client

func TestIDs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "ids")
}

var _ = BeforeSuite(func() {
	_, k8s = testenv.ForSpecs()
})

func newNamespace(ctx context.Context) string {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ids-"}}
	Expect(k8s.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

func claims(names ...string) []ids.Claim {
	var all []ids.Claim
	for _, name := range names {
		all = append(all, ids.Claim{Name: name})
	}
	return all
}

var _ = Describe("the registry", func() {
	It("gives a name the same id for ever, also to a new process", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		first, err := ids.NewRegistry(k8s, ns, nil).Assign(ctx, ids.Users, claims("a", "b"))
		Expect(err).NotTo(HaveOccurred())
		Expect(first["a"]).NotTo(Equal(first["b"]))
		again, err := ids.NewRegistry(k8s, ns, nil).Assign(ctx, ids.Users, claims("b", "c", "a"))
		Expect(err).NotTo(HaveOccurred())
		Expect(again).To(HaveKeyWithValue("a", first["a"]))
		Expect(again).To(HaveKeyWithValue("b", first["b"]))
		Expect(again["c"]).To(BeNumerically(">", max(first["a"], first["b"])))
	})

	It("keeps wanted ids and refuses the second claim on one", func(ctx SpecContext) {
		registry := ids.NewRegistry(k8s, newNamespace(ctx), nil)
		kept, err := registry.Assign(ctx, ids.States, []ids.Claim{{Name: "x", Want: 7}, {Name: "y"}})
		Expect(err).NotTo(HaveOccurred())
		Expect(kept["x"]).To(BeEquivalentTo(7))

		_, err = registry.Assign(ctx, ids.States, []ids.Claim{{Name: "z", Want: 7}})
		var taken *ids.TakenError
		Expect(errors.As(err, &taken)).To(BeTrue())
		Expect(taken.Owner).To(Equal("x"))

		_, err = registry.Assign(ctx, ids.States, []ids.Claim{{Name: "p", Want: 9}, {Name: "q", Want: 9}})
		Expect(errors.As(err, &taken)).To(BeTrue(), "within one object too")
	})

	It("never gives an id again that its owner gave up", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		registry := ids.NewRegistry(k8s, ns, nil)
		before, err := registry.Assign(ctx, ids.Fields, claims("x"))
		Expect(err).NotTo(HaveOccurred())
		after, err := registry.Assign(ctx, ids.Fields, []ids.Claim{{Name: "x", Want: 5}})
		Expect(err).NotTo(HaveOccurred())
		Expect(after["x"]).To(BeEquivalentTo(5))
		_, err = ids.NewRegistry(k8s, ns, nil).Assign(ctx, ids.Fields, []ids.Claim{{Name: "y", Want: before["x"]}})
		Expect(err).To(MatchError(ContainSubstring("belongs to x: leave the id out")))
		still, err := ids.NewRegistry(k8s, ns, nil).Assign(ctx, ids.Fields, claims("x"))
		Expect(err).NotTo(HaveOccurred())
		Expect(still["x"]).To(BeEquivalentTo(5))
	})

	It("is rebuilt from what objects show when it was lost", func(ctx SpecContext) {
		seen := func(context.Context, ids.Kind) ([]ids.Claim, error) {
			return []ids.Claim{{Name: "old", Seen: 10040}}, nil
		}
		registry := ids.NewRegistry(k8s, newNamespace(ctx), seen)
		given, err := registry.Assign(ctx, ids.Users, claims("new", "old"))
		Expect(err).NotTo(HaveOccurred())
		Expect(given["old"]).To(BeEquivalentTo(10040))
		Expect(given["new"]).To(BeNumerically(">", 10040))
	})

	It("gives no id twice when two processes write", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		one, two := ids.NewRegistry(k8s, ns, nil), ids.NewRegistry(k8s, ns, nil)
		_, err := one.Assign(ctx, ids.Users, claims("a"))
		Expect(err).NotTo(HaveOccurred())
		_, err = two.Assign(ctx, ids.Users, claims("b"))
		Expect(err).NotTo(HaveOccurred())
		_, err = one.Assign(ctx, ids.Users, claims("c"))
		Expect(ids.IsConflict(err)).To(BeTrue(), "%v", err)
		given, err := one.Assign(ctx, ids.Users, claims("a", "b", "c"))
		Expect(err).NotTo(HaveOccurred())
		Expect(distinct(given)).To(HaveLen(3))
	})
})

func distinct(given map[string]v1alpha1.WireID) map[v1alpha1.WireID]bool {
	values := map[v1alpha1.WireID]bool{}
	for _, id := range given {
		values[id] = true
	}
	return values
}

var _ = Describe("the counter", func() {
	day := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

	It("never repeats a number, also after a crash and with two processes (Q25)", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		var mu sync.Mutex
		seen := map[v1alpha1.WireID]int{}
		var group sync.WaitGroup
		for range 4 {
			counter := ids.NewCounter(k8s, ns, nil)
			group.Go(func() {
				defer GinkgoRecover()
				for range 120 {
					id, err := counter.Ticket(ctx)
					Expect(err).NotTo(HaveOccurred())
					mu.Lock()
					seen[id]++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		Expect(seen).To(HaveLen(480))
	})

	It("does not fall behind what is in use", func(ctx SpecContext) {
		highest := func(_ context.Context, prefix string) (int64, error) {
			if prefix == "" {
				return 41, nil
			}
			return ids.SerialNumber("ops_202611230007", prefix), nil
		}
		counter := ids.NewCounter(k8s, newNamespace(ctx), highest)
		Expect(counter.Ticket(ctx)).To(BeEquivalentTo(42))
		Expect(counter.Serial(ctx, "ops", day)).To(Equal("ops_202611230008"))
	})

	It("counts each prefix and day from 1, and forgets days long past", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		counter := ids.NewCounter(k8s, ns, nil)
		Expect(counter.Serial(ctx, "ops", day)).To(Equal("ops_202611230001"))
		Expect(counter.Serial(ctx, "ops", day)).To(Equal("ops_202611230002"))
		Expect(counter.Serial(ctx, "hr_x", day)).To(Equal("hr_x_202611230001"))
		Expect(counter.Serial(ctx, "ops", day.AddDate(0, 0, 1))).To(Equal("ops_202611240001"))
		Expect(counter.Serial(ctx, "ops", day.AddDate(0, 0, 20))).To(Equal("ops_202612130001"))
		var counters corev1.ConfigMap
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: "ticketflow-counters"}, &counters)).To(Succeed())
		Expect(counters.Data).To(HaveLen(1))
	})
})

var _ = Describe("ids carried to another cluster", func() {
	day := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	shards := func(ctx context.Context, ns string) []corev1.ConfigMap {
		GinkgoHelper()
		var all corev1.ConfigMapList
		Expect(k8s.List(ctx, &all, ids.ShardsOf(ns)...)).To(Succeed())
		return all.Items
	}
	merge := func(ctx context.Context, from, to string) error {
		GinkgoHelper()
		for _, shard := range shards(ctx, from) {
			if err := ids.MergeRegistry(ctx, k8s, to, &shard); err != nil {
				return err
			}
		}
		return nil
	}

	It("are kept, those given up too, and again if it is done again", func(ctx SpecContext) {
		from, to := newNamespace(ctx), newNamespace(ctx)
		there := ids.NewRegistry(k8s, from, nil)
		_, err := there.Assign(ctx, ids.Users, claims("gone", "a"))
		Expect(err).NotTo(HaveOccurred())
		given, err := there.Assign(ctx, ids.Users, []ids.Claim{{Name: "gone", Want: 5}, {Name: "b", Want: 90000}})
		Expect(err).NotTo(HaveOccurred())
		for range 2 {
			Expect(merge(ctx, from, to)).To(Succeed())
			Expect(shards(ctx, to)).To(HaveLen(len(shards(ctx, from))))
		}
		here, err := ids.NewRegistry(k8s, to, nil).Assign(ctx, ids.Users, claims("b", "gone", "new", "a"))
		Expect(err).NotTo(HaveOccurred())
		Expect(here).To(And(HaveKeyWithValue("b", given["b"]), HaveKeyWithValue("gone", given["gone"])))
		Expect(here["new"]).To(BeNumerically(">", here["a"]))
	})

	It("count for a process that had read the registry before", func(ctx SpecContext) {
		from, to := newNamespace(ctx), newNamespace(ctx)
		given, err := ids.NewRegistry(k8s, from, nil).Assign(ctx, ids.Users, []ids.Claim{{Name: "far", Want: 20001}})
		Expect(err).NotTo(HaveOccurred())
		running := ids.NewRegistry(k8s, to, nil)
		_, err = running.Assign(ctx, ids.Users, claims("here"))
		Expect(err).NotTo(HaveOccurred())
		Expect(merge(ctx, from, to)).To(Succeed())
		_, err = running.Assign(ctx, ids.Users, claims("far"))
		Expect(ids.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(running.Assign(ctx, ids.Users, claims("far"))).To(Equal(given))
	})

	It("are refused, all by name, where they belong to others", func(ctx SpecContext) {
		from, to := newNamespace(ctx), newNamespace(ctx)
		_, err := ids.NewRegistry(k8s, from, nil).Assign(ctx, ids.Users, []ids.Claim{{Name: "a", Want: 1}, {Name: "b", Want: 2}})
		Expect(err).NotTo(HaveOccurred())
		_, err = ids.NewRegistry(k8s, to, nil).Assign(ctx, ids.Users, []ids.Claim{{Name: "x", Want: 1}, {Name: "b", Want: 7}})
		Expect(err).NotTo(HaveOccurred())
		Expect(merge(ctx, from, to)).To(MatchError(And(
			ContainSubstring("the id 1 of users belongs to x here and to a there"),
			ContainSubstring("users b has the id 7 here and 2 there"))))
	})

	It("are not given again to tickets, nor are serial numbers", func(ctx SpecContext) {
		from, to := newNamespace(ctx), newNamespace(ctx)
		there := ids.NewCounter(k8s, from, nil)
		last, err := there.Ticket(ctx)
		Expect(err).NotTo(HaveOccurred())
		numbers, err := ids.ReadNumbers(ctx, k8s, from)
		Expect(err).NotTo(HaveOccurred())
		Expect(numbers.Origin).NotTo(BeEmpty())
		numbers.Note(700, "hr_x_202611230041")
		for range 2 {
			Expect(ids.RaiseCounters(ctx, k8s, to, numbers)).To(Succeed())
		}
		here := ids.NewCounter(k8s, to, nil)
		Expect(here.Ticket(ctx)).To(And(BeNumerically(">", last), BeEquivalentTo(701)))
		Expect(here.Serial(ctx, "hr_x", day)).To(Equal("hr_x_202611230042"))
		Expect(ids.RaiseCounters(ctx, k8s, to, numbers)).To(Succeed(), "it is the same installation")
	})

	It("are refused where tickets were counted from elsewhere", func(ctx SpecContext) {
		from, to := newNamespace(ctx), newNamespace(ctx)
		for _, ns := range []string{from, to} {
			_, err := ids.NewCounter(k8s, ns, nil).Ticket(ctx)
			Expect(err).NotTo(HaveOccurred())
		}
		numbers, err := ids.ReadNumbers(ctx, k8s, from)
		Expect(err).NotTo(HaveOccurred())
		Expect(ids.RaiseCounters(ctx, k8s, to, numbers)).To(MatchError(ids.ErrForeign))
	})
})
