// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Names of the field indexes that AddIndexes makes.
const (
	// IndexStatusID finds objects of every kind that has one by status.id; the
	// cache has no such index of tickets, of which there are many.
	IndexStatusID = "status.id"
	// IndexWorkflow finds tickets by the name of their workflow.
	IndexWorkflow = "spec.workflowRef.name"
	// IndexOpenedOn finds opened tickets by OpenedOnKey.
	IndexOpenedOn = "openedOn"
	// IndexRevision finds opened tickets by the revision that they follow.
	IndexRevision = "status.workflowRevision"
	// IndexParent finds departments by the department above, and tickets by
	// the ticket that they hang on.
	IndexParent = "parent"
	// IndexWireName finds users and applications by their name on the wire.
	IndexWireName = "wireName"
	// IndexIdentity finds users by the Kubernetes user names that are theirs.
	IndexIdentity = "spec.identities"
	// IndexDepartment finds users by their department.
	IndexDepartment = "spec.department"
	// IndexMember finds user roles by their members.
	IndexMember = "spec.members"
)

const aDay = 24 * time.Hour

// OpenedOnKey is the key in IndexOpenedOn of a workflow's tickets that a creator,
// or, if creator is empty, anyone opened on a day in UTC.
func OpenedOnKey(workflow, creator string, day time.Time) string {
	return workflow + "/" + creator + "/" + day.UTC().Format(time.DateOnly)
}

// AddIndexes makes the indexes that a Directory and its users look into. It
// is called once, before the cache starts.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range indexes() {
		if err := indexer.IndexField(ctx, i.object, i.field, i.keys); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

type index struct {
	object client.Object
	field  string
	keys   client.IndexerFunc
}

func indexes() []index {
	return []index{
		by(IndexStatusID, func(o *v1alpha1.Workflow) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.User) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.Department) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.UserRole) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.Script) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.Notifier) []string { return idKey(o.Status.ID) }),
		by(IndexStatusID, func(o *v1alpha1.Application) []string { return idKey(o.Status.ID) }),

		by(IndexWorkflow, func(o *v1alpha1.Ticket) []string { return key(string(o.Spec.WorkflowRef.Name)) }),
		by(IndexOpenedOn, openedOn),
		by(IndexRevision, func(o *v1alpha1.Ticket) []string { return key(o.Status.WorkflowRevision) }),
		by(IndexParent, func(o *v1alpha1.Ticket) []string {
			if o.Spec.Parent == nil {
				return nil
			}
			return key(string(o.Spec.Parent.Name))
		}),

		by(IndexParent, func(o *v1alpha1.Department) []string { return key(string(o.Spec.Parent)) }),
		by(IndexWireName, func(o *v1alpha1.User) []string { return key(UserName(o)) }),
		by(IndexIdentity, func(o *v1alpha1.User) []string { return o.Spec.Identities }),
		by(IndexDepartment, func(o *v1alpha1.User) []string { return key(string(o.Spec.Department)) }),
		by(IndexMember, func(o *v1alpha1.UserRole) []string {
			names := make([]string, 0, len(o.Spec.Members))
			for _, member := range o.Spec.Members {
				names = append(names, string(member))
			}
			return names
		}),
		by(IndexWireName, func(o *v1alpha1.Application) []string { return key(AppName(o)) }),
	}
}

func by[T any, P interface {
	*T
	client.Object
}](field string, keys func(P) []string) index {
	return index{object: P(new(T)), field: field, keys: func(o client.Object) []string {
		typed, ok := o.(P)
		if !ok {
			return nil
		}
		return keys(typed)
	}}
}

func openedOn(o *v1alpha1.Ticket) []string {
	if o.Status.OpenedAt == nil {
		return nil
	}
	workflow, day := string(o.Spec.WorkflowRef.Name), o.Status.OpenedAt.Time
	return []string{OpenedOnKey(workflow, "", day), OpenedOnKey(workflow, string(o.Spec.Creator), day)}
}

func idKey(id v1alpha1.WireID) []string {
	if id == 0 {
		return nil
	}
	return []string{IDKey(id)}
}

// IDKey is a wire id as a key of IndexStatusID.
func IDKey(id v1alpha1.WireID) string { return strconv.FormatInt(int64(id), 10) }

func key(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
