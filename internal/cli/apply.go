package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fuse"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// newCmdApply keeps documents in the ledger.
func newCmdApply(f *Factory) *cobra.Command {
	var paths []string
	var reason string
	var out format
	cmd := &cobra.Command{
		Use:   "apply -f PATH",
		Short: "Keep what no pipeline may pass by, for the whole installation",
		Long: `Keep documents in the ledger, where they hold for every plan and every run, whoever's files leave them out:
documents of these kinds:
` + strings.Join(pipelines.KeptKinds(), ", ") + `.
A document that is kept already is replaced, which takes a reason; one that is equal stays as it is.`,
		Example: `  sluice apply -f ops/fuses
  sluice apply -f ops/fuses/production.yaml --reason "three failures are too many"`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return usage(cmd, "-f PATH is missing")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			all, err := e.Apply(cmd.Context(), engine.ApplyRequest{Files: engine.Files{Paths: paths}, By: f.Who(), Reason: reason})
			if err != nil {
				return err
			}
			return out.print(f.Out, all, func() error {
				for _, a := range all {
					if _, err := fmt.Fprintf(shown{f.Out}, "%s %s is %s\n", strings.ToLower(a.Kind), a.Name, a.Was); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringArrayVarP(&paths, "file", "f", nil, "`PATH` of documents; may be repeated (needed)")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed where something that is kept changes)")
	addOutput(cmd, &out)
	return cmd
}

// newCmdDelete has a document no longer be kept.
func newCmdDelete(f *Factory) *cobra.Command {
	var reason string
	kinds := strings.ToLower(strings.Join(pipelines.KeptKinds(), "|"))
	cmd := &cobra.Command{
		Use:     "delete " + kinds + " NAME",
		Short:   "Have what was applied hold no longer",
		Example: `  sluice delete fuse production --reason "another one is there"`,
		Args:    exactly(kinds, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage(cmd, "--reason is missing: whoever reads the audit has to know why")
			}
			for _, kind := range pipelines.KeptKinds() {
				if !strings.EqualFold(kind, args[0]) {
					continue
				}
				e, err := f.Engine(cmd.Context())
				if err != nil {
					return err
				}
				dropped, err := e.Delete(cmd.Context(), kind, args[1], f.Who(), reason)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(shown{f.Out}, "%s %s holds no longer: it was applied %s by %s\n",
					strings.ToLower(kind), dropped.Name, stamp(dropped.At), dropped.By)
				return err
			}
			return usage(cmd, "there is no %q to delete: %s", args[0], kinds)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed)")
	return cmd
}

// newCmdGetKept lists the kept documents of a kind, and of each what says says.
func newCmdGetKept(f *Factory, kind string, cmd *cobra.Command, columns []string, says func(ledger.Kept) ([]string, error)) *cobra.Command {
	heads := append([]string{strings.ToUpper(kind)}, columns...)
	return newList(f, &listOptions{}, cmd, func(ctx context.Context, e Engine, _ *listOptions) ([]ledger.Kept, error) {
		return e.Kept(ctx, kind)
	}, append(heads, "SINCE", "BY", "REVISION"), func(k ledger.Kept) []string {
		cells, err := says(k)
		if err != nil {
			cells = append([]string{fmt.Sprintf("cannot be read: %v", err)}, make([]string, len(columns)-1)...)
		}
		return append(append([]string{k.Name}, cells...), stamp(k.At), k.By, strconv.FormatInt(k.Revision, 10))
	})
}

func newCmdGetLimits(f *Factory) *cobra.Command {
	return newCmdGetKept(f, pipelines.KindLimit, &cobra.Command{
		Use:     "limits",
		Short:   "List how many clusters of a failure domain may change at once",
		Example: "  sluice get limits",
		Args:    exactly(),
	}, []string{"DOMAIN", "CLUSTERS", "ON CONFLICT"}, func(k ledger.Kept) ([]string, error) {
		var l pipelines.Limit
		if err := k.Read(&l); err != nil {
			return nil, err
		}
		return []string{l.Spec.Domain, strconv.Itoa(l.Spec.Clusters), string(l.Spec.OnConflict)}, nil
	})
}

func newCmdGetFuses(f *Factory) *cobra.Command {
	return newCmdGetKept(f, pipelines.KindFuse, &cobra.Command{
		Use:     "fuses",
		Short:   "List fuses",
		Example: "  sluice get fuses",
		Args:    exactly(),
	}, []string{"TRIPS AT", "SCOPE", "IN FLIGHT"}, func(k ledger.Kept) ([]string, error) {
		f, err := fuse.Of(k)
		if err != nil {
			return nil, err
		}
		s := &f.Spec
		return []string{fmt.Sprintf("%d of %d in %s", s.Failures, s.Of, s.Within), fuse.Scope(f).String(), string(s.InFlight)}, nil
	})
}
