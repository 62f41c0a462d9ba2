// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregated_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	restclient "k8s.io/client-go/rest"
)

var _ = Describe("Who comes past kube-apiserver", func() {
	// pretend sends the headers by which kube-apiserver says whom it speaks for.
	pretend := func(client *http.Client, path string) (int, string) {
		GinkgoHelper()
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("X-Remote-User", "lilei")
		request.Header.Add("X-Remote-Group", "system:masters")
		request.Header.Add("X-Remote-Group", "system:authenticated")
		response, err := client.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		return response.StatusCode, string(body)
	}

	It("is not believed to speak for others", func() {
		strangers := map[string]*http.Client{
			"without a certificate": {Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},
		}
		// A user's certificate is one that kube-apiserver's own proxy does not have.
		config, err := restclient.HTTPClientFor(direct("without-rights"))
		Expect(err).NotTo(HaveOccurred())
		strangers["with another's certificate"] = config
		for who, client := range strangers {
			for _, path := range []string{
				"/apis/rest.ticketflow.dev/v1/namespaces/it/tickets/" + private.Name,
				"/apis/rest.ticketflow.dev/v1/ticketids/" + idOf(private), "/metrics", "/debug/pprof/heap",
			} {
				code, body := pretend(client, path)
				Expect(code).To(BeElementOf(http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound), "%s, %s: %s", who, path, body)
				Expect(body).NotTo(ContainSubstring("vpn please"))
			}
		}
	})
})
