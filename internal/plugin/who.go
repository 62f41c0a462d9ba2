// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/directory"
)

// person is who calls.
type person struct {
	// kubernetes is the Kubernetes user name.
	kubernetes string
	// name is the Ticketflow user's; empty if none belongs to it.
	name v1alpha1.UserName
}

// by says on whose word the person asks.
func (p person) by() v1alpha1.RequestedBy { return v1alpha1.RequestedBy{User: p.kubernetes} }

// noUser is the error for a Kubernetes user whom no Ticketflow user belongs to.
func (p person) noUser() error {
	return advise(fmt.Errorf("the Kubernetes user %q is no Ticketflow user", p.kubernetes),
		"Ask an administrator for a User of that name, or to add it to spec.identities of yours.")
}

// whoever asks the cluster who calls; the name is empty where no Ticketflow
// user belongs to them. Who may not read users is taken for the one of the same
// name: if that is wrong, the reconciler refuses what is asked for.
func (c *cluster) whoever(ctx context.Context) (self, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.client.Create(ctx, review); err != nil {
		return self{}, fmt.Errorf("ask the cluster who you are: %w", err)
	}
	who := self{person: person{kubernetes: review.Status.UserInfo.Username}}
	user, err := c.userOf(ctx, who.kubernetes)
	switch {
	case apierrors.IsForbidden(err):
		who.name = v1alpha1.UserName(who.kubernetes)
	case err != nil:
		return who, fmt.Errorf("look up the Ticketflow user of %q: %w", who.kubernetes, err)
	case user != nil:
		who.name, who.administrator = v1alpha1.UserName(directory.UserName(user)), user.Spec.Administrator
	}
	return who, nil
}

// me is whoever calls, who must be a Ticketflow user.
func (c *cluster) me(ctx context.Context) (person, error) {
	who, err := c.whoever(ctx)
	if err == nil && who.name == "" {
		err = who.noUser()
	}
	return who.person, err
}

// userOf finds the User that a Kubernetes user name belongs to, as the
// directory has it: the user of that name, else who lists it among identities.
func (c *cluster) userOf(ctx context.Context, kubernetes string) (*v1alpha1.User, error) {
	var users []v1alpha1.User
	_, err := pages(ctx, c.client, func(page *v1alpha1.UserList) { users = append(users, page.Items...) })
	if err != nil {
		return nil, err
	}
	return belongsTo(users, kubernetes), nil
}

func belongsTo(users []v1alpha1.User, kubernetes string) *v1alpha1.User {
	var named, identified *v1alpha1.User
	for i := range users {
		user := &users[i]
		name := directory.UserName(user)
		if directory.Reserved(name) || !directory.Counts(user.Status.Conditions) {
			continue
		}
		if name == kubernetes && (named == nil || directory.Precedes(user, named)) {
			named = user
		}
		if slices.Contains(user.Spec.Identities, kubernetes) && (identified == nil || directory.Precedes(user, identified)) {
			identified = user
		}
	}
	if named != nil {
		return named
	}
	return identified
}
