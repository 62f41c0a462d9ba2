// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"strconv"
	"testing"
	"time"

	"ticketflow.dev/ticketflow/apiserver/backend"
)

func TestATimestampIsWithinTheWindowOfWholeSeconds(t *testing.T) {
	const second = 1_500_000_000
	now := time.Unix(second, 999_000_000)
	cases := map[string]struct {
		timestamp string
		late      bool
	}{
		"now":                          {strconv.Itoa(second), false},
		"as old as may be":             {strconv.Itoa(second - 120), false},
		"a second older":               {strconv.Itoa(second - 121), true},
		"as far ahead as may be":       {strconv.Itoa(second + 120), false},
		"a second further ahead":       {strconv.Itoa(second + 121), true},
		"the largest number there is":  {strconv.Itoa(1<<63 - 1), true},
		"the smallest number there is": {strconv.Itoa(-1 << 63), true},
		"a number beyond those":        {"9223372036854775808", true},
		"milliseconds":                 {strconv.Itoa(second * 1000), true},
		"no number":                    {"now", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			failure := timely(tc.timestamp, now)
			if tc.late != (failure != nil && failure.Reason == backend.ReasonExpired) {
				t.Errorf("got %v", failure)
			}
		})
	}
}

// TestANonceIsKnownAsLongAsItsTimestampIsGood takes one at every second of what
// the two generations of nonces go through.
func TestANonceIsKnownAsLongAsItsTimestampIsGood(t *testing.T) {
	begin, others := time.Unix(1_500_000_000, 0), 0
	taken := func(kept *nonces, key string, at time.Time) {
		t.Helper()
		if failure := kept.take(key, at); failure != nil {
			t.Fatal(failure)
		}
	}
	for after := time.Duration(0); after < 2*window+3*time.Second; after += time.Second {
		kept, at := newNonces(), begin.Add(after)
		taken(kept, "first", begin)
		taken(kept, "second", at)
		ahead := strconv.FormatInt(at.Add(window).Unix(), 10)
		for again := at.Add(time.Millisecond); timely(ahead, again) == nil; again = again.Add(250 * time.Millisecond) {
			others++ // keep the generations going in between
			taken(kept, strconv.Itoa(others), again)
			if failure := kept.take("second", again); failure == nil || failure.Reason != backend.ReasonReplayed {
				t.Fatalf("taken %s after the first, repeated %s later: got %v, want Replayed", after, again.Sub(at), failure)
			}
		}
	}
}
