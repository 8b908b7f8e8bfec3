package engine

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// Next is what changes next without anybody doing anything.
type Next struct {
	Subject string    `json:"subject,omitempty"` // "stage NAME", or a unit's path; the run where it is empty
	What    string    `json:"what"`
	At      time.Time `json:"at,omitzero"` // at the earliest; zero where it does not go by a clock
	// Needs is who or what must act before anything changes: then nothing does by itself, and What says what it waits for.
	Needs string `json:"needs,omitempty"`
}

// LastProgress is the last time at which anything got on.
type LastProgress struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// next is what changes next by itself in the parts that are asked about: what goes by a clock and comes first, else what goes on as soon
// as something else is there. Where nothing does, it is what is needed. It is nil where nothing waits for anything.
func next(view View, planned *Planned, about string) *Next {
	if view.Phase.Final() {
		return nil
	}
	var clock, event, person *Next
	add := func(n Next, w *api.Waiting) {
		switch {
		case !n.At.IsZero():
			if clock == nil || n.At.Before(clock.At) {
				clock = &n
			}
		case w == nil || goesOn(w):
			if event == nil {
				event = &n
			}
		case person == nil:
			n.What = "waits for " + strings.TrimSpace(string(w.Kind)+" "+w.Name)
			n.Needs = needed(w)
			person = &n
		}
	}
	if w := view.Waiting; w != nil && w.Kind == api.WaitWorker {
		// No unit gets on either, whatever was last known of it.
		return &Next{What: "waits for worker", Needs: needed(w)}
	} else if w != nil && about == "" && w.Kind != api.WaitTasks {
		add(Next{What: over(w), At: w.Until}, w)
	}
	for i := range view.Tasks {
		if t := &view.Tasks[i]; t.Phase == api.PhaseMoving && (about == "" || isTask(t, about)) {
			add(Next{Subject: "task " + t.Label(), What: "its steps end"}, t.Waiting)
		}
	}
	for i := range view.Stages {
		s := &view.Stages[i]
		if w := s.Waiting; w != nil && (about == "" || about == s.Name) {
			add(Next{Subject: "stage " + s.Name, What: over(w), At: w.Until}, w)
		}
		for j := range s.Units {
			u := &s.Units[j]
			if u.Phase.Final() || u.Phase == api.PhasePending || about != "" && about != s.Name && !concerns(u, about) {
				continue
			}
			add(nextOfUnit(u, planned), u.Waiting)
		}
	}
	for _, first := range []*Next{clock, event, person} {
		if first != nil {
			return first
		}
	}
	return nil
}

// over says of something that is waited for that it has come.
func over(w *api.Waiting) string {
	switch w.Kind {
	case api.WaitFreeze:
		return w.Name + " is over"
	case api.WaitSoak:
		return "its soak ends, " + w.Name
	}
	return "it goes on after " + strings.TrimSpace(string(w.Kind)+" "+w.Name)
}

// goesOn reports whether what waits for something goes on without a person. A check that did not pass has an owner.
func goesOn(w *api.Waiting) bool {
	switch w.Kind {
	case api.WaitApproval, api.WaitDecision, api.WaitPerson, api.WaitFreeze, api.WaitBudget, api.WaitNothing, api.WaitWorker:
		return false
	}
	return w.Kind != api.WaitCheck || w.Owner == ""
}

// needed is what a wait that does not end by itself ends with.
func needed(w *api.Waiting) string {
	who := w.Actor()
	if who == "" {
		who = "somebody"
	}
	switch w.Kind {
	case api.WaitApproval:
		return who + " approves"
	case api.WaitPerson:
		return who + " resumes it"
	case api.WaitWorker:
		return "a worker takes the run up"
	case api.WaitFreeze:
		return w.Name + " is lifted"
	}
	return who + " decides"
}

