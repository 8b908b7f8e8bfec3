package report

import (
	"fmt"
	"strings"
	"time"
)

// Blamed is what may have broken one unit, in words.
type Blamed struct {
	Unit     string
	Suspects []string
	More     string // which suspects are left out, and what may be missing
	at       time.Time
}

// Clock is when the unit failed.
func (b Blamed) Clock() string { return clock(b.at) }

// blames are the suspects of each unit that failed.
func blames(f Facts) (all []Blamed) {
	for _, of := range f.Blames[:min(len(f.Blames), maxBlames)] {
		b := Blamed{Unit: said(of.Unit), at: of.At}
		for _, s := range of.Suspects {
			b.Suspects = append(b.Suspects, said(s.String()))
		}
		var missing []string
		if of.More > 0 {
			missing = append(missing, fmt.Sprintf("%d more are left out", of.More))
		}
		if of.Note != "" {
			missing = append(missing, said(of.Note))
		}
		b.More = strings.Join(missing, "; ")
		all = append(all, b)
	}
	return all
}
