package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

func newCmdSource(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source sync SOURCE",
		Short: "Follow repositories",
		Long: `Follow repositories: what is merged is planned and started, and what is proposed gets its plan where it is
reviewed. A Source and its Triggers are documents that "sluice apply" keeps.`,
		Example: `  sluice apply -f infra-source.yaml
  sluice get sources
  sluice source sync infra`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdSourceSync(f))
	return cmd
}

func newCmdSourceSync(f *Factory) *cobra.Command {
	var req engine.SyncRequest
	var out format
	cmd := &cobra.Command{
		Use:   "sync SOURCE",
		Short: "Have a Source be looked at now",
		Long: `Have a Source be looked at now, and not only when its interval is over. Where somebody has pushed over its
branch nothing of it is followed any more, until a person takes the commit that is there with --accept.`,
		Example: `  sluice source sync infra
  sluice source sync infra --accept 5f1c0d3a9b7e4c2d8f60a1b2c3d4e5f60718293a --reason "we took a secret out of its history"`,
		Args: exactly("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Source, req.By = args[0], f.Who()
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			synced, err := e.SyncSource(cmd.Context(), req)
			if err != nil {
				return err
			}
			return out.print(f.Out, synced, func() error {
				_, err := fmt.Fprintf(shown{f.Out}, "%s is looked at; see: %s get sources\n", synced.Source, f.program())
				return fault.Wrap(fault.Internal, err, "cannot print")
			})
		},
	}
	cmd.Flags().StringVar(&req.Accept, "accept", "",
		"take this `COMMIT` for the head of the branch, though what was there before is no part of it")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT` for the audit (needed with --accept)")
	addOutput(cmd, &out)
	return cmd
}

func newCmdGetSources(f *Factory) *cobra.Command {
	return newList(f, &listOptions{}, &cobra.Command{
		Use:   "sources",
		Short: "List the repositories that are followed, and what came of their last commit",
		Example: `  sluice get sources
  sluice get sources -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]engine.KeptSource, error) {
		return e.Sources(ctx)
	}, []string{"SOURCE", "BRANCH", "COMMIT", "SINCE", "LOOKED", "REQUESTS", "WAITING", "RUNS", "ERROR"}, func(s engine.KeptSource) []string {
		var waiting, runs []string
		for _, w := range s.State.Waiting {
			waiting = append(waiting, w.Component+" "+w.Version)
		}
		for _, r := range s.State.Runs {
			runs = append(runs, r.Run)
		}
		wrong := "-"
		if s.Silent+s.State.Error+s.State.Wrong != "" {
			wrong = "yes"
		}
		return []string{
			s.Name, or(s.Branch), or(fmt.Sprintf("%.12s", s.State.Commit)), stamp(s.State.Followed), stamp(s.State.Looked),
			fmt.Sprint(len(s.State.Requests)), or(strings.Join(waiting, ", ")), or(strings.Join(runs, ", ")), wrong,
		}
	}, sourceNote)
}

// sourceNote is what a Source has done last, and what is wrong with it.
func sourceNote(s engine.KeptSource) string {
	var said []string
	for _, line := range []struct{ what, text string }{
		{"", s.State.Did}, {"wrong with its last commit: ", s.State.Wrong}, {"error: ", s.State.Error}, {"", s.Silent},
	} {
		if line.text != "" {
			said = append(said, line.what+line.text)
		}
	}
	for _, r := range s.State.Requests {
		if r.Error != "" {
			said = append(said, fmt.Sprintf("request %d: %s", r.Number, r.Error))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return s.Name + ": " + strings.Join(said, "; ")
}
