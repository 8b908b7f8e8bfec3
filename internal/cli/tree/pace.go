package tree

import (
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
)

// pace is how long things have taken, and what is left at that pace.
type pace struct {
	left  time.Duration            // of the run; 0 is not known
	units map[string]time.Duration // of open units, by cluster
}

// paceOf estimates from the mean of the batches that have gone well. Without one, or where nobody knows how many are
// to come, there is no estimate; nor is there one where something stands, or is out of reach.
func paceOf(in Input) pace {
	p := pace{units: map[string]time.Duration{}}
	mean := meanBatch(in)
	if mean == 0 {
		return p
	}
	typical := typicalBatches(in)
	open, togo, stands := 0, 0, false
	for _, s := range in.View.Stages {
		for _, u := range s.Units {
			if u.Phase.Final() {
				continue
			}
			all, known := typical, typical > 0
			if scale, ok := in.Scales[u.Cluster]; ok {
				all, known = scale.Batches, true
			}
			if !known {
				return pace{units: map[string]time.Duration{}}
			}
			left := max(all-gone(&u), 0)
			togo += left
			switch {
			case u.Phase == api.PhasePending:
				continue
			case u.Phase.Urgency() > 0, u.Phase == api.PhasePaused:
				stands = true // nobody knows for how long
				continue
			}
			open++
			p.units[u.Cluster] = time.Duration(left) * mean
		}
	}
	if stands {
		return p
	}
	p.left = time.Duration(togo)*mean/time.Duration(max(open, 1)) + soaksLeft(in)
	return p
}

// soaksLeft is the rest of the soak that is under way, and those of groups and stages that are to come.
func soaksLeft(in Input) time.Duration {
	if in.View.Phase == api.PhaseRollingBack {
		return 0
	}
	var left time.Duration
	var name string // of the soak that is under way
	if now := in.View.Waiting; now != nil && now.Kind == api.WaitSoak && !now.Until.IsZero() {
		left, name = max(now.Until.Sub(in.Now), 0), now.Name
	}
	for _, s := range in.View.Stages {
		if s.Phase.Final() || name == "stage "+s.Name {
			continue
		}
		soaks := in.Soaks[s.Name]
		for _, g := range soaks.Groups {
			under := name == "group "+g.Name && s.Phase != api.PhasePending
			if !under && !allEnded(s, g.Clusters) {
				left += g.Length
			}
		}
		left += soaks.Stage
	}
	return left
}

func allEnded(s api.StageStatus, clusters []string) bool {
	for _, u := range s.Units {
		if slices.Contains(clusters, u.Cluster) && !u.Phase.Final() {
			return false
		}
	}
	return true
}

// gone counts the batches of a unit that have moved something and ended.
func gone(u *api.UnitStatus) int {
	n := 0
	for _, b := range u.Batches {
		if b.Skipped == "" && b.Phase.Final() {
			n++
		}
	}
	return n
}

func meanBatch(in Input) time.Duration {
	var sum time.Duration
	n := 0
	for _, s := range in.View.Stages {
		for _, u := range s.Units {
			for _, b := range u.Batches {
				if b.Phase == api.PhaseSucceeded && b.Ended.After(b.Started) {
					sum += b.Ended.Sub(b.Started)
					n++
				}
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}

// typicalBatches is the mean over the clusters that are known, for those that could not be looked at.
func typicalBatches(in Input) int {
	if len(in.Scales) == 0 {
		return 0
	}
	sum := 0
	for _, s := range in.Scales {
		sum += s.Batches
	}
	return sum / len(in.Scales)
}

// elapsed is how long something took, or has been going on.
func elapsed(from, to, now time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = now
	}
	return short(to.Sub(from))
}

// short writes a duration in whole seconds, or in minutes from ten of them on.
func short(d time.Duration) string {
	d = max(d, 0)
	if d >= 10*time.Minute {
		d = d.Round(time.Minute)
	}
	text := d.Round(time.Second).String()
	if d >= 10*time.Minute {
		text = text[:len(text)-len("0s")]
	}
	return text
}
