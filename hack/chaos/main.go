// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chaos opens many tickets with scripts, hooks, timers, notices and
// sub-tickets, kills the manager at random points meanwhile, and checks in the
// end that every effect happened at least once, every transition exactly once,
// that no ticket is stuck and no process left behind. It brings up a Ticketflow
// of its own on a temporary folder, which starts the manager again each time.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/hack/local"
)

//go:embed manifests.yaml
var manifests string

const (
	namespace     = "chaos"
	receiverToken = "receiver-token"
)

func main() {
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what chance begins with")
	tickets := flag.Int("tickets", 200, "how many tickets are opened")
	kills := flag.Int("kills", 20, "how often the manager is killed")
	limit := flag.Duration("limit", 4*time.Minute, "after what time all tickets must have ended")
	flag.Parse()
	fmt.Printf("seed %d\n", *seed)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &chaos{seed: *seed, tickets: *tickets, kills: *kills, limit: *limit}); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1)
	}
}

// chaos is one run, and what it brought up.
type chaos struct {
	seed           uint64
	tickets, kills int
	limit          time.Duration

	folder   string
	effects  string // the folder that scripts write to
	receiver *receiver
	up       *local.Ticketflow
	rest     *local.REST
	client   client.Client
}

// chance is a source of its own for each part, so that they do not disturb each other.
func (c *chaos) chance(part uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, part)) } //nolint:gosec // to be repeated

func run(ctx context.Context, c *chaos) error {
	var err error
	if c.folder, err = os.MkdirTemp("", "ticketflow-chaos"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(c.folder) }()
	if err := c.start(); err != nil {
		return err
	}
	err = c.trial(ctx)
	c.up.Stop()
	if err == nil {
		err = c.nothingLeft()
	}
	if err != nil {
		return fmt.Errorf("with seed %d: %w", c.seed, err)
	}
	fmt.Println("Every effect happened, every transition once; nothing is stuck or left behind.")
	return nil
}

// start brings everything up. Scripts, which may run as another user, must be
// able to write to the folder of effects and to nothing else.
func (c *chaos) start() error {
	c.effects = filepath.Join(c.folder, "effects")
	if err := errors.Join(os.Chmod(c.folder, 0o711), os.Mkdir(c.effects, 0o700), os.Chmod(c.effects, 0o1777)); err != nil { //nolint:gosec // as said
		return err
	}
	c.rest = &local.REST{Application: "chaos", Token: "application-token", User: "worker", HTTP: &http.Client{Timeout: time.Minute}}
	c.receiver = newReceiver(c.rest)
	address, err := c.receiver.listen()
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("RECEIVER", address, "EFFECTSFOLDER", c.effects).Replace(manifests)
	if c.up, err = local.Up(c.folder, []byte(filled)); err != nil {
		return err
	}
	c.rest.Address = c.up.Address
	config, err := c.up.Config()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	c.client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

// trial lets people work and the manager die, waits until all tickets have
// ended, and checks what became of them.
func (c *chaos) trial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	c.receiver.begin(ctx)
	begun := time.Now()
	if err := c.together(ctx, c.work, c.kill); err != nil {
		return err
	}
	fmt.Printf("%d tickets opened, the manager killed %d times, after %s\n", c.tickets, c.kills, time.Since(begun).Round(time.Second))
	if err := c.await(ctx); err != nil {
		return err
	}
	fmt.Printf("all has ended after %s\n", time.Since(begun).Round(time.Second))
	if err := c.check(ctx); err != nil {
		return err
	}
	return c.collected(ctx)
}

// together does things at the same time, while somebody retries what fails.
func (c *chaos) together(ctx context.Context, all ...func(context.Context) error) error {
	var group, background sync.WaitGroup
	failures := make([]error, len(all)+1)
	for i, do := range all {
		group.Go(func() { failures[i] = do(ctx) })
	}
	looking, done := context.WithCancel(ctx)
	background.Go(func() {
		for pause(looking, 10*glance) == nil && failures[len(all)] == nil {
			_, failures[len(all)] = c.look(ctx)
		}
	})
	group.Wait()
	done()
	background.Wait()
	return errors.Join(failures...)
}
