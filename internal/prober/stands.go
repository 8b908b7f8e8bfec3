package prober

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/probing"
)

// known is what is known of a case of a cluster. What is written down in its status is what a process begins with that is new.
type known struct {
	name types.NamespacedName

	writing sync.Mutex // held while its status is written

	mu       sync.Mutex
	config   *probing.Config
	stands   map[string]*probing.Stand // by target
	runs     map[string]string         // the name of the last run in each stand
	folded   map[string]bool           // runs that are in the stands, by name, and of which that is not written on them
	lastSlot *metav1.Time
	missed   int64
	runNow   string
	problem  string
	brake    *bucket              // of a resident's reports
	tries    map[string]*patience // of a resident, by target
	calms    map[string]*calm     // of a resident, by target
	resumed  bool                 // what another process has made of its schedule is known
	dirty    bool                 // its status has changed, and is not written
	owed     bool                 // of a resident: it has turned, and that is not written
	written  time.Time            // when it was
}

// Bounds on what is kept of a case.
const (
	maxStands  = 500
	maxMessage = 512 // of a target in a status
)

// see takes in a case as it is now. It is false where another one of the name is there, that is older.
func (s *site) see(c *probing.Config) (*known, bool) {
	name := client.ObjectKeyFromObject(c)
	s.mu.Lock()
	k := s.cases[c.Name]
	if k != nil && k.name != name && older(c, k.now()) {
		s.rouseCase(k.name)
		k = nil
		delete(s.cases, c.Name)
	}
	if k == nil && len(s.cases) < maxCases {
		k = &known{
			name: name, stands: map[string]*probing.Stand{}, runs: map[string]string{}, folded: map[string]bool{},
			lastSlot: c.Status.LastSlot, missed: c.Status.Missed, runNow: c.Status.RunNow, problem: c.Status.Problem,
			brake: newBucket(caseRate, caseBurst), tries: map[string]*patience{}, calms: map[string]*calm{},
		}
		k.config = c
		k.restore(s.cluster)
		s.cases[c.Name] = k
	}
	s.mu.Unlock()
	if k == nil || k.name != name {
		return nil, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.config = c
	return k, true
}

// older reports which of two cases of one name it belongs to: who comes later takes it from nobody, also where he is seen first.
func older(a, b *probing.Config) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace)) < 0
}

// restore takes the stands out of the status.
func (k *known) restore(cluster string) {
	for _, t := range k.config.Status.Targets {
		k.folded[t.Run], k.runs[t.Target] = true, t.Run
		k.stands[t.Target] = &probing.Stand{
			Cluster: cluster, Case: k.name.Name, Target: t.Target, State: t.State, Since: t.Since.Time, Streak: t.Streak,
			Until: t.Until.Time, Recent: t.Recent,
		}
		if last := probing.LastOf(t.Recent); last != "" {
			k.stands[t.Target].Last = &probing.Outcome{
				ID: t.Run, Cluster: cluster, Case: k.name.Name, Target: t.Target, Ended: t.Last.Time,
				Result: probing.Result{Verdict: last, Message: t.Message},
			}
		}
	}
}

// caseOf is what is known of a case; nil where nothing is.
func (s *site) caseOf(name types.NamespacedName) *known {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.cases[name.Name]; k != nil && k.name == name {
		return k
	}
	return nil
}

// fresh is for how long a result of a case counts; 0 for ever.
func fresh(c *probing.Config) time.Duration { return max(c.Spec.Freshness.Duration, 0) }

// awaited reports whether a result of a case is to come by itself: of one that only events or people run, nobody misses the first one.
func awaited(c *probing.Config) bool {
	return fresh(c) > 0 && c.Spec.Mode.ByItself(c.Spec.Schedule)
}

// fold adds a result to the stands of its case, and returns those that are about it. The caller holds the lock.
func (k *known) fold(o probing.Outcome, run string, now time.Time) (about []probing.Stand, turned bool) {
	c := k.config
	for _, one := range append([]probing.Outcome{o}, probing.Spread(o)...) {
		st := k.stands[one.Target]
		if st == nil {
			if len(k.stands) >= maxStands {
				continue
			}
			st = &probing.Stand{Cluster: o.Cluster, Case: o.Case, Target: one.Target, State: probing.Unknown}
			k.stands[one.Target] = st
		}
		turnBack(st, one.Ended, now, fresh(c))
		if probing.Fold(st, one, c.Spec.Denoise.Usual(c.Spec.Mode), fresh(c)) {
			turned = true
		}
		k.runs[one.Target] = run
		about = append(about, k.full(st))
	}
	k.dirty = true
	return about, turned
}

// turnBack has a stand that was written by a clock which was ahead begin at a time: what comes now would be older for as long as it was.
func turnBack(st *probing.Stand, at, now time.Time, freshness time.Duration) {
	if st.Last == nil || !st.Last.Ended.After(now) {
		return
	}
	last := *st.Last
	last.Ended = at
	st.Last = &last
	if st.Since.After(at) {
		st.Since = at
	}
	if latest := at.Add(freshness); st.Until.After(latest) {
		st.Until = latest
	}
}

// now is the case as it was seen last.
func (k *known) now() *probing.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.config
}

