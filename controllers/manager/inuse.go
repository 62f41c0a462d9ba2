// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/ids"
)

// inUse finds the ids that objects show in their status, so that numbers
// never fall behind what is seen, even if the registry was lost.
type inUse struct{ reader client.Reader }

func (u inUse) seen(ctx context.Context, kind ids.Kind) ([]ids.Claim, error) {
	lists := map[ids.Kind]client.ObjectList{
		ids.Users:        &v1alpha1.UserList{},
		ids.Departments:  &v1alpha1.DepartmentList{},
		ids.UserRoles:    &v1alpha1.UserRoleList{},
		ids.Scripts:      &v1alpha1.ScriptList{},
		ids.Notifiers:    &v1alpha1.NotifierList{},
		ids.Applications: &v1alpha1.ApplicationList{},
		ids.Workflows:    &v1alpha1.WorkflowList{},
		ids.States:       &v1alpha1.WorkflowList{},
		ids.Transitions:  &v1alpha1.WorkflowList{},
		ids.Fields:       &v1alpha1.WorkflowList{},
	}
	list, known := lists[kind]
	if !known {
		return nil, fmt.Errorf("nothing is known of %s", kind)
	}
	if err := u.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	var claims []ids.Claim
	err := meta.EachListItem(list, func(item runtime.Object) error {
		claims = append(claims, shownBy(item, kind)...)
		return nil
	})
	return claims, err
}

func shownBy(item runtime.Object, kind ids.Kind) []ids.Claim {
	one := func(o client.Object, id v1alpha1.WireID) []ids.Claim {
		return []ids.Claim{{Name: ids.Name(o), Seen: id}}
	}
	switch o := item.(type) {
	case *v1alpha1.User:
		return one(o, o.Status.ID)
	case *v1alpha1.Department:
		return one(o, o.Status.ID)
	case *v1alpha1.UserRole:
		return one(o, o.Status.ID)
	case *v1alpha1.Script:
		return one(o, o.Status.ID)
	case *v1alpha1.Notifier:
		return one(o, o.Status.ID)
	case *v1alpha1.Application:
		return one(o, o.Status.ID)
	case *v1alpha1.Workflow:
		switch kind {
		case ids.States:
			return parts(o, o.Status.StateIDs)
		case ids.Transitions:
			return parts(o, o.Status.TransitionIDs)
		case ids.Fields:
			return parts(o, o.Status.FieldIDs)
		default:
			return one(o, o.Status.ID)
		}
	}
	return nil
}

func parts(w *v1alpha1.Workflow, shown map[string]v1alpha1.WireID) []ids.Claim {
	claims := make([]ids.Claim, 0, len(shown))
	for name, id := range shown {
		claims = append(claims, ids.Claim{Name: ids.Name(w) + "/" + name, Seen: id})
	}
	return claims
}

func (u inUse) highest(ctx context.Context, prefix string) (int64, error) {
	var tickets v1alpha1.TicketList
	if err := u.reader.List(ctx, &tickets, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list tickets: %w", err)
	}
	var highest int64
	for i := range tickets.Items {
		status := &tickets.Items[i].Status
		if prefix == "" {
			highest = max(highest, int64(status.ID))
		} else {
			highest = max(highest, ids.SerialNumber(status.SerialNumber, prefix))
		}
	}
	return highest, nil
}
