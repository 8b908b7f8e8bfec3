package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// keptCluster is a cluster of the fleet that the ledger keeps.
type keptCluster struct {
	Cluster     string    `json:"cluster"`
	Group       string    `json:"group"`
	Environment string    `json:"environment"`
	Context     string    `json:"context"`
	Site        string    `json:"site,omitempty"`
	By          string    `json:"by"`
	At          time.Time `json:"at"`
	Revision    int64     `json:"revision"`
}

func newCmdGetFleet(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "fleet",
		Short: "List the clusters of this installation, and where they are",
		Long: `List the clusters that were applied for the whole installation, each with its group and environment.
Where there is one, no others are planned for, and files may not place one of them elsewhere. Where
there is none, every plan goes by the fleet among its own files.`,
		Example: `  sluice get fleet
  sluice get fleet -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]keptCluster, error) {
		groups, err := e.Kept(ctx, pipelines.KindClusterGroup)
		if err != nil {
			return nil, err
		}
		environment := map[string]string{}
		for _, k := range groups {
			var g pipelines.ClusterGroup
			if err := k.Read(&g); err != nil {
				return nil, err
			}
			environment[k.Name] = g.Spec.Environment
		}
		clusters, err := e.Kept(ctx, pipelines.KindCluster)
		if err != nil {
			return nil, err
		}
		return placedIn(clusters, environment)
	}, []string{"CLUSTER", "GROUP", "ENVIRONMENT", "CONTEXT", "SITE", "SINCE", "BY"}, func(c keptCluster) []string {
		return []string{c.Cluster, c.Group, or(c.Environment), c.Context, or(c.Site), stamp(c.At), c.By}
	})
}

func placedIn(clusters []ledger.Kept, environment map[string]string) ([]keptCluster, error) {
	var all []keptCluster
	for _, k := range clusters {
		var c pipelines.Cluster
		if err := k.Read(&c); err != nil {
			return nil, err
		}
		all = append(all, keptCluster{
			Cluster: k.Name, Group: c.Spec.Group, Environment: environment[c.Spec.Group], Context: c.Spec.Context, Site: c.Spec.Site,
			By: k.By, At: k.At, Revision: k.Revision,
		})
	}
	return all, nil
}
