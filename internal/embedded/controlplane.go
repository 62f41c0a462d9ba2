// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	systemNamespace   = "ticketflow-system"
	managerUser       = "system:serviceaccount:" + systemNamespace + ":ticketflow-manager"
	apiserverUser     = "system:serviceaccount:" + systemNamespace + ":ticketflow-apiserver"
	aggregatorName    = "ticketflow-aggregator"
	controlPlaneReady = 2 * time.Minute
)

// serviceAccountGroups are what Kubernetes gives service accounts.
var serviceAccountGroups = []string{"system:serviceaccounts", "system:serviceaccounts:" + systemNamespace}

// plane is one control plane on this machine.
type plane struct {
	folder   string // of keys
	data     string
	programs map[string]string // path by name
	ports    *ports
	children *children
}

func (p *plane) file(name string) string { return filepath.Join(p.folder, name) }

// makeKeys makes sure that all certificates are there and good for a while.
func (p *plane) makeKeys(now time.Time) error {
	authorities := map[string][]identity{
		"etcd-ca": {
			{file: "etcd", name: "etcd", server: true},
			{file: "etcd-client", name: "kube-apiserver"},
		},
		"ca": {
			{file: "kube-apiserver", name: "kube-apiserver", server: true},
			{file: "admin", name: "ticketflow-admin", groups: []string{"system:masters"}},
			{file: "kube-controller-manager", name: "system:kube-controller-manager"},
			{file: "manager", name: managerUser, groups: serviceAccountGroups},
			{file: "apiserver", name: apiserverUser, groups: serviceAccountGroups},
		},
		"requestheader-ca": {{file: "aggregator", name: aggregatorName}},
		"serving-ca":       {{file: "apiserver-serving", name: "ticketflow-apiserver", server: true}},
	}
	for name, identities := range authorities {
		a, err := openAuthority(p.folder, name, now)
		if err != nil {
			return err
		}
		for _, id := range identities {
			if err := issue(a, p.folder, id, now); err != nil {
				return err
			}
		}
	}
	return ensureKey(p.file("service-account.key"))
}

// writeKubeconfig writes how to reach the control plane as somebody.
func (p *plane) writeKubeconfig(path, who string) error {
	config := clientcmdapi.NewConfig()
	cluster := clientcmdapi.NewCluster()
	cluster.Server = "https://" + loopback(p.ports.KubeAPIServer)
	user := clientcmdapi.NewAuthInfo()
	for target, file := range map[*[]byte]string{
		&cluster.CertificateAuthorityData: "ca.crt", &user.ClientCertificateData: who + ".crt", &user.ClientKeyData: who + ".key",
	} {
		data, err := readFile(p.file(file))
		if err != nil {
			return err
		}
		*target = data
	}
	kubeContext := clientcmdapi.NewContext()
	kubeContext.Cluster, kubeContext.AuthInfo = "ticketflow", who
	config.Clusters["ticketflow"], config.AuthInfos[who], config.Contexts["ticketflow"] = cluster, user, kubeContext
	config.CurrentContext = "ticketflow"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}