// nextOfUnit says what becomes of a unit when what it waits for has ended.
func nextOfUnit(u *api.UnitStatus, planned *Planned) Next {
	n := Next{Subject: u.Path}
	w := u.Waiting
	if w == nil {
		n.What = "its next step ends"
		return n
	}
	n.At = w.Until
	switch w.Kind {
	case api.WaitSoak:
		when := "when its soak ends"
		if w.Name == "samples" || len(w.Unmet) > 0 {
			when = "when its soak has enough samples"
		}
		n.What = after(u, w, planned) + " " + when
	case api.WaitPods:
		n.What = "its pods get ready"
		if b := moving(u); b != nil && b.Phase == api.PhaseRollingBack {
			n.What = fmt.Sprintf("batch %d of %s is back at the version of before, and its cluster stays where it stands", b.Number, b.NodeSet)
		} else if b != nil && u.Phase != api.PhaseRollingBack {
			n.What = fmt.Sprintf("batch %d of %s has its pods ready, and soaks", b.Number, b.NodeSet)
		} else if u.Phase == api.PhaseRollingBack {
			n.What = "its pods are back at the version of before"
		}
	case api.WaitCheck:
		n.What = "its checks at " + w.Name + " end"
	case api.WaitCluster:
		n.What = "it goes on as soon as the cluster answers"
	case api.WaitLock:
		n.What = "it goes on as soon as the run that holds it has ended"
	case api.WaitPermit:
		n.What = "it goes on as soon as " + w.Name + " keeps it out no longer"
	case api.WaitRetry:
		n.What = "what failed is tried again"
	default:
		n.What = over(w)
	}
	return n
}

// after is what follows on the soak that a unit is in.
func after(u *api.UnitStatus, w *api.Waiting, planned *Planned) string {
	b := moving(u)
	if b == nil || strings.HasPrefix(w.Name, string(pipelines.AfterCluster)) {
		return "it ends"
	}
	if planned == nil || planned.Live == nil {
		return fmt.Sprintf("what follows on batch %d of %s begins", b.Number, b.NodeSet)
	}
	set, number, known := following(planned.Live, u.Cluster, b)
	switch {
	case !known:
		return fmt.Sprintf("what follows on batch %d of %s begins", b.Number, b.NodeSet)
	case set == "":
		return fmt.Sprintf("batch %d of %s, its last, ends", b.Number, b.NodeSet)
	}
	return fmt.Sprintf("batch %d of %s begins", number, set)
}

// following is the batch that comes behind another one in a cluster; "" where that was the last. It is not known where nobody has
// looked at the cluster, or its workloads have changed since.
func following(live *plan.Live, cluster string, b *api.BatchStatus) (set string, number int, known bool) {
	for i := range live.Clusters {
		if live.Clusters[i].Cluster != cluster {
			continue
		}
		for _, w := range live.Clusters[i].Workloads {
			for _, s := range w.NodeSets {
				for _, one := range s.Batches {
					switch {
					case w.Object == b.Workload && s.Name == b.NodeSet && one.Number == b.Number:
						known = true
					case known && one.Skipped == "":
						return s.Name, one.Number, true
					}
				}
			}
		}
	}
	return "", 0, known
}

// lastProgress is the latest thing that is known to have got on in the parts that are asked about. What long activities said last is
// in the reasons.
func lastProgress(view View, reasons []Reason, about string) *LastProgress {
	var last LastProgress
	add := func(at time.Time, format string, args ...any) {
		if at.After(last.At) {
			last = LastProgress{At: at, What: fmt.Sprintf(format, args...)}
		}
	}
	if about == "" {
		add(view.Started, "%s started", view.Name)
	}
	for i := range view.Tasks {
		if t := &view.Tasks[i]; about == "" || isTask(t, about) {
			add(t.Started, "task %s began", t.Label())
			add(t.Ended, "task %s ended", t.Label())
		}
	}
	for i := range view.Stages {
		for j := range view.Stages[i].Units {
			u := &view.Stages[i].Units[j]
			if about != "" && about != view.Stages[i].Name && !concerns(u, about) {
				continue
			}
			add(u.Started, "%s began", u.Path)
			for _, b := range u.Batches {
				add(b.Started, "%s: batch %d of %s began", u.Path, b.Number, b.NodeSet)
				add(b.Ended, "%s: batch %d of %s ended", u.Path, b.Number, b.NodeSet)
			}
			if b := moving(u); b != nil && u.Waiting != nil && u.Waiting.Kind == api.WaitSoak {
				add(u.Waiting.Since, "%s: batch %d of %s was ready", u.Path, b.Number, b.NodeSet)
			}
			add(u.Ended, "%s ended: %s", u.Path, u.Phase)
		}
	}
	for _, r := range reasons {
		if p := r.Progress; p != nil {
			add(p.Since, "%s: %d of %d pods updated, %d ready", r.Subject, p.Updated, p.Target, p.Ready)
		}
	}
	if last.At.IsZero() {
		return nil
	}
	return &last
}
