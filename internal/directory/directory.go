// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package directory looks people, departments, roles, applications, scripts
// and tickets up in the informer cache. It is the engine's Directory, for
// controllers and API server alike.
package directory

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/graphs"
)

var _ engine.Directory = &Directory{}

// noCopy spares the copy of every object that is looked at: a decision looks
// at many. What is found this way is never changed.
const noCopy = client.UnsafeDisableDeepCopy

// Directory answers from an informer cache that has the indexes of AddIndexes.
// A lookup that fails finds nothing.
type Directory struct {
	reader client.Reader
	graphs *graphs.Graphs
	memo   *memo
}

// New makes a Directory that looks into a cache.
func New(reader client.Reader) *Directory {
	return &Directory{reader: reader, graphs: graphs.New(reader)}
}

// UserObject finds a user by name on the wire. The object is shared: it must
// not be changed.
func (d *Directory) UserObject(name string) (*v1alpha1.User, bool) {
	if Reserved(name) || name == "" {
		return nil, false
	}
	return d.oneUser(IndexWireName, name)
}

// ApplicationObject finds an application by its appname. The object is shared:
// it must not be changed.
func (d *Directory) ApplicationObject(appName string) (*v1alpha1.Application, bool) {
	return d.memo.application(appName, func() (*v1alpha1.Application, bool) {
		var list v1alpha1.ApplicationList
		if err := d.list(&list, "", IndexWireName, appName); err != nil {
			return nil, false
		}
		return first(list.Items, func(a *v1alpha1.Application) []metav1.Condition { return a.Status.Conditions })
	})
}

// User finds a person by user name.
func (d *Directory) User(name string) (engine.Person, bool) {
	return person(d.UserObject(name))
}

// UserOf finds the person that a Kubernetes user name belongs to: the user of
// that name, or else one who lists it among its identities.
func (d *Directory) UserOf(kubernetesUser string) (engine.Person, bool) {
	return person(d.UserObjectOf(kubernetesUser))
}

// UserObjectOf finds the user that a Kubernetes user name belongs to. The
// object is shared: it must not be changed.
func (d *Directory) UserObjectOf(kubernetesUser string) (*v1alpha1.User, bool) {
	if user, found := d.UserObject(kubernetesUser); found {
		return user, true
	}
	if kubernetesUser == "" {
		return nil, false
	}
	return d.oneUser(IndexIdentity, kubernetesUser)
}

// Department finds a department by metadata.name.
func (d *Directory) Department(name string) (engine.Department, bool) {
	var found v1alpha1.Department
	if err := d.get(&found, "", name); err != nil || !Counts(found.Status.Conditions) {
		return engine.Department{}, false
	}
	department := engine.Department{
		Name:   found.Name,
		Parent: string(found.Spec.Parent),
		Leader: string(found.Spec.Leader),
	}
	for _, approver := range found.Spec.Approvers {
		department.Approvers = append(department.Approvers, string(approver))
	}
	return department, true
}

// PeopleIn lists the active people of departments and all their
// sub-departments, sorted, each once.
func (d *Directory) PeopleIn(departments []string) []string {
	var people []string
	seen := map[string]bool{}
	for queue := slices.Clone(departments); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if seen[name] {
			continue // a circle of parents, or named twice
		}
		seen[name] = true
		if _, exists := d.Department(name); !exists {
			continue
		}
		people = append(people, d.activeIn(name)...)
		queue = append(queue, d.departmentsBelow(name)...)
	}
	slices.Sort(people)
	return slices.Compact(people)
}

func (d *Directory) activeIn(department string) []string {
	var users v1alpha1.UserList
	if err := d.list(&users, "", IndexDepartment, department); err != nil {
		return nil
	}
	var names []string
	for i := range users.Items {
		// Asked by name, so that of two users of one name only the first counts.
		found, ok := d.User(UserName(&users.Items[i]))
		if ok && found.Active && found.Department == department {
			names = append(names, found.Name)
		}
	}
	return names
}

func (d *Directory) departmentsBelow(department string) []string {
	var below v1alpha1.DepartmentList
	if err := d.list(&below, "", IndexParent, department); err != nil {
		return nil
	}
	names := make([]string, 0, len(below.Items))
	for i := range below.Items {
		names = append(names, below.Items[i].Name)
	}
	return names
}

// RoleMembers lists the active members of a role, sorted; false if there is
// no such role.
func (d *Directory) RoleMembers(role string) ([]string, bool) {
	var found v1alpha1.UserRole
	if err := d.get(&found, "", role); err != nil || !Counts(found.Status.Conditions) {
		return nil, false
	}
	members := []string{}
	for _, member := range found.Spec.Members {
		if p, ok := d.User(string(member)); ok && p.Active {
			members = append(members, p.Name)
		}
	}
	slices.Sort(members)
	return slices.Compact(members), true
}

