// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// titles finds what stands within titles. A text that is looked for may be
// anywhere in any of them, so that each must be walked: they lie one after the
// other, in blocks, where that takes a hundredth of the time that it takes to
// follow as many pointers. A block is built when it is first walked.
type titles struct{ blocks []*titleBlock }

// blockSize is how many titles a block has: one changed title costs as many to
// be copied.
const blockSize = 1024

type titleBlock struct {
	once sync.Once
	text string
	ends []int // of each title in the text
}

// changed says that titles are others from an ordinal on, up to a count of all.
func (t *titles) changed(from, count int) {
	t.blocks = t.blocks[:min(from/blockSize, len(t.blocks))]
	for len(t.blocks)*blockSize < count {
		t.blocks = append(t.blocks, &titleBlock{})
	}
}

// changedOne says that one title is another.
func (t *titles) changedOne(ordinal uint32) { t.blocks[ordinal/blockSize] = &titleBlock{} }

// with are the ordinals of the entries whose titles contain a text.
func (t *titles) with(text string, entries []*entry) *roaring.Bitmap {
	found := roaring.New()
	var hits []uint32
	for n, block := range t.blocks {
		first := n * blockSize
		block.once.Do(func() { block.build(entries[first:min(first+blockSize, len(entries))]) })
		hits = block.find(text, uint32(first), hits[:0]) //nolint:gosec // there are never 2^32 tickets
		found.AddMany(hits)
	}
	return found
}

func (b *titleBlock) build(entries []*entry) {
	var text strings.Builder
	b.ends = make([]int, 0, len(entries))
	for _, e := range entries {
		text.WriteString(e.title)
		b.ends = append(b.ends, text.Len())
	}
	b.text = text.String()
}

// find adds the ordinals of the titles that contain a text, the block's first
// being given.
func (b *titleBlock) find(text string, first uint32, hits []uint32) []uint32 {
	title := 0
	for from := 0; ; {
		at := strings.Index(b.text[from:], text)
		if at < 0 {
			return hits
		}
		at += from
		for b.ends[title] <= at {
			title++
		}
		if at+len(text) > b.ends[title] {
			from = at + 1 // it reaches into the next title
			continue
		}
		hits = append(hits, first+uint32(title)) //nolint:gosec // within a block
		from = b.ends[title]
	}
}
