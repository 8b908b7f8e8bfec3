package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
)

// skewed is how far an agent's clock may be from the server's without a word: the way there takes its time.
const skewed = 2 * time.Second

func newCmdGetAgents(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "agents",
		Short: "List the agents, where they are, and what they reach",
		Long: `List the agents that were let in: each says every 15 seconds that it is there. One that is Silent has
not said so for a while, nor that it ends. CLOCK is how far its clock is from the server's.`,
		Example: `  sluice get agents
  sluice get agents -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]engine.Agent, error) {
		return e.Agents(ctx)
	}, []string{"AGENT", "SITE", "STATE", "BUILD", "HOST", "LAST SEEN", "CLOCK", "CLUSTERS"}, func(a engine.Agent) []string {
		return []string{a.Name, a.Site, a.State, or(a.Build), or(a.Host), stamp(a.Seen), or(ahead(a.Ahead)), or(reached(a.Clusters))}
	})
}

func ahead(d time.Duration) string {
	switch {
	case d.Abs() < skewed:
		return ""
	case d > 0:
		return d.String() + " ahead"
	}
	return d.Abs().String() + " behind"
}

// reached says what an agent sees of its clusters.
func reached(clusters []ledger.AgentCluster) string {
	all := make([]string, len(clusters))
	for i, c := range clusters {
		if all[i] = fmt.Sprintf("%s (%s, %d nodes)", c.Name, c.Version, c.Nodes); c.Problem != "" {
			all[i] = c.Name + " (not reached)"
		}
	}
	return strings.Join(all, ", ")
}
