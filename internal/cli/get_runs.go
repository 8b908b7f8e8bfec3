package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/pipelines"
)

// runFilter is which runs are listed.
type runFilter struct {
	component string
	phases    []string
	since     string
	older     string
}

func newCmdGetRuns(f *Factory) *cobra.Command {
	var filter runFilter
	var q engine.RunsQuery
	cmd := newList(f, newest(), &cobra.Command{
		Use:   "runs [COMPONENT]",
		Short: "List runs, with what each waits for",
		Long: `List runs, the newest first, with what each waits for. The phase of a run that does not get on says why:
Held by a check or an error, Refused by a rule or somebody else's change, Stalled without progress, Paused
by a person, Unreachable, or Locked by another run.`,
		Example: `  sluice get runs
  sluice get runs --phase held,refused,stalled
  sluice get runs node-agent --since 24h --limit 5 -o json`,
		Args: between(0, "COMPONENT"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]engine.Listed, error) {
		q.Limit = o.limit
		return e.Runs(ctx, q)
	}, []string{"RUN", "COMPONENT", "VERSION", "PHASE", "WAITS FOR", "STARTED", "ENDED", "PLAN", "BY"}, func(r engine.Listed) []string {
		phase := r.Phase
		if r.Back != "" {
			phase += " (takes back " + r.Back + ")"
		}
		return []string{
			r.Name, r.Subject.String(), r.Version, phase, or(shortened(r.WaitsFor, 60)),
			stamp(r.Started), stamp(r.Ended), fmt.Sprintf("%.12s", r.Plan), r.By,
		}
	}, func(r engine.Listed) string { return r.Note })
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		q, err = filter.query(cmd, strings.Join(args, ""), f.Clock.Now())
		return err
	}
	flags := cmd.Flags()
	flags.StringVar(&filter.component, "component", "", "only of this `COMPONENT`")
	flags.StringSliceVar(&filter.phases, "phase", nil, "only in one of these `PHASES`, as listed or in small letters")
	flags.StringVar(&filter.since, "since", "", "only started within this `DURATION`: 90m, 24h, 7d")
	flags.StringVar(&filter.older, "older-than", "", "only started longer ago than this `DURATION`")
	return cmd
}

// query is what the flags ask for.
func (r runFilter) query(cmd *cobra.Command, of string, now time.Time) (engine.RunsQuery, error) {
	q := engine.RunsQuery{Component: cmp.Or(of, r.component)}
	if of != "" && r.component != "" && of != r.component {
		return q, usage(cmd, "--component %s and %s are two components", r.component, of)
	}
	for _, text := range r.phases {
		i := slices.IndexFunc(api.Phases(), func(p api.Phase) bool { return strings.EqualFold(string(p), text) })
		if i < 0 {
			return q, usage(cmd, "--phase %s is no phase: it is one of %s", text, phaseNames())
		}
		q.Phases = append(q.Phases, api.Phases()[i])
	}
	for _, age := range []struct {
		flag, text string
		into       *time.Time
	}{{"since", r.since, &q.After}, {"older-than", r.older, &q.Before}} {
		if age.text == "" {
			continue
		}
		d, err := pipelines.ParseDuration(age.text)
		if err != nil {
			return q, usage(cmd, "--%s: %v", age.flag, err)
		}
		*age.into = now.Add(-time.Duration(d))
	}
	return q, nil
}

func phaseNames() string {
	var names []string
	for _, p := range api.Phases() {
		names = append(names, strings.ToLower(string(p)))
	}
	return strings.Join(names, ", ")
}
