// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/apiserver/auth"
)

// strongly makes a request with the stronger signature. What change changes is
// not covered by it.
func strongly(method, path, body, user, nonce string, change func(*http.Request)) answer {
	GinkgoHelper()
	return stronglyOnce(method, path, body, user, nonce, "", change)
}

// stronglyOnce is strongly with an Idempotency-Key, which is signed with the rest.
func stronglyOnce(method, path, body, user, nonce, key string, change func(*http.Request)) answer {
	GinkgoHelper()
	request, err := http.NewRequest(method, server.URL+"/api/v1.0/"+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	text := auth.StringToSign(method, request.URL.EscapedPath(), request.URL.RawQuery, []byte(body), "strong", user, timestamp, nonce, key)
	for name, value := range map[string]string{
		"appname": "strong", "username": user, "timestamp": timestamp, auth.HeaderNonce: nonce,
		auth.HeaderMethod: auth.MethodHMAC, "signature": auth.Sign("sample-token-do-not-keep", text),
	} {
		request.Header.Set(name, value)
	}
	if key != "" {
		request.Header.Set(auth.HeaderIdempotencyKey, key)
	}
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	return read(request, response)
}

var _ = Describe("The stronger signature", func() {
	const create = `{"workflow_id": 1, "transition_id": 1, "title": "t", "days": 2}`

	It("is taken once, and demanded where the application says so (Q1)", func() {
		Expect(strongly("POST", "tickets", create, "lilei", "0123456789abcdef-1", nil).ok()).To(HaveKey("ticket_id"))
		strongly("POST", "tickets", create, "lilei", "0123456789abcdef-1", nil).refused("Replayed", "nonce")
		Expect(strongly("GET", "tickets?category=owner&page=1", "", "lilei", "0123456789abcdef-2", nil).ok()).To(HaveKey("total"))
		as("lilei").through("strong").get("workflows").refused("BadSignature", "stronger")
	})

	It("covers the key that makes a repetition harmless, where one is sent", func() {
		first := stronglyOnce("POST", "tickets", create, "lilei", "0123456789abcdef-3", "opened-once", nil).ok()
		Expect(stronglyOnce("POST", "tickets", create, "lilei", "0123456789abcdef-4", "opened-once", nil).ok()).To(Equal(first))
		stronglyOnce("POST", "tickets", create, "lilei", "0123456789abcdef-5", "opened-once", func(r *http.Request) {
			r.Header.Del(auth.HeaderIdempotencyKey)
		}).refused("BadSignature", "")
	})

	DescribeTable("covers all of the request", func(reason string, change func(*http.Request)) {
		nonce := "covers-" + strconv.FormatInt(time.Now().UnixNano(), 10)
		strongly("POST", "tickets", create, "lilei", nonce, change).refused(reason, "")
	},
		Entry("its method", "BadSignature", func(r *http.Request) { r.Method = http.MethodPut; r.URL.Path = "/api/v1.0/tickets/1/state" }),
		Entry("its path", "BadSignature", func(r *http.Request) { r.URL.Path = "/api/v1.0/tickets/1/comments" }),
		Entry("its query", "BadSignature", func(r *http.Request) { r.URL.RawQuery = "x=1" }),
		Entry("its user", "BadSignature", func(r *http.Request) { r.Header.Set("username", "admin") }),
		Entry("its time", "BadSignature", func(r *http.Request) { r.Header.Set("timestamp", strconv.FormatInt(time.Now().Unix()+1, 10)) }),
		Entry("its nonce", "BadSignature", func(r *http.Request) { r.Header.Set(auth.HeaderNonce, "0123456789abcdef-other") }),
		Entry("its body", "BadSignature", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(create, "2}", "3}", 1)))
		}),
		Entry("a key for its repetition, which would make another request of it", "BadSignature", func(r *http.Request) { r.Header.Set(auth.HeaderIdempotencyKey, "another") }),
		Entry("not without a nonce", "MissingCredentials", func(r *http.Request) { r.Header.Del(auth.HeaderNonce) }),
		Entry("not with a short nonce", "BadParameter", func(r *http.Request) { r.Header.Set(auth.HeaderNonce, "short") }),
		Entry("not by another method", "BadSignature", func(r *http.Request) { r.Header.Set(auth.HeaderMethod, "ROT13") }),
	)

	It("keeps no others out while bodies do not come", func() {
		var slow []net.Conn
		for range 100 { // as many as are served at a time
			conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
			Expect(err).NotTo(HaveOccurred())
			slow = append(slow, conn)
			_, err = fmt.Fprintf(conn, "POST /api/v1.0/tickets HTTP/1.1\r\nHost: x\r\nappname: strong\r\ntimestamp: 1\r\nsignature: x\r\n"+
				"signature-method: HMAC-SHA256\r\nnonce: 0123456789abcdef\r\nContent-Length: 10\r\n\r\n{")
			Expect(err).NotTo(HaveOccurred())
		}
		nonce := 0
		strong := func() string {
			nonce++
			return strongly("GET", "workflows", "", "lilei", fmt.Sprintf("beside-slow-ones-%d", nonce), nil).Reason
		}
		Eventually(strong).Should(Equal("Busy"))
		as("lilei").get("workflows").ok()
		for _, conn := range slow {
			Expect(conn.Close()).To(Succeed())
		}
		Eventually(strong).Should(BeEmpty())
	})

	It("is as the worked example of docs/signatures.md has it", func() {
		text := auth.StringToSign("POST", "/api/v1.0/tickets/17/comments", "", []byte(`{"suggestion": "ok"}`), "ops", "lilei", "1523353173", "7f9c2ba4e88f827d", "")
		Expect(text).To(Equal("POST\n/api/v1.0/tickets/17/comments\n\n" +
			"4aaa0833f3cbcba16e37d1b580406fbea22abc81072e1df33e9fc062200ec15f\nops\nlilei\n1523353173\n7f9c2ba4e88f827d"))
		Expect(auth.Sign("sample-token-do-not-keep", text)).To(Equal("cac1dc448496bd00aa1134bfc1e03a21d27ec2df468200c6861eef3da43501e6"))
	})
})

