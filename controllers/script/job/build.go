// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"maps"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

const (
	container = "script"
	// nobody is whom scripts run as.
	nobody = 65534
	// slack is what Kubernetes waits longer than we do: it ends a Job only
	// where no manager does, since the output is lost with the pod.
	slack = 30 * time.Second
	// grace is how long a script that is ended has to clean up, in seconds.
	grace = 2

	annotationTimeout = "ticketflow.dev/timeout"
	annotationScript  = "ticketflow.dev/script"
	annotationSource  = "ticketflow.dev/source-hash"
	secretPrefix      = "env."
	scriptKey         = "script"
	ticketKey         = "ticket.json"
)

// paths are where a script finds its files. The result is what Kubernetes
// calls the termination message.
var paths = script.Paths{
	Script: "/ticketflow/script", Bootstrap: "/ticketflow/bootstrap.py",
	Work: "/work", Ticket: "/work/" + ticketKey, Result: corev1.TerminationMessagePathDefault,
}

func labels(run string) map[string]string {
	return map[string]string{v1alpha1.LabelRun: run, "app.kubernetes.io/managed-by": "ticketflow"}
}

// job is the run's Job, suspended.
func (r *Runner) job(task script.Task) *batchv1.Job {
	deadline := task.Timeout + startTime + slack
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: task.Ticket.Namespace, Name: task.Name, Labels: labels(task.Name),
			Annotations: map[string]string{annotationTimeout: task.Timeout.String(), annotationScript: task.Script.Name},
		},
		Spec: batchv1.JobSpec{
			Suspend:                 ptr.To(true),
			BackoffLimit:            ptr.To[int32](0), // each attempt is one that the ticket asks for
			ActiveDeadlineSeconds:   ptr.To(int64(math.Ceil(deadline.Seconds()))),
			TTLSecondsAfterFinished: ptr.To(int32(keptForUnnoticed.Seconds())),
			PodReplacementPolicy:    ptr.To(batchv1.Failed), // never two at once
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels(task.Name)},
				Spec:       r.podSpec(task),
			},
		},
	}
}

// podSpec is a pod as restricted as Kubernetes' pod security standards know.
func (r *Runner) podSpec(task script.Task) corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](grace),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](nobody), RunAsGroup: ptr.To[int64](nobody),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{r.container(task)},
		Volumes: []corev1.Volume{
			{Name: "program", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: task.Name}, DefaultMode: ptr.To[int32](0o555),
			}}},
			{Name: "ticket", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName: task.Name, DefaultMode: ptr.To[int32](0o444), Items: []corev1.KeyToPath{{Key: ticketKey, Path: ticketKey}},
			}}},
			{Name: "work", VolumeSource: scratch()},
			{Name: "tmp", VolumeSource: scratch()},
		},
	}
}

func scratch() corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("100Mi"))}}
}

func (r *Runner) container(task script.Task) corev1.Container {
	image := task.Script.Spec.Image
	if image == "" {
		image = r.Image
	}
	command := task.CommandLine(paths)
	for i := range command {
		command[i] = literal(command[i])
	}
	return corev1.Container{
		Name: container, Image: image, Command: command, WorkingDir: paths.Work,
		Env:       environment(task),
		Resources: resources(task.Script.Spec.Resources),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false), Privileged: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		TerminationMessagePath: paths.Result, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		VolumeMounts: []corev1.VolumeMount{
			{Name: "program", MountPath: "/ticketflow", ReadOnly: true},
			{Name: "work", MountPath: paths.Work},
			{Name: "ticket", MountPath: paths.Ticket, SubPath: ticketKey, ReadOnly: true},
			{Name: "tmp", MountPath: "/tmp"},
		},
	}
}

// environment has each variable once, the last of a name.
func environment(task script.Task) []corev1.EnvVar {
	variables := task.Variables(paths)
	last := map[string]int{}
	for i, variable := range variables {
		last[variable.Name] = i
	}
	var env []corev1.EnvVar
	for i, variable := range variables {
		switch {
		case last[variable.Name] != i:
		case variable.Secret:
			env = append(env, corev1.EnvVar{Name: variable.Name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: task.Name}, Key: secretPrefix + variable.Name,
			}}})
		default:
			env = append(env, corev1.EnvVar{Name: variable.Name, Value: literal(variable.Value)})
		}
	}
	return env
}

// literal keeps Kubernetes from replacing what looks like a variable: whoever
// is named $(TOKEN) is not to be told the token.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// resources are what the script says. What it says of one, limit or request,
// goes for the other; what it does not say has a default.
func resources(given *corev1.ResourceRequirements) corev1.ResourceRequirements {
	requests := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("16Mi"),
	}
	limits := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("512Mi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("256Mi"),
	}
	if given != nil {
		maps.Copy(requests, given.Limits)
		maps.Copy(requests, given.Requests)
		maps.Copy(limits, given.Requests)
		maps.Copy(limits, given.Limits)
	}
	return corev1.ResourceRequirements{Requests: requests, Limits: limits}
}

// ownedBy is what an object that the Job needs begins with.
func ownedBy(job *batchv1.Job) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: job.Namespace, Name: job.Name, Labels: labels(job.Name),
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job", Name: job.Name, UID: job.UID, Controller: ptr.To(true),
		}},
	}
}

func configMapOf(task script.Task, job *batchv1.Job) *corev1.ConfigMap {
	c := &corev1.ConfigMap{
		ObjectMeta: ownedBy(job), Immutable: ptr.To(true), Data: map[string]string{"bootstrap.py": script.Bootstrap()},
	}
	if utf8.ValidString(task.Source) {
		c.Data[scriptKey] = task.Source
	} else {
		c.BinaryData = map[string][]byte{scriptKey: []byte(task.Source)}
	}
	return c
}

// sourceHash is that of the script in a ConfigMap, which may be an earlier
// manager's.
func sourceHash(c *corev1.ConfigMap) string {
	if source, ok := c.Data[scriptKey]; ok {
		return script.SourceHash(source)
	}
	return script.SourceHash(string(c.BinaryData[scriptKey]))
}

func secretOf(task script.Task, job *batchv1.Job) (*corev1.Secret, error) {
	ticket, err := task.TicketFile()
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{ticketKey: ticket}
	for _, variable := range task.Env {
		if variable.Secret {
			data[secretPrefix+variable.Name] = []byte(variable.Value)
		}
	}
	return &corev1.Secret{ObjectMeta: ownedBy(job), Immutable: ptr.To(true), Data: data}, nil
}
