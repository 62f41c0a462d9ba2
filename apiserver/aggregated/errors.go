// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"ticketflow.dev/ticketflow/apiserver/backend"
	wire "ticketflow.dev/ticketflow/apiserver/rest"
)

// statusReasons are Kubernetes' words for HTTP statuses.
var statusReasons = map[int]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusNotFound:            metav1.StatusReasonNotFound,
	http.StatusConflict:            metav1.StatusReasonConflict,
	http.StatusUnprocessableEntity: metav1.StatusReasonInvalid,
	http.StatusTooManyRequests:     metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
	http.StatusGatewayTimeout:      metav1.StatusReasonTimeout,
}

// problem is why a request was not done, as Kubernetes says it; the cause has
// the reason that /api/v1.0 would give. A fault of ours is logged, not told.
func problem(ctx context.Context, resource schema.GroupResource, name string, err error) error {
	var failure *backend.Failure
	if !errors.As(err, &failure) {
		klog.FromContext(ctx).Error(err, "Failed to serve a request", "resource", resource.String(), "name", name)
		return apierrors.NewInternalError(errors.New("the request could not be served"))
	}
	code := wire.Status(failure.Reason)
	if code == http.StatusUnauthorized {
		code = http.StatusForbidden // Kubernetes does know who it is
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: statusReasons[code], Message: failure.Message, //nolint:gosec // a status fits
		Details: &metav1.StatusDetails{
			Group: resource.Group, Kind: resource.Resource, Name: name,
			Causes: []metav1.StatusCause{{Type: metav1.CauseType(failure.Reason), Message: failure.Message}},
		},
	}}
}