var _ = Describe("A Kubernetes bearer token", func() {
	token := func(name string) string {
		GinkgoHelper()
		request := &authenticationv1.TokenRequest{}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "it", Name: name}}
		Expect(k8s.SubResource("token").Create(context.Background(), account, request, &client.SubResourceCreateOptions{})).To(Succeed())
		return request.Status.Token
	}
	bearing := func(token string) caller {
		return caller{}.with("Authorization", "Bearer "+token).with("timestamp", "").with("signature", "").with("appname", "")
	}

	It("acts as the user that it belongs to, where RBAC lets it", func() {
		robin := bearing(token("lilei"))
		created := robin.post("tickets", `{"workflow_id": 1, "transition_id": 1, "title": "by token", "days": 2}`).ok()
		ticket := "tickets/" + strconv.Itoa(int(created.(map[string]any)["ticket_id"].(float64)))
		shown := robin.get(ticket).ok().(map[string]any)["value"].(map[string]any)
		Expect(shown["creator"]).To(Equal("robin"))
		robin.post(ticket+"/comments", `{"suggestion": "mine"}`).ok()
		robin.post(ticket+"/retreat", `{}`).refused("UnknownTicket", "")
		robin.with("username", "admin").get(ticket).refused("NotAllowed", "admin")
		robin.get(open(1)).refused("NotAllowed", "robin")
	})

	It("reaches nothing without rights, or if it is none", func() {
		nobody := bearing(token("nobody"))
		Expect(nobody.get("workflows").ok()).To(HaveKeyWithValue("total", BeEquivalentTo(0)))
		nobody.get("tickets/1/transitions").refused("UnknownTicket", "1")
		bearing(token("clerk")).patch(open(1)+"/fields", `{"days": 3}`).refused("UnknownUser", "spec.identities")
		nobody.get("workflows/user_admin").refused("UnknownUser", "spec.identities")
		bearing("not-a-token").get("workflows").refused("BadSignature", "token")
	})
})
