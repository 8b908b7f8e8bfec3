package deployment

// A locked Deployment has none of its new pods available, as its controller sees it. Told that u of its R replicas may be
// unavailable and that s pods may be above them, the controller then stops at R-u old pods and at u+s new ones: it takes old
// pods away down to R-u, those first that it takes for unavailable, and makes new ones until there are R+s in all. So u is
// how many old pods may go, and s how many new ones come before.

// allowance is what a Deployment's owner and the pipeline allow while its pods move.
type allowance struct {
	surge int // pods above the replicas, as the owner says
	down  int // of the replicas, how many may be unavailable by our doing: none where the owner surges
}

// ration is what a locked Deployment's controller is told.
type ration struct {
	gone  int // u: old pods that may be missing from the replicas
	extra int // s: pods above the replicas
}

// most is how many new pods there may be under a ration.
func (r ration) most() int { return r.gone + r.extra }

// herd is the pods of one older ReplicaSet.
type herd struct {
	name      string
	pods      int // that it is to have
	available int // of these, as the pods say
	known     int // of these, as the controller takes them to be
	locked    bool
}

// course is what the next ration is worked out from.
type course struct {
	replicas int    // R
	target   int    // n: pods that may be new
	gone     int    // old pods that are missing from the replicas, or may be by what the controller was told before
	moved    int    // new pods
	fresh    int    // of these, available
	old      []herd // as the controller goes through them: the oldest ReplicaSet first
	allowance
}

// next returns the ration to go on with. As long as the controller takes for available what is, it says
//
//	gone  = min(n, max(R - old and available, fresh + down)), never lower than it was
//	extra = min(surge, n - gone)
//
// so that what is left, R-gone old pods that are available beside the fresh ones, is never less than R-down, unless pods broke
// by themselves; those cost nothing. There are never more than n new pods, as gone+extra <= n, and never more than R+surge. Only
// pods that are there beyond n (an autoscaler's share, a batch that was made smaller) are left there: a Deployment that is
// paused with a smaller surge than it has loses pods.
func (c course) next() ration {
	r := ration{gone: max(0, c.gone)}
	for r.gone < c.target && c.bearable(r.gone+1) {
		r.gone++
	}
	r.extra = max(0, min(c.surge, max(c.target, c.moved)-r.gone))
	return r
}

// bearable reports whether enough pods stay available where so many old ones are missing.
func (c course) bearable(gone int) bool {
	now := c.fresh
	for _, h := range c.old {
		now += min(h.available, h.pods)
	}
	return now-c.lost(gone) >= min(c.replicas-c.down, now)
}

// lost is how many available pods the controller takes away, at worst, to have so many old ones missing. It first cleans up
// those that it takes for unavailable, ReplicaSet by ReplicaSet.
func (c course) lost(gone int) int {
	left, known := c.replicas-gone, 0
	surplus := -left
	for _, h := range c.old {
		surplus += h.pods
		known += h.known
	}
	lost := 0
	for _, h := range c.old {
		cleaned := max(0, min(surplus, h.pods-h.known))
		surplus -= cleaned
		lost += max(0, cleaned-max(0, h.pods-h.available))
	}
	return lost + max(0, min(surplus, known-left))
}
