// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// served is a server whose handler tells that it was entered, and answers once
// it is let go. What serve answers is sent to ended.
func served(t *testing.T, delay time.Duration) (url string, entered, letGo chan struct{}, stop context.CancelFunc, ended chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, letGo, ended = make(chan struct{}, 2), make(chan struct{}), make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- serve(ctx, listener, delay, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			entered <- struct{}{}
			<-letGo
			_, _ = w.Write([]byte("{}"))
		}))
	}()
	return "http://" + listener.Addr().String(), entered, letGo, stop, ended
}

func TestARequestUnderWayIsAnsweredAfterTheEndWasAskedFor(t *testing.T) {
	url, entered, letGo, stop, ended := served(t, 0)
	answered := make(chan error, 1)
	go func() {
		response, err := http.Get(url)
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-entered
	stop()
	close(letGo)
	if err := <-answered; err != nil {
		t.Errorf("the request failed: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server did not end well: %v", err)
	}
}

func TestDuringTheDelayRequestsAreTakenOnAndConnectionsGivenUp(t *testing.T) {
	url, _, letGo, stop, _ := served(t, time.Hour) // it ends with the test's process
	close(letGo)
	for _, leaving := range []bool{false, true} {
		if leaving {
			stop()
		}
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Close != leaving {
			t.Errorf("got %s, and the connection is given up: %t; want 200 and %t", response.Status, response.Close, leaving)
		}
	}
}
