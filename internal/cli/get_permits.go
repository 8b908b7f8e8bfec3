package cli

import (
	"context"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/permit"
)

func newCmdGetPermits(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "permits",
		Short: "List which clusters change now, which of them are in trouble, and which wait",
		Long: `List the clusters of open runs that change now or wait to, in the order in which they asked. One in trouble
keeps other runs out of its cluster and its failure domains. It needs no Temporal.`,
		Example: `  sluice get permits
  sluice get permits -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]permit.Permit, error) {
		return e.Permits(ctx)
	}, []string{
		"RUN", "COMPONENT", "CLUSTER", "DOMAINS", "ASKED", "ENTERED", "TROUBLE", "WAITS FOR", "LET IN",
	}, func(p permit.Permit) []string {
		let, waits := "-", p.WaitsWhat
		if p.LetIn != nil {
			let = "by " + p.LetIn.By + ": " + p.LetIn.Reason
		}
		switch {
		case !p.Entered.IsZero():
			waits = ""
		case p.Refused:
			waits = "resume, as it was refused: " + waits
		}
		return []string{
			p.Run, p.Subject.String(), p.Cluster, or(clip.Few(p.Domains, 3)), stamp(p.Asked), stamp(p.Entered), or(shortened(p.Trouble, 80)),
			or(shortened(waits, 120)), shortened(let, 80),
		}
	})
}
