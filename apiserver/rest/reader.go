// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/apiserver/auth"
)

// readBody reads what clients are known to send (decisions.md §2): JSON with or
// without a Content-Type, or a form, whose numbers arrive as text.
func readBody(r *http.Request, mustSay bool) (map[string]any, error) {
	data, failure := auth.ReadBody(r)
	if failure != nil {
		return nil, failure
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF"))) // a mark that some programs begin texts with
	if len(data) == 0 {
		if mustSay {
			return nil, badBody("is empty")
		}
		return map[string]any{}, nil
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case data[0] == '{':
	case kind == "application/x-www-form-urlencoded":
		return readForm(string(data))
	case kind == "multipart/form-data":
		return nil, badBody("is a form in parts: send JSON or application/x-www-form-urlencoded")
	}
	var body map[string]any
	if err := utiljson.Unmarshal(data, &body); err != nil || body == nil {
		return nil, badBody("is not a JSON object")
	}
	if !jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true)) { // what was read has � for what is none
		return nil, badBody("is not valid UTF-8")
	}
	return body, nil
}

func readForm(text string) (map[string]any, error) {
	values, err := pairs(text)
	if err != nil {
		return nil, badBody("has too many parameters")
	}
	body := make(map[string]any, len(values))
	for name, all := range values {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(all, "")) {
			return nil, badBody("is not valid UTF-8")
		}
		body[name] = all[0]
		if len(all) > 1 { // how a form has a list
			list := make([]any, 0, len(all))
			for _, value := range all {
				list = append(list, value)
			}
			body[name] = list
		}
	}
	return body, nil
}

// pairs reads a query or a form as the older system did: a semicolon separates
// nothing, and a percent sign that escapes nothing stands for itself. Go would leave
// such a pair out, and a filter with it. It fails where there are thousands.
func pairs(text string) (url.Values, error) {
	if !strings.ContainsAny(text, "%;") {
		return url.ParseQuery(text) // most have neither, and looking for what to mend takes longer than reading
	}
	text = escapes.ReplaceAllStringFunc(text, func(found string) string {
		switch found {
		case ";":
			return "%3B"
		case "%":
			return "%25"
		}
		return found
	})
	return url.ParseQuery(text)
}

