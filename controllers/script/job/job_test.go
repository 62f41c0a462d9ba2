// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/controllers/script/job"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var _ = Describe("a script that runs as a Job", func() {
	It("has a Job that a restricted namespace admits, with all it needs and no secrets in it", func(ctx SpecContext) {
		j := started(ctx)
		Expect(j.Name).To(Equal(ticket.Status.Run.Name))
		Expect(metav1.IsControlledBy(j, ticket)).To(BeTrue())
		Expect(*j.Spec.Suspend).To(BeFalse())
		Expect(*j.Spec.BackoffLimit).To(BeZero())
		Expect(*j.Spec.ActiveDeadlineSeconds).To(BeEquivalentTo(60 + 300 + 30))
		Expect(j.Spec.TTLSecondsAfterFinished).NotTo(BeNil())
		pod := j.Spec.Template.Spec
		Expect(*pod.AutomountServiceAccountToken).To(BeFalse())
		Expect(*pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem).To(BeTrue())
		Expect(pod.Containers[0].Resources.Limits).To(HaveKey(corev1.ResourceMemory))
		Expect(pod.Containers[0].Image).To(Equal("registry.example/python"))
		Expect(pod.Containers[0].Command).To(Equal([]string{"python3", "/ticketflow/bootstrap.py", "/ticketflow/script"}))
		Expect(pod.Containers[0].Env).To(ContainElements(
			corev1.EnvVar{Name: "WHERE", Value: "here $$(TOKEN)"},
			corev1.EnvVar{Name: "TICKETFLOW_TICKET_ID", Value: "17"},
			corev1.EnvVar{Name: "TICKETFLOW_ACTION_FROM", Value: "guiji_retry"},
		))
		Expect(j.String()).NotTo(ContainSubstring("s3cret-token"))

		config, secret := &corev1.ConfigMap{}, &corev1.Secret{}
		for _, needed := range []client.Object{config, secret} {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(j), needed)).To(Succeed())
			Expect(metav1.IsControlledBy(needed, j)).To(BeTrue())
		}
		Expect(config.Data).To(HaveKeyWithValue("script", "print(1)"))
		Expect(secret.Data).To(HaveKeyWithValue("env.TOKEN", []byte("s3cret-token\n")))
		Expect(string(secret.Data["ticket.json"])).To(ContainSubstring(`"id": 17`))
		schedule(ctx, j) // the namespace enforces the restricted standard
	})

	It("is what the network policy for scripts is about", func(ctx SpecContext) {
		data, err := os.ReadFile(testenv.Path("config", "network-policy", "scripts.yaml"))
		Expect(err).NotTo(HaveOccurred())
		policy := &networkingv1.NetworkPolicy{}
		Expect(yaml.UnmarshalStrict(data, policy)).To(Succeed())
		policy.Namespace = ns
		create(ctx, policy)
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		Expect(err).NotTo(HaveOccurred())
		Expect(selector.Matches(labels.Set(started(ctx).Spec.Template.Labels))).To(BeTrue())
		Expect(selector.Matches(labels.Set{"app": "another"})).To(BeFalse())

		Expect(policy.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
		Expect(policy.Spec.Ingress).To(BeEmpty())
		for address, reached := range map[string]bool{
			"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true,
			"10.96.0.1": false, "172.16.0.1": false, "192.168.1.1": false, // API servers, nodes, pods
			"169.254.169.254": false, "100.100.100.200": false, "fd00:ec2::254": false, "fe80::1": false, // metadata
			"127.0.0.1": false, "::1": false,
		} {
			Expect(reaches(policy, netip.MustParseAddr(address))).To(Equal(reached), address)
		}
	})

	It("takes image, command and resources from the Script", func(ctx SpecContext) {
		grant.Spec.Image, grant.Spec.Command = "registry.example/tools", []string{"bash", "-c", "$HOME"}
		grant.Spec.Resources = &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m")},
		}
		c := started(ctx).Spec.Template.Spec.Containers[0]
		Expect(c.Image).To(Equal("registry.example/tools"))
		Expect(c.Command).To(Equal([]string{"bash", "-c", "$$HOME", "/ticketflow/script"}))
		Expect(c.Resources.Limits.Memory().String()).To(Equal("2Gi"))
		Expect(c.Resources.Requests.Cpu().String()).To(Equal("20m"))
	})

	It("succeeds with what the script said and the fields of its result", func(ctx SpecContext) {
		log = "granted with s3cret-token\n"
		c := schedule(ctx, started(ctx))
		c.kubelet(ctx, corev1.PodRunning, running(clk.Now()))
		goesOn(ctx)
		c.complete(ctx, `{"fields": {"account": "lilei", "n": 3}}`)
		Expect(look(ctx)).To(BeZero())
		run := ticket.Status.Run
		Expect(run.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(run.Message).To(Equal("granted with ***\n"))
		Expect(run.Fields).To(Equal(v1alpha1.JSONObject{"account": "lilei", "n": int64(3)}))
		Expect(run.SourceHash).To(HaveLen(64))
		Expect(*jobs(ctx)[0].Spec.TTLSecondsAfterFinished).To(BeEquivalentTo(3600), "it is kept for people to look at")
	})

	It("takes the comment of the result before what was printed, without secrets", func(ctx SpecContext) {
		log = "noise"
		schedule(ctx, started(ctx)).complete(ctx, `{"comment": "done: s3cret-token"}`)
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Message).To(Equal("done: ***"))
	})

	DescribeTable("fails, and says so in words",
		func(ctx SpecContext, end func(ctx context.Context, c *cluster), message string) {
			log = "no such host, s3cret-token\n"
			c := schedule(ctx, started(ctx))
			goesOn(ctx)
			end(ctx, c)
			failed(ctx, message)
			Expect(ticket.Status.Run.Fields).To(BeEmpty())
		},
		Entry("when the script exits with a status", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, exited(3, "Error", `{"fields": {"account": "x"}}`))
			c.fail(ctx, "BackoffLimitExceeded")
		}, "exit status 3: no such host, ***"),
		Entry("when it needs more memory than it may have", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, exited(137, "OOMKilled", ""))
			c.fail(ctx, "BackoffLimitExceeded")
		}, "killed, since it used more than 512Mi of memory: no such host, ***"),
		Entry("when its interpreter is not in the image", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, exited(128, "StartError", `exec: "python3": not found`))
			c.fail(ctx, "BackoffLimitExceeded")
			log = ""
		}, `the script could not be started: exec: "python3": not found`),
		Entry("when Kubernetes ended it at the deadline, and its pod with it", func(ctx context.Context, c *cluster) {
			c.loses(ctx)
			c.fail(ctx, "DeadlineExceeded")
		}, "timed out after 1m0s"),
		Entry("when its pod is deleted", func(ctx context.Context, c *cluster) {
			c.loses(ctx)
			c.fail(ctx, "BackoffLimitExceeded")
		}, "the pod was deleted before the script ended"),
		Entry("when its node is needed for others", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, exited(137, "Error", ""), func(s *corev1.PodStatus) {
				s.Reason, s.Message = "Evicted", "the node was low on memory"
			})
			c.fail(ctx, "BackoffLimitExceeded")
		}, "the cluster ended the pod before the script ended (Evicted: the node was low on memory): no such host, ***"),
		Entry("when its node is drained", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, waiting("ContainerCreating", ""), func(s *corev1.PodStatus) {
				s.Conditions = append(s.Conditions, corev1.PodCondition{
					Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", Message: "drained",
				})
			})
			c.fail(ctx, "BackoffLimitExceeded")
		}, "the cluster ended the pod before the script ended (EvictionByEvictionAPI: drained)"),
		Entry("when its node does not answer any more", func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodFailed, waiting("ContainerCreating", ""))
			c.fail(ctx, "BackoffLimitExceeded")
		}, "the pod was lost before the script ended (Failed )"),
		Entry("when its result is not what is expected", func(ctx context.Context, c *cluster) {
			c.complete(ctx, `{"fields": `)
		}, "the result is not the JSON that is expected: unexpected end of JSON input: no such host, ***"),
		Entry("when its result is larger than Kubernetes keeps", func(ctx context.Context, c *cluster) {
			c.complete(ctx, strings.Repeat("x", 4096))
		}, "the result is larger than the 4096 bytes that Kubernetes keeps: no such host, ***"),
		Entry("when it succeeded, but nobody knows with what", func(ctx context.Context, c *cluster) {
			c.complete(ctx, `{"fields": {"account": "lilei"}}`)
			c.loses(ctx)
		}, "the script succeeded, but its pod was lost, and its result with it"),
		Entry("when its Job is deleted", func(ctx context.Context, c *cluster) {
			Expect(k8s.Delete(ctx, c.job, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		}, "the Job was deleted before its result was known"),
		Entry("when its Job is suspended", func(ctx context.Context, c *cluster) {
			c.job.Spec.Suspend = ptr.To(true)
			Expect(k8s.Update(ctx, c.job)).To(Succeed())
		}, "the Job was suspended by somebody"),
		Entry("when what it said cannot be read without telling secrets", func(ctx context.Context, c *cluster) {
			Expect(k8s.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.job.Namespace, Name: c.job.Name}})).To(Succeed())
			c.kubelet(ctx, corev1.PodFailed, exited(3, "Error", ""))
			c.fail(ctx, "BackoffLimitExceeded")
		}, "exit status 3 (what it said is withheld, since its Secret is gone)"),
	)

	It("is ended when its time is up, counted from its start", func(ctx SpecContext) {
		log = "waiting"
		c := schedule(ctx, started(ctx))
		c.kubelet(ctx, corev1.PodRunning, running(clk.Now()))
		clk.Step(59 * time.Second)
		goesOn(ctx)
		clk.Step(time.Second)
		failed(ctx, "timed out after 1m0s: waiting")
		Expect(jobs(ctx)).To(BeEmpty(), "it is ended")
	})

	DescribeTable("is given up when it does not start", func(ctx SpecContext, patience time.Duration, stand func(ctx context.Context, c *cluster), message string) {
		c := schedule(ctx, started(ctx))
		stand(ctx, c)
		if patience > 0 {
			clk.Step(patience - 10*time.Second)
			goesOn(ctx)
			clk.Step(20 * time.Second)
		}
		failed(ctx, message)
		Expect(jobs(ctx)).To(BeEmpty(), "it must not start any more")
	},
		Entry("because its image is not pulled", 2*time.Minute, func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodPending, waiting("ImagePullBackOff", "no such tag"))
		}, "the image registry.example/python could not be pulled within 2m0s (ImagePullBackOff: no such tag)"),
		Entry("because its image has no name that could be", time.Duration(0), func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodPending, waiting("InvalidImageName", "cannot be parsed"))
		}, "the image registry.example/python cannot be had (InvalidImageName: cannot be parsed)"),
		Entry("because its image must not be pulled", time.Duration(0), func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodPending, waiting("ErrImageNeverPull", "is not present"))
		}, "the image registry.example/python cannot be had (ErrImageNeverPull: is not present)"),
		Entry("because no node has room", 5*time.Minute, func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodPending, corev1.ContainerState{}, func(s *corev1.PodStatus) {
				s.ContainerStatuses = nil
				s.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes"}}
			})
		}, "no node took the pod within 5m0s (Unschedulable: 0/3 nodes)"),
		Entry("because its container cannot be made", 5*time.Minute, func(ctx context.Context, c *cluster) {
			c.kubelet(ctx, corev1.PodPending, waiting("CreateContainerConfigError", "no such key"))
		}, "the script's container did not start within 5m0s (CreateContainerConfigError: no such key)"),
		Entry("because it has no pod", 5*time.Minute, func(ctx context.Context, c *cluster) {
			c.loses(ctx)
		}, "no pod was made for the Job within 5m0s; its events tell why"),
	)

	It("goes on without what was said, where that cannot be read for a while", func(ctx SpecContext) {
		runner.Logs = job.PodLogs(clients) // for real: there is no kubelet to ask
		c := schedule(ctx, started(ctx))
		c.complete(ctx, `{"fields": {"account": "lilei"}}`)
		goesOn(ctx)
		clk.Step(time.Minute)
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(ticket.Status.Run.Message).To(Equal("(what it said could not be read)"))
		Expect(ticket.Status.Run.Fields).To(HaveKeyWithValue("account", "lilei"))
	})

	It("says that what was said could not be read, where the script failed", func(ctx SpecContext) {
		logErr = errors.New("no route to node")
		c := schedule(ctx, started(ctx))
		c.kubelet(ctx, corev1.PodFailed, exited(3, "Error", ""))
		c.fail(ctx, "BackoffLimitExceeded")
		goesOn(ctx)
		clk.Step(time.Minute)
		failed(ctx, "exit status 3 (what it said could not be read)")
	})

	It("keeps the first of a long output, or the last where it failed", func(ctx SpecContext) {
		log = "first " + strings.Repeat("x", 3<<20) + " last"
		c := schedule(ctx, started(ctx))
		c.complete(ctx, "")
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Message).To(HavePrefix("first xxx"))
		Expect(len(ticket.Status.Run.Message)).To(BeNumerically("<=", script.MaxMessage))

		log = strings.Repeat("x\n", script.MaxTail) + "last"
		ticket.Status.Wanted.Attempt = 2
		Expect(k8s.Status().Update(ctx, ticket)).To(Succeed())
		_, err := look(ctx)
		Expect(err).NotTo(HaveOccurred())
		second := &batchv1.Job{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: ticket.Status.Run.Name}, second)).To(Succeed())
		c = schedule(ctx, second)
		c.kubelet(ctx, corev1.PodFailed, exited(1, "Error", ""))
		c.fail(ctx, "BackoffLimitExceeded")
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Message).To(HaveSuffix("x\nlast"))
		Expect(len(ticket.Status.Run.Message)).To(BeNumerically("<", script.MaxTail+100))
		Expect(jobs(ctx)).To(HaveLen(2), "each attempt has a Job of its own")
	})

	It("has no Job where the script is inactive, and says so", func(ctx SpecContext) {
		grant.Spec.Active = ptr.To(false)
		create(ctx, grant)
		failed(ctx, "script grant is inactive")
		Expect(jobs(ctx)).To(BeEmpty())
	})

	It("fails where the cluster does not admit its Job", func(ctx SpecContext) {
		grant.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{"nonsense": resource.MustParse("1")}}
		create(ctx, grant)
		Expect(look(ctx)).To(BeZero())
		Expect(ticket.Status.Run.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(ticket.Status.Run.Message).To(And(HavePrefix("the Job could not be made: "), ContainSubstring(`"nonsense"`)), "it says what the cluster refused")
	})

	It("is ended when the ticket has gone on without it", func(ctx SpecContext) {
		schedule(ctx, started(ctx))
		ticket.Status.State, ticket.Status.Visit, ticket.Status.Wanted = "confirm", 4, nil
		ticket.Status.Participants = v1alpha1.CurrentParticipants{Kind: v1alpha1.ParticipantsUsers, Users: []v1alpha1.UserName{"lilei"}}
		Expect(k8s.Status().Update(ctx, ticket)).To(Succeed())
		failed(ctx, "it was ended, since the ticket had gone on without it")
		Expect(jobs(ctx)).To(BeEmpty())
	})
})
