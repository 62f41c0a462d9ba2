// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiservice keeps our API server from standing in the way of a
// cluster's namespaces. As long as an APIService is registered whose server does
// not answer, no namespace is deleted to its end: what is in it cannot be fully
// known. So where one waits for ours while our API server is down, the
// registration is taken away, and is put back when the server is there again.
package apiservice

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
)

// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1.rest.ticketflow.dev,verbs=get;create;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=list
// +kubebuilder:rbac:groups=discovery.k8s.io,namespace=ticketflow-system,resources=endpointslices,verbs=list
// +kubebuilder:rbac:groups="",namespace=ticketflow-system,resources=configmaps,verbs=get;create;update

const (
	// Name of the APIService.
	Name = restv1.APIServiceName
	// NoteName is the ConfigMap that keeps a registration that was taken away.
	NoteName = "ticketflow-apiservice"
	noteKey  = "taken"
	manager  = "ticketflow-manager"
	// interval is how often it is looked at.
	interval = 5 * time.Second
	// Patience is how long the API server may be away before that counts:
	// longer than a pod takes to be replaced.
	Patience = 20 * time.Second
)

// Guard takes the registration away and puts it back.
type Guard struct {
	// Services are the APIServices.
	Services aggregator.APIServiceInterface
	// Client is for the rest.
	Client kubernetes.Interface
	// SystemNamespace is where our API server runs.
	SystemNamespace string
	// Clock to tell the time by.
	Clock clock.WithTicker
}

// Start looks after it until the context ends.
func (g *Guard) Start(ctx context.Context) error {
	ticker := g.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			if err := g.Sync(ctx); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Failed to look after the APIService")
			}
		}
	}
}

// Sync does what is due. The registration is noted before it is taken away, and
// the note is kept until the registration is seen again: an end at any moment
// loses nothing.
func (g *Guard) Sync(ctx context.Context) error {
	service, err := g.Services.Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return g.restore(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the APIService: %w", err)
	}
	waiting, err := g.hampered(ctx, service)
	if err != nil {
		return err
	}
	if waiting == "" {
		return g.note(ctx, "") // it is there: nothing is to be put back
	}
	return g.take(ctx, service, waiting)
}

// hampered names a namespace whose deletion waits for an API server of which
// there is none; empty if there is no such namespace.
func (g *Guard) hampered(ctx context.Context, service *apiregistrationv1.APIService) (string, error) {
	if !g.isDown(service) {
		return "", nil
	}
	up, known, err := g.serves(ctx, service.Spec.Service)
	if up || !known || err != nil {
		return "", err
	}
	return g.waiting(ctx)
}

// isDown says whether kube-apiserver has not reached our API server for a while.
func (g *Guard) isDown(service *apiregistrationv1.APIService) bool {
	for _, c := range service.Status.Conditions {
		if c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionFalse {
			return service.Spec.Service != nil && g.Clock.Since(c.LastTransitionTime.Time) >= Patience
		}
	}
	return false
}

// serves says whether a pod behind the Service is ready. It is not known of a
// Service that has no pods by its nature, or is not ours.
func (g *Guard) serves(ctx context.Context, of *apiregistrationv1.ServiceReference) (ready, known bool, err error) {
	if of.Namespace != g.SystemNamespace {
		return false, false, nil
	}
	slices, err := g.Client.DiscoveryV1().EndpointSlices(of.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + of.Name})
	if err != nil {
		return false, false, fmt.Errorf("list the endpoints of the API server: %w", err)
	}
	for i := range slices.Items {
		for _, endpoint := range slices.Items[i].Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, true) {
				return true, true, nil
			}
		}
	}
	return false, len(slices.Items) > 0, nil
}

// waiting names a namespace that cannot be deleted because our group is unknown.
func (g *Guard) waiting(ctx context.Context) (string, error) {
	all, err := g.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("list the namespaces: %w", err)
	}
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp == nil {
			continue
		}
		for _, c := range all.Items[i].Status.Conditions {
			if c.Type == corev1.NamespaceDeletionDiscoveryFailure && c.Status == corev1.ConditionTrue && strings.Contains(c.Message, restv1.GroupVersion.Group) {
				return all.Items[i].Name, nil
			}
		}
	}
	return "", nil
}

func (g *Guard) take(ctx context.Context, service *apiregistrationv1.APIService, waiting string) error {
	kept := &apiregistrationv1.APIService{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiregistrationv1.SchemeGroupVersion.String(), Kind: "APIService"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: service.Labels, Annotations: service.Annotations},
		Spec:       service.Spec,
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("note the APIService: %w", err)
	}
	if err := g.note(ctx, string(data)); err != nil {
		return err
	}
	as := metav1.Preconditions{UID: &service.UID, ResourceVersion: &service.ResourceVersion}
	if err := g.Services.Delete(ctx, Name, metav1.DeleteOptions{Preconditions: &as}); err != nil {
		return fmt.Errorf("take the APIService away: %w", err)
	}
	klog.FromContext(ctx).Info("Took the APIService away while no API server is there, since a namespace could not be deleted", "namespace", waiting)
	return nil
}

// restore puts back what was taken away, once there is who serves it. What
// somebody else has removed stays so.
func (g *Guard) restore(ctx context.Context) error {
	noted, err := g.Client.CoreV1().ConfigMaps(g.SystemNamespace).Get(ctx, NoteName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && noted.Data[noteKey] == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the note of the APIService: %w", err)
	}
	var kept apiregistrationv1.APIService
	if err := json.Unmarshal([]byte(noted.Data[noteKey]), &kept); err != nil {
		return fmt.Errorf("read the APIService in the ConfigMap %s: %w", NoteName, err)
	}
	if kept.Spec.Service == nil {
		return fmt.Errorf("the APIService in the ConfigMap %s has no Service", NoteName)
	}
	if up, _, err := g.serves(ctx, kept.Spec.Service); !up || err != nil {
		return err
	}
	// An apply, since the right to create one by its name covers nothing else.
	_, err = g.Services.Patch(ctx, Name, types.ApplyPatchType, []byte(noted.Data[noteKey]), metav1.PatchOptions{FieldManager: manager, Force: ptr.To(true)})
	if err != nil {
		return fmt.Errorf("put the APIService back: %w", err)
	}
	klog.FromContext(ctx).Info("Put the APIService back")
	return nil
}

// note keeps a registration; an empty one is none.
func (g *Guard) note(ctx context.Context, registration string) error {
	maps := g.Client.CoreV1().ConfigMaps(g.SystemNamespace)
	noted, err := maps.Get(ctx, NoteName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && registration == "":
		return nil
	case apierrors.IsNotFound(err):
		_, err = maps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: NoteName}, Data: map[string]string{noteKey: registration},
		}, metav1.CreateOptions{})
	case err == nil && noted.Data[noteKey] != registration:
		noted.Data = map[string]string{noteKey: registration}
		_, err = maps.Update(ctx, noted, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("note the APIService: %w", err)
	}
	return nil
}
