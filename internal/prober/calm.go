package prober

import (
	"maps"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// quietFor is how long a resident has to pass at a target to have been quiet as a run is that passed. Whoever runs all the time tells of
// turns alone: by these he comes to the record that others have of their runs.
const quietFor = time.Hour

// calm is since when a resident has passed at a target, by one program, and seen by this process.
type calm struct {
	program string
	since   time.Time
}

// quiet takes in where a target stands, and returns what is to be told where it has been quiet for long enough. It returns the same until
// begin says that it was told.
func (c *calm) quiet(st *probing.Stand, now time.Time) (o probing.Outcome, due bool) {
	if st.At(now) != probing.Passing || st.Last == nil || st.Last.Verdict != api.Passed {
		*c = calm{}
		return o, false
	}
	if c.program != st.Last.Program || c.since.IsZero() || c.since.After(now) {
		*c = calm{st.Last.Program, now}
	}
	if st.Since.After(c.since) {
		c.since = st.Since
	}
	if now.Sub(c.since) < quietFor {
		return o, false
	}
	o = *st.Last
	run, _, _ := strings.Cut(o.ID, "#")
	o.ID = run + "#quiet-" + c.since.UTC().Format(time.RFC3339)
	o.Started, o.Ended, o.Parts = time.Time{}, now, nil // it took no time of its own
	o.Message = "it has passed all the time since " + c.since.UTC().Format(time.RFC3339)
	return o, true
}

// begin begins the next time.
func (c *calm) begin(now time.Time) { c.since = now }

// quiet is what is to be told of a resident that has been quiet at the targets that it looks at, and whose next time begins with that. The
// caller holds the lock.
func (k *known) quiet(looked []string, now time.Time) (told []probing.Outcome, begin []*calm) {
	if k.config.Spec.Mode != probing.Resident {
		return nil, nil
	}
	maps.DeleteFunc(k.calms, func(target string, _ *calm) bool { return k.stands[target] == nil })
	for _, target := range looked {
		st := k.stands[target]
		if st == nil {
			continue
		}
		c := k.calms[target]
		if c == nil {
			c = &calm{}
			k.calms[target] = c
		}
		if o, due := c.quiet(st, now); due {
			told, begin = append(told, o), append(begin, c)
		}
	}
	return told, begin
}
