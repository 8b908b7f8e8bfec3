// Package permit says whether a unit may change its cluster, given all others that change or wait to: the arithmetic of it, without a
// ledger and without a clock. What is kept, and that no two ask at once, is the ledger's.
package permit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Permit is a unit that changes its cluster, or waits to.
type Permit struct {
	Run       string      `json:"run"`
	Subject   api.Subject `json:"component"`
	Cluster   string      `json:"cluster"`
	Domains   []string    `json:"domains,omitempty"` // failure domains besides the cluster, key=value
	Back      bool        `json:"back,omitempty"`    // it goes back: nothing holds it
	Holder    Holder      `json:"holder"`
	Asked     time.Time   `json:"asked"`            // first
	Seen      time.Time   `json:"seen"`             // last
	Entered   time.Time   `json:"entered,omitzero"` // zero: it waits
	Trouble   string      `json:"trouble,omitempty"`
	Since     time.Time   `json:"since,omitzero"` // of its trouble
	LetIn     *Let        `json:"letIn,omitempty"`
	Passed    string      `json:"passed,omitempty"`  // the run that took its turn
	Refused   bool        `json:"refused,omitempty"` // and knows it: it waits no more until a person resumes it
	Turn      int64       `json:"-"`
	WaitsWhat string      `json:"waitsFor,omitempty"` // as it was answered last
}

// Let is who has let a unit in, when and why.
type Let struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Holder is the workflow that has a permit: who looks for permits of the dead asks for it.
type Holder struct {
	Workflow  string `json:"workflow"`
	Execution string `json:"execution"`
	// At is when it asked, by the clock of workflows: what it had asked before that, and what executions before it had, is late.
	At time.Time `json:"at,omitzero"`
}

// Limit is how many units of one failure domain may change at once, over all components and runs.
type Limit struct {
	Name       string
	Domain     string // a label of clusters that the fleet lists as failure domain; Cluster: each cluster by itself
	Units      int
	OnConflict pipelines.OnConflict
}

// LimitOf is what a document of a limit says.
func LimitOf(l *pipelines.Limit) Limit {
	return Limit{l.Metadata.Name, l.Spec.Domain, l.Spec.Clusters, l.Spec.OnConflict}
}

// Admission is what came of asking for a permit. Why is "" where it was given.
type Admission struct {
	Holder string   `json:"holder,omitempty"` // the run that is in the way, or the first of them
	Limit  string   `json:"limit,omitempty"`  // that has no room; "" where somebody's trouble is in the way
	Why    string   `json:"why,omitempty"`
	Passes []Permit `json:"-"` // whose turn it takes
}

// Given reports whether the unit has its permit.
func (a Admission) Given() bool { return a.Why == "" }

// The bounds of permits.
const (
	Most = 10_000
	// WaiterLives is how long one that waits keeps its turn without asking again.
	WaiterLives = time.Minute
	MaxTrouble  = 300 // bytes of why
)

// shares is a failure domain that two units have in common, the cluster first; "" where there is none.
func (p Permit) shares(o Permit) string {
	if p.Cluster == o.Cluster {
		return "cluster " + p.Cluster
	}
	for _, d := range p.Domains {
		if slices.Contains(o.Domains, d) {
			return d
		}
	}
	return ""
}

// troubled is the first other run's unit whose trouble keeps a unit out; nil where none does.
func (p Permit) troubled(all []Permit) *Permit {
	for i := range all {
		if o := &all[i]; o.Run != p.Run && o.Trouble != "" && p.shares(*o) != "" {
			return o
		}
	}
	return nil
}

// within reports whether two units are in the same domain of a limit.
func (l Limit) within(p, o Permit) (string, bool) {
	if l.Domain == Cluster {
		return "cluster " + p.Cluster, p.Cluster == o.Cluster
	}
	for _, d := range p.Domains {
		if strings.HasPrefix(d, l.Domain+"=") {
			return d, slices.Contains(o.Domains, d)
		}
	}
	return "", false
}

// Cluster is the domain of a limit of each cluster by itself.
const Cluster = "cluster"

// Admit tells whether a unit may enter, given all other permits in the order in which they were asked for. What goes back, and what a
// person has let in, always may. Another run's unit that is in trouble in the same cluster or failure domain keeps it out; so does a limit
// whose domain is full, and who asked before it and waits for the same: first come, first served. One that waits and does not ask any
// more, was refused, or is kept out by somebody's trouble is no hindrance. A limit that refuses does so for other runs' units: a unit
// queues behind those of its own run.
func Admit(p Permit, others []Permit, limits []Limit, now time.Time) (Admission, error) {
	if p.Back || p.LetIn != nil || !p.Entered.IsZero() {
		return Admission{}, nil
	}
	if p.Passed != "" {
		return Admission{}, fault.New(fault.Refused, "run %s took its turn; resume it to wait for another", p.Passed)
	}
	if o := p.troubled(others); o != nil {
		return Admission{Holder: o.Run, Why: fmt.Sprintf("%s is in trouble in %s (%s): %s", o.Run, o.Cluster, p.shares(*o), o.Trouble)}, nil
	}
	var out Admission
	for _, l := range limits {
		in, ahead, own, first := 0, 0, 0, (*Permit)(nil)
		var passes []Permit
		domain := ""
		for i := range others {
			o := &others[i]
			at, same := l.within(p, *o)
			if domain = at; !same || o.Run == p.Run && o.Cluster == p.Cluster {
				continue
			}
			switch waits := o.Entered.IsZero(); {
			case !waits:
				in++
			case o.Turn > p.Turn || o.Passed != "" || o.Refused || now.Sub(o.Seen) > WaiterLives || o.troubled(others) != nil:
				continue
			case l.OnConflict == pipelines.ConflictSupersede && o.Subject == p.Subject && o.Run != p.Run:
				passes = append(passes, *o)
				continue
			default:
				ahead++
			}
			if o.Run == p.Run {
				own++
			}
			if first == nil {
				first = o
			}
		}
		if in+ahead < l.Units {
			continue
		}
		why := fmt.Sprintf("limit %s: %d of %d units of %s change now", l.Name, in, l.Units, domain)
		if first != nil {
			why += fmt.Sprintf(", first %s in %s", first.Run, first.Cluster)
		}
		if ahead > 0 {
			why += fmt.Sprintf("; %d wait before it", ahead)
		}
		if l.OnConflict == pipelines.ConflictRefuse && in+ahead-own >= l.Units {
			return Admission{}, fault.New(fault.Refused, "%s", why)
		}
		if out.Given() {
			out = Admission{Limit: l.Name, Why: why}
			if first != nil {
				out.Holder = first.Run
			}
		}
		out.Passes = append(out.Passes, passes...)
	}
	return out, nil
}
