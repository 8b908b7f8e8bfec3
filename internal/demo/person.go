package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/witness"
)

// The people of the demo: one starts a run, another approves and freezes.
const (
	starter  = "ann@example.org"
	operator = "bob@example.org"
)

// as has a command typed by a person, by the name that git signs with.
func as(name string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.email", "GIT_CONFIG_VALUE_0="+name)
	return cmd
}

// types shows a command that a person types, and what it prints. Another end than 0 is an error.
func (p *play) types(ctx context.Context, name string, args ...string) error {
	cmd := as(name, p.sluice(ctx, args...))
	p.print("\n" + name + "$ sluice " + strings.Join(quoted(typed(cmd)), " "))
	code, err := p.shown(cmd)
	if err == nil && code != exitDone {
		err = fmt.Errorf("sluice %s ended with exit code %d", args[0], code)
	}
	return err
}

// quoted is arguments as a shell takes them.
func quoted(args []string) []string {
	all := slices.Clone(args)
	for i, a := range all {
		if strings.Contains(a, " ") {
			all[i] = "'" + a + "'"
		}
	}
	return all
}

// rollApproved rolls the version that mends the bad ones: a person approves it for production, freezes it on its way, and lifts the freeze.
func (p *play) rollApproved(ctx context.Context) error {
	r := rollout{nodeAgent, mended, approvedPipeline, 5}
	args := []string{"run", r.component, "--to", r.version, "--pipeline", r.pipeline}
	args = append(append(args, p.documents()...), "--go")
	if err := p.types(ctx, starter, append(args, p.shape.narrowing()...)...); err != nil {
		return err
	}
	run, err := p.until(ctx, r, "waiting for an approval", func(s api.RunStatus) bool {
		return slices.ContainsFunc(s.Stages, func(st api.StageStatus) bool { return st.Waiting != nil && st.Waiting.Kind == api.WaitApproval })
	})
	if err != nil {
		return err
	}
	if err := p.types(ctx, operator, "approve", r.name(), "--plan", run.Plan[:12], "--reason", "e2e and canary are well"); err != nil {
		return err
	}
	if _, err := p.until(ctx, r, "in production", inProduction(func(u api.UnitStatus) bool { return u.Moved })); err != nil {
		return err
	}
	freeze, err := p.frozen(ctx, r)
	if err != nil {
		return err
	}
	if err := p.types(ctx, operator, "unfreeze", freeze, "--reason", "the line is well again"); err != nil {
		return err
	}
	if _, err := p.until(ctx, r, "ended", func(s api.RunStatus) bool { return s.Phase.Final() }); err != nil {
		return err
	}
	if _, err := p.judge(ctx, r, exitDone, exitDone); err != nil {
		return err
	}
	if err := p.everywhere(ctx, mended, version2); err != nil {
		return err
	}
	return p.told(ctx, r, freeze)
}

// frozen freezes a run that moves, and proves that it stands: no pod and no object moves while the freeze holds.
func (p *play) frozen(ctx context.Context, r rollout) (freeze string, err error) {
	if err := p.types(ctx, operator, "freeze", "--component", r.component, "--reason", "packet loss in production"); err != nil {
		return "", err
	}
	if freeze, err = p.newestFreeze(ctx); err != nil {
		return "", err
	}
	stands := func(u api.UnitStatus) bool { return u.Phase == api.PhasePaused && !u.Armed }
	if _, err := p.until(ctx, r, "standing still", inProduction(stands)); err != nil {
		return "", err
	}
	if err := p.types(ctx, operator, "why", r.name()); err != nil {
		return "", err
	}
	before, err := p.settled(ctx)
	if err != nil {
		return "", err
	}
	if err := pause(ctx, 5*time.Second); err != nil {
		return "", err
	}
	after, err := p.look(ctx)
	if err != nil {
		return "", err
	}
	for name := range after {
		if moved := witness.Moved(before[name], after[name]); len(moved) > 0 {
			return "", fmt.Errorf("%s is frozen, and in %s %s", r.name(), name, strings.Join(moved, ", "))
		}
	}
	p.say("the witness saw nothing move for 5 s under %s", freeze)
	return freeze, nil
}

// inProduction reports whether a cluster of the last stage has started, and all that have are as wanted.
func inProduction(is func(api.UnitStatus) bool) func(api.RunStatus) bool {
	return func(s api.RunStatus) bool {
		begun := 0
		for _, u := range s.Stages[len(s.Stages)-1].Units {
			if u.Phase == api.PhasePending || u.Phase.Final() {
				continue
			}
			if begun++; !is(u) {
				return false
			}
		}
		return begun > 0
	}
}

// until waits until a run is as wanted.
func (p *play) until(ctx context.Context, r rollout, what string, met func(api.RunStatus) bool) (api.RunStatus, error) {
	for {
		seen, err := p.status(ctx, r.name())
		if err != nil || met(seen) {
			return seen, err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return seen, fmt.Errorf("run %s is %s, and should be %s: %w", r.name(), seen.Phase, what, err)
		}
	}
}

// newestFreeze is the name of the freeze that was made last.
func (p *play) newestFreeze(ctx context.Context) (string, error) {
	out, err := p.sluice(ctx, "get", "freezes", "-o", "json").Output()
	var all []api.Freeze
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	if err != nil || len(all) == 0 {
		return "", fmt.Errorf("there should be a freeze, and there are %d: %w", len(all), err)
	}
	return all[0].Name, nil
}

// told writes the report of a run, and proves that it names who approved it and what held it.
func (p *play) told(ctx context.Context, r rollout, freeze string) error {
	file := filepath.Join(p.o.Out, r.name()+".html")
	if err := p.types(ctx, operator, "report", r.name(), "--output", near(file)); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, name := range []string{starter, operator, freeze, "e2e and canary are well"} {
		if !bytes.Contains(text, []byte(name)) {
			return fmt.Errorf("the report of %s does not tell of %q", r.name(), name)
		}
	}
	return nil
}
