// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package outbound makes the requests that leave Ticketflow: hooks and notices.
// They go only to hosts that the operator allows, never to link-local or
// metadata addresses, whatever a name resolves to or a redirect says, and they
// are bounded in time and size.
package outbound

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the documented signature (rest-behaviour.md §8.5)
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/utils/clock"

	"ticketflow.dev/ticketflow/internal/metrics"
)

const (
	// timeout of one request, from dialling to the end of the answer
	// (rest-behaviour.md §8.2).
	timeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 10
	// maxMsg bounds what is kept of an answer's msg, in bytes.
	maxMsg = 4096
	// maxRedirects are followed, each to an allowed host.
	maxRedirects = 3
)

// ErrTryAgain marks failures that another attempt may not meet: the connection,
// answers of 500 and above, and that there were too many requests.
var ErrTryAgain = errors.New("no success so far")

// Redirects that are not followed. One that turns the request into a GET would
// have us believe that the message has arrived.
var (
	errCircle = fmt.Errorf("it redirects more than %d times", maxRedirects)
	errLost   = errors.New("it redirects in a way that loses the message; the statuses 307 and 308 keep it")
)

// Outcome is how a request went whose error this is.
func Outcome(err error) metrics.Outcome {
	switch {
	case err == nil:
		return metrics.Succeeded
	case errors.Is(err, ErrTryAgain):
		return metrics.Unreachable
	}
	return metrics.Refused
}

// Client makes requests to allowed hosts.
type Client struct {
	allowed hosts
	dialer  *net.Dialer
	http    *http.Client
	clock   clock.PassiveClock
}

// New makes a Client for hosts: names, *.suffixes, addresses, or * for any.
func New(allowed []string, clk clock.PassiveClock) *Client {
	c := &Client{allowed: allowed, clock: clk}
	c.dialer = &net.Dialer{Timeout: timeout, Control: c.allowed.control}
	c.http = &http.Client{
		Timeout: timeout,
		// No proxy: it would dial for us, past the checks.
		Transport: &http.Transport{
			DialContext: c.dialer.DialContext, TLSHandshakeTimeout: timeout, MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: c.redirect,
	}
	return c
}

// redirect looks at where a redirect leads. The signature is for the host that
// was meant: another could use it to speak for us.
func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errCircle
	}
	if err := c.allowed.check(r.URL); err != nil {
		return fmt.Errorf("it redirects to where it may not: %w", err)
	}
	if r.Method != http.MethodPost {
		return errLost
	}
	if !strings.EqualFold(r.URL.Host, via[0].URL.Host) {
		r.Header.Del("timestamp")
		r.Header.Del("signature")
	}
	return nil
}

// Answer is what the other side says, in the protocol of hooks and notices.
type Answer struct {
	// Code is 0 for success.
	Code int64
	// Msg is what it says, without our token, should it repeat that, and no
	// longer than maxMsg.
	Msg string
}

// Post sends a body as JSON, signed with a token unless that is empty, and reads
// the answer. Errors say what went wrong without address or token: they become a
// ticket's history, which is read by who knows neither.
func (c *Client) Post(ctx context.Context, address, token string, body any) (Answer, error) {
	target, err := url.Parse(address)
	if err != nil {
		return Answer{}, errors.New("its address is not a URL")
	}
	if err := c.allowed.check(target); err != nil {
		return Answer{}, err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return Answer{}, fmt.Errorf("write the request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(data))
	if err != nil {
		return Answer{}, errors.New("its address is not a URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "ticketflow")
	if token != "" {
		timestamp := strconv.FormatInt(c.clock.Now().Unix(), 10)
		sum := md5.Sum([]byte(timestamp + token)) //nolint:gosec // as documented
		request.Header.Set("timestamp", timestamp)
		request.Header.Set("signature", hex.EncodeToString(sum[:]))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := read(response)
	answer.Msg = Readable(answer.Msg, token)
	return answer, err
}

// failed says why a request brought no answer.
func failed(err error) error {
	err = withoutAddress(err)
	if errors.Is(err, errForbidden) || errors.Is(err, errCircle) || errors.Is(err, errLost) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTryAgain, err)
}

// withoutAddress takes URLs, which may have keys in them, hosts and addresses out
// of an error.
func withoutAddress(err error) error {
	var (
		request     *url.Error
		connection  *net.OpError
		name        *net.DNSError
		certificate x509.HostnameError
	)
	if errors.As(err, &request) {
		err = request.Err
	}
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return errors.New("there is no such host")
	case errors.As(err, &name):
		return errors.New("its host cannot be looked up")
	case errors.As(err, &certificate):
		return errors.New("its certificate is for another host")
	case errors.As(err, &connection):
		return connection.Err
	}
	return err
}

func read(response *http.Response) (Answer, error) {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusTooManyRequests:
		return Answer{}, fmt.Errorf("%w: it answers %s", ErrTryAgain, response.Status)
	case err != nil:
		return Answer{}, fmt.Errorf("%w: its answer breaks off: %w", ErrTryAgain, withoutAddress(err))
	case len(data) > maxAnswer:
		return Answer{}, fmt.Errorf("its answer is larger than %d bytes", maxAnswer)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return Answer{}, fmt.Errorf("it answers %s", response.Status)
	}
	var answer struct {
		Code *int64 `json:"code"`
		Msg  any    `json:"msg"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Code == nil {
		return Answer{}, errors.New("its answer is not a JSON object with a number code")
	}
	text, ok := answer.Msg.(string)
	if !ok && answer.Msg != nil {
		text = fmt.Sprint(answer.Msg)
	}
	return Answer{Code: *answer.Code, Msg: text}, nil
}

// Readable is what the other side said, fit to be kept: without a secret of
// ours, should it repeat that, valid, and not too long.
func Readable(text, secret string) string {
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "?")
	if len(text) <= maxMsg {
		return text
	}
	cut := maxMsg
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// DialContext connects to a host on the operator's list, for protocols other
// than HTTP. The address is host and port.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.New("its address is not host:port")
	}
	if !c.allowed.has(host) {
		return nil, fmt.Errorf("%w: the host %q is not on the manager's --allow-hosts", errForbidden, host)
	}
	conn, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, failed(err)
	}
	return conn, nil
}
