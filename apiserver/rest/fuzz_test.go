// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"ticketflow.dev/ticketflow/apiserver/rest"
)

var fuzzTime = flag.Duration("fuzz-endpoints", 2*time.Second, "how long to send random requests; make fuzz sends them for longer")

// fuzzer makes requests that are nearly right: what is documented, with some of
// it bent.
type fuzzer struct {
	*rand.Rand
	operations []operation
	tickets    []string
}

type operation struct {
	method, path string
	query, body  []string
}

func newFuzzer(seed uint64) *fuzzer {
	GinkgoHelper()
	doc, err := rest.OpenAPI(false)
	Expect(err).NotTo(HaveOccurred())
	f := &fuzzer{Rand: rand.New(rand.NewPCG(seed, 0))}
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, documented := range doc.Paths.Value(path).Operations() {
			o := operation{method: method, path: strings.TrimPrefix(path, "/")}
			for _, parameter := range documented.Parameters {
				if parameter.Value.In == "query" {
					o.query = append(o.query, parameter.Value.Name)
				}
			}
			if documented.RequestBody != nil {
				for name := range documented.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
					o.body = append(o.body, name)
				}
				slices.Sort(o.body)
			}
			f.operations = append(f.operations, o)
		}
	}
	slices.SortFunc(f.operations, func(a, b operation) int { return strings.Compare(a.method+a.path, b.method+b.path) })
	return f
}

func pick[T any](f *fuzzer, all ...T) T { return all[f.IntN(len(all))] }

func (f *fuzzer) text() string {
	return pick(f, "", "0", "1", "-1", "10", "20000", "99999999999999999999", "1.5", "true", "null", "all", "duty", "owner", "a,b", "1,2", ",", "loonrobot",
		"lilei", "admin", "guiji", "中文", "' OR 1=1 --", "{title}", "{{7*7}}", "../..", "%00", "\x00", "\xff\xfe", "2018-04-10", "2018-04-10T17:39:33Z",
		strings.Repeat("长", 1+f.IntN(12_000)), strconv.Itoa(f.IntN(100)))
}

func (f *fuzzer) value(depth int) any {
	switch f.IntN(12) {
	case 0:
		return nil
	case 1:
		return f.IntN(2) == 0
	case 2:
		return f.NormFloat64() * 1e10
	case 3:
		return json.RawMessage(pick(f, "1e400", "9223372036854775808", "-0", "1.0", "1E2"))
	case 4, 5:
		return f.IntN(100)
	case 6:
		if depth > 3 {
			return []any{}
		}
		return []any{f.value(depth + 1), f.value(depth + 1)}
	case 7:
		if depth > 3 {
			return map[string]any{}
		}
		return map[string]any{f.text(): f.value(depth + 1)}
	}
	return f.text()
}

// content is a body: mostly JSON of documented and field keys, sometimes not.
func (f *fuzzer) content(o operation) (body, kind string) {
	keys := append([]string{"title", "days", "region", "reason", "note", "level", "username", "creator", "state_id", "x"}, o.body...)
	object := map[string]any{}
	for _, key := range o.body {
		if f.IntN(3) > 0 {
			object[key] = f.value(0)
		}
	}
	for range f.IntN(4) {
		object[pick(f, keys...)] = f.value(0)
	}
	switch f.IntN(10) {
	case 0:
		form := url.Values{}
		for key := range object {
			form.Set(key, f.text())
		}
		return form.Encode(), "application/x-www-form-urlencoded"
	case 1:
		return f.text(), pick(f, "application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ";;")
	case 2:
		return strings.Repeat(`{"a":`, f.IntN(20_000)), "application/json"
	}
	data, err := json.Marshal(object)
	if err != nil {
		return "{", ""
	}
	if f.IntN(8) == 0 {
		data = data[:f.IntN(len(data))]
	}
	return string(data), pick(f, "application/json", "", "text/html")
}

func (f *fuzzer) request() *http.Request {
	GinkgoHelper()
	o := pick(f, f.operations...)
	if f.IntN(20) == 0 {
		o.method = pick(f, "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")
	}
	id := pick(f, append([]string{"1", "2", "0", "99999999999999999999", strconv.Itoa(f.IntN(100))}, f.tickets...)...)
	path := strings.ReplaceAll(o.path, "{id}", id)
	if f.IntN(30) == 0 {
		path += pick(f, "/", "//", "/..", "?", "/%2e%2e", "/x")
	}
	query := url.Values{}
	for _, name := range o.query {
		if f.IntN(2) == 0 {
			query.Set(name, f.text())
		}
	}
	body, kind := "", ""
	if o.method != http.MethodGet || f.IntN(10) == 0 {
		body, kind = f.content(o)
	}
	request, err := http.NewRequest(o.method, server.URL+"/api/v1.0/"+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	request.URL.RawQuery = query.Encode()
	f.sign(request, kind)
	return request
}

func (f *fuzzer) sign(request *http.Request, kind string) {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	if f.IntN(30) == 0 {
		timestamp = pick(f, "", "x", "-1", "0", "99999999999999999999")
	}
	sum := md5.Sum([]byte(timestamp + "sample-token-do-not-keep"))
	headers := map[string]string{
		"appname": pick(f, "ops", "ops", "ops", "old", "old", "narrow", "strong", "nobody"), "timestamp": timestamp,
		"signature": hex.EncodeToString(sum[:]), "username": pick(f, "lilei", "admin", "guiji", "wangwu", "zhangsan", "", "stranger", "loonrobot"),
		"Content-Type": kind,
	}
	for name, values := range map[string][]string{
		"Idempotency-Key": {"k1", "k2", strings.Repeat("k", 300)}, "Accept-Language": {"zh", ";;", "zz-ZZ;q=x"}, "Authorization": {"Bearer x", "Basic eDp4"},
		"signature-method": {"HMAC-SHA256", "x"}, "nonce": {"short", strings.Repeat("n", 20)},
	} {
		if f.IntN(25) == 0 {
			headers[name] = pick(f, values...)
		}
	}
	for name, value := range headers {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
}

var _ = Describe("Whatever is sent", func() {
	It("is answered in the envelope, and never as a fault of the server's", func() {
		seed := uint64(GinkgoRandomSeed())
		f := newFuzzer(seed)
		f.tickets = []string{idOf(open(5)), idOf(openHooked()), idOf(opened(as("lilei"), `{"workflow_id": 7, "transition_id": 71}`))}
		sent, done := 0, 0
		for end := time.Now().Add(*fuzzTime); time.Now().Before(end); sent++ {
			request := f.request()
			what := fmt.Sprintf("seed %d, request %d: %s %s %v", seed, sent, request.Method, request.URL, request.Header)
			response, err := http.DefaultClient.Do(request)
			Expect(err).NotTo(HaveOccurred(), what)
			got := read(request, response)
			Expect(response.Body.Close()).To(Succeed())
			Expect(got.status).To(BeNumerically("<", 500), what)
			if got.Code == 0 {
				done++
				if sent%50 == 0 && len(f.tickets) < 200 {
					f.tickets = append(f.tickets, idOf(open(1+f.IntN(30))))
				}
			}
		}
		GinkgoWriter.Printf("sent %d requests, %d of them were done\n", sent, done)
		Expect(done).To(BeNumerically(">", sent/50), "most requests must not fail for the same reason")
	})
})
