package markdown

import (
	"fmt"
	"sort"
	"strings"

	"sluice.dev/sluice/internal/api"
)

// leastPart is what a part of a text has at least, before it is left out: less of it would say nothing.
const leastPart = 1200

// block is a part of a text. One without parts is there as a whole or not at all; of another one the first parts are there.
type block struct {
	open, close string
	parts       []block
	noun        string                   // what a part is: "cluster"
	more        func(what string) string // says within the block what of it is left out
	length      int                      // of all of it
}

// whole is a block that is never cut.
func whole(text string) block { return block{open: text, length: len(text)} }

// parted is a block of parts.
func parted(b block) block {
	b.length = len(b.open) + len(b.close)
	for _, p := range b.parts {
		b.length += p.length
	}
	return b
}

// least is how much room a block takes at least.
func (b *block) least() int {
	if len(b.parts) == 0 {
		return b.length
	}
	return min(b.length, len(b.open)+len(b.close)+leastPart)
}

// lost counts what is left out, by what it is.
type lost struct {
	nouns []string
	n     map[string]int
}

func (l *lost) add(noun string, n int) {
	if n == 0 {
		return
	}
	if l.n == nil {
		l.n = map[string]int{}
	}
	if l.n[noun] == 0 {
		l.nouns = append(l.nouns, noun)
	}
	l.n[noun] += n
}

// String is "12 clusters, 3 objects"; "" where nothing is lost.
func (l *lost) String() string {
	var all []string
	for _, noun := range l.nouns {
		all = append(all, api.Counted(l.n[noun], noun))
	}
	return strings.Join(all, ", ")
}

// write writes as much of a block as there is room for, which is at least what least says, and returns how much that was.
func (b *block) write(out *strings.Builder, room int, left *lost) {
	out.WriteString(b.open)
	defer out.WriteString(b.close)
	room -= len(b.open) + len(b.close)
	if b.length <= room+len(b.open)+len(b.close) {
		for i := range b.parts {
			b.parts[i].write(out, b.parts[i].length, left)
		}
		return
	}
	if b.more != nil {
		room -= len(b.more(api.Counted(len(b.parts), b.noun)))
	}
	shown, level := b.share(room)
	for i := range b.parts[:shown] {
		p := &b.parts[i]
		p.write(out, min(p.length, max(p.least(), level)), left)
	}
	if gone := len(b.parts) - shown; gone > 0 {
		left.add(b.noun, gone)
		if b.more != nil {
			out.WriteString(b.more(api.Counted(gone, b.noun)))
		}
	}
}

// share says how many parts there is room for, and how large each of them may be: small ones are there whole, and what they leave is for
// the large ones.
func (b *block) share(room int) (shown, level int) {
	taken := 0
	for shown < len(b.parts) && taken+b.parts[shown].least() <= room {
		taken += b.parts[shown].least()
		shown++
	}
	level = sort.Search(room+1, func(level int) bool {
		sum := 0
		for i := range b.parts[:shown] {
			sum += min(b.parts[i].length, max(b.parts[i].least(), level))
		}
		return sum > room
	})
	return shown, level - 1
}

// fold is a block that people open.
func fold(b block, summary string, open bool) block {
	attribute := ""
	if open {
		attribute = " open"
	}
	b.open = fmt.Sprintf("<details%s><summary>%s</summary>\n\n%s", attribute, summary, b.open)
	b.close += "\n</details>\n\n"
	return parted(b)
}
