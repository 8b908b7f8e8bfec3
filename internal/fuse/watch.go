package fuse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/rounds"
	"sluice.dev/sluice/pipelines"
)

// Ledger is the part of a ledger that is needed. It is wide as fuses, what they count and what they make are kept apart.
type Ledger interface {
	ListKept(ctx context.Context, kind string) ([]ledger.Kept, error)
	ListOutcomes(ctx context.Context, after time.Time) ([]ledger.Outcome, error)
	Failing(ctx context.Context) ([]ledger.Outcome, error)
	ListFreezes(ctx context.Context, limit int) ([]api.Freeze, error)
	AddFreeze(ctx context.Context, f api.Freeze) (api.Freeze, error)
	AddEntry(ctx context.Context, e ledger.Entry) error
	ListEntries(ctx context.Context, object string, limit int) ([]ledger.Entry, error)
	planstore.Source
}

// Watcher trips fuses. Ledger and Clock are required. It is for one goroutine.
type Watcher struct {
	Ledger Ledger
	Clock  clock.WithTicker
	plans  map[string]*plan.Plan // by hash; what is kept under a hash does not change
}

const (
	// every is how often fuses are looked at.
	every = 2 * time.Second
	// maxPlans is how many plans are remembered.
	maxPlans = 50
	// named is how many clusters a reason names.
	named = 10
)

// Keep looks at all fuses until ctx ends. Whoever else does so too finds what was found.
func (w *Watcher) Keep(ctx context.Context, log *slog.Logger) {
	rounds.Keep(ctx, w.Clock, every, rounds.Trying(log, "cannot look at every fuse", w.Look))
}

// Look trips each fuse that is to trip now. One that cannot be looked at keeps no other from tripping.
func (w *Watcher) Look(ctx context.Context) error {
	fuses, err := w.Ledger.ListKept(ctx, pipelines.KindFuse)
	if err != nil || len(fuses) == 0 {
		return err
	}
	var failed []error
	specs, longest := make([]*pipelines.Fuse, len(fuses)), time.Duration(0)
	for i, k := range fuses {
		f, err := Of(k)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		specs[i], longest = f, max(longest, f.Spec.Within.Std())
	}
	now := w.Clock.Now().UTC()
	all, err := w.Ledger.ListOutcomes(ctx, now.Add(-longest))
	if err != nil {
		return err
	}
	freezes, err := w.Ledger.ListFreezes(ctx, 0)
	if err != nil {
		return err
	}
	for i, k := range fuses {
		if specs[i] == nil {
			continue
		}
		if err := w.look(ctx, k, specs[i], all, freezes, now); err != nil {
			failed = append(failed, fmt.Errorf("fuse %s: %w", k.Name, err))
		}
	}
	return errors.Join(failed...)
}

// look trips one fuse. It counts what came after the fuse was applied, and after it was lifted last: what had failed before is known.
func (w *Watcher) look(
	ctx context.Context, k ledger.Kept, f *pipelines.Fuse, all []ledger.Outcome, freezes []api.Freeze, now time.Time,
) error {
	since, trips := now.Add(-f.Spec.Within.Std()), 0
	if k.At.After(since) {
		since = k.At
	}
	if last := latest(k.Name, freezes); last != nil {
		if last.Lifted.IsZero() {
			return w.remember(ctx, *last) // it has tripped
		}
		if last.Lifted.After(since) {
			since = last.Lifted
		}
		_, trips = trip(last.Fuse)
	}
	counted, failed, err := w.count(ctx, f, all, since)
	if err != nil || len(failed) < f.Spec.Failures {
		return err
	}
	made, err := w.Ledger.AddFreeze(ctx, api.Freeze{
		Origin: api.FreezeFuse, Fuse: fmt.Sprintf("%s/%d", k.Name, trips+1), Scope: Scope(f), InFlight: api.InFlight(f.Spec.InFlight),
		By: api.BySluice, Since: now, Reason: fmt.Sprintf("fuse %s: %d of %s failed within %s: %s",
			k.Name, len(failed), api.Counted(counted, "cluster"), f.Spec.Within, Names(failed)),
	})
	if err != nil {
		return err
	}
	if !made.Since.Equal(now) {
		return nil // somebody else was faster, and says so
	}
	return w.Ledger.AddEntry(ctx, ledger.EntryOf(made))
}

