// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	format = "ticketflow.dev/export"
	// version of the format. One that is higher cannot be read.
	version = 1
	// maxLine bounds an object: etcd takes no larger ones.
	maxLine = 8 << 20
)

// Header is an export's first line.
type Header struct {
	// Format is always ticketflow.dev/export.
	Format string `json:"format"`
	// Version of the format.
	Version int `json:"version"`
	// CreatedAt is when the export began.
	CreatedAt metav1.Time `json:"createdAt"`
	// Origin names the installation that counts the tickets.
	Origin string `json:"origin,omitempty"`
	// SystemNamespace had Ticketflow's own objects.
	SystemNamespace string `json:"systemNamespace"`
	// Secrets says that it holds Secrets, in the clear.
	Secrets bool `json:"secrets"`
}

// Trailer is an export's last line.
type Trailer struct {
	// Objects is how many there are.
	Objects int `json:"objects"`
}

// writer writes an export.
type writer struct {
	compressed *gzip.Writer
	lines      *json.Encoder
	objects    int
}

func newWriter(out io.Writer, header Header) (*writer, error) {
	w := &writer{compressed: gzip.NewWriter(out)}
	w.lines = json.NewEncoder(w.compressed)
	return w, w.line(header)
}

func (w *writer) line(value any) error {
	if err := w.lines.Encode(value); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// object writes an object without what only the server that has it needs.
func (w *writer) object(o *unstructured.Unstructured) error {
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	w.objects++
	return w.line(o.Object)
}

func (w *writer) close() error {
	if err := w.line(Trailer{Objects: w.objects}); err != nil {
		return err
	}
	if err := w.compressed.Close(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// read reads an export, object by object.
func read(in io.Reader, header func(Header) error, object func(*unstructured.Unstructured) error) error {
	compressed, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("this is no export: %w", err)
	}
	lines := bufio.NewScanner(compressed)
	lines.Buffer(nil, maxLine)
	objects, whole := -1, false
	for ; lines.Scan(); objects++ {
		switch {
		case whole:
			return errors.New("the export goes on after its end")
		case objects < 0:
			err = readHeader(lines.Bytes(), header)
		default:
			whole, err = readLine(lines.Bytes(), objects, object)
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	if !whole {
		return errors.New("the export is not whole: its end is missing")
	}
	return nil
}

func readHeader(line []byte, use func(Header) error) error {
	var h Header
	if err := json.Unmarshal(line, &h); err != nil || h.Format != format {
		return errors.New("this is no export of Ticketflow")
	}
	if h.Version > version {
		return fmt.Errorf("the export has version %d of the format, and this program reads %d: use a newer one", h.Version, version)
	}
	return use(h)
}

// readLine reads an object, or the trailer, after so many objects.
func readLine(line []byte, before int, use func(*unstructured.Unstructured) error) (last bool, err error) {
	var trailer struct {
		Kind    string
		Objects *int
	}
	if err := json.Unmarshal(line, &trailer); err != nil {
		return false, fmt.Errorf("read object %d: %w", before+1, err)
	}
	if trailer.Kind == "" && trailer.Objects != nil {
		if *trailer.Objects != before {
			return false, fmt.Errorf("the export is not whole: it has %d objects, and should have %d", before, *trailer.Objects)
		}
		return true, nil
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(line); err != nil {
		return false, fmt.Errorf("read object %d: %w", before+1, err)
	}
	return false, use(o)
}
