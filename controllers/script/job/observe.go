// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

// logPatience is how long to try to read the log of a pod that has ended.
const logPatience = 30 * time.Second

// maxResult is what Kubernetes keeps of a termination message.
const maxResult = 4096

// Observe says how a run stands.
func (r *Runner) Observe(ctx context.Context, t *v1alpha1.Ticket, run string) (script.Standing, error) {
	job := &batchv1.Job{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: run}, job)
	if client.IgnoreNotFound(err) != nil {
		return script.Standing{}, fmt.Errorf("read the Job: %w", err)
	}
	if err != nil || !job.DeletionTimestamp.IsZero() || !metav1.IsControlledBy(job, t) {
		return ended(script.Failed("the Job was deleted before its result was known", nil)), nil
	}
	standing, err := r.standing(ctx, job)
	if standing.Result != nil {
		standing.Result.SourceHash = job.Annotations[annotationSource]
	}
	return standing, err
}

func (r *Runner) standing(ctx context.Context, job *batchv1.Job) (script.Standing, error) {
	pod, err := r.pod(ctx, job)
	if err != nil {
		return script.Standing{}, err
	}
	switch {
	case condition(job, batchv1.JobComplete) != nil:
		return r.succeeded(ctx, job, pod)
	case condition(job, batchv1.JobFailed) != nil:
		return r.failed(ctx, job, pod, whyFailed(job, pod))
	}
	why, again := whyGivenUp(job, pod, r.Clock.Now())
	if why == "" {
		return script.Standing{Known: true, Again: again}, nil
	}
	return r.failed(ctx, job, pod, why)
}

func ended(result script.Result) script.Standing {
	return script.Standing{Known: true, Result: &result}
}

// pod is the Job's pod, or its newest; nil if there is none.
func (r *Runner) pod(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := r.Live.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{v1alpha1.LabelRun: job.Name}); err != nil {
		return nil, fmt.Errorf("list the Job's pods: %w", err)
	}
	own := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, job) })
	if len(own) == 0 {
		return nil, nil
	}
	newest := slices.MaxFunc(own, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return &newest, nil
}

// failed is the end of a run that failed: why, and what the script said last.
func (r *Runner) failed(ctx context.Context, job *batchv1.Job, pod *corev1.Pod, why string) (script.Standing, error) {
	if status := containerStatus(pod); status.State.Running == nil && status.State.Terminated == nil {
		return ended(script.Failed(why, nil)), nil // it has said nothing, or there is nothing left of it
	}
	secrets, gone, err := r.secrets(ctx, job)
	if err != nil {
		return script.Standing{}, err
	}
	if gone {
		return ended(script.Failed(why+" (what it said is withheld, since its Secret is gone)", nil)), nil
	}
	said, err := r.tail(ctx, pod)
	if err != nil && r.patient(ctx, job, err) {
		return script.Standing{Known: true}, nil
	}
	if err != nil {
		why += " (what it said could not be read)"
	}
	return ended(script.Failed(why, secrets, said)), nil
}

// succeeded is the end of a run that succeeded. Its result must be known: the
// ticket would go on without it.
func (r *Runner) succeeded(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) (script.Standing, error) {
	terminated := containerStatus(pod).State.Terminated
	if terminated == nil {
		return ended(script.Failed("the script succeeded, but its pod was lost, and its result with it", nil)), nil
	}
	secrets, gone, err := r.secrets(ctx, job)
	if err != nil {
		return script.Standing{}, err
	}
	if gone {
		return ended(script.Failed("the script succeeded, but what it said is withheld, since its Secret is gone", nil)), nil
	}
	result := strings.TrimSpace(terminated.Message)
	if len(terminated.Message) >= maxResult && !json.Valid([]byte(result)) {
		return r.failed(ctx, job, pod, fmt.Sprintf("the result is larger than the %d bytes that Kubernetes keeps", maxResult))
	}
	said, err := r.head(ctx, pod)
	if err != nil && r.patient(ctx, job, err) {
		return script.Standing{Known: true}, nil
	}
	if err != nil {
		said = script.Said{Data: []byte("(what it said could not be read)")}
	}
	return ended(script.Succeeded([]byte(result), secrets, said, said)), nil
}

// patient says whether to try again to read a log. What was said is worth some
// time, but not the ticket's way: the result is known without it.
func (r *Runner) patient(ctx context.Context, job *batchv1.Job, err error) bool {
	log.FromContext(ctx).V(1).Info("Could not read what a script said", "job", job.Name, "reason", err.Error())
	since := job.Status.CompletionTime
	if failed := condition(job, batchv1.JobFailed); failed != nil {
		since = &failed.LastTransitionTime
	}
	return since != nil && r.Clock.Since(since.Time) < logPatience
}

// secrets are what must not be in what the script says, or gone if that cannot
// be known any more.
func (r *Runner) secrets(ctx context.Context, job *batchv1.Job) (secrets script.Secrets, gone bool, err error) {
	if !slices.ContainsFunc(job.Spec.Template.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.ValueFrom != nil }) {
		return nil, false, nil
	}
	var secret corev1.Secret
	err = r.Live.Get(ctx, client.ObjectKeyFromObject(job), &secret)
	if apierrors.IsNotFound(err) || err == nil && !metav1.IsControlledBy(&secret, job) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the Job's Secret: %w", err)
	}
	var values []string
	for key, value := range secret.Data {
		if strings.HasPrefix(key, secretPrefix) {
			values = append(values, string(value))
		}
	}
	return script.NewSecrets(values...), false, nil
}

// containerStatus is the status of the script's container, empty if there is none.
func containerStatus(pod *corev1.Pod) corev1.ContainerStatus {
	if pod != nil {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == container {
				return status
			}
		}
	}
	return corev1.ContainerStatus{}
}

func timeout(job *batchv1.Job) time.Duration {
	if said, err := time.ParseDuration(job.Annotations[annotationTimeout]); err == nil {
		return said
	}
	return time.Duration(ptr.Deref(job.Spec.ActiveDeadlineSeconds, 0)) * time.Second
}
