// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// DefaultSerialPrefix begins the serial numbers of tickets whose application
// does not say another.
const DefaultSerialPrefix = "loonflow"

// UserName is a user's name on the wire.
func UserName(u *v1alpha1.User) string { return cmp.Or(string(u.Spec.Username), u.Name) }

// AppName is an application's name on the wire.
func AppName(a *v1alpha1.Application) string { return cmp.Or(a.Spec.AppName, a.Name) }

// DisplayName is what people read for a user.
func DisplayName(u *v1alpha1.User) string { return cmp.Or(u.Spec.DisplayName, UserName(u)) }

// DepartmentDisplayName is what people read for a department.
func DepartmentDisplayName(d *v1alpha1.Department) string { return cmp.Or(d.Spec.DisplayName, d.Name) }

// RoleDisplayName is what people read for a role.
func RoleDisplayName(r *v1alpha1.UserRole) string { return cmp.Or(r.Spec.DisplayName, r.Name) }

// ScriptFileName is a script's name on the wire.
func ScriptFileName(s *v1alpha1.Script) string { return cmp.Or(s.Spec.FileName, s.Name) }

// SerialPrefix begins the serial numbers of the tickets that an application opens.
func SerialPrefix(a *v1alpha1.Application) string {
	return cmp.Or(a.Spec.SerialPrefix, DefaultSerialPrefix)
}

// Reserved says whether a user name is nobody's to bear (architecture, Resources).
func Reserved(name string) bool {
	return name == v1alpha1.RobotUser || name == v1alpha1.HookUser
}

// Counts says whether an object with these conditions counts: it does unless
// its id or wire name belongs to another. An object that nobody judged yet counts.
func Counts(conditions []metav1.Condition) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return true
	}
	switch ready.Reason {
	case v1alpha1.ReasonIDTaken, v1alpha1.ReasonNameTaken, v1alpha1.ReasonNameReserved:
		return false
	}
	return true
}

// AnnotationCreated on a definition that came from another cluster says when it
// was made there.
const AnnotationCreated = "ticketflow.dev/created"

// CreatedAt is when a definition was made, wherever that was.
func CreatedAt(o metav1.Object) metav1.Time {
	if at, err := time.Parse(time.RFC3339, o.GetAnnotations()[AnnotationCreated]); err == nil {
		return metav1.NewTime(at)
	}
	return o.GetCreationTimestamp()
}

// Precedes says which of two objects came first: the older one, by name where
// they are of an age.
func Precedes(a, b metav1.Object) bool {
	at, bt := CreatedAt(a), CreatedAt(b)
	if !at.Equal(&bt) {
		return at.Before(&bt)
	}
	if a.GetNamespace() != b.GetNamespace() {
		return a.GetNamespace() < b.GetNamespace()
	}
	return a.GetName() < b.GetName()
}
