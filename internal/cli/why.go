package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// WhyOptions are what why needs.
type WhyOptions struct {
	Factory *Factory
	Run     string
	About   string
	Format  format
}

// NewCmdWhy says what a run waits for.
func NewCmdWhy(f *Factory, runF func(context.Context, *WhyOptions) error) *cobra.Command {
	opts := &WhyOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "why RUN [PART]",
		Short: "Say what a run waits for, since when, and who can act",
		Long: `Say of a run, or of a task, stage, cluster, unit or batch of it: what it waits for, since when, which
conditions are not met and what was seen, who can act, and when it changes by itself. Of a task it
says why it was skipped or failed, too.`,
		Example: `  sluice why node-agent-2
  sluice why node-agent-2 prod-eu-1
  sluice why node-agent-2 production/prod-eu-1 -o json`,
		Args: between(1, "RUN", "PART"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Run = args[0]
			if len(args) > 1 {
				opts.About = args[1]
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return whyRun(cmd.Context(), opts)
		},
	}
	addOutput(cmd, &opts.Format)
	return cmd
}

func whyRun(ctx context.Context, o *WhyOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	why, err := e.Why(ctx, o.Run, o.About)
	if err != nil {
		return err
	}
	return o.Format.print(o.Factory.Out, why, func() error {
		_, err := io.WriteString(shown{o.Factory.Out}, explain(why, o.Factory.Clock.Now()))
		return fault.Wrap(fault.Internal, err, "cannot print")
	})
}

// explain writes an explanation for people.
func explain(why engine.Explanation, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s\n", why.Run, why.Phase)
	if why.Note != "" {
		fmt.Fprintf(&b, "note: %s\n", why.Note)
	}
	for _, o := range why.Orders {
		fmt.Fprintf(&b, "order stands: %s, since %s; it acts as soon as a worker takes the run up\n", oneLine(o.String()), ago(o.Since, now))
	}
	for _, pass := range why.Bypasses {
		fmt.Fprintf(&b, "may pass %s\n", oneLine(pass.String()))
	}
	explainNext(&b, why, now)
	if len(why.Reasons) == 0 {
		b.WriteString("nothing in it waits for anything\n")
	}
	explainResults(&b, "", why.Results, why.ResultsLeftOut)
	for _, r := range why.Reasons {
		fmt.Fprintf(&b, "\n%s: %s\n", r.Subject, r.Phase)
		explainWaiting(&b, r.Waiting, now)
		for i, a := range r.Attempts {
			fmt.Fprintf(&b, "  attempt %-3d %s\n", i+1, oneLine(strings.Trim(a.Reason+": "+a.Message, ": ")))
		}
		explainResults(&b, "  ", r.Results, nil)
		if r.Failure != nil {
			explainFailure(&b, r)
		}
		if r.Cause != nil {
			fmt.Fprintf(&b, "  went back   from %s, for ", or(r.CauseAt))
			explainCheck(&b, *r.Cause)
		}
		explainBlame(&b, r.Blame)
		if r.Batch != nil {
			fmt.Fprintf(&b, "  at          %s, batch %d, %d of %d pods updated, target %d\n",
				r.Batch.NodeSet, r.Batch.Number, r.Batch.Updated, r.Batch.Total, r.Batch.Target)
		}
		if p := r.Progress; p != nil && p.Total > 0 {
			fmt.Fprintf(&b, "  progress    %d of %d updated, %d ready%s\n", p.Updated, p.Target, p.Ready, stalled(p.Stalled, p.Note))
		}
		for _, object := range r.Stays {
			fmt.Fprintf(&b, "  stays       %s\n", oneLine(object))
		}
		if r.Counted != "" {
			fmt.Fprintf(&b, "  measured    %s\n", r.Counted)
		}
		for _, found := range r.Advises {
			fmt.Fprintf(&b, "  advises     %s\n", oneLine(found))
		}
		for _, batch := range r.Borne {
			fmt.Fprintf(&b, "  failed      %s\n", oneLine(batch))
		}
		for _, of := range r.Behind {
			explainBehind(&b, of, now)
		}
		explainStuck(&b, r.Stuck, now)
		if r.Retry != "" {
			fmt.Fprintf(&b, "  tries again %s\n", oneLine(r.Retry))
		}
		if r.Ending != nil && r.Phase.Final() {
			fmt.Fprintf(&b, "  ended by    %s\n", oneLine(strings.TrimSuffix(r.Ending.By+": "+r.Ending.Reason, ": ")))
		}
		if !r.Since.IsZero() {
			fmt.Fprintf(&b, "  got on      %s\n", ago(r.Since, now))
		}
		explainEnd(&b, r)
	}
	return b.String()
}

// explainNext says what comes next without anybody doing anything, and when anything got on last.
func explainNext(b *strings.Builder, why engine.Explanation, now time.Time) {
	if n := why.Next; n != nil {
		of := ""
		if n.Subject != "" {
			of = n.Subject + ": "
		}
		switch {
		case n.Needs != "":
			fmt.Fprintf(b, "next: nothing, until %s (%s%s)\n", oneLine(n.Needs), of, oneLine(n.What))
		case !n.At.IsZero():
			fmt.Fprintf(b, "next: %s%s, at %s (%s)\n", of, oneLine(n.What), stamp(n.At), until(n.At, now))
		default:
			fmt.Fprintf(b, "next: %s%s\n", of, oneLine(n.What))
		}
	}
	if l := why.Last; l != nil {
		fmt.Fprintf(b, "last progress: %s: %s\n", ago(l.At, now), oneLine(l.What))
	}
}

