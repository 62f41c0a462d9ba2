// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package runs is what scripts and hooks have in common: runs are named alike
// and reported alike, in status.run.
package runs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
)

// Name is a run's name: the same for every try of the same run.
func Name(ticket types.UID, visit, attempt int32) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", ticket, visit, attempt))
	return "run-" + hex.EncodeToString(sum[:16])
}

// Report writes status.run, and nothing else: the rest of the status is the
// ticket reconciler's. What an earlier run left there is removed.
func Report(ctx context.Context, c client.Client, t *v1alpha1.Ticket, run v1alpha1.Run) error {
	data, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode the run: %w", err)
	}
	patch := map[string]any{"finishedAt": nil, "message": nil, "fields": nil, "sourceHash": nil}
	if err := json.Unmarshal(data, &patch); err != nil {
		return fmt.Errorf("encode the run: %w", err)
	}
	data, err = json.Marshal(map[string]any{"metadata": map[string]any{"uid": t.UID}, "status": map[string]any{"run": patch}})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	if err := c.Status().Patch(ctx, t.DeepCopy(), client.RawPatch(types.MergePatchType, data)); err != nil {
		return fmt.Errorf("report the run: %w", err)
	}
	return nil
}
