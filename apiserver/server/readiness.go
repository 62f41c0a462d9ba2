// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/apiserver/backend"
)

// readiness says whether requests would be served.
type readiness struct {
	backend *backend.Backend
	config  *restclient.Config
	options *Options
	ending  <-chan struct{} // closed once the end was asked for

	available atomic.Bool // once it was, clients of this mount do not depend on it
}

func (r *readiness) check(ctx context.Context) error {
	select {
	case <-r.ending:
		return errors.New("the server is shutting down")
	default:
	}
	if err := r.backend.Ready(); err != nil {
		return err
	}
	if !r.options.RequireAPIService || r.available.Load() {
		return nil
	}
	clients, err := aggregator.NewForConfig(r.config)
	if err != nil {
		return errors.New("the control plane cannot be asked about the aggregated API")
	}
	service, err := clients.ApiregistrationV1().APIServices().Get(ctx, restv1.APIServiceName, metav1.GetOptions{})
	if err != nil {
		return errors.New("the aggregated API is not registered")
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type == apiregistrationv1.Available && condition.Status == apiregistrationv1.ConditionTrue {
			r.available.Store(true)
			return nil
		}
	}
	return fmt.Errorf("the aggregated API is not available through the control plane")
}
