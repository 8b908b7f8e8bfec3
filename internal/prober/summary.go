package prober

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

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
	var quiet []probing.Outcome
	var begin []*calm
	var unwritten, err error
	for _, k := range s.allCases() {
		if apierrors.IsNotFound(s.seen.Get(ctx, k.name, &probing.Config{})) { // a run of it was slower than its end
			if err := s.gone(ctx, k.name); err != nil {
				return err
			}
			continue
		}
		looked, err := s.targets(ctx, k.now(), nil, s.cluster+"/"+k.name.Name)
		if err != nil {
			return err
		}
		k.mu.Lock()
		for _, target := range looked {
			if k.stands[target] == nil && awaited(k.config) && len(k.stands) < maxStands {
				k.stands[target] = k.none(s.cluster, target)
			}
		}
		for target, st := range k.stands {
			turnBack(st, now, now, fresh(k.config))
			if k.retire(target, st, looked, now) {
				delete(k.stands, target)
				delete(k.runs, target)
				k.dirty = true
			}
			all = append(all, k.full(st))
		}
		more, of := k.quiet(looked, now)
		quiet, begin = append(quiet, more...), append(begin, of...)
		k.mu.Unlock()
		if err := s.writeStatus(ctx, k); err != nil {
			unwritten = err // it is said all the same, and so are the others
		}
	}
	slices.SortFunc(all, func(a, b probing.Stand) int {
		return cmp.Or(cmp.Compare(a.Case, b.Case), cmp.Compare(a.Target, b.Target))
	})
	first := probing.Said{Cluster: s.cluster, At: now}
	if first.Cases, first.Whole, err = s.has(ctx); err != nil {
		return err
	}
	for chunk := range slices.Chunk(all, atATime) {
		first.Stands = chunk
		if err := s.Say(ctx, first); err != nil {
			return err
		}
		first = probing.Said{Cluster: s.cluster, At: now}
	}
	if first.Whole {
		if err := s.Say(ctx, first); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(quiet, atATime) {
		if err := s.Say(ctx, probing.Said{Cluster: s.cluster, At: now, Outcomes: chunk}); err != nil {
			return err
		}
	}
	for _, c := range begin {
		c.begin(now)
	}
	return unwritten
}

// has is which cases the cluster has, in whatever namespace, whether they run or not: who was away does not know which have gone. It is
// false where they are more than a cluster may have.
func (s *site) has(ctx context.Context) (cases []string, whole bool, err error) {
	all := &probing.ConfigList{}
	if err := s.seen.List(ctx, all); err != nil {
		return nil, false, err
	}
	for i := range all.Items {
		if all.Items[i].DeletionTimestamp == nil {
			cases = append(cases, all.Items[i].Name)
		}
	}
	slices.Sort(cases)
	cases = slices.Compact(cases)
	if len(cases) > maxCases {
		return nil, false, nil
	}
	return cases, true, nil
}

// none is the stand of a target that nobody has looked at yet: that is Unknown too.
func (k *known) none(cluster, target string) *probing.Stand {
	return &probing.Stand{Cluster: cluster, Case: k.name.Name, Target: target, State: probing.Unknown, Since: k.config.CreationTimestamp.Time}
}

// retire reports whether a target is not looked at any more, and says so in its stand, for the last time: a node that is gone or is not
// in the sample, a part that a later result of the case did not name. What should be looked at and is not is Unknown, and stays.
func (k *known) retire(target string, st *probing.Stand, looked []string, now time.Time) bool {
	never := st.Last == nil // it was there for a while, and nobody came to look
	if slices.Contains(looked, target) || !never && (target == "" || st.Until.IsZero() || now.Before(st.Until)) {
		return false
	}
	if !never && k.config.Spec.Target.Kind != probing.OfNodes {
		whole := k.stands[""]
		if whole == nil || whole.Until.IsZero() || !whole.Until.After(now) {
			return false
		}
	}
	last := probing.Outcome{ID: codeNotLooked, Cluster: st.Cluster, Case: st.Case, Target: target, Ended: now}
	last.Result = probing.Result{
		Verdict: api.Skipped, Code: codeNotLooked, By: byController, Message: fmt.Sprintf("it is not looked at any more; it was %s", st.State),
	}
	st.State, st.Since, st.Until, st.Streak, st.Last = probing.Paused, now, time.Time{}, 1, &last
	return true
}
