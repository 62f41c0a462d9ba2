// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package job runs scripts as Kubernetes Jobs, for clusters. A run is a Job with
// a name that follows from ticket, visit and attempt, so it is found again
// whatever happens to the manager, and is never started twice.
//
// The Job comes first, suspended, and owns what it needs: a ConfigMap with the
// script, and a Secret with the ticket and the values of the script's secret
// variables. They are copied so that what was checked is what runs, and what is
// struck out of the output is what the script was given. Then it is released.
package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

// Jobs stay for a while, for people to look at. One whose result was not taken
// note of yet, since no manager runs, stays longer.
const (
	keptFor          = time.Hour
	keptForUnnoticed = 24 * time.Hour
)

// Runner runs scripts as Jobs.
type Runner struct {
	// Client writes.
	Client client.Client
	// Live reads past the cache, which may not show yet what was just made.
	Live client.Reader
	// Logs reads what a pod has printed.
	Logs Logs
	// Image runs the scripts that name none.
	Image string
	// Clock tells the time.
	Clock clock.PassiveClock
}

var _ script.Runner = &Runner{}

// errTaken says that what a run needs is there, but is not the run's.
var errTaken = errors.New("somebody else has an object of that name")

// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps;secrets,verbs=get;create
// +kubebuilder:rbac:groups="",resources=pods,verbs=list
// +kubebuilder:rbac:groups="",resources=pods/log,verbs=get

// Watch wakes the reconciler when a Job changes. Pods are not watched: what
// keeps them from starting is looked for as long as they have not.
func (r *Runner) Watch(_ ctrl.Manager, b *builder.Builder) error {
	b.Owns(&batchv1.Job{})
	return nil
}

// Start makes the run's Job and what it needs, as far as a crash has not left
// them made, and releases it.
func (r *Runner) Start(ctx context.Context, task script.Task) (string, error) {
	job, err := r.ensureJob(ctx, task)
	if err == nil && ptr.Deref(job.Spec.Suspend, false) {
		err = r.release(ctx, task, job)
	}
	if hopeless(err) {
		return "the Job could not be made: " + err.Error(), nil
	}
	return "", err
}

// hopeless says that an error is not one that goes away by itself: the script
// asks for what there is not, or somebody has forbidden it.
func hopeless(err error) bool {
	return errors.Is(err, errTaken) || apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func (r *Runner) ensureJob(ctx context.Context, task script.Task) (*batchv1.Job, error) {
	job := r.job(task)
	if err := controllerutil.SetControllerReference(task.Ticket, job, r.Client.Scheme()); err != nil {
		return nil, fmt.Errorf("own the Job: %w", err)
	}
	err := r.Client.Create(ctx, job)
	if !apierrors.IsAlreadyExists(err) {
		return job, err
	}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
		return nil, fmt.Errorf("read the Job: %w", err)
	}
	if !metav1.IsControlledBy(job, task.Ticket) {
		return nil, fmt.Errorf("%w: Job %s", errTaken, job.Name)
	}
	if !job.DeletionTimestamp.IsZero() {
		return nil, fmt.Errorf("wait for the Job %s to be gone", job.Name)
	}
	return job, nil
}

// release makes what the Job needs, and lets it go.
func (r *Runner) release(ctx context.Context, task script.Task, job *batchv1.Job) error {
	secret, err := secretOf(task, job)
	if err != nil {
		return err
	}
	program := configMapOf(task, job)
	for _, needed := range []client.Object{program, secret} {
		if err := r.ensure(ctx, needed, job); err != nil {
			return err
		}
	}
	released := job.DeepCopy()
	released.Spec.Suspend = ptr.To(false)
	metav1.SetMetaDataAnnotation(&released.ObjectMeta, annotationSource, sourceHash(program))
	return r.Client.Patch(ctx, released, client.MergeFrom(job))
}

// ensure makes an object unless the Job has it already. One of that name that
// is another's is not used: it would be run in the script's place.
func (r *Runner) ensure(ctx context.Context, o client.Object, job *batchv1.Job) error {
	err := r.Client.Create(ctx, o)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return fmt.Errorf("read what the Job needs: %w", err)
	}
	if !metav1.IsControlledBy(o, job) {
		return fmt.Errorf("%w: %T %s", errTaken, o, o.GetName())
	}
	return nil
}

// Drop deletes a Job that has not ended, and has one that has ended kept no
// longer than is of use.
func (r *Runner) Drop(ctx context.Context, t *v1alpha1.Ticket, run string) error {
	job := &batchv1.Job{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: run}, job)
	if err != nil || !metav1.IsControlledBy(job, t) {
		return client.IgnoreNotFound(err)
	}
	if !finished(job) {
		err = r.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &job.UID})
		return client.IgnoreNotFound(err)
	}
	kept := job.DeepCopy()
	kept.Spec.TTLSecondsAfterFinished = ptr.To(int32(keptFor.Seconds()))
	return client.IgnoreNotFound(r.Client.Patch(ctx, kept, client.MergeFrom(job)))
}

func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if each := &job.Status.Conditions[i]; each.Type == kind && each.Status == corev1.ConditionTrue {
			return each
		}
	}
	return nil
}

func finished(job *batchv1.Job) bool {
	return condition(job, batchv1.JobComplete) != nil || condition(job, batchv1.JobFailed) != nil
}
