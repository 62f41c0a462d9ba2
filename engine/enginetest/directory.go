// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enginetest has what tests of the engine and of its callers share: a
// directory in memory.
package enginetest

import (
	"slices"
	"time"

	"ticketflow.dev/ticketflow/engine"
)

// Directory is an engine.Directory in memory. Fill its members, then ask.
type Directory struct {
	Users        map[string]engine.Person
	Identities   map[string]string // Kubernetes user to user name
	Departments  map[string]engine.Department
	Roles        map[string][]string
	Applications map[string]engine.Application
	Scripts      map[string]engine.Script // by namespace/name
	Opened       []Opening
	Parents      map[string]engine.ParentTicket // by namespace/name
}

// Opening is a ticket that was opened.
type Opening struct {
	Namespace, Workflow, Creator string
	At                           time.Time
}

var _ engine.Directory = &Directory{}

// User finds a person by user name.
func (d *Directory) User(name string) (engine.Person, bool) {
	p, ok := d.Users[name]
	return p, ok
}

// UserOf finds the person that a Kubernetes user name belongs to.
func (d *Directory) UserOf(kubernetesUser string) (engine.Person, bool) {
	if name, ok := d.Identities[kubernetesUser]; ok {
		kubernetesUser = name
	}
	return d.User(kubernetesUser)
}

// Department finds a department by name.
func (d *Directory) Department(name string) (engine.Department, bool) {
	found, ok := d.Departments[name]
	return found, ok
}

// PeopleIn lists the active people of departments and their sub-departments.
func (d *Directory) PeopleIn(departments []string) []string {
	var names []string
	for name, person := range d.Users {
		for at, hops := person.Department, 0; at != "" && hops < 100; at, hops = d.Departments[at].Parent, hops+1 {
			if person.Active && slices.Contains(departments, at) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// RoleMembers lists the active members of a role.
func (d *Directory) RoleMembers(role string) ([]string, bool) {
	members, ok := d.Roles[role]
	active := slices.DeleteFunc(slices.Clone(members), func(name string) bool { return !d.Users[name].Active })
	slices.Sort(active)
	return active, ok
}

// Application finds an application by its appname.
func (d *Directory) Application(name string) (engine.Application, bool) {
	found, ok := d.Applications[name]
	return found, ok
}

// Script finds a script of a namespace.
func (d *Directory) Script(namespace, name string) (engine.Script, bool) {
	found, ok := d.Scripts[namespace+"/"+name]
	return found, ok
}

// OpenedSince counts openings.
func (d *Directory) OpenedSince(namespace, workflow, creator string, since, _ time.Time) int {
	n := 0
	for _, o := range d.Opened {
		if o.Namespace == namespace && o.Workflow == workflow && (creator == "" || o.Creator == creator) && !o.At.Before(since) {
			n++
		}
	}
	return n
}

// Parent finds a parent ticket by name.
func (d *Directory) Parent(namespace, name string) (engine.ParentTicket, bool) {
	found, ok := d.Parents[namespace+"/"+name]
	return found, ok
}

// Person is an active person of a department, for Directory.Users.
func Person(name, department string) engine.Person {
	return engine.Person{Name: name, Department: department, Active: true}
}
