// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
)

// mustBeUser is the error for a Kubernetes user whom no Ticketflow user belongs to.
func mustBeUser(v *restv1.Viewer) error {
	if v.User != "" {
		return nil
	}
	return advise(fmt.Errorf("the Kubernetes user %q is no Ticketflow user", v.Kubernetes),
		"Ask an administrator for a User of that name, or to add it to spec.identities of yours.")
}
