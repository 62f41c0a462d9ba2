// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs_test looks that what the documents say of the code is so.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var named = regexp.MustCompile(`(?:func Test|It\(|Entry\(|t\.Run\(|^\s*)["A-Za-z].*`)

// names are the lines of tests that name a test: functions, specs, entries and
// keys of tables.
func names(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../docs") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(data), "\n") {
			if named.MatchString(line) && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				all.WriteString(line + "\n")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestTheTableOfQuirksIsCompleteAndTrue(t *testing.T) {
	data, err := os.ReadFile("quirks.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := names(t)
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
