// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"ticketflow.dev/ticketflow/internal/metrics/metricstest"
)

var _ = Describe("What is counted of requests", func() {
	count := func(route, method, code, reason string) float64 {
		return metricstest.Value("ticketflow_rest_requests_total", metricstest.Labels{"route": route, "method": method, "code": code, "reason": reason})
	}

	It("is how each endpoint answered, by its pattern and never by an id", func() {
		const comments = "/api/v1.0/tickets/{id}/comments"
		served, refused := count(comments, "POST", "200", ""), count(comments, "POST", "200", "UnknownTicket")
		took := metricstest.Value("ticketflow_rest_request_duration_seconds", metricstest.Labels{"route": comments, "method": "POST"})
		as("lilei").post(open(3)+"/comments", `{"suggestion": "soon?"}`).ok()
		as("lilei").post("tickets/99999999/comments", `{"suggestion": "soon?"}`).refused("UnknownTicket", "99999999")
		Expect(count(comments, "POST", "200", "")).To(Equal(served + 1))
		Expect(count(comments, "POST", "200", "UnknownTicket")).To(Equal(refused + 1))
		Expect(metricstest.Value("ticketflow_rest_request_duration_seconds", metricstest.Labels{"route": comments, "method": "POST"})).To(Equal(took + 2))
	})

	It("does not grow with what clients make up", func() {
		before := count("", "other", "404", "BadParameter")
		for _, path := range []string{"made/up", "made/up/more"} {
			request, err := http.NewRequest("BREW", server.URL+"/api/v1.0/"+path, nil)
			Expect(err).NotTo(HaveOccurred())
			response, err := http.DefaultClient.Do(request)
			Expect(err).NotTo(HaveOccurred())
			Expect(response.Body.Close()).To(Succeed())
		}
		Expect(count("", "other", "404", "BadParameter")).To(Equal(before + 2))
	})

	It("is how many are being served", func() {
		serving := func() float64 { return metricstest.Value("ticketflow_rest_requests_in_flight", nil) }
		Eventually(serving).Should(BeZero())
		body, more := io.Pipe()
		request, err := http.NewRequest(http.MethodPost, server.URL+"/api/v1.0/tickets", body)
		Expect(err).NotTo(HaveOccurred())
		request.Header = as("lilei").signed()
		answered := make(chan error)
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				err = response.Body.Close()
			}
			answered <- err
		}()
		Eventually(serving).Should(BeEquivalentTo(1))
		Expect(more.Close()).To(Succeed())
		Expect(<-answered).To(Succeed())
		Eventually(serving).Should(BeZero())
	})
})
