package logscan

import (
	"cmp"
	"hash/fnv"
	"regexp"
	"slices"
	"time"
)

// Report is what was found in logs.
type Report struct {
	Logs    int
	Lines   int64 // that were new
	Bytes   int64 // of these
	Strays  int64 // lines that are not the container's own
	Entries int64 // lines that are not part of the entry before them
	Errors  int64 // entries that say that they are an error or worse, and all panics, fatal lines and stack traces
	// Counts says how many there are of each kind, and Patterns how many lines of each pattern, of all groups.
	Counts   map[Kind]int64
	Patterns map[string]int64
	// Groups are findings that are alike but for numbers, addresses and names that were made up: the gravest kind first, in it
	// the most frequent. There are at most 20 of a kind and of a pattern; what is in none of them is counted all the same.
	Groups      []Group
	First, Last time.Time // of the lines; zero where they have no times
	Cut         bool      // the bound was reached before the end
}

// Group is findings that are alike.
type Group struct {
	Kind   Kind
	Name   string // of the pattern
	Title  string // of the first of them; masked, as all of the group
	Count  int64
	Quote  []string // lines of the first of them
	Places []string // logs in which they stand, the first five

	print uint64
}

func newReport() Report { return Report{Counts: map[Kind]int64{}, Patterns: map[string]int64{}} }

// Add adds what was found in other logs.
func (r *Report) Add(other Report) {
	if r.Counts == nil {
		r.Counts, r.Patterns = map[Kind]int64{}, map[string]int64{}
	}
	r.Logs += other.Logs
	r.Lines += other.Lines
	r.Bytes += other.Bytes
	r.Strays += other.Strays
	r.Entries += other.Entries
	r.Errors += other.Errors
	r.Cut = r.Cut || other.Cut
	r.span(other.First)
	r.span(other.Last)
	for kind, n := range other.Counts {
		r.Counts[kind] += n
	}
	for name, n := range other.Patterns {
		r.Patterns[name] += n
	}
	for _, g := range other.Groups {
		if !r.join(g) && r.room(g) {
			g.Places = slices.Clone(g.Places)
			r.Groups = append(r.Groups, g)
		}
	}
	r.sort()
}

// PerMinute is how many entries a minute say that they are errors, over the time from the first line to the last. It is false
// where that is less than a minute: a rate of it would be drawn from nothing.
func (r *Report) PerMinute() (float64, bool) {
	minutes := r.Last.Sub(r.First).Minutes()
	if minutes < 1 {
		return 0, false
	}
	return float64(r.Errors) / minutes, true
}

// finding is one of what is looked for, not yet masked.
type finding struct {
	kind               Kind
	name, title, frame string
	lines              []string
	place              string
}

// add counts one finding. Only the first of a group is kept, and masked.
func (r *Report) add(f finding) {
	r.Counts[f.kind]++
	if f.kind == Matched {
		r.Patterns[f.name]++
	}
	g := Group{Kind: f.kind, Name: f.name, Count: 1, Places: []string{f.place}, print: f.print()}
	if r.join(g) || !r.room(g) {
		return
	}
	g.Title = cut(mask(f.title))
	for _, text := range f.lines[:min(len(f.lines), quoteLines)] {
		g.Quote = append(g.Quote, cut(mask(text)))
	}
	r.Groups = append(r.Groups, g)
	r.sort()
}

// join adds to the group that is alike. It is false where there is none.
func (r *Report) join(g Group) bool {
	i := slices.IndexFunc(r.Groups, func(have Group) bool {
		return have.Kind == g.Kind && have.Name == g.Name && have.print == g.print
	})
	if i < 0 {
		return false
	}
	into := &r.Groups[i]
	into.Count += g.Count
	for _, place := range g.Places {
		if len(into.Places) < maxPlaces && !slices.Contains(into.Places, place) {
			into.Places = append(into.Places, place)
		}
	}
	return true
}

// room reports whether there may be one more group of a kind.
func (r *Report) room(g Group) bool {
	same := 0
	for _, have := range r.Groups {
		if have.Kind == g.Kind && have.Name == g.Name {
			same++
		}
	}
	return same < maxGroups
}

func (r *Report) sort() {
	order := []Kind{Panic, Fatal, Trace, Matched}
	slices.SortStableFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(
			slices.Index(order, a.Kind)-slices.Index(order, b.Kind), cmp.Compare(a.Name, b.Name),
			cmp.Compare(b.Count, a.Count), cmp.Compare(a.Title, b.Title),
		)
	})
}

// made are the parts of a text that differ each time: times, addresses, identities, numbers.
var made = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|` +
	`\b[0-9a-fA-F]*[0-9][0-9a-fA-F]*\b|[0-9]+`)

// print is the fingerprint of what is alike.
func (f *finding) print() uint64 {
	h := fnv.New64a()
	for _, part := range []string{f.title, f.frame} {
		h.Write([]byte(made.ReplaceAllString(part, "#")))
		h.Write([]byte{0})
	}
	return h.Sum64()
}
