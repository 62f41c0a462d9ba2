// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// question asks a person for a line. Questions go to the error stream, so that
// what the command answers can be piped on.
func (s *session) question(ctx context.Context, text string) (string, error) {
	_, _ = fmt.Fprint(s.ErrOut, clean(text))
	if s.lines == nil {
		s.lines = bufio.NewReader(s.In)
	}
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() { // reading cannot be interrupted; the process ends with it
		line, err := s.lines.ReadString('\n')
		read <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		s.note("")
		return "", advise(errors.New("interrupted: nothing was recorded"), "Run the command again when you are ready.")
	case got := <-read:
		if errors.Is(got.err, io.EOF) && got.line == "" {
			s.note("")
			return "", advise(errors.New("the input ended: nothing was recorded"),
				"Answer all questions, or give the answers as flags, with --no-input where nothing is to be asked.")
		}
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", got.err)
		}
		return strings.TrimSpace(got.line), nil
	}
}

// confirm asks whether somebody is sure.
func (s *session) confirm(ctx context.Context, text string) error {
	answer, err := s.question(ctx, text+" [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return advise(errors.New("not confirmed: nothing was recorded"), "Answer y, or give --yes.")
}

// fill asks for a form's fields one by one, but for those that are given. An
// answer that the field does not take is asked for again.
func (s *session) fill(ctx context.Context, graph *engine.Graph, state *engine.State, demanded bool, given v1alpha1.JSONObject) error {
	for _, name := range fillable(state) {
		if _, ok := given[name]; ok {
			continue
		}
		access, _ := state.Access(v1alpha1.FormFieldName(name))
		if err := s.fillField(ctx, graph, name, demanded && access == v1alpha1.AccessRequired, given); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) fillField(ctx context.Context, graph *engine.Graph, name string, required bool, given v1alpha1.JSONObject) error {
	field, own := graph.Field(v1alpha1.FieldName(name))
	text := "Title"
	if own {
		text = s.describe(field)
	}
	if !required {
		text += " (optional)"
	}
	suggestion := ""
	if own && field.Default != nil {
		suggestion = *field.Default
		text += fmt.Sprintf(" [%s]", suggestion)
	}
	for {
		answer, err := s.question(ctx, text+": ")
		if err != nil {
			return err
		}
		if answer == "" {
			answer = suggestion
		}
		value, err := convert(graph, name, answer)
		switch {
		case err != nil:
			s.note("  %v", err)
		case value == nil && required:
			s.note("  it is required")
		case value == nil:
			return nil
		default:
			given[name] = value
			return nil
		}
	}
}

// describe is what a person is asked for a field.
func (s *session) describe(field *engine.Field) string {
	if field.Description != "" {
		s.note("%s", field.Description)
	}
	text := fmt.Sprintf("%s, %s", named(string(field.Name), field.DisplayName), field.Type)
	if len(field.Choices) > 0 {
		text += " of " + choices(field)
	}
	return text
}