// Application finds an application by its appname.
func (d *Directory) Application(name string) (engine.Application, bool) {
	found, ok := d.ApplicationObject(name)
	if !ok {
		return engine.Application{}, false
	}
	application := engine.Application{
		Name:              AppName(found),
		AllowUnknownUsers: found.Spec.UnknownUsers == v1alpha1.UnknownUsersAllow,
		Intervene:         slices.Contains(found.Spec.Grants, v1alpha1.GrantIntervene),
	}
	if found.Spec.Workflows != nil {
		application.AllWorkflows = found.Spec.Workflows.All
		application.Workflows = found.Spec.Workflows.Names
	}
	return application, true
}

// ScriptObject finds a script of a namespace. The object is shared: it must not
// be changed.
func (d *Directory) ScriptObject(namespace, name string) (*v1alpha1.Script, bool) {
	var found v1alpha1.Script
	err := d.get(&found, namespace, name)
	return &found, err == nil
}

// Script finds a Script of a namespace.
func (d *Directory) Script(namespace, name string) (engine.Script, bool) {
	var found v1alpha1.Script
	if err := d.get(&found, namespace, name); err != nil || !Counts(found.Status.Conditions) {
		return engine.Script{}, false
	}
	return engine.Script{
		Name:     found.Name,
		FileName: ScriptFileName(&found),
		Active:   ptr.Deref(found.Spec.Active, true),
		Retries:  found.Spec.Retries,
	}, true
}

// OpenedSince counts a workflow's tickets opened at or after a time, by one
// creator or, if creator is empty, by anyone. It looks at the days from then to
// tomorrow, where another program's clock may be, and not at what is older: a
// workflow may have had a hundred thousand tickets.
func (d *Directory) OpenedSince(namespace, workflow, creator string, since, now time.Time) int {
	count := 0
	for day := since.Truncate(aDay); !day.After(now.Add(aDay)); day = day.Add(aDay) {
		var tickets v1alpha1.TicketList
		if err := d.list(&tickets, namespace, IndexOpenedOn, OpenedOnKey(workflow, creator, day)); err != nil {
			return 0
		}
		for i := range tickets.Items {
			if !tickets.Items[i].Status.OpenedAt.Time.Before(since) {
				count++
			}
		}
	}
	return count
}

// Parent finds a parent ticket by name; one that was never opened is none.
func (d *Directory) Parent(namespace, name string) (engine.ParentTicket, bool) {
	var ticket v1alpha1.Ticket
	if err := d.get(&ticket, namespace, name); err != nil || ticket.Status.ID == 0 {
		return engine.ParentTicket{}, false
	}
	graph, err := d.graphs.Of(context.Background(), &ticket)
	if err != nil {
		return engine.ParentTicket{}, false
	}
	return engine.ParentTicket{
		Snapshot: engine.Snapshot{
			Namespace: namespace, Name: name, UID: string(ticket.UID),
			Spec: *ticket.Spec.DeepCopy(), Status: *ticket.Status.DeepCopy(),
		},
		Graph: graph,
	}, true
}

func (d *Directory) oneUser(field, value string) (*v1alpha1.User, bool) {
	return d.memo.user(field+"/"+value, func() (*v1alpha1.User, bool) {
		var list v1alpha1.UserList
		if err := d.list(&list, "", field, value); err != nil {
			return nil, false
		}
		return first(list.Items, func(u *v1alpha1.User) []metav1.Condition { return u.Status.Conditions })
	})
}

// get and list look into memory, which takes no time: there is nothing to cancel.
func (d *Directory) get(object client.Object, namespace, name string) error {
	return d.reader.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, object, noCopy)
}

func (d *Directory) list(list client.ObjectList, namespace, field, value string) error {
	return d.reader.List(context.Background(), list, noCopy, client.InNamespace(namespace), client.MatchingFields{field: value})
}

// first finds the object that came first of those that count.
func first[T any, P interface {
	*T
	metav1.Object
}](items []T, conditions func(P) []metav1.Condition) (P, bool) {
	var best P
	for i := range items {
		candidate := P(&items[i])
		if Counts(conditions(candidate)) && (best == nil || Precedes(candidate, best)) {
			best = candidate
		}
	}
	return best, best != nil
}

func person(user *v1alpha1.User, found bool) (engine.Person, bool) {
	if !found {
		return engine.Person{}, false
	}
	return engine.Person{
		Name:          UserName(user),
		Department:    string(user.Spec.Department),
		Active:        ptr.Deref(user.Spec.Active, true),
		Administrator: user.Spec.Administrator,
	}, true
}
