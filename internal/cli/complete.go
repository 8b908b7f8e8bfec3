package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// names lists what may be typed, each with a tab and a few words about it where there is something to say. What cannot be
// found out is left out: a shell has no place for errors.
type names func(context.Context, *completion) []string

// completion is a command line that is being typed.
type completion struct {
	factory *Factory
	cmd     *cobra.Command
	args    []string // that stand before
}

// completeArgs says, by command, what its arguments name, one list for each.
func completeArgs() map[string][]names {
	open := []names{openRuns}
	return map[string][]names{
		"plan": {componentNames}, "catch-up": {componentNames}, "run": {both(planHashes, componentNames)}, "get": {both(allRuns, planHashes)},
		"get runs": {componentNames}, "get plans": {componentNames}, "get clusters": {componentNames}, "get audit": {both(allRuns, planHashes)},
		"get pipelinerun": {allRuns},
		"report":          {allRuns},
		"why":             {allRuns, partsOfRun}, "pause": open, "resume": open, "approve": open, "abort": open, "rollback": {allRuns},
		"reject":   open,
		"retry":    {allRuns},
		"end-soak": {openRuns, clustersOfRun}, "skip": {openRuns, clustersOfRun},
		"unfreeze":  {heldFreezes},
		"bypass":    {heldFreezes, both(openRuns, planHashes)},
		"reconcile": {componentNames},
	}
}

// completeFlags says, by name, what flags name. The plan of an approval is not among them: whoever approves has read it.
func completeFlags() map[string]names {
	return map[string]names{
		"only": placesOfFiles, "exclude": placesOfFiles, "pipeline": pipelinesOfFiles, "to": versionsOfFiles,
		"stage": stagesOfRun, "group": groupsOfRun, "cluster": clustersOfRun, "component": componentNames,
	}
}

