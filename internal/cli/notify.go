package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/secret"
)

func newCmdNotify(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Try out who is told what runs do, and what probes find",
		Example: `  sluice notify test oncall -f ops/receivers
  sluice get notifications`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdNotifyTest(f))
	return cmd
}

// tested is what a receiver said to a sample.
type tested struct {
	Receiver string `json:"receiver"`
	Took     bool   `json:"took"`
	Says     string `json:"says"`
}

func newCmdNotifyTest(f *Factory) *cobra.Command {
	var paths []string
	var probes bool
	var out format
	cmd := &cobra.Command{
		Use:   "test RECEIVER",
		Short: "Tell a receiver of a sample, from here, and print what it said",
		Long: `Send a sample from this machine, with the secrets that are here, and print what the receiver said. It needs no
ledger, no worker and no Temporal. Exits 1 where the receiver did not take it.`,
		Example: `  sluice notify test oncall -f ops/receivers
  sluice notify test oncall -f ops/receivers --probes
  sluice notify test oncall -f ops/receivers -o json`,
		Args: exactly("RECEIVER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := readReceivers(paths)
			if err != nil {
				return err
			}
			r := all[args[0]]
			if r == nil {
				return fault.New(fault.NotFound, "cannot find Receiver %s: there are %s", args[0],
					strings.Join(slices.Sorted(maps.Keys(all)), ", "))
			}
			sender := &notify.Sender{Secrets: secret.Environment(), Clock: f.Clock}
			sample := notify.Sample
			if probes {
				if r.Spec.Probes == nil {
					return fault.New(fault.Invalid, "cannot try Receiver %s with a probe: it hears of none (probes)", args[0])
				}
				sample = notify.ProbeSample
			}
			answer := sender.Send(cmd.Context(), r, sample(args[0], f.Clock.Now()))
			err = out.print(f.Out, tested{Receiver: args[0], Took: answer.Took, Says: answer.Says}, func() error {
				took := "took it"
				if !answer.Took {
					took = "did not take it"
				}
				_, err := fmt.Fprintf(shown{f.Out}, "%s %s: %s\n", args[0], took, answer.Says)
				return err
			})
			if err == nil && !answer.Took {
				return &Exit{Code: fault.ExitFailed, Message: "receiver " + args[0] + " did not take it"}
			}
			return err
		},
	}
	cmd.Flags().StringArrayVarP(&paths, "file", "f", []string{"."}, "`PATH` of Receivers; may be repeated")
	cmd.Flags().BoolVar(&probes, "probes", false, "send what is sent of probes, and not of runs")
	addOutput(cmd, &out)
	return cmd
}

// readReceivers reads the receivers below some paths; none where there are no paths.
func readReceivers(paths []string) (notify.Receivers, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	docs, err := engine.LoadDocuments(paths, nil)
	if err != nil {
		return nil, err
	}
	if wrong := lint.Receivers(docs); len(wrong) > 0 {
		return nil, wrong
	}
	if len(docs.Receivers) == 0 {
		return nil, fault.New(fault.NotFound, "cannot find a Receiver in %s", strings.Join(paths, ", "))
	}
	return docs.Receivers, nil
}

func newCmdGetNotifications(f *Factory) *cobra.Command {
	return newList(f, newest(), &cobra.Command{
		Use:   "notifications [RECEIVER]",
		Short: "List what receivers were told of runs and probes, and what they said",
		Example: `  sluice get notifications
  sluice get notifications oncall`,
		Args: between(0, "RECEIVER"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]ledger.Notice, error) {
		return e.Notices(ctx, o.of, o.limit)
	}, []string{"OF", "EVENT", "RECEIVER", "AT", "STATE", "ATTEMPTS", "NEXT", "SAID"}, func(n ledger.Notice) []string {
		said := "-"
		if n.Outcome != "" {
			said = shortened(n.Outcome, 80)
		}
		next := "-"
		if n.Settled.IsZero() && !n.Next.IsZero() {
			next = stamp(n.Next)
		}
		return []string{cmp.Or(n.About, n.Run), n.Event, n.Receiver, stamp(n.At), noticeState(n), strconv.Itoa(n.Attempts), next, said}
	})
}

func noticeState(n ledger.Notice) string {
	switch {
	case !n.Told.IsZero() && n.Settled.IsZero():
		return "Stands"
	case !n.Told.IsZero():
		return "Told"
	case !n.Settled.IsZero():
		return "GivenUp"
	}
	return "Waits"
}
