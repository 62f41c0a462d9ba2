// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// phrases are what the sources pass as formats to what makes refusals.
func phrases(t *testing.T) []string {
	t.Helper()
	position := map[string]int{"refuse": 1, "Refuse": 1, "Failf": 1, "Say": 0, "badParameter": 1, "badBody": 0}
	var out []string
	for _, folder := range []string{"engine", "apiserver/auth", "apiserver/backend", "apiserver/rest"} {
		files, err := filepath.Glob(filepath.Join(testenv.Path(folder), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal("no sources in", folder, err)
		}
		for _, path := range slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") }) {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				name := ""
				switch called := call.Fun.(type) {
				case *ast.Ident:
					name = called.Name
				case *ast.SelectorExpr:
					name = called.Sel.Name
				}
				at, wanted := position[name]
				if !wanted || at >= len(call.Args) {
					return true
				}
				if literal, ok := call.Args[at].(*ast.BasicLit); ok {
					text, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, text)
				}
				return true
			})
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var (
	verbs   = regexp.MustCompile(`%(\[\d\])?[a-z]`)
	indexes = regexp.MustCompile(`\[\d\]`)
)

func TestEveryPhraseCanBeSaidInChinese(t *testing.T) {
	all := phrases(t)
	if len(all) < 100 {
		t.Fatalf("only %d phrases were found: the test looks in the wrong place", len(all))
	}
	for _, phrase := range all {
		translated, ok := chinese[phrase]
		if !ok {
			t.Errorf("no Chinese for %q", phrase)
			continue
		}
		sorted := func(text string) []string {
			found := verbs.FindAllString(indexes.ReplaceAllString(text, ""), -1)
			slices.Sort(found)
			return found
		}
		if diff := cmp.Diff(sorted(phrase), sorted(translated)); diff != "" {
			t.Errorf("%q speaks of other things in Chinese:\n%s", phrase, diff)
		}
	}
	for phrase := range chinese {
		if phrase != internalText && !slices.Contains(all, phrase) {
			t.Errorf("nobody says %q any more", phrase)
		}
	}
	for _, reason := range Reasons {
		if chineseReasons[reason] == "" {
			t.Errorf("no Chinese for the reason %s", reason)
		}
	}
}

func TestTheLanguageIsTheOneAskedFor(t *testing.T) {
	phrased := backend.Failf(engine.ReasonLimitReached, "%d tickets were opened within %s, and no more than %d may be", 4, "24h0m0s", 3)
	nested := backend.Failf(engine.ReasonInvalidFields, "invalid fields: %s", engine.Phrases{engine.Say("%s %v", "days", engine.Say("is not a whole number"))})
	stored := &backend.Failure{Reason: engine.ReasonNotParticipant, Message: "no"}
	cases := map[string]struct {
		header  string
		failure *backend.Failure
		want    string
	}{
		"English by default":                   {"", phrased, "4 tickets were opened within 24h0m0s, and no more than 3 may be"},
		"Chinese":                              {"zh", phrased, "24h0m0s内已新建4个工单, 最多允许3个"},
		"Chinese of a country, before English": {"zh-CN,zh;q=0.9,en;q=0.8", nested, "无效字段: days 不是整数"},
		"English before Chinese":               {"en,zh;q=0.5", nested, "invalid fields: days is not a whole number"},
		"a language that is not there":         {"fr", nested, "invalid fields: days is not a whole number"},
		"what was stored in English":           {"zh", stored, "不是当前处理人(no)"},
		"a header that is none":                {";;;=", stored, "no"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			request := &http.Request{Header: http.Header{"Accept-Language": {tc.header}}}
			if got := say(request, tc.failure); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
