// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/kubernetes"

	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/directory"
)

// remembered is how long Kubernetes' word about a token or a right is used
// before it is asked again.
const remembered = 10 * time.Second

var retries = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 3}

// Bearer authenticates by the tokens that Kubernetes knows, through TokenReview.
type Bearer struct {
	directory *directory.Directory
	tokens    authenticator.Request
}

// NewBearer asks a control plane about tokens.
func NewBearer(d *directory.Directory, clients kubernetes.Interface) (*Bearer, error) {
	tokens, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{
		TokenAccessReviewClient:  clients.AuthenticationV1(),
		TokenAccessReviewTimeout: remembered,
		WebhookRetryBackoff:      &retries,
		CacheTTL:                 remembered,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("ask Kubernetes about tokens: %w", err)
	}
	return &Bearer{directory: d, tokens: tokens}, nil
}

// NewAuthorizer asks a control plane about rights.
func NewAuthorizer(clients kubernetes.Interface) (authorizer.Authorizer, error) {
	rights, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: clients.AuthorizationV1(),
		AllowCacheTTL:             remembered,
		DenyCacheTTL:              remembered,
		WebhookRetryBackoff:       &retries,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("ask Kubernetes about rights: %w", err)
	}
	return rights, nil
}

// Authenticate says whose the token is. The acting user is the User that the
// Kubernetes identity belongs to; the header username may repeat, not change it.
func (b *Bearer) Authenticate(r *http.Request) (backend.Caller, *backend.Failure) {
	// The library takes the header away once it has read it.
	response, ok, err := b.tokens.AuthenticateRequest(r.Clone(r.Context()))
	if err != nil || !ok {
		return backend.Caller{}, backend.Failf(backend.ReasonBadSignature, "authorization: Kubernetes does not know the token")
	}
	caller := backend.Caller{Kubernetes: response.User}
	if user, found := b.directory.UserObjectOf(response.User.GetName()); found {
		caller.User = directory.UserName(user)
	}
	if named := r.Header.Get("username"); named != "" && named != caller.User {
		return caller, backend.Failf(engine.ReasonNotAllowed, "username: the Kubernetes user %q is not the user %q", response.User.GetName(), named)
	}
	return caller, nil
}
