package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// Reason is why something stands where it stands.
type Reason struct {
	Subject  string            `json:"subject"` // run, "stage NAME", "task NAME", or a unit's path
	Phase    api.Phase         `json:"phase"`
	Waiting  *api.Waiting      `json:"waiting,omitempty"`
	Failure  *api.Check        `json:"failure,omitempty"` // the check that stopped it, with what it saw
	FailedAt string            `json:"failedAt,omitempty"`
	Cause    *api.Check        `json:"cause,omitempty"` // the check for which it was taken back, where Failure is another
	CauseAt  string            `json:"causeAt,omitempty"`
	Stopped  *api.BatchStatus  `json:"stopped,omitempty"`  // the batch at which a check stopped it, as it was left
	Batch    *api.BatchStatus  `json:"batch,omitempty"`    // the batch that it is at
	Progress *step.Progress    `json:"progress,omitempty"` // what its long activity said last
	Stays    []string          `json:"stays,omitempty"`    // what a rollback left in place, with why
	Stuck    *api.Stuck        `json:"stuck,omitempty"`    // the pods that keep it, as seen last
	Retry    string            `json:"retry,omitempty"`    // what its activity is tried again for
	Holder   string            `json:"holder,omitempty"`   // the run that has the unit, where it waits for that
	Ending   *api.Ending       `json:"ending,omitempty"`   // who ended it, and why
	Since    time.Time         `json:"since,omitzero"`     // when it last got on
	ByItself string            `json:"byItself,omitempty"` // how it goes on without anybody
	Commands []string          `json:"commands,omitempty"` // what would help, ready to paste
	Behind   []goal.Behind     `json:"behind,omitempty"`   // dead nodes of the unit
	Counted  string            `json:"counted,omitempty"`  // how often the background check that takes longest was measured, and is to be
	Advises  []string          `json:"advises,omitempty"`  // what Advisory checks in the background have found meanwhile
	Borne    []string          `json:"borne,omitempty"`    // batches that failed, by what, and why it went on all the same
	Attempts []api.TaskAttempt `json:"attempts,omitempty"` // at a task, that failed and were followed by another
	Blame    *Blame            `json:"blame,omitempty"`    // what may have broken it

	Results []pipelines.ParamValue `json:"results,omitempty"` // of a task
}

// Explanation is why a run, or a part of it, stands where it stands. Reasons is empty where nothing waits.
type Explanation struct {
	Run     string     `json:"run"`
	Phase   api.Phase  `json:"phase"`
	Note    string     `json:"note,omitempty"`
	Orders  []Standing `json:"orders,omitempty"` // given, and not obeyed yet
	Reasons []Reason   `json:"reasons"`
	// Bypasses are what others have let it pass.
	Bypasses []ledger.Bypass `json:"bypasses,omitempty"`

	Next *Next         `json:"next,omitempty"` // nil where nothing is to come: it has ended
	Last *LastProgress `json:"lastProgress,omitempty"`

	Results        []pipelines.ParamValue `json:"results,omitempty"` // of the run, once it has ended; where all of it is asked about
	ResultsLeftOut []string               `json:"resultsLeftOut,omitempty"`
}

// Why says what a run waits for: the run itself, then tasks that broke it, its stages, its units. About narrows it to a task, a
// stage, a cluster, a unit's path or the path of a batch; that part is listed even where it waits for nothing. Errors are those of
// Status, and fault.NotFound where the run has no such part.
func (e *Engine) Why(ctx context.Context, run, about string) (Explanation, error) {
	view, err := e.Status(ctx, run)
	if err != nil {
		return Explanation{}, err
	}
	why := Explanation{Run: view.Name, Phase: view.Phase, Note: view.Note, Orders: view.Orders, Bypasses: view.Bypasses, Reasons: []Reason{}}
	if about == "" {
		why.Results, why.ResultsLeftOut = view.Results, view.ResultsLeftOut
	}
	if about == "" && view.Waiting != nil {
		why.Reasons = append(why.Reasons, Reason{Subject: view.Name, Phase: view.Phase, Waiting: view.Waiting, Since: view.Waiting.Since})
	}
	blamed, err := e.Blame(ctx, view)
	if err != nil {
		return Explanation{}, err
	}
	remedy := e.remedies(ctx, view)
	for i := range why.Reasons {
		remedy.add(&why.Reasons[i], nil)
	}
	found := about == ""
	for i := range view.Tasks {
		if t := &view.Tasks[i]; isTask(t, about) || about == "" && t.Broke() {
			found = true
			reason := taskReason(view, t)
			remedy.add(&reason, nil)
			why.Reasons = append(why.Reasons, reason)
		}
	}
	for i := range view.Stages {
		s := &view.Stages[i]
		if about == s.Name || about == "" && (s.Waiting != nil || s.Rejected != nil) {
			found = true
			reason := stageReason(s, turn(view, i))
			remedy.add(&reason, nil)
			why.Reasons = append(why.Reasons, reason)
		}
		for j := range s.Units {
			u := &s.Units[j]
			if concerns(u, about) || about == "" && stands(u) || about == s.Name && stands(u) {
				found = true
				reason := e.unitReason(ctx, u, turn(view, i))
				reason.Blame = of(blamed, u.Path)
				remedy.add(&reason, u)
				why.Reasons = append(why.Reasons, reason)
			}
		}
	}
	if !found {
		return Explanation{}, fault.New(fault.NotFound,
			"cannot find %s in run %s: it is no task, stage, cluster, unit or batch of it", about, run)
	}
	why.Next, why.Last = remedy.next(next(view, remedy.planned, about)), lastProgress(view, why.Reasons, about)
	return why, nil
}