// addCompletion tells the shell about names in all of a command line.
func addCompletion(f *Factory, root *cobra.Command) {
	args, flags := completeArgs(), completeFlags()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if lists := args[strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")]; lists != nil {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
				if len(typed) >= len(lists) {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return complete(f, cmd, typed, begun, lists[len(typed)])
			}
		}
		for name, list := range flags {
			if cmd.Flags().Lookup(name) == nil {
				continue
			}
			// It fails for a flag that is not there, or has a list already.
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
				return complete(f, cmd, typed, begun, list)
			})
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// complete lists the names that go on from what has begun, from the ledger and the files: it asks no server. Of a list with
// commas only the last one is completed.
func complete(f *Factory, cmd *cobra.Command, args []string, begun string, list names) ([]string, cobra.ShellCompDirective) {
	quiet := *f
	quiet.Init = false // looking for names makes no ledger
	ctx, cancel := context.WithTimeout(cmd.Context(), f.NamesIn)
	defer cancel()
	found := make(chan []string, 1)
	go func() {
		all := list(ctx, &completion{&quiet, cmd, args})
		_ = quiet.Close() // what was read has been read
		found <- all
	}()
	before := begun[:strings.LastIndexByte(begun, ',')+1]
	var out []string
	select {
	case all := <-found:
		for _, name := range all {
			if strings.HasPrefix(before+name, begun) {
				out = append(out, before+name)
			}
		}
	case <-ctx.Done():
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func both(lists ...names) names {
	return func(ctx context.Context, c *completion) []string {
		var all []string
		for _, list := range lists {
			all = append(all, list(ctx, c)...)
		}
		return all
	}
}

// completeMost is how many runs and plans are offered, the newest.
const completeMost = 50

func allRuns(ctx context.Context, c *completion) []string  { return c.runs(ctx, false) }
func openRuns(ctx context.Context, c *completion) []string { return c.runs(ctx, true) }

func (c *completion) runs(ctx context.Context, open bool) []string {
	l, err := c.factory.Open(ctx)
	if err != nil {
		return nil
	}
	all, _ := l.ListRuns(ctx, api.Subject{}, completeMost)
	var out []string
	for _, r := range all {
		if open && !r.Ended.IsZero() {
			continue
		}
		out = append(out, fmt.Sprintf("%s\t%s %s, %s", r.Name, r.Subject, r.Version, r.Phase))
	}
	return out
}

func planHashes(ctx context.Context, c *completion) []string {
	l, err := c.factory.Open(ctx)
	if err != nil {
		return nil
	}
	all, _ := l.ListPlans(ctx, api.Subject{}, completeMost)
	var out []string
	for _, p := range all {
		out = append(out, fmt.Sprintf("%.12s\t%s %s by %s", p.Hash, p.Subject, p.Version, p.Pipeline))
	}
	return out
}

// componentNames are those of the files that are read, and those that the ledger has plans of.
func componentNames(ctx context.Context, c *completion) []string {
	seen := map[string]bool{}
	if docs := c.documents(); docs != nil {
		for name := range docs.Components {
			seen[name] = true
		}
	}
	if l, err := c.factory.Open(ctx); err == nil {
		all, _ := l.ListPlans(ctx, api.Subject{}, completeMost)
		for _, p := range all {
			seen[p.Subject.String()] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// documents are the files that the command line reads; nil where it reads none, or they are wrong.
func (c *completion) documents() *pipelines.Documents {
	flag := c.cmd.Flags().Lookup("file")
	if flag == nil {
		return nil
	}
	paths, err := c.cmd.Flags().GetStringArray("file")
	if err != nil || len(paths) == 0 {
		paths = []string{"."}
	}
	slices.Sort(paths) // a command line that is being typed is read twice
	docs, err := engine.LoadDocuments(slices.Compact(paths), c.factory.Library)
	if err != nil {
		return nil
	}
	return docs
}

func placesOfFiles(_ context.Context, c *completion) []string {
	docs := c.documents()
	if docs == nil {
		return nil
	}
	return slices.Concat(slices.Sorted(maps.Keys(docs.ClusterGroups)), slices.Sorted(maps.Keys(docs.Clusters)))
}

func pipelinesOfFiles(_ context.Context, c *completion) []string {
	docs := c.documents()
	if docs == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(docs.Pipelines))
}

func versionsOfFiles(_ context.Context, c *completion) []string {
	docs := c.documents()
	if docs == nil || len(c.args) == 0 {
		return nil
	}
	var out []string
	for _, version := range docs.Components[c.args[0]] {
		out = append(out, version.Spec.Version)
	}
	return out
}

func partsOfRun(ctx context.Context, c *completion) []string {
	return append(stagesOfRun(ctx, c), clustersOfRun(ctx, c)...)
}

func stagesOfRun(ctx context.Context, c *completion) []string {
	return c.ofPlan(ctx, func(s *plan.StagePlan, _ *plan.Unit) string { return s.Name })
}

func groupsOfRun(ctx context.Context, c *completion) []string {
	return c.ofPlan(ctx, func(_ *plan.StagePlan, u *plan.Unit) string { return u.Group })
}

func clustersOfRun(ctx context.Context, c *completion) []string {
	return c.ofPlan(ctx, func(_ *plan.StagePlan, u *plan.Unit) string { return u.Cluster })
}

// ofPlan lists something of the units of the plan of the run that the command line names, each once, in plan order.
func (c *completion) ofPlan(ctx context.Context, name func(*plan.StagePlan, *plan.Unit) string) []string {
	planned := c.planned(ctx)
	if planned == nil {
		return nil
	}
	var out []string
	said := map[string]bool{}
	for i := range planned.Plan.Stages {
		s := &planned.Plan.Stages[i]
		for j := range s.Groups {
			for k := range s.Groups[j].Units {
				if n := name(s, &s.Groups[j].Units[k]); !said[n] {
					said[n], out = true, append(out, n)
				}
			}
		}
	}
	return out
}

func (c *completion) planned(ctx context.Context) *engine.Planned {
	if len(c.args) == 0 {
		return nil
	}
	l, err := c.factory.Open(ctx)
	if err != nil {
		return nil
	}
	run, err := l.Run(ctx, c.args[0])
	if err != nil {
		return nil
	}
	e, err := c.factory.Engine(ctx)
	if err != nil {
		return nil
	}
	planned, err := e.LoadPlan(ctx, run.Plan)
	if err != nil {
		return nil
	}
	return planned
}
