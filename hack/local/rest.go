// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the documented signature
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// REST talks to /api/v1.0 as an application, for a user.
type REST struct {
	// Address serves REST.
	Address string
	// Application, its Token, and the User that it acts for.
	Application, Token, User string
	// HTTP makes the requests.
	HTTP *http.Client
}

// Refusal is an answer that says no.
type Refusal struct {
	// Status is that of HTTP.
	Status int
	// Reason and Msg are the answer's.
	Reason, Msg string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Reason, r.Msg) }

// Call makes a request, and reads the answer's data if somewhere is given.
func (r *REST) Call(ctx context.Context, method, path string, body, data any) error {
	return r.Once(ctx, "", method, path, body, data)
}

// Once is Call with a key: however often it is made, it happens once.
func (r *REST) Once(ctx context.Context, key, method, path string, body, data any) error {
	response, err := r.send(ctx, key, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer := struct {
		Code   int             `json:"code"`
		Msg    string          `json:"msg"`
		Reason string          `json:"reason"`
		Data   json.RawMessage `json:"data"`
	}{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Code != 0 {
		return fmt.Errorf("%s %s: %w", method, path, &Refusal{response.StatusCode, answer.Reason, answer.Msg})
	}
	if data != nil {
		return json.Unmarshal(answer.Data, data)
	}
	return nil
}

// Fetch reads what is at a path and looks no further than whether it is what was
// asked for: who measures a server should not measure his own decoding.
func (r *REST) Fetch(ctx context.Context, path string) error {
	response, err := r.send(ctx, "", http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && !bytes.HasPrefix(answer, []byte(`{"code":0,`)) {
		err = fmt.Errorf("%s: %d %.200s", path, response.StatusCode, answer)
	}
	return err
}

// Healthy asks the server whether it is well, which needs no signature.
func (r *REST) Healthy(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := r.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz: %d", response.StatusCode)
	}
	return nil
}

// send makes a signed request.
func (r *REST) send(ctx context.Context, key, method, path string, body any) (*http.Response, error) {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.Address+"/api/v1.0/"+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	timestamp, signature := Sign(r.Token, time.Now())
	for name, value := range map[string]string{
		"appname": r.Application, "username": r.User, "timestamp": timestamp, "signature": signature, "Idempotency-Key": key,
	} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	return r.HTTP.Do(request)
}

// Sign signs a time with a token.
func Sign(token string, now time.Time) (timestamp, signature string) {
	timestamp = strconv.FormatInt(now.Unix(), 10)
	sum := md5.Sum([]byte(timestamp + token)) //nolint:gosec // the documented signature
	return timestamp, hex.EncodeToString(sum[:])
}
