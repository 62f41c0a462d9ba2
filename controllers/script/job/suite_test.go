// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"bufio"
	"bytes"
	"context"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var (
	environment *envtest.Environment
	// k8s is an administrator's, and that of the Job controller and the kubelet
	// that the specs play. manager has the role that the manager ships with.
	k8s, manager client.Client
	clients      kubernetes.Interface
)

func TestJob(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "job")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	environment, k8s = testenv.ForSpecs()

	data, err := os.ReadFile(testenv.Path("config", "rbac", "manager-role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	role := &rbacv1.ClusterRole{}
	Expect(yaml.Unmarshal(firstDocument(data), role)).To(Succeed())
	create(ctx, role, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "manager"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "manager"}},
	})
	user, err := environment.AddUser(envtest.User{Name: "manager"}, nil)
	Expect(err).NotTo(HaveOccurred())
	manager, err = client.New(user.Config(), client.Options{Scheme: testenv.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	clients, err = kubernetes.NewForConfig(user.Config())
	Expect(err).NotTo(HaveOccurred())
})

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
	}
}

// cluster plays the Job controller and the kubelet for one Job: there is
// neither.
type cluster struct {
	job *batchv1.Job
	pod *corev1.Pod
}

// schedule makes the Job's pod, as the Job controller and the scheduler do.
func schedule(ctx context.Context, job *batchv1.Job) *cluster {
	GinkgoHelper()
	c := &cluster{job: job}
	c.begin(ctx)
	c.pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: job.Namespace, Name: job.Name + "-pod", Labels: job.Spec.Template.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}, Spec: *job.Spec.Template.Spec.DeepCopy()}
	c.pod.Spec.NodeName = "node"
	create(ctx, c.pod)
	return c
}

// begin notes that the Job was seen.
func (c *cluster) begin(ctx context.Context) {
	GinkgoHelper()
	now := metav1.Now()
	c.job.Status.StartTime = &now
	Expect(k8s.Status().Update(ctx, c.job)).To(Succeed())
}

// kubelet reports how the script's container stands.
func (c *cluster) kubelet(ctx context.Context, phase corev1.PodPhase, state corev1.ContainerState, change ...func(*corev1.PodStatus)) {
	GinkgoHelper()
	c.pod.Status.Phase = phase
	c.pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "script", State: state}}
	for _, each := range change {
		each(&c.pod.Status)
	}
	Expect(k8s.Status().Update(ctx, c.pod)).To(Succeed())
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func running(since time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}
}

func exited(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

// complete ends the script and the Job well.
func (c *cluster) complete(ctx context.Context, message string) {
	GinkgoHelper()
	c.kubelet(ctx, corev1.PodSucceeded, exited(0, "Completed", message))
	c.end(ctx, batchv1.JobSuccessCriteriaMet, batchv1.JobComplete, "CompletionsReached")
}

// fail ends the Job as failed.
func (c *cluster) fail(ctx context.Context, reason string) {
	GinkgoHelper()
	c.end(ctx, batchv1.JobFailureTarget, batchv1.JobFailed, reason)
}

func (c *cluster) end(ctx context.Context, first, last batchv1.JobConditionType, reason string) {
	GinkgoHelper()
	now := metav1.Now()
	status := &c.job.Status
	status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	if last == batchv1.JobComplete {
		status.Succeeded, status.CompletionTime = 1, &now
	} else {
		status.Failed = 1
	}
	status.Ready, status.Terminating = ptr.To[int32](0), ptr.To[int32](0)
	for _, kind := range []batchv1.JobConditionType{first, last} {
		status.Conditions = append(status.Conditions, batchv1.JobCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, LastProbeTime: now, LastTransitionTime: now,
		})
	}
	Expect(k8s.Status().Update(ctx, c.job)).To(Succeed())
}

// loses deletes the pod at once.
func (c *cluster) loses(ctx context.Context) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, c.pod, client.GracePeriodSeconds(0))).To(Succeed())
}

func token(ns string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vpn", Labels: map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseScript)}},
		StringData: map[string]string{"token": "s3cret-token\n"},
	}
}

func firstDocument(data []byte) []byte {
	GinkgoHelper()
	document, err := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))).Read()
	Expect(err).NotTo(HaveOccurred())
	return document
}

// reaches says whether a policy lets an address outside the cluster be reached.
func reaches(policy *networkingv1.NetworkPolicy, address netip.Addr) bool {
	contains := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(address) }
	for _, rule := range policy.Spec.Egress {
		for _, peer := range rule.To {
			if peer.IPBlock != nil && contains(peer.IPBlock.CIDR) && !slices.ContainsFunc(peer.IPBlock.Except, contains) {
				return true
			}
		}
	}
	return false
}
