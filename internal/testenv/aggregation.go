// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/internal/pki"
)

// servedBy is the Service behind which the aggregated API is looked for.
const servedBy = "ticketflow-apiserver"

// Aggregation is what a kube-apiserver and an aggregated server behind it must
// have to trust one another.
type Aggregation struct {
	// Serving is what the server serves with.
	Serving pki.Pair
	// Port of the loopback that it serves at.
	Port int

	folder, namespace string
	authority         pki.Pair
}

// NewAggregation makes keys, in a folder, and finds a free port.
func NewAggregation(folder, namespace string) (*Aggregation, error) {
	a := &Aggregation{folder: folder, namespace: namespace}
	authority, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		return nil, err
	}
	if a.authority, err = authority.Pair(); err != nil {
		return nil, err
	}
	if a.Serving, err = authority.Issue(pki.Identity{Name: "server", DNSNames: []string{servedBy + "." + namespace + ".svc"}}, time.Now()); err != nil {
		return nil, err
	}
	proxy, err := authority.Issue(pki.Identity{Name: "aggregator"}, time.Now())
	if err != nil {
		return nil, err
	}
	for file, data := range map[string][]byte{"ca.crt": a.authority.Certificate, "proxy.crt": proxy.Certificate, "proxy.key": proxy.Key} {
		if err := os.WriteFile(filepath.Join(folder, file), data, 0o600); err != nil {
			return nil, err
		}
	}
	a.Port, err = freePort()
	return a, err
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close() //nolint:errcheck // the port is free then
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("no TCP address: %s", listener.Addr())
	}
	return address.Port, nil
}

// Configure has the kube-apiserver say to the server who asks.
func (a *Aggregation) Configure(e *envtest.Environment) {
	arguments := e.ControlPlane.GetAPIServer().Configure()
	for flag, value := range map[string]string{
		"proxy-client-cert-file": filepath.Join(a.folder, "proxy.crt"), "proxy-client-key-file": filepath.Join(a.folder, "proxy.key"),
		"requestheader-client-ca-file": filepath.Join(a.folder, "ca.crt"), "requestheader-allowed-names": "aggregator",
		"requestheader-username-headers": "X-Remote-User", "requestheader-group-headers": "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
	} {
		arguments.Set(flag, value)
	}
}

// Kubeconfig writes a kubeconfig of an administrator and answers where it is.
func (a *Aggregation) Kubeconfig(e *envtest.Environment) (string, error) {
	admin, err := e.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return "", err
	}
	data, err := admin.KubeConfig()
	if err != nil {
		return "", err
	}
	path := filepath.Join(a.folder, "kubeconfig")
	return path, os.WriteFile(path, data, 0o600)
}

// Register tells the kube-apiserver where the aggregated API is.
func (a *Aggregation) Register(ctx context.Context, e *envtest.Environment) error {
	clients, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		return err
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: servedBy},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(a.Port)}}, //nolint:gosec // a port fits
		},
	}
	if _, err := clients.CoreV1().Services(a.namespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return err
	}
	registered, err := aggregator.NewForConfig(e.Config)
	if err != nil {
		return err
	}
	_, err = registered.ApiregistrationV1().APIServices().Create(ctx, &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: restv1.APIServiceName},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: restv1.GroupVersion.Group, Version: restv1.GroupVersion.Version, CABundle: a.authority.Certificate,
			GroupPriorityMinimum: 100, VersionPriority: 100,
			Service: &apiregistrationv1.ServiceReference{Namespace: a.namespace, Name: servedBy, Port: ptr.To(int32(a.Port))}, //nolint:gosec // a port fits
		},
	}, metav1.CreateOptions{})
	return err
}
