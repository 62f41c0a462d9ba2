// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// startTime is how long a script's container may take to start.
	startTime = 5 * time.Minute
	// pullTime is how long an image may fail to be pulled.
	pullTime = 2 * time.Minute
	// startInterval is how often to look at a pod that has not started.
	startInterval = 5 * time.Second
)

// Reasons for which a container waits, as the kubelet gives them. With some it
// would wait for ever.
var (
	neverStarts = []string{"InvalidImageName", "ErrImageNeverPull"}
	notPulled   = []string{"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
)

// whyFailed says in a person's words why Kubernetes counts a Job as failed.
func whyFailed(job *batchv1.Job, pod *corev1.Pod) string {
	if condition(job, batchv1.JobFailed).Reason == batchv1.JobReasonDeadlineExceeded {
		return timedOut(job)
	}
	if pod == nil {
		return "the pod was deleted before the script ended"
	}
	if reason, message, ok := disrupted(pod); ok {
		return fmt.Sprintf("the cluster ended the pod before the script ended (%s: %s)", reason, message)
	}
	terminated := containerStatus(pod).State.Terminated
	switch {
	case terminated == nil:
		return fmt.Sprintf("the pod was lost before the script ended (%s %s)", pod.Status.Phase, pod.Status.Reason)
	case terminated.Reason == "OOMKilled":
		return fmt.Sprintf("killed, since it used more than %s of memory", pod.Spec.Containers[0].Resources.Limits.Memory())
	case slices.Contains([]string{"StartError", "ContainerCannotRun"}, terminated.Reason):
		return "the script could not be started: " + terminated.Message
	case !pod.DeletionTimestamp.IsZero():
		return "the pod was deleted before the script ended"
	}
	return fmt.Sprintf("exit status %d", terminated.ExitCode)
}

func timedOut(job *batchv1.Job) string { return fmt.Sprintf("timed out after %s", timeout(job)) }

// disrupted says that it was not the script that ended its pod.
func disrupted(pod *corev1.Pod) (reason, message string, ok bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return c.Reason, c.Message, true
		}
	}
	return pod.Status.Reason, pod.Status.Message, pod.Status.Reason != ""
}

// whyGivenUp says why there is no waiting for a Job any longer that has not
// ended; or else when to look again.
func whyGivenUp(job *batchv1.Job, pod *corev1.Pod, now time.Time) (why string, again time.Duration) {
	if job.Spec.Suspend != nil && *job.Spec.Suspend {
		return "the Job was suspended by somebody", 0
	}
	if pod == nil {
		begun := job.CreationTimestamp
		if job.Status.StartTime != nil {
			begun = *job.Status.StartTime
		}
		if now.Sub(begun.Time) < startTime {
			return "", startInterval
		}
		return fmt.Sprintf("no pod was made for the Job within %s; its events tell why", startTime), 0
	}
	state := containerStatus(pod).State
	switch {
	case state.Terminated != nil:
		return "", startInterval // the Job will say so
	case state.Running != nil:
		if left := state.Running.StartedAt.Add(timeout(job)).Sub(now); left > 0 {
			return "", left
		}
		return timedOut(job), 0
	}
	return whyNotStarted(pod, state.Waiting, now)
}

// whyNotStarted says why there is no waiting any longer for a pod to start.
func whyNotStarted(pod *corev1.Pod, waiting *corev1.ContainerStateWaiting, now time.Time) (why string, again time.Duration) {
	since := now.Sub(pod.CreationTimestamp.Time)
	image := pod.Spec.Containers[0].Image
	switch {
	case waiting != nil && slices.Contains(neverStarts, waiting.Reason):
		return fmt.Sprintf("the image %s cannot be had (%s: %s)", image, waiting.Reason, waiting.Message), 0
	case waiting != nil && slices.Contains(notPulled, waiting.Reason) && since >= pullTime:
		return fmt.Sprintf("the image %s could not be pulled within %s (%s: %s)", image, pullTime, waiting.Reason, waiting.Message), 0
	case since < startTime:
		return "", startInterval
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("no node took the pod within %s (%s: %s)", startTime, c.Reason, c.Message), 0
		}
	}
	reason, message := string(pod.Status.Phase), pod.Status.Message
	if waiting != nil {
		reason, message = waiting.Reason, waiting.Message
	}
	return fmt.Sprintf("the script's container did not start within %s (%s: %s)", startTime, reason, message), 0
}
