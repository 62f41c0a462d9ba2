// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"flag"
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"ticketflow.dev/ticketflow/apiserver/rest"
	"ticketflow.dev/ticketflow/internal/testenv"
)

var update = flag.Bool("update", false, "write the OpenAPI document anew")

func TestTheOpenAPIDocumentIsValidAndCheckedIn(t *testing.T) {
	path := testenv.Path("docs", "openapi.json")
	data, err := rest.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	present, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(present), string(data)); diff != "" {
		t.Errorf("docs/openapi.json is not what the server serves; go test ./apiserver/rest -run OpenAPI -update:\n%s", diff)
	}
}