func (p *plane) startEtcd() error {
	client, peer := "https://"+loopback(p.ports.Etcd), "https://"+loopback(p.ports.EtcdPeer)
	return p.children.start("etcd", p.programs["etcd"],
		"--name=ticketflow", "--data-dir="+filepath.Join(p.data, "etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=ticketflow="+peer,
		"--client-cert-auth", "--trusted-ca-file="+p.file("etcd-ca.crt"), "--cert-file="+p.file("etcd.crt"), "--key-file="+p.file("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file="+p.file("etcd-ca.crt"), "--peer-cert-file="+p.file("etcd.crt"), "--peer-key-file="+p.file("etcd.key"),
		"--quota-backend-bytes="+strconv.Itoa(8<<30), "--log-level=warn")
}

// waitForEtcd waits for what kube-apiserver would wait 20 seconds for and then
// end itself: with much data, on a busy machine, it may take longer.
func (p *plane) waitForEtcd(ctx context.Context) error {
	config := &restclient.Config{
		Host:            "https://" + loopback(p.ports.Etcd),
		TLSClientConfig: restclient.TLSClientConfig{CAFile: p.file("etcd-ca.crt"), CertFile: p.file("etcd-client.crt"), KeyFile: p.file("etcd-client.key")},
	}
	return p.children.waitFor(ctx, "etcd", controlPlaneReady, func(ctx context.Context) error {
		return probe(ctx, config, "/readyz")
	})
}

// featureGates leaves out what kube-apiserver does on top and is too dear here:
// every five minutes it reads all objects again and compares them with its
// cache, which takes a third of a core with 100 000 tickets. Only some of its
// versions know the name, and the others do not start with it.
func (p *plane) featureGates(ctx context.Context) []string {
	const check = "DetectCacheInconsistency="
	help, err := exec.CommandContext(ctx, p.programs["kube-apiserver"], "--help").Output()
	if err != nil || !bytes.Contains(help, []byte(check)) {
		return nil
	}
	return []string{"--feature-gates=" + check + "false"}
}

func (p *plane) startKubeAPIServer(ctx context.Context) error {
	return p.children.start("kube-apiserver", p.programs["kube-apiserver"], append(p.featureGates(ctx),
		"--etcd-servers=https://"+loopback(p.ports.Etcd), "--etcd-cafile="+p.file("etcd-ca.crt"),
		"--etcd-certfile="+p.file("etcd-client.crt"), "--etcd-keyfile="+p.file("etcd-client.key"),
		// A busy ticket system writes gigabytes of revisions in the default five
		// minutes. Within two of these intervals, though, kube-apiserver must have
		// read all tickets, or it begins again, for ever.
		"--etcd-compaction-interval=3m",
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--secure-port="+strconv.Itoa(p.ports.KubeAPIServer),
		"--tls-cert-file="+p.file("kube-apiserver.crt"), "--tls-private-key-file="+p.file("kube-apiserver.key"),
		"--client-ca-file="+p.file("ca.crt"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+p.file("service-account.key"), "--service-account-signing-key-file="+p.file("service-account.key"),
		"--proxy-client-cert-file="+p.file("aggregator.crt"), "--proxy-client-key-file="+p.file("aggregator.key"),
		"--requestheader-client-ca-file="+p.file("requestheader-ca.crt"), "--requestheader-allowed-names="+aggregatorName,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-")...)
}

func (p *plane) startControllerManager() error {
	return p.children.start("kube-controller-manager", p.programs["kube-controller-manager"],
		"--kubeconfig="+p.file("kube-controller-manager.kubeconfig"), "--leader-elect=false",
		// Each controller under its own role: the shared one may hardly do anything.
		"--use-service-account-credentials=true",
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(p.ports.ControllerManager),
		"--controllers="+strings.Join([]string{"garbage-collector-controller", "namespace-controller", "clusterrole-aggregation-controller"}, ","))
}

// start brings the control plane up, and answers how an administrator reaches it.
func (p *plane) start(ctx context.Context) (*restclient.Config, error) {
	for who, path := range map[string]string{
		"admin": p.file("admin.kubeconfig"), "kube-controller-manager": p.file("kube-controller-manager.kubeconfig"),
		"manager": p.file("manager.kubeconfig"), "apiserver": p.file("apiserver.kubeconfig"),
	} {
		if err := p.writeKubeconfig(path, who); err != nil {
			return nil, err
		}
	}
	if err := p.startEtcd(); err != nil {
		return nil, err
	}
	if err := p.waitForEtcd(ctx); err != nil {
		return nil, err
	}
	if err := p.startKubeAPIServer(ctx); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", p.file("admin.kubeconfig"))
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	if err := p.children.waitFor(ctx, "kube-apiserver", controlPlaneReady, func(ctx context.Context) error {
		return probe(ctx, config, "/readyz")
	}); err != nil {
		return nil, err
	}
	return config, p.startControllerManager()
}
