package check

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/pipelines"
)

// Logs is the check that reads what pods write.
type Logs struct {
	clock clock.PassiveClock
}

// NewLogs returns a source of the kind logs.
func NewLogs(c clock.PassiveClock) *Logs { return &Logs{c} }

// Bounds where a step names none, and on what a reading costs.
const (
	defaultLogPods    = 50
	defaultLogBytes   = 1 << 20
	defaultCatchUp    = 5 * time.Minute
	logsAtOnce        = 8
	tailLines         = 2000 // of a log that is read for the first time
	endedReadings     = 3    // of a log that gets no more lines, after the first
	maxLogs           = 150  // of a revision: of each a cursor is kept
	readOnAfter       = time.Second
	notEnoughAgain    = 10 * time.Second
	defaultRateLines  = 100
	defaultRateErrors = 5
)

// Ask reads what is new in the logs of a unit's pods.
func (l *Logs) Ask(ctx context.Context, q Question) Finding {
	if q.Place == nil {
		return Finding{Verdict: api.Error, Message: "there is no cluster whose logs could be read"}
	}
	options, err := scanOptions(q.Step.Logs)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error(), Keep: q.Kept}
	}
	pods, err := q.Place.Pods(ctx)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error(), Keep: q.Kept}
	}
	r := &logReading{step: q.Step.Logs, place: q.Place, options: options, kept: readKeptLogs(q.Kept)}
	r.read(ctx, &r.fresh, pods.New)
	if r.step.Rate != nil {
		r.read(ctx, &r.old, pods.Old)
	}
	if ctx.Err() != nil {
		return Finding{Verdict: api.Error, Message: "the logs were not read to their end: " + context.Cause(ctx).Error(), Keep: q.Kept}
	}
	now := l.clock.Now()
	if q.Began.IsZero() {
		q.Began = now
	}
	r.watched = now.Sub(q.Began)
	r.kept.add(&r.fresh, &r.old, q.Began, now)
	f := r.judge(now)
	f.Keep = r.kept.text()
	return f
}

func scanOptions(g *pipelines.Logs) (logscan.Options, error) {
	o := logscan.Options{Bytes: int64(cmp.Or(g.MaxBytes, defaultLogBytes))}
	for _, p := range g.Patterns {
		expression, err := regexp.Compile(p.Regexp)
		if err != nil {
			return o, fmt.Errorf("pattern %s: %w", p.Name, err)
		}
		o.Patterns = append(o.Patterns, logscan.Pattern{Name: p.Name, Regexp: expression})
	}
	return o, nil
}

// logReading is one measurement.
type logReading struct {
	step    *pipelines.Logs
	place   *Place
	options logscan.Options
	kept    *keptLogs
	watched time.Duration // since the step was measured first

	fresh, old podLogs
}

// podLogs is what was read of the pods of a revision.
type podLogs struct {
	pods       int              // that are there
	sampled    int              // of these, whose logs were asked for
	read       int              // logs that could be read, to their end or not
	left       int              // logs beyond what is read at once
	waiting    int              // logs that have not begun, or are gone
	unreadable map[string]error // pods whose logs could not be read
	report     logscan.Report
}

// read reads the logs of pods, some at once.
func (r *logReading) read(ctx context.Context, into *podLogs, pods []*corev1.Pod) {
	into.pods = len(pods)
	pods = sample(pods, cmp.Or(r.step.MaxPods, defaultLogPods))
	into.sampled, into.unreadable = len(pods), map[string]error{}
	var all []containerLog
	for _, p := range pods {
		all = append(all, logsOf(p, r.step.Containers)...)
	}
	into.left = max(0, len(all)-maxLogs)
	all = all[:len(all)-into.left]
	before := len(all)
	all = slices.DeleteFunc(all, func(c containerLog) bool { return r.kept.finished(c.key) })
	into.read = before - len(all)
	readings := make([]logRead, len(all))
	slots := make(chan struct{}, logsAtOnce)
	var wait sync.WaitGroup
	for i, c := range all {
		slots <- struct{}{}
		from := r.kept.cursor(c.key)
		wait.Go(func() {
			defer func() { <-slots }()
			readings[i] = r.one(ctx, c, from)
		})
	}
	wait.Wait()
	for i, c := range all {
		r.took(into, c, readings[i])
	}
}

// logRead is what came of one log.
type logRead struct {
	report logscan.Report
	next   logscan.Cursor
	err    error
}

// one reads a log to its end. A stream that is cut short ends like one that is whole, so what gets no more lines is read until no more
// come: nobody would look at it again.
func (r *logReading) one(ctx context.Context, c containerLog, from logscan.Cursor) logRead {
	got := r.once(ctx, c, from, false)
	for range endedReadings {
		if !c.ended || got.err != nil || got.report.Cut {
			return got
		}
		more := r.once(ctx, c, got.next, true)
		got.report.Add(more.report)
		got.next, got.err = more.next, more.err
		if more.report.Lines == 0 {
			return got
		}
	}
	got.report.Cut = true
	return got
}

// once reads a log once. Whole says that what stands behind the end of its last line is a line, too.
func (r *logReading) once(ctx context.Context, c containerLog, from logscan.Cursor, whole bool) logRead {
	options := kube.LogOptions{Previous: c.previous, Since: from.Since()}
	if from.At.IsZero() {
		options.Tail = tailLines
	}
	body, err := r.place.API.Logs(ctx, c.namespace, c.pod, c.container, options)
	if err != nil {
		return logRead{next: from, err: err}
	}
	defer func() { _ = body.Close() }()
	log := logscan.Log{Name: c.name(), From: from, Ended: whole, Stamped: true}
	report, next, err := logscan.Scan(ctx, body, log, r.options)
	return logRead{report, next, err}
}

// took counts one log. What was read before an error counts: the cursor is behind it.
func (r *logReading) took(into *podLogs, c containerLog, got logRead) {
	into.report.Add(got.report)
	r.kept.keep(c.key, got.next, c.ended && got.err == nil && !got.report.Cut)
	switch {
	case got.err == nil && got.report.Strays > 0 && got.report.Lines == 0:
		into.unreadable[c.pod] = fmt.Errorf("the node could not read the log of %s", c.name())
	case got.err == nil:
		into.read++
	case fault.CodeOf(got.err) == fault.NotFound:
		into.waiting++ // or gone since the pods were listed
	default:
		into.unreadable[c.pod] = got.err
	}
}
