// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/internal/embedded"
	"ticketflow.dev/ticketflow/internal/outbound"
)

func TestHooksMayGoToThisMachineAndToWhatIsNamed(t *testing.T) {
	options := embedded.NewOptions()
	options.AllowHosts = []string{"hooks.example"}
	if hosts := options.Hosts(); !slices.Contains(hosts, "hooks.example") {
		t.Errorf("got %v, want hooks.example among them", hosts)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := outbound.New(options.Hosts(), clock.RealClock{})
	connection, err := client.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
}
