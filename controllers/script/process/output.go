// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/controllers/script"
	"ticketflow.dev/ticketflow/internal/conditions"
)

const (
	// maxMessage bounds what is kept of a script's output, in bytes.
	maxMessage = 16 << 10
	// maxTail bounds what a failure tells of either output.
	maxTail = 4 << 10
	// maxResult bounds the result file.
	maxResult = 128 << 10
	// minSecret is the shortest secret that is struck out of output: to
	// strike out every "a" would hide nothing and spoil everything.
	minSecret = 4
)

// output collects what a script prints: the first of it for a comment, the
// last of it for a failure. The rest is read and thrown away, so that the
// script never waits for a reader.
type output struct {
	stdout, stderr  *stream
	writers         []*os.File
	reading         sync.WaitGroup
	deadlineReaders []*os.File
}

type stream struct {
	head, tail []byte
	long       bool
}

func newOutput(cmd *exec.Cmd) (*output, error) {
	out := &output{stdout: &stream{}, stderr: &stream{}}
	for _, into := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		// Pipes of our own rather than exec's: its Wait would go on for as
		// long as any process has them open.
		reader, writer, err := os.Pipe()
		if err != nil {
			out.abandon()
			return nil, fmt.Errorf("make a pipe: %w", err)
		}
		*into = writer
		out.writers = append(out.writers, writer)
		out.deadlineReaders = append(out.deadlineReaders, reader)
	}
	return out, nil
}

// abandon closes everything, where the script was not started.
func (o *output) abandon() {
	for _, file := range append(o.writers, o.deadlineReaders...) {
		_ = file.Close()
	}
}

// started reads from now on.
func (o *output) started() {
	for _, writer := range o.writers {
		_ = writer.Close() // the script has its own
	}
	for i, into := range []*stream{o.stdout, o.stderr} {
		reader := o.deadlineReaders[i]
		o.reading.Go(func() {
			_, _ = io.Copy(into, reader) // ends with the last writer, or at the deadline
			_ = reader.Close()
		})
	}
}

// finish waits for the rest, until a deadline.
func (o *output) finish(deadline time.Time) {
	for _, reader := range o.deadlineReaders {
		_ = reader.SetReadDeadline(deadline)
	}
	o.reading.Wait()
}

// Write keeps the beginning and the end.
func (s *stream) Write(p []byte) (int, error) {
	room := maxMessage - len(s.head)
	s.head = append(s.head, p[:min(room, len(p))]...)
	s.long = s.long || len(p) > room
	s.tail = append(s.tail, p...)
	if len(s.tail) > maxTail {
		s.tail = append(s.tail[:0], s.tail[len(s.tail)-maxTail:]...)
	}
	return len(p), nil
}

// hider strikes the values of secrets out of a text.
func hider(env []script.Variable) func(string) string {
	var pairs []string
	for _, variable := range env {
		if variable.Secret && len(variable.Value) >= minSecret {
			pairs = append(pairs, variable.Value, "***")
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

func text(data []byte, hide func(string) string) string {
	return hide(strings.ToValidUTF8(string(data), "�"))
}

// failure says why a run failed and what the script had to say last.
func failure(why string, out *output, hide func(string) string) string {
	said := text(out.stderr.tail, hide)
	if strings.TrimSpace(said) == "" {
		said = text(out.stdout.tail, hide)
	}
	if said = strings.TrimSpace(said); said != "" {
		why += ": " + said
	}
	return conditions.Truncate(why, maxMessage)
}

// success takes the script's standard output as the comment, unless its
// result file has another. A result that cannot be read is a failure.
func success(p *place, out *output, hide func(string) string) script.Result {
	message := text(out.stdout.head, hide)
	if out.stdout.long {
		message = conditions.Truncate(message+"…", maxMessage)
	}
	result := script.Result{Succeeded: true, Message: conditions.Truncate(message, maxMessage)}
	said, err := readResult(p.result)
	if err != nil {
		return script.Result{Message: failure(err.Error(), out, hide)}
	}
	if said.Comment != "" {
		result.Message = conditions.Truncate(hide(said.Comment), maxMessage)
	}
	result.Fields = said.Fields
	return result
}

// saidResult is what a script may leave in its result file.
type saidResult struct {
	Fields  v1alpha1.JSONObject `json:"fields"`
	Comment string              `json:"comment"`
}

// readResult reads the result file; there may be none. The script made it, so
// it may be anything: a link to a file that is not the script's, or a pipe
// that nobody writes to.
func readResult(path string) (said saidResult, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return said, nil
	}
	if err != nil {
		return said, errors.New("the result file cannot be read")
	}
	defer file.Close() //nolint:errcheck // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return said, errors.New("the result file is not a file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxResult+1))
	if err != nil {
		return said, errors.New("the result file cannot be read")
	}
	if len(data) > maxResult {
		return said, fmt.Errorf("the result file is larger than %d KiB", maxResult>>10)
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return saidResult{}, fmt.Errorf("the result file is not the JSON that is expected: %w", err)
	}
	return said, nil
}
