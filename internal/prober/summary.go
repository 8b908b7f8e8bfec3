package prober

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"

	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rounds"
)

// summaryEvery is how often all stands of a cluster are said, whether they changed or not.
const summaryEvery = time.Minute

// atATime is how many stands are said at a time.
const atATime = 500

// keepSaying says all stands each minute until ctx ends, and writes what residents have left unwritten.
func (s *site) keepSaying(ctx context.Context) error {
	if s.seen.WaitForCacheSync(ctx) {
		if err := s.adopt(ctx); err != nil { // also where there is no run that would have it done
			return err
		}
	}
	rounds.Keep(ctx, s.Clock, summaryEvery, rounds.Trying(s.log, "the stands of a cluster cannot be said; they are said again", s.summary))
	return nil
}

func (s *site) summary(ctx context.Context) error {
	now := s.Clock.Now()
	var all []probing.Stand
	for _, k := range s.allCases() {
		looked, err := s.targets(ctx, k.now(), nil, s.cluster+"/"+k.name.Name)
		if err != nil {
			return err
		}
		k.mu.Lock()
		if len(k.stands) == 0 && fresh(k.config) > 0 {
			k.stands[""] = k.none(s.cluster)
		}
		for target, st := range k.stands {
			if k.retire(target, st, looked, now) {
				delete(k.stands, target)
				delete(k.runs, target)
				k.dirty = true
			}
			all = append(all, k.full(st))
		}
		k.mu.Unlock()
		if err := s.writeStatus(ctx, k); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b probing.Stand) int {
		return cmp.Or(cmp.Compare(a.Case, b.Case), cmp.Compare(a.Target, b.Target))
	})
	for len(all) > 0 {
		n := min(atATime, len(all))
		if err := s.Say(ctx, probing.Said{Cluster: s.cluster, At: now, Stands: all[:n]}); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// none is the stand of a case of which nobody has heard yet: that is Unknown too.
func (k *known) none(cluster string) *probing.Stand {
	return &probing.Stand{Cluster: cluster, Case: k.name.Name, State: probing.Unknown, Since: k.config.CreationTimestamp.Time}
}

// retire reports whether a target is not looked at any more, and says so in its stand, for the last time: a node that is gone or is not
// in the sample, a part that a later result of the case did not name. What should be looked at and is not is Unknown, and stays.
func (k *known) retire(target string, st *probing.Stand, looked []string, now time.Time) bool {
	if target == "" || st.Until.IsZero() || now.Before(st.Until) || slices.Contains(looked, target) {
		return false
	}
	if k.config.Spec.Target.Kind != probing.OfNodes {
		whole := k.stands[""]
		if whole == nil || whole.Until.IsZero() || !whole.Until.After(now) {
			return false
		}
	}
	last := probing.Outcome{Cluster: st.Cluster, Case: st.Case, Target: target, Ended: now}
	last.Result = probing.Result{
		Verdict: api.Skipped, Code: "NotLookedAt", By: byController, Message: fmt.Sprintf("it is not looked at any more; it was %s", st.State),
	}
	st.State, st.Since, st.Until, st.Streak, st.Last = probing.Paused, now, time.Time{}, 1, &last
	return true
}
