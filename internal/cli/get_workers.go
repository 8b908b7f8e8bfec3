package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
)

func newCmdGetWorkers(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "workers",
		Short: "List the workers of this ledger, and when each was last seen",
		Long: `List the workers that have served this ledger within a week: each says every ten seconds that it is
there. One that is Silent has not said so for a while, nor that it ends: it was killed, or its machine is
gone. Temporal is not asked.`,
		Example: `  sluice get workers
  sluice get workers -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]engine.Worker, error) {
		return e.Workers(ctx)
	}, []string{"WORKER", "STATE", "BUILD", "SINCE", "LAST SEEN", "QUEUES"}, func(w engine.Worker) []string {
		return []string{w.Worker, w.State, or(w.Build), stamp(w.Since), stamp(w.Seen), or(strings.Join(w.Queues, ", "))}
	})
}
