// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
)

// bootstrap gives Python scripts written for the older system the two globals
// that they expect.
//
//go:embed bootstrap.py
var bootstrap []byte

// runVariable is the variable that marks a run's processes.
const runVariable = "TICKETFLOW_RUN"

// searchPath is where scripts find programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// place is where a run happens: a folder with the script, and in it the empty
// folder that it works in.
type place struct {
	root, work                      string
	script, bootstrap, ticket, pids string
	result                          string
}

// prepare makes a run's folder, after ending whatever a crash left of an
// earlier try.
func (r *Runner) prepare(task script.Task) (*place, error) {
	if err := r.ownDir(); err != nil {
		return nil, err
	}
	if r.sweep.Do(r.endLeftovers); r.leftovers != nil {
		return nil, r.leftovers
	}
	p := at(filepath.Join(r.Dir, task.Name))
	endSurvivors(p, task.Name)
	p.remove()
	ticket, err := ticketFile(task.Ticket)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		os.Mkdir(p.root, 0o711),
		os.Mkdir(p.work, 0o700),
		write(p.script, []byte(task.Source), 0o700),
		write(p.bootstrap, bootstrap, 0o600),
		write(p.ticket, ticket, 0o600),
	)
	for _, path := range []string{p.work, p.script, p.bootstrap, p.ticket} {
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
	return &place{
		root: root, work: work,
		script:    filepath.Join(root, "script"),
		bootstrap: filepath.Join(root, "bootstrap.py"),
		pids:      filepath.Join(root, "pid"),
		ticket:    filepath.Join(work, "ticket.json"),
		result:    filepath.Join(work, "result.json"),
	}
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

func ticketFile(t *v1alpha1.Ticket) ([]byte, error) {
	t = t.DeepCopy()
	t.ManagedFields = nil
	t.APIVersion, t.Kind = v1alpha1.SchemeGroupVersion.String(), "Ticket"
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the ticket: %w", err)
	}
	return data, nil
}

func (p *place) remove() { _ = os.RemoveAll(p.root) }

// note writes down which process group the run has, for a manager that comes
// after a crash. If it cannot, a survivor is not ended, and no worse.
func (p *place) note(pid int) {
	_ = os.WriteFile(p.pids, []byte(strconv.Itoa(pid)), 0o600)
}

// environment is all that a script sees of ours.
func environment(task script.Task, p *place) []string {
	env := []string{"PATH=" + searchPath, "HOME=" + p.work, "LANG=C.UTF-8", "TMPDIR=" + p.work, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	for _, variable := range task.Env {
		env = append(env, variable.Name+"="+variable.Value)
	}
	t := task.Ticket
	return append(env,
		runVariable+"="+task.Name,
		"TICKETFLOW_TICKET_FILE="+p.ticket,
		"TICKETFLOW_RESULT_FILE="+p.result,
		"TICKETFLOW_TICKET_ID="+strconv.FormatInt(int64(t.Status.ID), 10),
		"TICKETFLOW_TICKET_NAME="+t.Name,
		"TICKETFLOW_NAMESPACE="+t.Namespace,
		"TICKETFLOW_STATE="+string(t.Status.State),
		"TICKETFLOW_ACTION_FROM="+task.RequestedBy,
	)
}

// endLeftovers ends what a crash left of earlier runs and removes their
// folders, before this process's first run. Those still wanted will be run again.
func (r *Runner) endLeftovers() {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		r.leftovers = fmt.Errorf("look into the scripts' folder: %w", err)
		return
	}
	for _, entry := range entries {
		p := at(filepath.Join(r.Dir, entry.Name()))
		endSurvivors(p, entry.Name())
		p.remove()
	}
}

// endSurvivors kills the processes that an earlier try of a run left behind,
// if a crash did not let it end them.
func endSurvivors(p *place, name string) {
	data, err := os.ReadFile(p.pids)
	if err != nil {
		return
	}
	group, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil || group <= 1 {
		return
	}
	if belongs(group, name) {
		endGroup(group)
	}
}

// belongs says whether a process group is still the run's: the number may
// have gone to another group since. The run's processes bear its name.
func belongs(group int, name string) bool {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return false
	}
	mark := []byte(runVariable + "=" + name)
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if its, err := syscall.Getpgid(pid); err != nil || its != group {
			continue
		}
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue
		}
		for variable := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(variable, mark) {
				return true
			}
		}
	}
	return false
}
