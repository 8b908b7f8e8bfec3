package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/pipelines"
)

// Look notices what runs have done since anybody looked, and queues it for the receivers that hear of it. One run that cannot be
// looked at keeps no other from being noticed.
func (n *Notifier) Look(ctx context.Context) error {
	now := n.Clock.Now()
	since, err := n.Ledger.Since(ctx, slices.Sorted(maps.Keys(n.Receivers)), now)
	if err != nil {
		return err
	}
	first := now
	for _, at := range since {
		if at.Before(first) {
			first = at
		}
	}
	if oldest := now.Add(-maxAge); first.Before(oldest) {
		first = oldest
	}
	errs := []error{n.Ledger.GiveUp(ctx, now.Add(-maxAge), now.Add(-keeps), now)}
	runs, err := n.Ledger.Unnoticed(ctx, first, 0)
	if err != nil || len(runs) == 0 {
		return errors.Join(append(errs, err)...)
	}
	seen, err := n.Phases.Open(ctx) // where Temporal is away, starts and ends are noticed all the same
	errs = append(errs, err)
	for _, run := range runs {
		if err := n.notice(ctx, run, seen, since, now); err != nil && fault.CodeOf(err) != fault.Conflict {
			errs = append(errs, err)
		}
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return errors.Join(errs[:min(len(errs), 3)]...)
}

func (n *Notifier) notice(
	ctx context.Context, run ledger.Noticed, seen map[string]Seen, since map[string]time.Time, now time.Time,
) error {
	shown, known := seen[run.Run.Name]
	events, next := follow(run, shown, known, now)
	if run.Run.Drill != "" {
		var err error
		if events, next, err = n.drill(ctx, run, now); err != nil {
			return err
		}
	}
	if next == run.Last {
		return nil
	}
	var queue []ledger.Notice
	if len(events) > 0 {
		moves, err := n.moves(ctx, run.Run)
		if err != nil {
			return err
		}
		ending, err := n.ending(ctx, run.Run)
		if err != nil {
			return err
		}
		for _, e := range events {
			if api.Phase(e.Phase).Final() {
				e.Ending = ending
			}
			e.Environments, e.Clusters = moves.environments, len(moves.units)
			e.Suspects = n.suspects(ctx, e)
			body, err := json.Marshal(e)
			if err != nil {
				return fault.Wrap(fault.Internal, err, "cannot write what run %s does", e.Run)
			}
			for _, name := range slices.Sorted(maps.Keys(n.Receivers)) {
				if e.At.Before(since[name]) || !moves.hears(&n.Receivers[name].Spec, e) {
					continue
				}
				queue = append(queue, ledger.Notice{
					Key: e.Key, Receiver: name, Run: e.Run, Event: string(e.Event), Body: string(body), At: e.At,
				})
			}
		}
	}
	return n.Ledger.Notice(ctx, run, next, queue)
}

// ending is by whom and why a run ended that did not come to its own end.
func (n *Notifier) ending(ctx context.Context, run ledger.Run) (string, error) {
	if run.Report == "" {
		return "", nil
	}
	body, err := n.Ledger.Blob(ctx, run.Report)
	if passes(ctx, err) {
		return "", err
	}
	var end api.RunStatus
	if err != nil || json.Unmarshal(body, &end) != nil {
		return "its report cannot be read", nil
	}
	if end.Ending == nil {
		return "", nil
	}
	return clip.Bytes(strings.TrimSuffix(end.Ending.By+": "+end.Ending.Reason, ": "), maxReason), nil
}

// passes reports whether what could not be read may be readable in a moment. Else what is known is told without it.
func passes(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || fault.CodeOf(err) == fault.Unreachable)
}

// suspects are those of an event that is about something that went wrong. That they cannot be found out holds up no notice.
func (n *Notifier) suspects(ctx context.Context, e Event) (few []string) {
	wrong := []pipelines.NotifyEvent{pipelines.EventHeld, pipelines.EventFailed, pipelines.EventRolledBack}
	if n.Suspects == nil || !slices.Contains(wrong, e.Event) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, suspectsWithin)
	defer cancel()
	all, _ := n.Suspects(ctx, e.Run)
	for _, s := range all[:min(len(all), maxSuspects)] {
		few = append(few, clip.Bytes(s, maxSuspect))
	}
	return few
}

