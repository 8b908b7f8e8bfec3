// Package demo plays what `sluice demo` shows: two versions of two components through a fleet on this machine, and three bad
// versions that are stopped in their first batch. It runs the same programs as people do, shows what they print, and has
// everything proved by a witness that knows nothing of Sluice. It must not reach into the engine.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice.dev/sluice/internal/witness"
)

// Options say how the demo is played. The zero value works where bin/ and examples/ are.
type Options struct {
	Bin        string // folder of the programs sluice and sluice-local, and of those that pods run; default that of the running program
	Examples   string // folder of the documents; default examples
	Dir        string // state folder, removed afterwards; default .sluice; one that is not a demo's is not touched
	Out        string // folder of report.json and server.log; default out/demo
	Keep       bool   // leave the stack and its state folder when all is done
	Short      bool   // three clusters of ten nodes instead of five of forty
	Full       bool   // a version that people approve, freeze and read the report of, and what probes know, too
	Prometheus string // program that is asked for metrics; default the one on the path
	Stdout     io.Writer
	Stderr     io.Writer
}

func (o Options) withDefaults() (Options, error) {
	if o.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("cannot find the program's own folder: %w", err)
		}
		o.Bin = filepath.Dir(self)
	}
	o.Examples = cmp.Or(o.Examples, "examples")
	o.Out = cmp.Or(o.Out, filepath.Join("out", "demo"))
	o.Dir = cmp.Or(o.Dir, ".sluice")
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, fmt.Errorf("cannot resolve the state folder: %w", err)
	}
	needed := []string{o.Examples}
	for _, program := range []string{"sluice", "sluice-local", "programs/fixture", "programs/probes"} {
		needed = append(needed, filepath.Join(o.Bin, program))
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return o, fmt.Errorf("cannot play the demo without %s (run `make build` in the repository): %w", path, err)
		}
	}
	if o.Prometheus == "" {
		if o.Prometheus, err = findPrometheus(); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Run plays the demo to its end. It returns an error that says what did not go as told, after the report was written and
// everything that was started has ended. It blocks for some minutes; ending ctx ends it early and cleans up too.
func Run(ctx context.Context, options Options) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	p := &play{o: o, shape: shapeOf(o.Short), report: &Report{Started: time.Now().UTC()}}
	err = p.run(ctx)
	p.report.finish(err)
	return errors.Join(err, p.report.write(filepath.Join(o.Out, "report.json")))
}

// play is one playing of the demo.
type play struct {
	o          Options
	shape      shape
	report     *Report
	stack      stack
	cleared    bool           // the state folder is the demo's
	beside     sync.WaitGroup // runs that go on beside others
	server     *process
	agents     string // where the server lets agents in
	agent      *process
	prometheus *process
	source     string // file of the DataSource that says where Prometheus is
	readers    []*witness.Reader
	fail       context.CancelCauseFunc // ends the play because something that it stands on has gone
}

// step is a part of the play that must end within a bound.
type step struct {
	name  string
	bound time.Duration
	do    func(context.Context) error
}

func (p *play) run(ctx context.Context) (failed error) {
	ctx, p.fail = context.WithCancelCause(ctx)
	defer p.fail(nil)
	defer func() { failed = errors.Join(failed, p.cleanUp()) }()
	steps := []step{
		{"clear what an earlier demo left", time.Minute, p.clear},
		{fmt.Sprintf("start %d clusters of %d nodes and Temporal", len(p.shape.clusters), p.shape.nodes), 3 * time.Minute, p.startStack},
		{"start a Prometheus that scrapes the API servers", 30 * time.Second, p.startPrometheus},
		{"start a server, which is the worker too", 20 * time.Second, p.startServer},
		{"have an agent do the work near the clusters, and run their probes", time.Minute, p.startAgent},
		{"install version 1 everywhere", 2 * time.Minute, p.install},
		{"ship probes, as a component too", time.Minute, p.shipProbes},
		{"roll version 2 through the fleet", 5 * time.Minute, p.rollGood},
		{"try version 3.0, whose pods crash: a rule over pods sees it", 3 * time.Minute, p.rollCrashing},
		{"try version 3.1, whose pods look healthy: their logs tell", 3 * time.Minute, p.rollPanicking},
		{"try version 1.1 of the web, healthy and quiet: a probe asks it as users do", 3 * time.Minute, p.rollFailing},
	}
	if p.o.Full {
		steps = append(steps, step{"roll version 3.2, which a person approves, freezes and lets go on", 5 * time.Minute, p.rollApproved},
			step{"read what probes know", 4 * time.Minute, p.tellProbes})
	}
	for _, s := range append(steps, step{"read what every cluster runs", time.Minute, p.sum}) {
		if err := p.take(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// take does a step within its bound. The error names the step.
func (p *play) take(ctx context.Context, s step) error {
	p.say("%s (at most %s)", s.name, s.bound)
	began := time.Now()
	bounded, cancel := context.WithTimeoutCause(ctx, s.bound, fmt.Errorf("it did not end within %s", s.bound))
	defer cancel()
	err := s.do(bounded)
	if err != nil && bounded.Err() != nil {
		err = fmt.Errorf("%w (%w)", why(bounded), err)
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", s.name, err)
	}
	p.say("done after %.1f s", time.Since(began).Seconds())
	return nil
}

// why says what ended a step before its time.
func why(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.New("it was interrupted")
}

// say prints a line of the play's own, with the time since its start.
func (p *play) say(format string, args ...any) {
	fmt.Fprintf(p.o.Stdout, "== %5.1f s  %s\n", time.Since(p.report.Started).Seconds(), fmt.Sprintf(format, args...))
}

func (p *play) print(text string) { fmt.Fprintln(p.o.Stdout, text) }