// until writes how long it is to a time.
func until(t, now time.Time) string {
	if left := t.Sub(now).Round(time.Second); left > 0 {
		return "in " + left.String()
	}
	return "now"
}

// explainResults lists what a run or a task has handed out.
func explainResults(b *strings.Builder, indent string, results []pipelines.ParamValue, leftOut []string) {
	for _, v := range results {
		fmt.Fprintf(b, "%sresult      %s: %s\n", indent, v.Name, shortened(v.Text(), 200))
	}
	for _, name := range leftOut {
		fmt.Fprintf(b, "%sleft out    result %s: all of them have room for 4096 bytes\n", indent, name)
	}
}

// explainBehind says which nodes are dead, why and since when.
func explainBehind(b *strings.Builder, of goal.Behind, now time.Time) {
	fmt.Fprintf(b, "  behind      %d of %d nodes of %s, node set %s\n", of.Count, of.Total, of.Workload, of.NodeSet)
	for _, n := range of.Nodes {
		since := ""
		if !n.Since.IsZero() {
			since = ", since " + ago(n.Since, now)
		}
		fmt.Fprintf(b, "              %s: %s%s\n", n.Name, oneLine(n.Why), since)
	}
	if more := of.Count - len(of.Nodes); more > 0 {
		fmt.Fprintf(b, "              and %d more\n", more)
	}
}

func explainWaiting(b *strings.Builder, w *api.Waiting, now time.Time) {
	if w == nil {
		b.WriteString("  waits for   nothing\n")
		return
	}
	fmt.Fprintf(b, "  waits for   %s\n", or(strings.TrimSpace(string(w.Kind)+" "+w.Name)))
	if !w.Since.IsZero() {
		fmt.Fprintf(b, "  since       %s\n", ago(w.Since, now))
	}
	for i, unmet := range w.Unmet {
		head := ""
		if i == 0 {
			head = "not met"
			if w.Kind == api.WaitPerson {
				head = "reason"
			}
		}
		fmt.Fprintf(b, "  %-11s %s\n", head, oneLine(unmet))
	}
	if who := w.Actor(); who != "" {
		fmt.Fprintf(b, "  who can act %s\n", who)
	}
	if !w.Until.IsZero() {
		fmt.Fprintf(b, "  by itself   at %s\n", stamp(w.Until))
	}
}

// explainStuck lists the pods that keep a batch.
func explainStuck(b *strings.Builder, s *api.Stuck, now time.Time) {
	if s == nil {
		return
	}
	for _, p := range s.Pods {
		fmt.Fprintf(b, "  pod         %s%s: %s", p.Name, before(" on ", p.Node), p.Reason)
		if p.Restarts > 0 {
			fmt.Fprintf(b, ", %d restarts", p.Restarts)
		}
		if !p.Since.IsZero() {
			fmt.Fprintf(b, ", since %s", ago(p.Since, now))
		}
		b.WriteString("\n")
		if p.Image != "" {
			fmt.Fprintf(b, "    image     %s (container %s)\n", p.Image, p.Container)
		}
		if p.Message != "" {
			fmt.Fprintf(b, "    says      %s\n", shortened(p.Message, 200))
		}
		for _, e := range p.Events {
			fmt.Fprintf(b, "    event     %s\n", shortened(e, 200))
		}
	}
	if s.More > 0 {
		fmt.Fprintf(b, "  and         %d more pods that are not as they should be\n", s.More)
	}
	if s.Missing > 0 {
		fmt.Fprintf(b, "  missing     %d pods that nobody has made yet\n", s.Missing)
	}
}

// explainEnd says how it goes on: by itself, or by what would help.
func explainEnd(b *strings.Builder, r engine.Reason) {
	if r.Holder != "" {
		fmt.Fprintf(b, "  held by     run %s\n", r.Holder)
	}
	if r.ByItself != "" {
		fmt.Fprintf(b, "  by itself   %s\n", r.ByItself)
	}
	for i, c := range r.Commands {
		head := ""
		if i == 0 {
			head = "try"
		}
		fmt.Fprintf(b, "  %-11s %s\n", head, c)
	}
}

// before is a text with something in front of it, "" where it is empty.
func before(what, text string) string {
	if text == "" {
		return ""
	}
	return what + text
}

func explainFailure(b *strings.Builder, r engine.Reason) {
	fmt.Fprintf(b, "  stopped at  %s, by ", or(r.FailedAt))
	explainCheck(b, *r.Failure)
	at := r.Batch
	if at == nil {
		at = r.Stopped
	}
	if at == nil {
		return
	}
	for _, c := range at.Checks {
		if c.Name != r.Failure.Name && c.Verdict != api.Passed && c.Verdict != api.Skipped {
			b.WriteString("  there       ")
			explainCheck(b, c)
		}
	}
}

func explainCheck(b *strings.Builder, c api.Check) {
	fmt.Fprintf(b, "%s %s: %s\n", c.Name, c.Verdict, oneLine(c.Message))
	for _, name := range slices.Sorted(maps.Keys(c.Seen)) {
		value, err := json.Marshal(c.Seen[name])
		if err != nil {
			value = fmt.Append(nil, c.Seen[name])
		}
		fmt.Fprintf(b, "  seen        %s = %s\n", name, shortened(string(value), 160))
	}
}

func stalled(is bool, note string) string {
	text := ""
	if is {
		text = "; stalled"
	}
	if note != "" {
		text += "; " + oneLine(note)
	}
	return text
}

// ago writes a time with how long it is past.
func ago(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", stamp(t), max(now.Sub(t), 0).Round(time.Second))
}

// oneLine keeps what others wrote from breaking lines apart.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
