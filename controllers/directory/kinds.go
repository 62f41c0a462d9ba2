// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	lookup "ticketflow.dev/ticketflow/internal/directory"
	"ticketflow.dev/ticketflow/internal/ids"
)

// object is a pointer to one of the kinds that only need an id.
type object[T any] interface {
	*T
	client.Object
}

// kind says how to treat one of the kinds.
type kind[T any, P object[T]] struct {
	ids    ids.Kind
	wantID func(P) v1alpha1.WireID
	status func(P) *v1alpha1.DirectoryStatus
	// wireName is the object's name on the wire, where that must be its own.
	wireName func(P) string
	// reserved says which wire names nobody may bear.
	reserved func(string) bool
}

func users() kind[v1alpha1.User, *v1alpha1.User] {
	return kind[v1alpha1.User, *v1alpha1.User]{
		ids:      ids.Users,
		wantID:   func(o *v1alpha1.User) v1alpha1.WireID { return o.Spec.ID },
		status:   func(o *v1alpha1.User) *v1alpha1.DirectoryStatus { return &o.Status },
		wireName: lookup.UserName,
		reserved: lookup.Reserved,
	}
}

func applications() kind[v1alpha1.Application, *v1alpha1.Application] {
	return kind[v1alpha1.Application, *v1alpha1.Application]{
		ids:      ids.Applications,
		wantID:   func(o *v1alpha1.Application) v1alpha1.WireID { return o.Spec.ID },
		status:   func(o *v1alpha1.Application) *v1alpha1.DirectoryStatus { return &o.Status },
		wireName: lookup.AppName,
	}
}

func departments() kind[v1alpha1.Department, *v1alpha1.Department] {
	return kind[v1alpha1.Department, *v1alpha1.Department]{
		ids:    ids.Departments,
		wantID: func(o *v1alpha1.Department) v1alpha1.WireID { return o.Spec.ID },
		status: func(o *v1alpha1.Department) *v1alpha1.DirectoryStatus { return &o.Status },
	}
}

func userRoles() kind[v1alpha1.UserRole, *v1alpha1.UserRole] {
	return kind[v1alpha1.UserRole, *v1alpha1.UserRole]{
		ids:    ids.UserRoles,
		wantID: func(o *v1alpha1.UserRole) v1alpha1.WireID { return o.Spec.ID },
		status: func(o *v1alpha1.UserRole) *v1alpha1.DirectoryStatus { return &o.Status },
	}
}

func scripts() kind[v1alpha1.Script, *v1alpha1.Script] {
	return kind[v1alpha1.Script, *v1alpha1.Script]{
		ids:    ids.Scripts,
		wantID: func(o *v1alpha1.Script) v1alpha1.WireID { return o.Spec.ID },
		status: func(o *v1alpha1.Script) *v1alpha1.DirectoryStatus { return &o.Status },
	}
}

func notifiers() kind[v1alpha1.Notifier, *v1alpha1.Notifier] {
	return kind[v1alpha1.Notifier, *v1alpha1.Notifier]{
		ids:    ids.Notifiers,
		wantID: func(o *v1alpha1.Notifier) v1alpha1.WireID { return o.Spec.ID },
		status: func(o *v1alpha1.Notifier) *v1alpha1.DirectoryStatus { return &o.Status },
	}
}
