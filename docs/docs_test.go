// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs_test looks that what the documents say of the code is so.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// names are what tests are called: functions, specs, entries, and keys of tables.
func names(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if name, ok := nameOf(node); ok {
				all = append(all, name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// nameOf is the name that a piece of a test's source gives to a test; what a test
// says when it fails is none.
func nameOf(node ast.Node) (string, bool) {
	var expression ast.Expr
	switch found := node.(type) {
	case *ast.FuncDecl:
		return found.Name.Name, strings.HasPrefix(found.Name.Name, "Test")
	case *ast.CallExpr:
		called := ""
		switch function := found.Fun.(type) {
		case *ast.Ident:
			called = function.Name
		case *ast.SelectorExpr:
			called = function.Sel.Name
		}
		if slices.Contains([]string{"Describe", "DescribeTable", "DescribeTableSubtree", "Context", "When", "It", "Entry", "Run"}, called) && len(found.Args) > 0 {
			expression = found.Args[0]
		}
	case *ast.KeyValueExpr:
		if _, isCase := found.Value.(*ast.CompositeLit); isCase {
			expression = found.Key
		}
	}
	literal, ok := expression.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	return literal.Value, true
}

func TestTheTableOfQuirksIsCompleteAndTrue(t *testing.T) {
	data, err := os.ReadFile("quirks.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := strings.Join(names(t), "\n")
	for n := 1; n <= 51; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| Q%d \|.*\| ([^|]+) \|$`, n)).FindStringSubmatch(string(data))
		if row == nil {
			t.Errorf("Q%d is not in the table", n)
			continue
		}
		carried := regexp.MustCompile(fmt.Sprintf(`Q%d(?:[^0-9]|$)`, n)).MatchString(tests)
		if row[1] == "tested" && !carried {
			t.Errorf("Q%d is said to be tested, but no test's name carries it", n)
		}
	}
}
