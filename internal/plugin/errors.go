// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// usageError says that the command line was wrong.
type usageError struct {
	message string
	command string
}

// Error is what was wrong and where to read how it goes.
func (e *usageError) Error() string {
	return fmt.Sprintf("error: %s\nSee '%s --help'.", e.message, e.command)
}

func usagef(c *cobra.Command, format string, arguments ...any) error {
	return &usageError{message: fmt.Sprintf(format, arguments...), command: c.CommandPath()}
}

// advised is an error with what to do about it.
type advised struct {
	err    error
	advice string
}

// Error is the error and the advice.
func (e *advised) Error() string { return e.err.Error() + "\n" + e.advice }

// Unwrap is the error itself.
func (e *advised) Unwrap() error { return e.err }

func advise(err error, format string, arguments ...any) error {
	return &advised{err: err, advice: fmt.Sprintf(format, arguments...)}
}

// refused is what Ticketflow said no to.
func refused(reason engine.Reason, message, ticket string) error {
	return advise(&engine.Refusal{Reason: reason, Message: message}, "%s", adviceFor(reason, ticket))
}

// refusalIn is what Ticketflow said no to, if it is Ticketflow that did; else nil.
func refusalIn(err error, ticket string) error {
	if reason, message := reasonOf(err); reason != "" {
		return refused(reason, message, ticket)
	}
	return nil
}

// isMissing says whether there is no such object, where there could be one.
func isMissing(err error) bool { return apierrors.IsNotFound(err) && !isNotInstalled(err) }

// adviceFor says what whoever was refused can do.
func adviceFor(reason engine.Reason, ticket string) string {
	switch reason {
	case engine.ReasonAcceptFirst:
		return "Claim it first: kubectl ticket accept " + ticket
	case engine.ReasonInAddNode:
		return "Whoever was asked to sign gives it back first: kubectl ticket end-add-node " + ticket
	case engine.ReasonMissingFields, engine.ReasonInvalidFields:
		return "Give values with --field NAME=VALUE, and a title with --title when opening a ticket."
	case engine.ReasonUnknownUser:
		return "See who there is, and who is active: kubectl get users.ticketflow.dev, with the role ticketflow-people. An administrator adds people."
	case engine.ReasonUnknownTransition:
		return "See what leads on: kubectl ticket graph " + ticket
	case engine.ReasonConditionFailed:
		return "A condition needs a value that is not there: give it with --field NAME=VALUE."
	case engine.ReasonNoParticipants:
		return "Ask an admin of the workflow to say who acts there, or add people to the role or department that it names."
	case engine.ReasonLimitReached, engine.ReasonWorkflowNotReady:
		return "See the workflow: kubectl describe workflows.ticketflow.dev"
	case engine.ReasonNotAllowed, engine.ReasonNotCreator:
		return "Ask somebody who may: the creator, an admin of the workflow, or an administrator."
	case engine.ReasonTooLarge:
		return "Say it in fewer words, or put the text elsewhere and link to it."
	case engine.ReasonInternal:
		return "See the manager's log, and the ticket's conditions: kubectl describe tickets.ticketflow.dev " + ticket
	}
	return "See where it stands and what you may do: kubectl ticket show " + ticket
}

// explain turns an error into words for people, with what to do.
func explain(err error) string {
	var usage *usageError
	if errors.As(err, &usage) {
		return usage.Error()
	}
	text := "error: " + err.Error()
	var withAdvice *advised
	if errors.As(err, &withAdvice) {
		return text
	}
	if advice := adviceOnCluster(err); advice != "" {
		text += "\n" + advice
	}
	return text
}

// adviceOnCluster is for what the cluster or the way to it says.
func adviceOnCluster(err error) string {
	var network *url.Error
	var path *fs.PathError
	switch {
	case clientcmd.IsEmptyConfig(err):
		return "Say which cluster: set KUBECONFIG, or give --kubeconfig or --context."
	case isNotInstalled(err):
		return "Ticketflow is not installed on this cluster, or without its API server: see docs/install.md, or choose another cluster with --context."
	case apierrors.IsServiceUnavailable(err):
		return "Ticketflow's API server does not answer: kubectl get apiservices.apiregistration.k8s.io " + restv1.APIServiceName
	case apierrors.IsForbidden(err):
		return "Choose a namespace in which you may with -n, or ask an administrator of the cluster for the rights that docs/kubectl-ticket.md lists."
	case apierrors.IsUnauthorized(err):
		return "Log in again: the cluster does not know you by this kubeconfig."
	case apierrors.IsConflict(err), apierrors.IsResourceExpired(err), apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err):
		return "Try again in a moment."
	case errors.As(err, &path):
		return "Name a file that is there, with --kubeconfig or KUBECONFIG."
	case errors.As(err, &network):
		return "Check that the cluster is up and that --context, --server or KUBECONFIG name the right one."
	}
	return ""
}

// isNotInstalled says whether the API server does not know our kinds: its 404
// then names no object.
func isNotInstalled(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return status.Status().Reason == metav1.StatusReasonNotFound && details != nil && slices.Contains([]string{v1alpha1.SchemeGroupVersion.Group, restv1.GroupVersion.Group}, details.Group) &&
		len(details.Causes) > 0 && details.Causes[0].Type == metav1.CauseTypeUnexpectedServerResponse
}
