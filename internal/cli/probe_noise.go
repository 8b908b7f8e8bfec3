package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func newCmdProbeNoise(f *Factory) *cobra.Command {
	weeks := 1
	cmd := newList(f, &listOptions{}, &cobra.Command{
		Use:   "noise [CASE]",
		Short: "Say how noisy cases were, week by week",
		Long: `Say how noisy cases were in each of the last weeks, in all clusters together: which share of their runs
was missed, failed, or could not look; how many of the failures were labelled false; how often states
changed; and within which time of an event half of the runs for it had come to a verdict, and 99 of
100. By that, and by labels, it can be told which case is fit to be enforcing.`,
		Example: `  sluice probe noise
  sluice probe noise etcd --weeks 4`,
		Args: between(0, "CASE"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]ledger.ProbeNoise, error) {
		if weeks < 1 || weeks > engine.MaxNoiseWeeks {
			return nil, fault.New(fault.Invalid, "--weeks %d is not from 1 to %d", weeks, engine.MaxNoiseWeeks)
		}
		return e.ProbeNoise(ctx, o.of, weeks)
	}, []string{
		"CASE", "WEEK", "RUNS", "MISSED", "FAILED", "FALSE", "TRUE", "COULD-NOT", "TURNED", "EVENTS", "P50", "P99",
	}, func(n ledger.ProbeNoise) []string {
		return []string{
			n.Case, n.From.Local().Format(time.DateOnly), strconv.FormatInt(n.Runs, 10), share(n.Missed, n.Runs+n.Missed), share(n.Failed, n.Runs),
			strconv.FormatInt(n.False, 10), strconv.FormatInt(n.True, 10), share(n.CouldNot, n.Runs), strconv.FormatInt(n.Turned, 10),
			strconv.FormatInt(n.Events, 10), or(within(n.Half)), or(within(n.Most)),
		}
	})
	cmd.Flags().IntVar(&weeks, "weeks", 1, "of the last `N` weeks, at most 12")
	return cmd
}

// share is a part of a whole, and how much of it that is.
func share(n, of int64) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.2f%%)", n, 100*float64(n)/float64(of))
}

func within(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(10 * time.Millisecond).String()
}