// stands reports whether there is something to say about a unit: it waits, a check has stopped it, something stays of it, nodes of
// it are behind, or batches of it have failed.
func stands(u *api.UnitStatus) bool {
	return u.Waiting != nil || u.Failure != nil || u.Cause != nil || len(u.Kept) > 0 || len(u.Behind) > 0 || u.FailedBatches > 0
}

func concerns(u *api.UnitStatus, about string) bool {
	return about != "" && (about == u.Cluster || about == u.Path || strings.HasPrefix(about, u.Path+"/"))
}

// turn is what a part of a stage waits for that has not begun: what its run or a stage up to its own waits for, else that
// what goes before it ends. It is nil where the run has ended.
func turn(view View, stage int) *api.Waiting {
	if view.Phase.Final() {
		return nil
	}
	if view.Waiting != nil {
		return view.Waiting
	}
	first := "what goes before it in its stage"
	for i := range stage + 1 {
		s := &view.Stages[i]
		if s.Waiting != nil {
			return s.Waiting
		}
		if i < stage && !s.Phase.Final() {
			first = "stage " + s.Name
			break
		}
	}
	return &api.Waiting{Kind: api.WaitTurn, Since: view.Started, Unmet: []string{first + " has not ended"}}
}

func stageReason(s *api.StageStatus, turn *api.Waiting) Reason {
	r := Reason{Subject: "stage " + s.Name, Phase: s.Phase, Waiting: s.Waiting}
	if s.Waiting == nil && s.Phase == api.PhasePending {
		r.Waiting = turn
	}
	if s.Waiting != nil {
		r.Since = s.Waiting.Since
	}
	if v := s.Rejected; v != nil {
		r.Ending = &api.Ending{By: v.Who, Reason: "rejected it: " + v.Reason}
	}
	if s.Skipped != "" {
		r.Waiting = &api.Waiting{Kind: api.WaitNothing, Unmet: []string{"it " + s.Skipped}}
	}
	return r
}

func (e *Engine) unitReason(ctx context.Context, u *api.UnitStatus, turn *api.Waiting) Reason {
	if u.Waiting == nil && u.Phase == api.PhasePending {
		return Reason{Subject: u.Path, Phase: u.Phase, Waiting: turn}
	}
	r := Reason{Subject: u.Path, Phase: u.Phase, Waiting: u.Waiting, Failure: u.Failure, FailedAt: u.FailedAt, Since: lastStep(u)}
	r.Stays, r.Behind, r.Borne = u.Kept, u.Behind, borne(u)
	r.Cause, r.CauseAt, r.Stopped = u.Cause, u.CauseAt, e.stoppedAt(ctx, u)
	r.Ending, r.Batch, r.Stuck = u.Ending, moving(u), stuckAt(u)
	if r.Stuck == nil && r.Stopped != nil {
		r.Stuck = r.Stopped.Stuck
	}
	if u.Workflow == "" || u.Phase.Final() {
		return r
	}
	server, err := e.Server(ctx)
	if err != nil {
		return r
	}
	if u.Waiting != nil && u.Waiting.Kind == api.WaitLock {
		r.Holder = e.holder(ctx, server, u.Workflow)
		return r
	}
	under, ok := e.underWay(ctx, server, u.Workflow)
	if !ok {
		return r
	}
	r.Retry, r.Advises = under.retry, under.advises
	if c := under.counts; c.Of > 0 {
		r.Counted = fmt.Sprintf("%s, %d of %d times", under.counting, c.Measured, c.Of)
	}
	if p := under.progress; p != nil && r.Batch != nil {
		r.Progress = p
		if p.Since.After(r.Since) {
			r.Since = p.Since
		}
		if p.Stuck != nil {
			r.Stuck = p.Stuck
		}
	}
	return r
}

// stuckAt is what kept the batch at which a unit stands, or was stopped.
func stuckAt(u *api.UnitStatus) *api.Stuck {
	for _, b := range slices.Backward(u.Batches) {
		if b.Stuck != nil {
			return b.Stuck
		}
	}
	return nil
}

// borne says which batches of a unit have failed that its cluster bore.
func borne(u *api.UnitStatus) (all []string) {
	for _, b := range u.Batches {
		if b.Borne != "" {
			all = append(all, b.Path+": "+b.Borne)
		}
	}
	return all
}

// lastStep is the latest time at which a unit is known to have got on.
func lastStep(u *api.UnitStatus) time.Time {
	last := u.Started
	for _, b := range u.Batches {
		for _, at := range []time.Time{b.Started, b.Ended} {
			if at.After(last) {
				last = at
			}
		}
	}
	if u.Ended.After(last) {
		last = u.Ended
	}
	return last
}