// full is a stand with what its case is.
func (k *known) full(st *probing.Stand) probing.Stand {
	one, spec := *st, k.config.Spec
	one.Namespace = k.name.Namespace
	one.Probe, one.Binding, one.Version, one.Severity, one.Owner = spec.Probe, spec.Binding, spec.Version, spec.Severity, spec.Owner
	one.Program = spec.Program()
	one.Mode, one.Schedule, one.Events, one.Enforcement, one.Missed = spec.Mode, spec.Schedule, spec.Events, spec.Enforcement, k.missed
	return one
}

// outcome is what came of a run. What ran is on the run; where the cluster's definitions are older and have no place for it, it is what the
// case is, as long as that has the version that ran.
func (s *site) outcome(r *probing.Run, c *probing.Config) probing.Outcome {
	o := probing.Outcome{
		ID: string(r.UID), Cluster: s.cluster, Case: r.Spec.Case, Target: r.Spec.Target, Node: r.Status.Node, Version: r.Status.Version,
		Program: r.Status.Program, Cause: r.Spec.Cause,
	}
	for at, from := range map[*time.Time]*metav1.Time{&o.Started: r.Status.Started, &o.Ended: r.Status.Ended} {
		if from != nil {
			*at = from.Time
		}
	}
	if r.Status.Result != nil {
		o.Result = *r.Status.Result
	}
	if o.Program == "" && o.Version != "" && c != nil && c.Spec.Version == o.Version {
		o.Program = c.Spec.Program()
	}
	return o
}

// tell says what came of a run, and what that says of its case. A run that was told before is not folded twice.
func (s *site) tell(ctx context.Context, c *probing.Config, r *probing.Run) error {
	o := s.outcome(r, c)
	said := probing.Said{Cluster: s.cluster, At: s.Clock.Now(), Outcomes: []probing.Outcome{o}}
	if o.Code == codeReplaced || c == nil {
		return nil // the next one tells; or it is a run of nothing, and its case is what somebody has written
	}
	k, ours := s.see(c)
	if !ours {
		return nil // it would pass for one of the case that has the name
	}
	k.mu.Lock()
	if !k.folded[r.Name] || r.Spec.Cause.Kind == probing.ByMode {
		k.folded[r.Name] = true
		said.Stands, _ = k.fold(o, r.Name, said.At)
	}
	for _, st := range k.stands {
		if len(said.Stands) == 0 && st.Target == o.Target {
			said.Stands = append(said.Stands, k.full(st))
		}
	}
	k.mu.Unlock()
	if err := s.Say(ctx, said); err != nil {
		return err
	}
	return s.writeStatus(ctx, k)
}

// forgetTold says that a run is written down as told.
func (s *site) forgetTold(r *probing.Run) {
	if k := s.caseOf(types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case}); k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.folded, r.Name)
	}
}

// writeStatus writes what is known of a case, where that is not written yet.
func (s *site) writeStatus(ctx context.Context, k *known) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	c := &probing.Config{}
	err := s.seen.Get(ctx, k.name, c)
	for range 3 {
		if err != nil {
			return client.IgnoreNotFound(err)
		}
		k.mu.Lock()
		want := k.status(c, s.Clock.Now())
		dirty, owed := k.dirty || !sameStates(c.Status.Targets, want.Targets), k.owed
		k.dirty, k.owed = false, false
		k.mu.Unlock()
		if !dirty {
			return nil
		}
		c.Status = want
		if err = s.api.Status().Update(ctx, c); err == nil {
			k.mu.Lock()
			k.written = s.Clock.Now()
			k.mu.Unlock()
			return nil
		}
		k.mu.Lock()
		k.dirty, k.owed = true, k.owed || owed
		k.mu.Unlock()
		if !apierrors.IsConflict(err) {
			return client.IgnoreNotFound(err)
		}
		err = s.api.Get(ctx, k.name, c)
	}
	return err
}

// sameStates reports whether two lists say the same of the same targets. A state is another one by time alone, too.
func sameStates(a, b []probing.TargetStatus) bool {
	return slices.EqualFunc(a, b, func(a, b probing.TargetStatus) bool { return a.Target == b.Target && a.State == b.State })
}

// rank is the order of states in a status: the worst first.
var rank = map[probing.State]int{probing.Failing: 0, probing.Unknown: 1, probing.Passing: 2, probing.Paused: 3}

// status is what is known by a time, as a status has it. The caller holds the lock.
func (k *known) status(c *probing.Config, now time.Time) probing.ConfigStatus {
	out := probing.ConfigStatus{
		ObservedGeneration: c.Generation, LastSlot: k.lastSlot, Missed: k.missed, RunNow: k.runNow, Problem: k.problem,
	}
	for _, target := range slices.Sorted(maps.Keys(k.stands)) {
		st := k.stands[target]
		t := probing.TargetStatus{
			Target: target, State: st.At(now), Since: metav1.NewTime(st.Since), Streak: st.Streak, Until: metav1.NewTime(st.Until),
			Recent: st.Recent, Run: k.runs[target],
		}
		if t.State != st.State {
			t.Since = t.Until
		}
		if st.Last != nil {
			t.Last, t.Message = metav1.NewTime(st.Last.Ended), clip.Bytes(st.Last.Message, maxMessage)
		}
		out.Targets = append(out.Targets, t)
	}
	slices.SortStableFunc(out.Targets, func(a, b probing.TargetStatus) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	out.Targets = out.Targets[:min(len(out.Targets), probing.MaxTargets)]
	return out
}