var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}|%|;`)

// checkBody checks the keys of the body where the endpoint has a schema, and
// refuses unknown ones by name where it is strict; a username is ignored
// everywhere, since the header counts.
func (r *request) checkBody() error {
	if r.route.strict {
		for _, name := range slices.Sorted(maps.Keys(r.body)) {
			if name != "username" && !named(r.route.body, name) {
				return unknownKey(name)
			}
		}
	}
	if !r.route.schema && !r.route.strict {
		return nil
	}
	for _, p := range r.route.body {
		if err := r.checkKey(p); err != nil {
			return err
		}
	}
	return nil
}

func (r *request) checkKey(p property) (err error) {
	required := p.required || p.requiredByR1 && r.profile() == v1alpha1.ProfileR1
	if said := r.said(p.name); required && (said == nil || said == "") {
		return badParameter(p.name, "is missing")
	}
	switch {
	case p.onForm:
	case p.kind == aText:
		_, err = r.bodyText(p.name)
	case p.kind == aFlag:
		_, err = r.bodyFlag(p.name)
	case p.kind == anID && required:
		_, err = r.mustID(p.name)
	case p.kind == anID:
		_, err = r.bodyID(p.name)
	}
	return err
}

func named(all []property, name string) bool {
	return slices.ContainsFunc(all, func(p property) bool { return p.name == name })
}

// said is a value of the body. That the endpoint's table names it is checked, so
// that the OpenAPI document cannot lag behind.
func (r *request) said(name string) any {
	if !named(r.route.body, name) {
		panic("the endpoint " + r.route.path + " does not name the body key " + name)
	}
	return r.body[name]
}

// asked is a parameter of the query, as said is a key of the body.
func (r *request) asked(name string) string {
	if !named(r.route.query, name) {
		panic("the endpoint " + r.route.path + " does not name the parameter " + name)
	}
	return strings.TrimSpace(r.query.Get(name))
}

// bodyID reads an id from the body: a whole number or its text; 0 where it is absent.
func (r *request) bodyID(name string) (v1alpha1.WireID, error) {
	raw := r.said(name)
	if raw == nil || raw == "" {
		return 0, nil
	}
	switch v := raw.(type) {
	case int64:
		if v >= 0 {
			return v1alpha1.WireID(v), nil
		}
	case float64: // 2.0 is 2; beyond what is exact, an id is nobody's
		if v >= 0 && v <= 1<<53 && v == math.Trunc(v) {
			return v1alpha1.WireID(v), nil
		}
	case string:
		if id, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && id >= 0 {
			return v1alpha1.WireID(id), nil
		}
	}
	return 0, badParameter(name, "is not an id")
}

// mustID is bodyID of one that must be there.
func (r *request) mustID(name string) (v1alpha1.WireID, error) {
	id, err := r.bodyID(name)
	if err == nil && id == 0 {
		err = badParameter(name, "is missing")
	}
	return id, err
}

// bodyText reads a text from the body; empty where it is absent.
func (r *request) bodyText(name string) (string, error) {
	switch v := r.said(name).(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", badParameter(name, "is not a text")
}

// bodyFlag reads a flag from the body: a boolean, 0 or 1, or their texts.
func (r *request) bodyFlag(name string) (bool, error) {
	switch v := r.said(name).(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case string:
		flag, err := strconv.ParseBool(strings.ToLower(v))
		if err == nil || v == "" {
			return flag, nil
		}
	}
	return false, badParameter(name, "is neither true nor false")
}

// number reads a whole number from the query; the default where it is absent or empty.
func (r *request) number(name string, otherwise int) (int, error) {
	text := r.asked(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(text, "-") {
		return 1 << 30, nil // beyond the end, as asked
	}
	if err != nil {
		return 0, badParameter(name, "is not a whole number")
	}
	return n, nil
}

// flag reads 0 or 1 from the query; nil where it is absent or empty.
func (r *request) flag(name string) (*bool, error) {
	text := r.asked(name)
	if text == "" {
		return nil, nil
	}
	value, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return nil, badParameter(name, "is neither 0 nor 1")
	}
	return &value, nil
}

// wants reads a flag from the query that any text sets but one that says no (Q36).
func (r *request) wants(name string) bool {
	text := r.asked(name)
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(strings.ToLower(text))
	return err != nil || yes
}

// ids reads a list of ids with commas from the query; nil where it is absent or empty.
func (r *request) ids(name string) ([]v1alpha1.WireID, error) {
	text := r.asked(name)
	if text == "" {
		return nil, nil
	}
	out := []v1alpha1.WireID{}
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if !digits(part) {
			return nil, badParameter(name, "is not a list of ids with commas")
		}
		out = append(out, wireID(part))
	}
	return out, nil
}

// when reads a time from the query, in the server's time zone; zero where it is
// absent or empty.
func (r *request) when(name string) (time.Time, error) {
	text := r.asked(name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly, "2006-01-02T15:04:05", "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, r.api.render.wire.Location); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badParameter(name, "is not a date or time like 2018-04-10 or 2018-04-10 17:39:33")
}

// paging reads page and per_page (decisions.md §1.4).
func (r *request) paging() (page, perPage int, err error) {
	if page, err = r.number("page", 1); err != nil {
		return 0, 0, err
	}
	if perPage, err = r.number("per_page", defaultPerPage); err != nil {
		return 0, 0, err
	}
	if perPage < 1 || perPage > maxPerPage {
		return 0, 0, badParameter("per_page", "must be from 1 to %d", maxPerPage)
	}
	return page, perPage, nil
}

const (
	defaultPerPage = 10
	maxPerPage     = 20_000
)

// pagedOf is a page of a list.
type pagedOf[T any] struct {
	Value   []T `json:"value"`
	Total   int `json:"total"`
	Page    int `json:"page"`
	PerPage int `json:"per_page"`
}

// valueOf wraps what is not paged.
type valueOf[T any] struct {
	Value T `json:"value"`
}

// paged answers a page of a list as the query asks for it.
func paged[T any](r *request, all []T) (answer, error) {
	page, perPage, err := r.paging()
	if err != nil {
		return answer{}, err
	}
	return answer{data: pageOf(all, page, perPage)}, nil
}

// pageOf cuts a page out of a list: beyond the end the last page, below 1 the
// first; page is echoed as asked.
func pageOf[T any](all []T, page, perPage int) pagedOf[T] {
	last := 0
	if len(all) > 0 {
		last = (len(all) - 1) / perPage
	}
	start := min(max(page-1, 0), last) * perPage
	items := all[start:min(start+perPage, len(all))]
	if items == nil {
		items = []T{}
	}
	return pagedOf[T]{Value: items, Total: len(all), Page: page, PerPage: perPage}
}

// unpaged answers all of a list as one page of the usual size.
func unpaged[T any](all []T) answer {
	return answer{data: pagedOf[T]{Value: all, Total: len(all), Page: 1, PerPage: defaultPerPage}}
}
