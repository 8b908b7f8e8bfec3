package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/origin"
)

// listOptions are what a list needs.
type listOptions struct {
	of     string // component, or object of the audit
	limit  int    // 0 where all of them are listed
	format format
}

// newest limits a list that only grows.
func newest() *listOptions { return &listOptions{limit: 50} }

func (o *listOptions) addFlags(cmd *cobra.Command) {
	if o.limit > 0 {
		cmd.Flags().IntVar(&o.limit, "limit", o.limit, "at most `N` of them, the newest first")
	}
	addOutput(cmd, &o.format)
}

// newList makes a command that lists something and prints it as a table.
func newList[T any](
	f *Factory, o *listOptions, cmd *cobra.Command,
	list func(context.Context, Engine, *listOptions) ([]T, error),
	head []string, cells func(T) []string,
	notes ...func(T) string,
) *cobra.Command {
	o.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			o.of = args[0]
		}
		if cmd.Flags().Changed("limit") && o.limit < 1 {
			return usage(cmd, "--limit %d is less than 1", o.limit)
		}
		e, err := f.Engine(cmd.Context())
		if err != nil {
			return err
		}
		all, err := list(cmd.Context(), e, o)
		if err != nil {
			return err
		}
		if all == nil {
			all = []T{}
		}
		return o.format.print(f.Out, all, func() error {
			rows := [][]string{head}
			for _, one := range all {
				rows = append(rows, cells(one))
			}
			if err := table(f.Out, rows); err != nil {
				return err
			}
			return footnotes(f.Out, all, notes)
		})
	}
	return cmd
}

// footnotes prints what is to be said about a list below it, each thing once.
func footnotes[T any](w io.Writer, all []T, notes []func(T) string) error {
	said := map[string]bool{"": true}
	for _, one := range all {
		for _, of := range notes {
			text := oneLine(of(one))
			if said[text] {
				continue
			}
			said[text] = true
			if _, err := fmt.Fprintf(shown{w}, "note: %s\n", text); err != nil {
				return fault.Wrap(fault.Internal, err, "cannot print")
			}
		}
	}
	return nil
}

func newCmdGetPlans(f *Factory) *cobra.Command {
	return newList(f, newest(), &cobra.Command{
		Use:   "plans [COMPONENT]",
		Short: "List plans",
		Long: `List plans, with what run would say of them now: ready; refused, where a rule says no; unseen, where
nobody could look at the clusters; stale, where something else was deployed since; busy, where another
run moves its clusters; narrow, where it goes past stages and needs a reason; done, where there is
nothing to do.`,
		Example: `  sluice get plans
  sluice get plans node-agent -o yaml`,
		Args: between(0, "COMPONENT"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]engine.ListedPlan, error) {
		return e.Plans(ctx, o.of, o.limit)
	}, []string{"PLAN", "COMPONENT", "VERSION", "PIPELINE", "STATE", "MADE", "BY", "ORIGIN"}, func(p engine.ListedPlan) []string {
		return []string{
			fmt.Sprintf("%.12s", p.Hash), p.Subject.String(), p.Version, p.Pipeline,
			p.State, stamp(p.Created), p.By, or(origin.Text(p.Origin)),
		}
	})
}

func newCmdGetClusters(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "clusters [COMPONENT]",
		Short: "List what each cluster has, of all components or of one",
		Long: `List what each cluster of the fleet has of each component, or of one, as the ledger knows it: the
version, the batch that is under way, whether a recreated pod would get the new version (armed), and
when it was last seen. Clusters that no run has touched yet are not in it.`,
		Example: `  sluice get clusters
  sluice get clusters node-agent
  sluice get clusters node-agent -o json`,
		Args: between(0, "COMPONENT"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]engine.Cluster, error) {
		return e.Clusters(ctx, o.of)
	}, []string{"CLUSTER", "COMPONENT", "STATE", "DEPLOYED", "BATCH", "ARMED", "RUN", "LAST SEEN"}, func(c engine.Cluster) []string {
		batch, armed, run := "-", "no", c.Run
		if c.MovingTo != "" {
			batch, run = fmt.Sprintf("%s/%d", c.NodeSet, c.Batch), c.MovingBy
		}
		if c.Armed {
			armed = "yes"
		}
		return []string{c.Cluster, c.Component, c.State, or(c.Version), batch, armed, or(run), stamp(c.Seen)}
	})
}

func newCmdGetAudit(f *Factory) *cobra.Command {
	return newList(f, newest(), &cobra.Command{
		Use:   "audit [RUN|HASH]",
		Short: "List who did what, when and why, and what came of it",
		Example: `  sluice get audit
  sluice get audit node-agent-2 -o json`,
		Args: between(0, "RUN or HASH"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]ledger.Entry, error) {
		return e.Audit(ctx, o.of, o.limit)
	}, []string{"AT", "WHO", "COMMAND", "OBJECT", "SCOPE", "REASON", "OUTCOME"}, func(a ledger.Entry) []string {
		return []string{stamp(a.At), a.Who, a.Command, shortened(a.Object, 24), or(a.Scope), or(a.Reason), shortened(a.Outcome, 100)}
	})
}

// shortened keeps a cell in its column, on one line.
func shortened(text string, most int) string {
	return clip.Runes(oneLine(text), most)
}
