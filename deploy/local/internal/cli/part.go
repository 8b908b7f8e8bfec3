package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

var partActions = map[control.Action]struct{ short, long, done, example string }{
	control.Stop: {
		"Kill a part and keep it down",
		"Kill a part, as an outage would, and keep it down until it is started again.",
		"stopped",
		"  sluice local stop apiserver --cluster e2e-1\n  sluice local stop temporal",
	},
	control.Start: {
		"Start a part that was stopped",
		"Start a part that was stopped and wait until it is ready.",
		"started",
		"  sluice local start apiserver --cluster e2e-1\n  sluice local start temporal",
	},
	control.Restart: {
		"End a part and start it again",
		"Let a part end in order, start it again and wait until it is ready.",
		"restarted",
		"  sluice local restart etcd --cluster e2e-1\n  sluice local restart temporal",
	},
}

func newPart(env environment, folder folderFunc, action control.Action) *cobra.Command {
	var cluster string
	words := partActions[action]
	parts := append(slices.Clone(stack.ClusterParts[:]), stack.Temporal)
	cmd := &cobra.Command{
		Use:       string(action) + " PART",
		Short:     words.short,
		Long:      words.long + "\nParts: " + strings.Join(parts, ", ") + ".",
		Example:   words.example,
		Args:      usageArgs(cobra.ExactArgs(1)),
		ValidArgs: parts,
		RunE: func(cmd *cobra.Command, args []string) error {
			part := args[0]
			if !slices.Contains(parts, part) {
				return usagef("cannot %s part %q: want one of %s", action, part, strings.Join(parts, ", "))
			}
			f, err := folder()
			if err != nil {
				return err
			}
			client, err := control.NewClient(f)
			if err == nil {
				err = client.Part(cmd.Context(), control.PartRequest{Action: action, Part: part, Cluster: cluster})
			}
			if errors.Is(err, control.ErrNotRunning) {
				return fmt.Errorf("cannot %s %s: no stack is running in %s", action, part, f.Root())
			}
			if err != nil {
				return err
			}
			where := ""
			switch {
			case cluster != "":
				where = " in cluster " + cluster
			case part != stack.Temporal:
				where = " in every cluster"
			}
			fmt.Fprintf(env.out, "%s %s%s\n", words.done, part, where)
			return nil
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only in this cluster (default: in every one)")
	return cmd
}
