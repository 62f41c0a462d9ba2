// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"ticketflow.dev/ticketflow/controllers/script"
)

// searchPath is where scripts find programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// place is where a run happens: a folder with the script, and in it the empty
// folder that it works in.
type place struct {
	script.Paths
	root string
}

// prepare makes a run's folder, after ending whatever a crash left of an
// earlier try.
func (r *Runner) prepare(task script.Task) (*place, error) {
	if err := r.Sweep(); err != nil {
		return nil, err
	}
	p := at(filepath.Join(r.Dir, task.Name))
	r.end(task.Name)
	p.remove()
	ticket, err := task.TicketFile()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		os.Mkdir(p.root, 0o711),
		os.Mkdir(p.Work, 0o700),
		write(p.Script, []byte(task.Source), 0o700),
		write(p.Bootstrap, []byte(script.Bootstrap()), 0o600),
		write(p.Ticket, ticket, 0o600),
	)
	for _, path := range []string{p.Work, p.Script, p.Bootstrap, p.Ticket} {
		if err == nil && (r.UID != 0 || r.GID != 0) {
			err = os.Lchown(path, int(r.UID), int(r.GID))
		}
	}
	if err != nil {
		p.remove()
		return nil, fmt.Errorf("prepare a run: %w", err)
	}
	return p, nil
}

func at(root string) *place {
	work := filepath.Join(root, "work")
	return &place{root: root, Paths: script.Paths{
		Script:    filepath.Join(root, "script"),
		Bootstrap: filepath.Join(root, "bootstrap.py"),
		Work:      work,
		Ticket:    filepath.Join(work, "ticket.json"),
		Result:    filepath.Join(work, "result.json"),
	}}
}

// Sweep ends, once, what a manager that was killed has left.
func (r *Runner) Sweep() error {
	if err := r.ownDir(); err != nil {
		return err
	}
	r.once.Do(r.first)
	return r.leftovers
}

// ownDir makes the folder of all runs; one that belongs to somebody else, who
// could put scripts of their own into it, is not used.
func (r *Runner) ownDir() error {
	if err := os.MkdirAll(r.Dir, 0o711); err != nil {
		return fmt.Errorf("make the scripts' folder: %w", err)
	}
	info, err := os.Lstat(r.Dir)
	if err != nil {
		return fmt.Errorf("look at the scripts' folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ok || int(owner.Uid) != os.Geteuid() {
		return errors.New("the scripts' folder must be a folder that only the manager can write to")
	}
	return nil
}

// write sets the mode whatever the umask is.
func write(path string, data []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func (p *place) remove() { _ = os.RemoveAll(p.root) }

// first is what comes before this process's first run. What a crash left of
// earlier runs is ended, and their folders are removed: those still wanted will
// be run again. Descriptors that the manager itself was given are kept from
// scripts; its own are anyway.
func (r *Runner) first() {
	r.starter = newStarter()
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		r.leftovers = fmt.Errorf("keep descriptors from scripts: %w", err)
		return
	}
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		r.leftovers = fmt.Errorf("look into the scripts' folder: %w", err)
		return
	}
	for _, entry := range entries {
		r.end(entry.Name())
		at(filepath.Join(r.Dir, entry.Name())).remove()
	}
}
