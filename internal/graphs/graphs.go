// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package graphs keeps compiled workflows: it turns an accepted Workflow into
// an immutable ControllerRevision, and that back into the engine's Graph.
package graphs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// kept is how many compiled revisions are held in memory. One that fell out
// is compiled again.
const kept = 4096

// maxWorkflowName is how much of a workflow's name its revisions' names bear,
// so that they stay within the 253 characters of an object's name.
const maxWorkflowName = 220

// ErrNoRevision says that the workflow has no revision that serves.
var ErrNoRevision = errors.New("the workflow has no revision yet")

// Graphs compiles revisions, each once. It is safe for concurrent use.
type Graphs struct {
	reader client.Reader
	byUID  *lru.Cache
}

// New makes Graphs that read ControllerRevisions from a cache.
func New(reader client.Reader) *Graphs {
	return &Graphs{reader: reader, byUID: lru.New(kept)}
}

// content is what a revision holds.
type content struct {
	Workflow string                `json:"workflow"`
	Spec     v1alpha1.WorkflowSpec `json:"spec"`
	IDs      engine.IDs            `json:"ids"`
}

// NewRevision makes the revision of an accepted workflow: its name is hashed
// from its content, so the same spec with the same ids is the same revision.
func NewRevision(w *v1alpha1.Workflow, ids engine.IDs) (*appsv1.ControllerRevision, error) {
	spec := w.Spec
	spec.Suspend = false // says whether tickets are opened, not how they go
	spec.Retention = nil // the present one counts for every ticket
	data, err := json.Marshal(content{Workflow: w.Name, Spec: spec, IDs: ids})
	if err != nil {
		return nil, fmt.Errorf("encode workflow %s/%s: %w", w.Namespace, w.Name, err)
	}
	sum := sha256.Sum256(data)
	prefix := w.Name
	if len(prefix) > maxWorkflowName {
		prefix = strings.TrimRight(prefix[:maxWorkflowName], "-.")
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       w.Namespace,
			Name:            prefix + "-" + hex.EncodeToString(sum[:10]),
			Labels:          map[string]string{v1alpha1.LabelWorkflow: LabelValue(w.Name)},
			OwnerReferences: []metav1.OwnerReference{owner(w)},
		},
		Revision: w.Generation,
		Data:     runtime.RawExtension{Raw: data},
	}, nil
}

func owner(w *v1alpha1.Workflow) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(),
		Kind:       "Workflow",
		Name:       w.Name,
		UID:        w.UID,
		Controller: ptr.To(true),
	}
}

// LabelValue is a workflow's name as a label's value, which is shorter than a
// name may be.
func LabelValue(workflow string) string {
	if len(workflow) <= 63 {
		return workflow
	}
	sum := sha256.Sum256([]byte(workflow))
	return hex.EncodeToString(sum[:16])
}

// Revision is the compiled revision of a name.
func (g *Graphs) Revision(ctx context.Context, namespace, name string) (*engine.Graph, error) {
	if name == "" {
		return nil, ErrNoRevision
	}
	var revision appsv1.ControllerRevision
	key := client.ObjectKey{Namespace: namespace, Name: name}
	if err := g.reader.Get(ctx, key, &revision, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("read revision %s: %w", name, err)
	}
	if found, ok := g.byUID.Get(revision.UID); ok {
		return found.(*engine.Graph), nil
	}
	graph, err := Compile(&revision)
	if err != nil {
		return nil, err
	}
	g.byUID.Add(revision.UID, graph)
	return graph, nil
}

// Of is what a ticket follows: the revision that it started with, but for who
// may look at it and intervene, which the revision in force says.
func (g *Graphs) Of(ctx context.Context, t *v1alpha1.Ticket) (*engine.Graph, error) {
	graph, err := g.Revision(ctx, t.Namespace, t.Status.WorkflowRevision)
	if err != nil {
		return nil, err
	}
	var w v1alpha1.Workflow
	key := client.ObjectKey{Namespace: t.Namespace, Name: string(t.Spec.WorkflowRef.Name)}
	if err := g.reader.Get(ctx, key, &w, client.UnsafeDisableDeepCopy); err != nil || w.Status.Revision == t.Status.WorkflowRevision {
		return graph, nil //nolint:nilerr // the workflow is gone: what it said last for this ticket stands
	}
	inForce, err := g.Current(ctx, &w)
	if err != nil {
		return graph, nil //nolint:nilerr // the cache has the workflow's news before the revision
	}
	return graph.WithRightsOf(inForce), nil
}

// Current is the compiled revision that serves a workflow's new tickets.
func (g *Graphs) Current(ctx context.Context, w *v1alpha1.Workflow) (*engine.Graph, error) {
	return g.Revision(ctx, w.Namespace, w.Status.Revision)
}

// Compile turns a revision into a Graph.
func Compile(revision *appsv1.ControllerRevision) (*engine.Graph, error) {
	var c content
	if err := json.Unmarshal(revision.Data.Raw, &c); err != nil {
		return nil, fmt.Errorf("decode revision %s: %w", revision.Name, err)
	}
	graph, problems := engine.Compile(revision.Namespace, c.Workflow, c.Spec, c.IDs)
	if len(problems) > 0 {
		return nil, fmt.Errorf("revision %s does not compile: %s", revision.Name, problems[0])
	}
	return graph, nil
}