// follow is what has happened to a run since it was looked at last, and what is to be remembered of it: how often it has stood, for what
// it stands, and at what. One that stands at something else has gone on in between.
func follow(run ledger.Noticed, shown Seen, known bool, now time.Time) (events []Event, next string) {
	times, stood, was := remembered(run.Last)
	r := run.Run
	if run.Last == "" {
		events = append(events, newEvent(pipelines.EventStart, 0, r, Seen{Phase: r.Phase}, r.Started))
	}
	if !r.Ended.IsZero() {
		if stood != "" {
			over := newEvent(pipelines.EventResumed, times, r, Seen{Phase: r.Phase}, r.Ended)
			over.Was = stood
			events = append(events, over)
		}
		return append(events, newEvent(ended(api.Phase(r.Phase)), 0, r, Seen{Phase: r.Phase}, r.Ended)), ledger.NoticedEnd
	}
	stand, at := stood, was
	if known {
		stand, at = shown.stands(), shown.standsAt()
		if stand == stood && at == "" {
			at = was
		}
	}
	if stand != stood || elsewhere(was, at) {
		if stood != "" {
			over := newEvent(pipelines.EventResumed, times, r, shown, now)
			over.Was = stood
			events = append(events, over)
		}
		if stand != "" {
			times++
			events = append(events, newEvent(stand, times, r, shown, now))
		}
	}
	return events, strings.TrimSuffix(fmt.Sprintf("%d %s %s", times, stand, at), " ")
}

// elsewhere reports whether a run waits for another of the same kind.
func elsewhere(was, at string) bool {
	before, _, _ := strings.Cut(was, " ")
	now, _, _ := strings.Cut(at, " ")
	return was != at && before == now
}

// drill is what has happened to the run of a drill. It is meant to fail, and that nobody is told; that it did not is an alarm. The run
// that takes back what it left is no news either.
func (n *Notifier) drill(ctx context.Context, run ledger.Noticed, now time.Time) ([]Event, string, error) {
	d, err := n.Ledger.Drilled(ctx, run.Run.Drill)
	switch {
	case run.Run.Back != "":
		return nil, ledger.NoticedEnd, nil
	case fault.CodeOf(err) == fault.NotFound, err == nil && d.Outcome == api.DrillRuns:
		return nil, run.Last, nil // too soon to tell
	case err != nil:
		return nil, "", err
	case d.Outcome != api.DrillNotStopped:
		return nil, ledger.NoticedEnd, nil
	}
	e := newEvent(pipelines.EventUnstopped, 0, run.Run, Seen{Phase: run.Run.Phase}, now)
	e.Reason = clip.Bytes("drill "+d.Drill+": "+d.Message, maxReason)
	return []Event{e}, ledger.NoticedEnd, nil
}

func remembered(text string) (times int, stood pipelines.NotifyEvent, at string) {
	number, stands, _ := strings.Cut(text, " ")
	times, _ = strconv.Atoi(number)
	stand, at, _ := strings.Cut(stands, " ")
	return times, pipelines.NotifyEvent(stand), at
}

func ended(p api.Phase) pipelines.NotifyEvent {
	switch p {
	case api.PhaseSucceeded, api.PhaseSkipped:
		return pipelines.EventDone
	case api.PhaseRolledBack:
		return pipelines.EventRolledBack
	case api.PhaseAborted:
		return pipelines.EventAborted
	}
	return pipelines.EventFailed
}

// moves are the clusters of a plan.
type moves struct {
	component    string
	units        []plan.Unit
	environments []string // sorted
	unread       bool     // the plan cannot be read: nobody knows where it goes
}

func (n *Notifier) moves(ctx context.Context, run ledger.Run) (moves, error) {
	m := moves{component: run.Subject.String()}
	_, p, err := planstore.Load(ctx, n.Ledger, run.Plan)
	if passes(ctx, err) {
		return m, err
	}
	if m.unread = err != nil; m.unread {
		return m, nil
	}
	m.units = p.AllUnits()
	for _, u := range m.units {
		m.environments = append(m.environments, u.Environment)
	}
	slices.Sort(m.environments)
	m.environments = slices.Compact(m.environments)
	return m, nil
}

// hears reports whether a receiver is told of an event. An Alertmanager that has an alert is always told that it is over; others are not
// told of what the end of a run says anyway. Of a plan that cannot be read, whoever may be meant hears.
func (m moves) hears(s *pipelines.ReceiverSpec, e Event) bool {
	switch {
	case e.Was != "" && s.Alertmanager != nil:
		if !s.Hears(e.Was) {
			return false
		}
	case e.Was != "" && api.Phase(e.Phase).Final(), !s.Hears(e.Event):
		return false
	}
	if len(s.Components) > 0 && !slices.Contains(s.Components, m.component) {
		return false
	}
	fits := func(u plan.Unit) bool {
		if len(s.Environments) > 0 && !slices.Contains(s.Environments, u.Environment) {
			return false
		}
		for key, value := range s.ClusterLabels {
			if got, ok := u.Labels[key]; !ok || got != value {
				return false
			}
		}
		return true
	}
	return m.unread || len(s.Environments) == 0 && len(s.ClusterLabels) == 0 || slices.ContainsFunc(m.units, fits)
}