// remember has a freeze in the audit whose maker was killed before it could write that.
func (w *Watcher) remember(ctx context.Context, made api.Freeze) error {
	entries, err := w.Ledger.ListEntries(ctx, made.Name, 1)
	if err != nil || len(entries) > 0 {
		return err
	}
	return w.Ledger.AddEntry(ctx, ledger.EntryOf(made))
}

// count is how many of the last clusters in which something of a fuse's scope ended since a time there are, and those that failed: each
// once, however many runs failed there.
func (w *Watcher) count(ctx context.Context, f *pipelines.Fuse, all []ledger.Outcome, since time.Time) (int, []ledger.Outcome, error) {
	counted := map[string]bool{}
	var failed []ledger.Outcome
	for _, o := range all {
		if !o.At().After(since) {
			break // the newest come first
		}
		within, err := w.within(ctx, Scope(f), o)
		if err != nil {
			return 0, nil, err
		}
		if !within {
			continue
		}
		if !counted[o.Cluster] && len(counted) == f.Spec.Of {
			break
		}
		counted[o.Cluster] = true
		if !o.Failed.IsZero() {
			failed = append(failed, o)
		}
	}
	return len(counted), eachOnce(failed), nil
}

// eachOnce keeps the first of each cluster.
func eachOnce(all []ledger.Outcome) []ledger.Outcome {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(o ledger.Outcome) bool {
		again := seen[o.Cluster]
		seen[o.Cluster] = true
		return again
	})
}

// Still are the clusters of a fuse's scope that failed and stand where they did, in runs that are open, and whether they are enough to
// trip it: who lifts its freeze would let go on what fails.
func (w *Watcher) Still(ctx context.Context, k ledger.Kept) (still []ledger.Outcome, enough bool, err error) {
	f, err := Of(k)
	if err != nil {
		return nil, false, err
	}
	all, err := w.Ledger.Failing(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, o := range all {
		within, err := w.within(ctx, Scope(f), o)
		if err != nil {
			return nil, false, err
		}
		if within {
			still = append(still, o)
		}
	}
	still = eachOnce(still)
	return still, len(still) >= f.Spec.Failures, nil
}

// within reports whether a scope is about a cluster of a run, as freezes are.
func (w *Watcher) within(ctx context.Context, scope api.FreezeScope, o ledger.Outcome) (bool, error) {
	if scope.Everything() {
		return true, nil
	}
	p, known := w.plans[o.Plan]
	if !known {
		var err error
		if _, p, err = planstore.Load(ctx, w.Ledger, o.Plan); err != nil {
			return false, err
		}
		if len(w.plans) >= maxPlans || w.plans == nil {
			w.plans = map[string]*plan.Plan{}
		}
		w.plans[o.Plan] = p
	}
	holds := p.Holds([]api.Freeze{{Scope: scope}}, 0, o.At())
	return holds.Of(o.Cluster) != nil, nil
}

// Names lists clusters with their runs.
func Names(all []ledger.Outcome) string {
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.Cluster + " (" + o.Run + ")"
	}
	slices.Sort(names)
	return clip.Few(names, named)
}

// Tripped is the name of the fuse that made a freeze; "" where none did.
func Tripped(f api.Freeze) string {
	name, _ := trip(f.Fuse)
	return name
}

// trip is the name of a fuse and how often it had tripped.
func trip(text string) (name string, times int) {
	name, number, _ := strings.Cut(text, "/")
	times, _ = strconv.Atoi(number)
	return name, times
}

// latest is the last freeze of a fuse, of some with the newest first.
func latest(name string, freezes []api.Freeze) *api.Freeze {
	for i := range freezes {
		if Tripped(freezes[i]) == name {
			return &freezes[i]
		}
	}
	return nil
}
