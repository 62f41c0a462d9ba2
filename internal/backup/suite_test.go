// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"ticketflow.dev/ticketflow/apiserver/auth"
	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/controllers/manager"
	"ticketflow.dev/ticketflow/internal/backup"
	"ticketflow.dev/ticketflow/internal/fixtures"
	"ticketflow.dev/ticketflow/internal/testenv"
)

func TestBackup(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "backup")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(klog.NewKlogr())
})

// cluster is a control plane with everything that Ticketflow ships on it.
type cluster struct {
	client.Client
	environment     *envtest.Environment
	systemNamespace string
}

func newCluster(ctx context.Context) *cluster {
	GinkgoHelper()
	return newClusterIn(ctx, fixtures.SystemNamespace)
}

// newClusterIn has Ticketflow in a namespace of another name.
func newClusterIn(ctx context.Context, systemNamespace string) *cluster {
	GinkgoHelper()
	environment, c := testenv.ForSpecs()
	k := &cluster{Client: c, environment: environment, systemNamespace: systemNamespace}
	Expect(testenv.InstallIn(ctx, k, systemNamespace)).To(Succeed())
	forged := fixtures.Ticket("default", "forged")
	forged.Annotations = map[string]string{"ticketflow.dev/x": "y"}
	Eventually(func() error { return k.Create(ctx, forged.DeepCopy(), client.DryRunAll) }).
		Should(Satisfy(apierrors.IsForbidden), "the policy is in force")
	return k
}

func (k *cluster) loadFiles(ctx context.Context, paths ...string) {
	GinkgoHelper()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(testenv.Load(ctx, k, data)).To(Succeed())
	}
}

// startManager runs a manager under its own name and rights, and answers how to
// end it.
func (k *cluster) startManager() (stop func()) {
	GinkgoHelper()
	user, err := k.environment.AddUser(envtest.User{
		Name:   "system:serviceaccount:" + k.systemNamespace + ":ticketflow-manager",
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + k.systemNamespace},
	}, nil)
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	options := manager.NewOptions()
	options.SystemNamespace = k.systemNamespace
	options.ScriptRunner = manager.RunnerProcess
	options.ScriptDir = GinkgoT().TempDir() + "/scripts"
	mgr, err := manager.New(ctx, user.Config(), options)
	Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			Expect(<-ended).To(Succeed())
		}
	}
	DeferCleanup(stop)
	return stop
}

// serve serves REST.
func (k *cluster) serve() *site {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	b, err := backend.New(backend.Options{
		Config: k.environment.Config, Scheme: testenv.Scheme(), Clock: clock.RealClock{}, ActionTimeout: testenv.Timeout,
	})
	Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() { ended <- b.Start(ctx) }()
	clients, err := kubernetes.NewForConfig(k.environment.Config)
	Expect(err).NotTo(HaveOccurred())
	rights, err := auth.NewAuthorizer(clients)
	Expect(err).NotTo(HaveOccurred())
	bearer, err := auth.NewBearer(b.Directory(), clients)
	Expect(err).NotTo(HaveOccurred())
	who := &auth.Either{Signature: auth.NewSignature(b.Directory(), k, k.systemNamespace, clock.RealClock{}), Bearer: bearer}
	server := httptest.NewServer(rest.New(b, who, rest.Options{Location: time.UTC, Log: logr.Discard(), MaxInFlight: 100, Rights: rights}))
	DeferCleanup(func() {
		server.Close()
		cancel()
		Expect(<-ended).To(Succeed())
	})
	Eventually(b.Synced()).Should(BeClosed())
	return &site{url: server.URL + "/api/v1.0/"}
}

// site is a REST API.
type site struct{ url string }

// ask makes a signed request and answers the whole envelope.
func (s *site) ask(user, method, path, body string) map[string]any {
	GinkgoHelper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := md5.Sum([]byte(timestamp + "sample-token-do-not-keep"))
	for name, value := range map[string]string{"appname": "ops", "timestamp": timestamp, "signature": hex.EncodeToString(sum[:]), "username": user} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	answer := map[string]any{}
	Expect(json.NewDecoder(response.Body).Decode(&answer)).To(Succeed())
	return answer
}

// done makes a request that succeeds and answers its data.
func (s *site) done(user, method, path, body string) any {
	GinkgoHelper()
	answer := s.ask(user, method, path, body)
	Expect(answer).To(HaveKeyWithValue("code", BeEquivalentTo(0)), "%s %s", path, body)
	return answer["data"]
}

// open opens a ticket and answers its id.
func (s *site) open(user, body string) int {
	GinkgoHelper()
	return int(s.done(user, http.MethodPost, "tickets", body).(map[string]any)["ticket_id"].(float64))
}

// export is what `ticketflow export` writes, and what it says.
func (k *cluster) export(ctx context.Context, secrets bool) ([]byte, []string) {
	GinkgoHelper()
	var out bytes.Buffer
	said := &sayings{}
	export := &backup.Export{
		From: k, SystemNamespace: k.systemNamespace, WithSecrets: secrets, Clock: clock.RealClock{}, Report: said.report,
	}
	Expect(export.Run(ctx, &out)).To(Succeed())
	return out.Bytes(), said.all
}

// importer is `ticketflow import`, whose writes go through wrap.
func (k *cluster) importer(wrap func(client.WithWatch) client.Client) *backup.Import {
	GinkgoHelper()
	as := func(name string) client.Client {
		c := restclient.CopyConfig(k.environment.Config)
		c.QPS = -1
		c.Impersonate.UserName = name
		made, err := client.NewWithWatch(c, client.Options{Scheme: testenv.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		if wrap == nil {
			return made
		}
		return wrap(made)
	}
	return &backup.Import{
		To: as(""), Restorer: as(backup.ImporterName(k.systemNamespace)), SystemNamespace: k.systemNamespace, Report: (&sayings{}).report,
	}
}

func from(export []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(export)), nil }
}

func (k *cluster) bring(ctx context.Context, export []byte) backup.Outcome {
	GinkgoHelper()
	outcome, err := k.importer(nil).Run(ctx, from(export))
	Expect(err).NotTo(HaveOccurred())
	return outcome
}
