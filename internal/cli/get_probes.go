package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// probesOptions are what get probes needs.
type probesOptions struct {
	engine.ProbesQuery
	matrix bool
	format format
	cut    bool // there are more than are listed
}

// list is what is asked for; of what is limited one more is read.
func (o *probesOptions) list(cmd *cobra.Command, e Engine) ([]engine.KnownProbe, error) {
	query := o.ProbesQuery
	if cmd.Flags().Changed("limit") {
		if o.Limit < 1 || o.Limit >= engine.MaxProbes {
			return nil, usage(cmd, "--limit %d is not from 1 to %d", o.Limit, engine.MaxProbes-1)
		}
		query.Limit++
	}
	all, err := e.Probes(cmd.Context(), query)
	if o.cut = err == nil && o.Limit > 0 && len(all) > o.Limit; o.cut {
		all = all[:o.Limit]
	}
	return all, err
}

// mostColumns is how many cases fit beside each other.
const mostColumns = 12

func newCmdGetProbes(f *Factory) *cobra.Command {
	opts := &probesOptions{}
	cmd := &cobra.Command{
		Use:   "probes [CASE]",
		Short: "List what probes know of clusters",
		Long: `List each case at each of its targets: a node, a member, a tenant, or the cluster itself. It is Passing,
Failing, Skipped, or Unknown: nobody could look, or the last result is older than its freshness lets it
count. With --matrix a line is a cluster and a column a case, with the worst of its targets.`,
		Example: `  sluice get probes
  sluice get probes --cluster prod-eu-1 --failing
  sluice get probes --matrix`,
		Args: between(0, "CASE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Case = args[0]
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			all, err := opts.list(cmd, e)
			if err != nil {
				return err
			}
			if opts.cut {
				fmt.Fprintf(f.Err, "there are more than these %d: narrow it, or raise --limit\n", len(all))
			}
			return opts.format.print(f.Out, all, func() error {
				if opts.matrix {
					return probeMatrix(f.Out, all)
				}
				return probeTable(f.Out, all)
			})
		},
	}
	cmd.Flags().StringVar(&opts.Cluster, "cluster", "", "those of `CLUSTER` alone")
	cmd.Flags().BoolVar(&opts.Failing, "failing", false, "those alone that are neither passing nor skipped")
	cmd.Flags().IntVar(&opts.Limit, "limit", 0, "at most `N` of them (default: all)")
	cmd.Flags().BoolVar(&opts.matrix, "matrix", false, "a line is a cluster, a column a case")
	addOutput(cmd, &opts.format)
	return cmd
}

func probeTable(w io.Writer, all []engine.KnownProbe) error {
	rows := [][]string{{"CLUSTER", "CASE", "TARGET", "STATE", "SINCE", "LAST", "SEVERITY", "ENFORCED", "SAYS"}}
	for _, k := range all {
		last, says := "-", ""
		if k.Last != nil {
			last, says = stamp(k.Last.Ended), k.Last.Message
			if k.Last.Code != "" {
				says = k.Last.Code + ": " + says
			}
		}
		if k.Told != "" {
			says = "nothing was heard of it for too long; it was " + string(k.Told)
		}
		enforced := "no"
		if k.Enforcement.Mode == probing.Enforcing {
			enforced = "yes"
		}
		rows = append(rows, []string{
			k.Cluster, k.Case, or(k.Target), string(k.State), stamp(k.Since), last, or(k.Severity), enforced, or(shortened(says, 80)),
		})
	}
	return table(w, rows)
}

// worseness orders states: the worst is the last.
var worseness = []probing.State{probing.Paused, probing.Passing, probing.Unknown, probing.Failing}

