// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/apiserver/aggregated"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/pki"
)

const serviceName = "ticketflow-apiserver"

// keys are what kube-apiserver and the aggregated API trust each other by.
type keys struct {
	folder    string
	authority pki.Pair
	serving   pki.Pair
}

func makeKeys() (k keys) {
	GinkgoHelper()
	k.folder = GinkgoT().TempDir()
	authority, err := pki.NewAuthority("test", time.Now())
	Expect(err).NotTo(HaveOccurred())
	k.authority, err = authority.Pair()
	Expect(err).NotTo(HaveOccurred())
	k.serving, err = authority.Issue(pki.Identity{Name: "server", DNSNames: []string{serviceName + "." + fixtures.SystemNamespace + ".svc"}}, time.Now())
	Expect(err).NotTo(HaveOccurred())
	proxy, err := authority.Issue(pki.Identity{Name: "aggregator"}, time.Now())
	Expect(err).NotTo(HaveOccurred())
	for file, data := range map[string][]byte{"ca.crt": k.authority.Certificate, "proxy.crt": proxy.Certificate, "proxy.key": proxy.Key} {
		Expect(os.WriteFile(filepath.Join(k.folder, file), data, 0o600)).To(Succeed())
	}
	return k
}

// aggregate turns on kube-apiserver's aggregation layer.
func (k keys) aggregate(e *envtest.Environment) {
	arguments := e.ControlPlane.GetAPIServer().Configure()
	for flag, value := range map[string]string{
		"proxy-client-cert-file": filepath.Join(k.folder, "proxy.crt"), "proxy-client-key-file": filepath.Join(k.folder, "proxy.key"),
		"requestheader-client-ca-file": filepath.Join(k.folder, "ca.crt"), "requestheader-allowed-names": "aggregator",
		"requestheader-username-headers": "X-Remote-User", "requestheader-group-headers": "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
	} {
		arguments.Set(flag, value)
	}
}

// register tells kube-apiserver of the aggregated API.
func register(ctx context.Context, k keys) {
	GinkgoHelper()
	create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.SystemNamespace, Name: serviceName},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(port)}},
		},
	})
	_, err := aggregator.NewForConfigOrDie(environment.Config).ApiregistrationV1().APIServices().Create(ctx, &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: aggregated.APIServiceName},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: aggregated.GroupVersion.Group, Version: aggregated.GroupVersion.Version, CABundle: k.authority.Certificate,
			GroupPriorityMinimum: 100, VersionPriority: 100,
			Service: &apiregistrationv1.ServiceReference{Namespace: fixtures.SystemNamespace, Name: serviceName, Port: ptr.To(int32(port))},
		},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}
