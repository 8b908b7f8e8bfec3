package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Exit codes of `sluice run --wait` that the demo tells apart.
const (
	exitDone       = 0
	exitWaiting    = 4
	exitRolledBack = 5
)

// rollout is one run that the demo asks for.
type rollout struct {
	component, version, pipeline string
	number                       int // of the component's runs: names are made of it
}

func (r rollout) name() string { return fmt.Sprintf("%s-%d", r.component, r.number) }

// documents are the flags that name what a run goes by. The fleet is the installation's own.
func (p *play) documents() []string {
	var flags []string
	for _, folder := range []string{"components", "pipelines", "tasks"} {
		flags = append(flags, "-f", filepath.Join(p.o.Examples, folder))
	}
	return flags
}

// start is what a person would type to start a run and wait for it.
func (p *play) start(ctx context.Context, r rollout) *exec.Cmd {
	args := []string{"run", r.component, "--to", r.version, "--pipeline", r.pipeline}
	args = append(append(args, p.documents()...), "-f", near(p.source), "--go", "--wait", "--timeout", "5m")
	return p.sluice(ctx, append(args, p.shape.narrowing()...)...)
}

// roll shows a run as people see it, and says that it ended as expected.
func (p *play) roll(ctx context.Context, r rollout, expected int) (Rolled, error) {
	cmd := p.start(ctx, r)
	p.print("\n$ sluice " + strings.Join(typed(cmd), " "))
	code, err := p.shown(cmd)
	if err != nil {
		return Rolled{}, err
	}
	return p.judge(ctx, r, code, expected)
}

// near is a path as it would be typed here.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

// typed is a command line as it would be typed where the state folder is the usual one, and the ledger there.
func typed(cmd *exec.Cmd) []string { return cmd.Args[1 : len(cmd.Args)-3] }

// aside is a run that goes on beside another one. Its output is kept, so that two trees do not write over each other.
type aside struct {
	rollout rollout
	out     bytes.Buffer
	done    chan struct{}
	code    int
	err     error
}

func (p *play) rollAside(ctx context.Context, r rollout) *aside {
	a := &aside{rollout: r, done: make(chan struct{})}
	cmd := p.start(ctx, r)
	p.print("\n$ sluice " + strings.Join(typed(cmd), " ") + " &")
	cmd.Stdout, cmd.Stderr = &a.out, &a.out
	cmd.SysProcAttr = tied()
	p.beside.Go(func() {
		defer close(a.done)
		a.code, a.err = code(cmd)
	})
	return a
}

// await shows how a run beside ended, once it has.
func (p *play) await(ctx context.Context, a *aside) (Rolled, error) {
	<-a.done
	if a.err != nil {
		return Rolled{}, a.err
	}
	if a.code != exitDone {
		p.print(a.out.String())
	}
	run, err := p.judge(ctx, a.rollout, a.code, exitDone)
	if err != nil {
		return run, err
	}
	p.print("\n$ sluice get " + a.rollout.name())
	_, err = p.shown(p.sluice(ctx, "get", a.rollout.name()))
	return run, err
}

// judge reads what a run says of itself, puts it into the report, and compares its end with the expected one.
func (p *play) judge(ctx context.Context, r rollout, code, expected int) (Rolled, error) {
	seen, err := p.status(ctx, r.name())
	if err != nil {
		return Rolled{}, err
	}
	run := rolledOf(seen, code)
	p.report.Runs = append(p.report.Runs, run)
	if code == exitWaiting {
		return run, fmt.Errorf("run %s was left while it was %s", r.name(), run.Phase)
	}
	if code != expected {
		return run, fmt.Errorf("run %s of %s %s ended with exit code %d (phase %s), not %d",
			r.name(), r.component, r.version, code, run.Phase, expected)
	}
	return run, nil
}

// status is what the command line says of a run.
func (p *play) status(ctx context.Context, name string) (api.RunStatus, error) {
	var seen api.RunStatus
	var complaint bytes.Buffer
	cmd := p.sluice(ctx, "get", name, "-o", "json")
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return seen, fmt.Errorf("cannot get run %s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		return seen, fmt.Errorf("cannot read run %s: %w", name, err)
	}
	return seen, nil
}

// install puts version 1 of all components everywhere, at the same time.
func (p *play) install(ctx context.Context) error {
	all := []*aside{
		p.rollAside(ctx, rollout{nodeAgent, version1, installPipeline, 1}),
		p.rollAside(ctx, rollout{controller, version1, installPipeline, 1}),
		p.rollAside(ctx, rollout{web, version1, installPipeline, 1}),
	}
	for _, a := range all {
		if _, err := p.await(ctx, a); err != nil {
			return err
		}
	}
	return p.everywhere(ctx, version1, version1)
}

// rollGood rolls version 2 of both components through the fleet, at the same time, and has the witness watch.
func (p *play) rollGood(ctx context.Context) error {
	watches, err := p.watch(ctx, nodeAgent)
	if err != nil {
		return err
	}
	defer watches.stop()
	other := p.rollAside(ctx, rollout{controller, version2, rollPipeline, 2})
	run, err := p.roll(ctx, rollout{nodeAgent, version2, rollPipeline, 2}, exitDone)
	if err != nil {
		return err
	}
	if _, err := p.await(ctx, other); err != nil {
		return err
	}
	if err := p.everywhere(ctx, version2, version2); err != nil {
		return err
	}
	if err := p.proveGood(watches.stop()); err != nil {
		return err
	}
	return p.proveAsked(run)
}

// bad is a version that has to be stopped.
type bad struct {
	rollout rollout
	tag     string   // of its image
	check   string   // that stops it
	early   bool     // before the checks that are asked once the batch has soaked
	says    string   // is part of what the check says
	content []string // checks that see nothing wrong
}

func (p *play) rollCrashing(ctx context.Context) error {
	return p.rollBad(ctx, bad{rollout: rollout{nodeAgent, crashing, rollPipeline, 3}, tag: crashingTag, check: rulesCheck})
}

func (p *play) rollPanicking(ctx context.Context) error {
	return p.rollBad(ctx, bad{rollout: rollout{nodeAgent, panicking, rollPipeline, 4}, tag: panickingTag, check: logsCheck, early: true})
}

func (p *play) rollFailing(ctx context.Context) error {
	return p.rollBad(ctx, bad{
		rollout: rollout{web, failing, askedPipeline, 2}, tag: failing, check: usersCheck,
		says: webCase + " failed", content: []string{rulesCheck, logsCheck},
	})
}

// rollBad tries a bad version, and proves that nothing but its first batch has moved, and that it is back.
func (p *play) rollBad(ctx context.Context, b bad) error {
	before, err := p.settled(ctx)
	if err != nil {
		return err
	}
	watches, err := p.watch(ctx, b.rollout.component)
	if err != nil {
		return err
	}
	defer watches.stop()
	run, err := p.roll(ctx, b.rollout, exitRolledBack)
	if err != nil {
		return err
	}
	if err := p.everywhere(ctx, version2, version2); err != nil {
		return err
	}
	after, err := p.settled(ctx)
	if err != nil {
		return err
	}
	return p.proveBad(b, run, before, after, watches.stop())
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
