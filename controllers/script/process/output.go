// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"ticketflow.dev/ticketflow/controllers/script"
)

// maxResult bounds the result file.
const maxResult = 128 << 10

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
	// long says that the head is not all, lost that the tail is not.
	long, lost bool
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
	room := script.MaxMessage - len(s.head)
	s.head = append(s.head, p[:min(room, len(p))]...)
	s.long = s.long || len(p) > room
	s.tail = append(s.tail, p...)
	if len(s.tail) > script.MaxTail {
		s.tail, s.lost = append(s.tail[:0], s.tail[len(s.tail)-script.MaxTail:]...), true
	}
	return len(p), nil
}

func (s *stream) first() script.Said { return script.Said{Data: s.head, CutAfter: s.long} }

func (s *stream) last() script.Said { return script.Said{Data: s.tail, CutBefore: s.lost} }

func (o *output) failed(why string, secrets script.Secrets) script.Result {
	return script.Failed(why, secrets, o.stderr.last(), o.stdout.last())
}

func (o *output) succeeded(path string, secrets script.Secrets) script.Result {
	data, err := readResult(path)
	if err != nil {
		return o.failed(err.Error(), secrets)
	}
	return script.Succeeded(data, secrets, o.stdout.first(), o.stderr.last(), o.stdout.last())
}

// readResult reads the result file; there may be none. The script made it, so
// it may be anything: a link to a file that is not the script's, or a pipe
// that nobody writes to.
func readResult(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.New("the result file cannot be read")
	}
	defer file.Close() //nolint:errcheck // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("the result file is not a file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxResult+1))
	if err != nil {
		return nil, errors.New("the result file cannot be read")
	}
	if len(data) > maxResult {
		return nil, fmt.Errorf("the result file is larger than %d KiB", maxResult>>10)
	}
	return data, nil
}