// probeMatrix prints the worst of each case's targets in each cluster, and how many targets are so bad.
func probeMatrix(w io.Writer, all []engine.KnownProbe) error {
	type cell struct {
		worst probing.State
		n, of int
	}
	cells, cases := map[string]map[string]cell{}, map[string]bool{}
	for _, k := range all {
		if cells[k.Cluster] == nil {
			cells[k.Cluster] = map[string]cell{}
		}
		c := cells[k.Cluster][k.Case]
		switch was, is := slices.Index(worseness, c.worst), slices.Index(worseness, k.State); {
		case is > was:
			c.worst, c.n = k.State, 1
		case is == was:
			c.n++
		}
		c.of++
		cells[k.Cluster][k.Case], cases[k.Case] = c, true
	}
	columns := slices.Sorted(maps.Keys(cases))
	if len(columns) > mostColumns {
		return fault.New(fault.Invalid, "cannot draw %d cases beside each other: name one, or leave --matrix out", len(columns))
	}
	rows := [][]string{{"CLUSTER"}}
	for _, c := range columns {
		rows[0] = append(rows[0], strings.ToUpper(c))
	}
	for _, cluster := range slices.Sorted(maps.Keys(cells)) {
		row := []string{cluster}
		for _, probeCase := range columns {
			c, there := cells[cluster][probeCase]
			switch {
			case !there:
				row = append(row, "-")
			case c.of > 1:
				row = append(row, string(c.worst)+" "+strconv.Itoa(c.n)+"/"+strconv.Itoa(c.of))
			default:
				row = append(row, string(c.worst))
			}
		}
		rows = append(rows, row)
	}
	return table(w, rows)
}

// binding is what a binding does, as far as stands say it.
type binding struct {
	Name     string   `json:"name"`
	Cases    []string `json:"cases"`
	Clusters []string `json:"clusters"`
	Schedule string   `json:"schedule"`
	Events   []string `json:"events"`
	Enforced bool     `json:"enforced"`
	Missed   int64    `json:"missed"`
}

func newCmdGetProbeBindings(f *Factory) *cobra.Command {
	var query engine.ProbesQuery
	cmd := newList(f, &listOptions{}, &cobra.Command{
		Use:   "probebindings",
		Short: "List which bindings run which cases where, and when",
		Long: `List bindings of probes as they are in the clusters, which say of each case what bound it. One that no
cluster has yet is not in it: it is in git, and comes with the component that ships it.`,
		Example: `  sluice get probebindings
  sluice get probebindings --cluster prod-eu-1 -o json`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, _ *listOptions) ([]binding, error) {
		all, err := e.Probes(ctx, query)
		return bindingsOf(all), err
	}, []string{"BINDING", "CASES", "CLUSTERS", "SCHEDULE", "EVENTS", "ENFORCED", "MISSED"}, func(b binding) []string {
		enforced := "no"
		if b.Enforced {
			enforced = "yes"
		}
		return []string{
			b.Name, strings.Join(b.Cases, ", "), fmt.Sprint(len(b.Clusters)), or(b.Schedule), or(strings.Join(b.Events, ", ")), enforced,
			strconv.FormatInt(b.Missed, 10),
		}
	})
	cmd.Flags().StringVar(&query.Cluster, "cluster", "", "those of `CLUSTER` alone")
	return cmd
}

func bindingsOf(all []engine.KnownProbe) (bindings []binding) {
	at, missed := map[string]int{}, map[[3]string]bool{}
	for _, k := range all {
		if k.Binding == "" {
			continue
		}
		i, there := at[k.Binding]
		if !there {
			i = len(bindings)
			at[k.Binding], bindings = i, append(bindings, binding{Name: k.Binding, Schedule: when(k.Mode, k.Schedule)})
		}
		b := &bindings[i]
		b.Cases, b.Clusters = with(b.Cases, k.Case), with(b.Clusters, k.Cluster)
		for _, e := range k.Events {
			b.Events = with(b.Events, string(e.On))
		}
		b.Enforced = b.Enforced || k.Enforcement.Mode == probing.Enforcing
		if one := [3]string{k.Binding, k.Cluster, k.Case}; !missed[one] { // it is of the case, whatever its targets
			missed[one], b.Missed = true, b.Missed+k.Missed
		}
	}
	slices.SortFunc(bindings, func(a, b binding) int { return strings.Compare(a.Name, b.Name) })
	return bindings
}

// with adds a text to a list in order that has not got it.
func with(all []string, text string) []string {
	i, there := slices.BinarySearch(all, text)
	if there {
		return all
	}
	return slices.Insert(all, i, text)
}

// when says when a case runs by itself.
func when(m probing.Mode, s probing.Schedule) string {
	switch {
	case m == probing.Resident:
		return "all the time"
	case s.Cron != "" && s.Zone != "":
		return s.Cron + " (" + s.Zone + ")"
	case s.Cron != "":
		return s.Cron
	case s.Every.Duration > 0:
		return "every " + pipelines.Duration(s.Every.Duration).String()
	}
	return ""
}
