// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Kubernetes' controllers, each under its own name and all under one.
const (
	collectorName    = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespacesName   = "system:serviceaccount:kube-system:namespace-controller"
	statefulSetsName = "system:serviceaccount:kube-system:statefulset-controller"
	sharedName       = "system:kube-controller-manager"
)

var collector, namespaces, statefulSets, shared client.Client

func record() *v1alpha1.TicketRecord {
	return &v1alpha1.TicketRecord{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", GenerateName: "record-", OwnerReferences: owners("a-ticket"),
			Labels: map[string]string{v1alpha1.LabelTicket: "t"},
		},
		Spec: v1alpha1.TicketRecordSpec{TicketName: "t", TicketID: 1, FirstSeq: 1, LastHash: "x", Entries: []v1alpha1.HistoryEntry{{
			Seq: 1, Time: metav1.Now(), Action: v1alpha1.HistoryOpen, Actor: "lilei", Hash: "x",
			Changes: v1alpha1.JSONObject{"days": int64(5)},
			After:   v1alpha1.HistoryPosition{Participants: v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsNone}},
		}}},
	}
}

func revision() *appsv1.ControllerRevision {
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", GenerateName: "vpn-", OwnerReferences: owners("a-workflow"),
			Labels: map[string]string{v1alpha1.LabelWorkflow: "vpn"},
		},
		Data: runtime.RawExtension{Raw: []byte(`{"workflow":"vpn"}`)},
	}
}

func owners(uids ...string) []metav1.OwnerReference {
	var out []metav1.OwnerReference
	for _, uid := range uids {
		out = append(out, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: uid, UID: types.UID(uid)})
	}
	return out
}

// kept are the objects that nobody but the manager makes and changes.
var kept = map[string]func() client.Object{
	"record":   func() client.Object { return record() },
	"revision": func() client.Object { return revision() },
}

var _ = Describe("What the manager keeps for good", func() {
	for kind, newOne := range kept {
		It("is written by nobody else: a "+kind, func(ctx SpecContext) {
			for _, c := range []client.Client{lilei, gateway, server, collector, namespaces, statefulSets, shared} {
				Expect(c.Create(ctx, newOne())).To(Satisfy(apierrors.IsForbidden))
			}
			Expect(manager.Create(ctx, newOne())).To(Succeed())
		})

		It("is changed by nobody else: a "+kind, func(ctx SpecContext) {
			attacks := map[string]func(client.Object){
				"a label taken":   func(o client.Object) { o.SetLabels(nil) },
				"a label changed": func(o client.Object) { o.SetLabels(map[string]string{v1alpha1.LabelWorkflow: "other"}) },
				"another owner":   func(o client.Object) { o.SetOwnerReferences(owners("a-stateful-set")) },
				"an owner more":   func(o client.Object) { o.SetOwnerReferences(append(o.GetOwnerReferences(), owners("b")...)) },
			}
			for what, attack := range attacks {
				object := newOne()
				Expect(manager.Create(ctx, object)).To(Succeed())
				before := object.DeepCopyObject().(client.Object)
				attack(object)
				for _, c := range []client.Client{lilei, gateway, server, collector, namespaces, statefulSets, shared} {
					err := c.Patch(ctx, object.DeepCopyObject().(client.Object), client.MergeFrom(before))
					Expect(err).To(Satisfy(apierrors.IsForbidden), what)
				}
			}
		})

		It("is deleted by nobody else, but goes with its owner and its namespace: a "+kind, func(ctx SpecContext) {
			for _, c := range []client.Client{manager, collector, namespaces, shared} {
				object := newOne()
				Expect(manager.Create(ctx, object)).To(Succeed())
				for _, other := range []client.Client{lilei, gateway, server, statefulSets} {
					Expect(other.Delete(ctx, object)).To(Satisfy(apierrors.IsForbidden))
					err := other.DeleteAllOf(ctx, object, client.InNamespace("default"))
					Expect(err).To(Satisfy(apierrors.IsForbidden))
				}
				Expect(c.Delete(ctx, object)).To(Succeed())
			}
		})

		It("is freed from an owner by the garbage collector: a "+kind, func(ctx SpecContext) {
			for _, c := range []client.Client{collector, shared} {
				object := newOne()
				Expect(manager.Create(ctx, object)).To(Succeed())
				before := object.DeepCopyObject().(client.Object)
				object.SetOwnerReferences(nil)
				Expect(c.Patch(ctx, object, client.MergeFrom(before))).To(Succeed())
			}
		})
	}

	It("is not rewritten even by the manager: a record", func(ctx SpecContext) {
		for what, attack := range map[string]func(*v1alpha1.HistoryEntry){
			"a comment":         func(e *v1alpha1.HistoryEntry) { e.Comment = "forged" },
			"a free-form value": func(e *v1alpha1.HistoryEntry) { e.Changes = v1alpha1.JSONObject{"days": int64(30)} },
			"one key swapped":   func(e *v1alpha1.HistoryEntry) { e.Changes = v1alpha1.JSONObject{"hours": int64(5)} },
		} {
			object := record()
			Expect(manager.Create(ctx, object)).To(Succeed())
			attack(&object.Spec.Entries[0])
			for _, c := range []client.Client{manager, gateway, lilei, collector} {
				err := c.Update(ctx, object.DeepCopy())
				Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", what, err)
			}
		}
	})

	It("is not what somebody gives our label to: another's revision", func(ctx SpecContext) {
		object := revision()
		object.Labels = nil
		Expect(lilei.Create(ctx, object)).To(Succeed(), "the cluster's other revisions are none of our business")
		before := object.DeepCopy()
		object.Labels = map[string]string{v1alpha1.LabelWorkflow: "vpn"}
		for _, c := range []client.Client{lilei, gateway, server, statefulSets, collector} {
			Expect(c.Patch(ctx, object.DeepCopy(), client.MergeFrom(before))).To(Satisfy(apierrors.IsForbidden))
		}
		Expect(lilei.Delete(ctx, object)).To(Succeed())
	})
})
