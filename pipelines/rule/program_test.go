package rule_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines/rule"
)

func facts() rule.Facts {
	return rule.Facts{
		Workload: rule.Workload{
			Kind: "DaemonSet", Name: "agent", Desired: 10, Ready: 9, Updated: 5, UpdatedReady: 4, Waiting: []string{"ImagePullBackOff"},
			Events: []rule.Event{{Reason: "BackOff", Count: 3}},
		},
		Batch:  rule.Batch{Number: 2, Target: 5, Total: 10},
		Unit:   rule.Unit{Cluster: "cn-hz-1", Environment: "e2e", Labels: map[string]string{"tier": "gold"}},
		Change: rule.Change{Component: "agent", Version: "v2", Previous: "v1"},
		Stage:  rule.Stage{Units: 3, Succeeded: 3},
	}
}

func values() rule.Params {
	return rule.Params{"text": "x", "count": int64(3), "share": 0.5, "strict": true, "wait": 5 * time.Minute}
}

func mustCompile(t testing.TB, scope rule.Scope, source string) *rule.Program {
	t.Helper()
	program, err := rule.NewCompiler().Compile(scope, params, source)
	if err != nil {
		t.Fatalf("Compile(%s, %q): %v", scope, source, err)
	}
	return program
}

func TestEval(t *testing.T) {
	cases := map[string]struct {
		reason string
		scope  rule.Scope
		source string
		want   bool
		err    string
	}{
		"It holds":                  {"", rule.ScopeBatch, "workload.updatedReady < batch.target", true, ""},
		"It does not hold":          {"", rule.ScopeBatch, "workload.updatedReady == batch.target", false, ""},
		"Counts of a stage":         {"", rule.ScopeStage, "stage.succeeded == stage.units", true, ""},
		"Text of a change":          {"", rule.ScopeCluster, "change.version > change.previous", true, ""},
		"A list of texts":           {"", rule.ScopeBatch, "'ImagePullBackOff' in workload.waiting", true, ""},
		"Pods of the batch":         {"", rule.ScopeBatch, "batch.pods.size() == 0 && !('a' in batch.nodes)", true, ""},
		"Lost nodes":                {"", rule.ScopeBatch, "batch.updatedReady + batch.lost >= batch.target", false, ""},
		"Dead nodes":                {"", rule.ScopeBatch, "size(workload.behind) == 0 && !('n1' in workload.behind)", true, ""},
		"A list of events":          {"", rule.ScopeBatch, "workload.events.exists(e, e.reason == 'BackOff' && e.count > 2)", true, ""},
		"A label":                   {"", rule.ScopeBatch, "unit.labels.tier == 'gold'", true, ""},
		"A label that may be there": {"", rule.ScopeBatch, "has(unit.labels.rack) && unit.labels.rack == 'r1'", false, ""},
		"Params":                    {"", rule.ScopeBatch, "params.text == 'x' && params.count == 3 && params.share == 0.5 && params.strict", true, ""},
		"A duration":                {"", rule.ScopeBatch, "params.wait == duration('300s')", true, ""},
		"A missing label is an error": {
			"it is not false: nobody looked", rule.ScopeBatch, "unit.labels.rack == 'r1'", false, "cannot evaluate rule: no such key: rack",
		},
		"Division by zero is an error": {
			"it is not false: nobody could tell", rule.ScopeBatch, "workload.ready / batch.size > 1", false, "cannot evaluate rule: division by zero",
		},
		"An error that does not matter": {
			"as in CEL: true || error is true", rule.ScopeBatch, "workload.ready / batch.size > 1 || true", true, "",
		},
		"Past the end of a list": {
			"", rule.ScopeBatch, "workload.waiting[5] == ''", false, "cannot evaluate rule: index out of bounds: 5",
		},
		"Too much work": {
			"one rule must not take a worker with it", rule.ScopeBatch,
			"lists.range(1000).all(a, lists.range(1000).all(b, a * b >= 0))", false,
			"cannot evaluate rule: operation cancelled: actual cost limit exceeded",
		},
		"Text that doubles": {
			"memory is cost too", rule.ScopeBatch,
			"('a'" + strings.Repeat(".replace('a', 'aaaaaaaaaa')", 9) + ").size() > 0", false,
			"cannot evaluate rule: operation cancelled: actual cost limit exceeded",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := mustCompile(t, tc.scope, tc.source).Eval(t.Context(), facts(), values())
			printed := ""
			if err != nil {
				printed = err.Error()
			}
			if diff := cmp.Diff(tc.err, printed); diff != "" {
				t.Errorf("\n%s\nEval(%q): error (-want +got):\n%s", tc.reason, tc.source, diff)
			}
			if got != tc.want {
				t.Errorf("\n%s\nEval(%q): got %t, want %t", tc.reason, tc.source, got, tc.want)
			}
		})
	}
}

func TestEvalWithoutAParam(t *testing.T) {
	_, err := mustCompile(t, rule.ScopeBatch, "params.count == 3").Eval(t.Context(), facts(), nil)
	if err == nil || !strings.Contains(err.Error(), "params.count") {
		t.Errorf("Eval without params: got %v, want an error that names params.count", err)
	}
}

func TestEvalEndsWithItsContext(t *testing.T) {
	program := mustCompile(t, rule.ScopeBatch, "lists.range(200).all(a, lists.range(200).all(b, a * b >= 0))")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := program.Eval(ctx, facts(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Eval with a context that has ended: got %v, want it to wrap context.Canceled", err)
	}
}

func TestSeen(t *testing.T) {
	cases := map[string]struct {
		source string
		want   map[string]any
	}{
		"What the rule mentions, and no more": {
			"workload.updatedReady >= batch.target && params.share > 0.1 && change.version != ''",
			map[string]any{"workload.updatedReady": int64(4), "batch.target": int64(5), "params.share": 0.5, "change.version": "v2"},
		},
		"A label that is not there is left out": {
			"has(unit.labels.tier) && has(unit.labels.rack)",
			map[string]any{"unit.labels.tier": "gold"},
		},
		"A list is seen whole": {
			"workload.events.exists(e, e.count > 2) || workload.waiting[0] == ''",
			map[string]any{"workload.events": []rule.Event{{Reason: "BackOff", Count: 3}}, "workload.waiting": []string{"ImagePullBackOff"}},
		},
		"A constant sees nothing": {"1 < 2", map[string]any{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			program := mustCompile(t, rule.ScopeBatch, tc.source)
			if diff := cmp.Diff(tc.want, program.Seen(facts(), values())); diff != "" {
				t.Errorf("Seen of %q: -want +got:\n%s", tc.source, diff)
			}
		})
	}
	program := mustCompile(t, rule.ScopeBatch, "workload.updatedReady >= batch.target && params.strict")
	if diff := cmp.Diff([]string{"batch.target", "params.strict", "workload.updatedReady"}, program.Reads()); diff != "" {
		t.Errorf("Reads(): -want +got:\n%s", diff)
	}
	if !program.ReadsFact("batch") || program.ReadsFact("unit") || program.ReadsFact("work") {
		t.Errorf("ReadsFact: got batch %t, unit %t, work %t", program.ReadsFact("batch"), program.ReadsFact("unit"), program.ReadsFact("work"))
	}
}

func TestSuggest(t *testing.T) {
	cases := map[string]struct {
		reason  string
		written string
		names   []string
		want    string
	}{
		"A letter too few":      {"", "updatedRedy", []string{"updated", "updatedReady"}, ": did you mean updatedReady?"},
		"Two letters swapped":   {"one slip, not two", "cuont", []string{"size", "count"}, ": did you mean count?"},
		"Another case":          {"", "pause", []string{"Pause", "pass"}, ": did you mean Pause?"},
		"The start of one":      {"", "prod", []string{"test", "production"}, ": did you mean production?"},
		"The first of two":      {"the same text each time", "cet", []string{"bet", "get"}, ": did you mean bet?"},
		"Something else":        {"a wrong hint is worse than none", "namespace", []string{"replicas", "image"}, ""},
		"Too short to tell":     {"every letter is one slip from every other", "a", []string{"b"}, ""},
		"Nothing to choose":     {"", "ready", nil, ""},
		"Nothing written":       {"", "", []string{"ready"}, ""},
		"Letters beyond ASCII":  {"", "日本語", []string{"日本"}, ": did you mean 日本?"},
		"Longer by far":         {"", "x", []string{strings.Repeat("x", 100)}, ""},
		"Exactly what is there": {"for whoever asks anyway", "ready", []string{"ready"}, ": did you mean ready?"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := rule.Suggest(tc.written, tc.names); got != tc.want {
				t.Errorf("\n%s\nSuggest(%q, %q): got %q, want %q", tc.reason, tc.written, tc.names, got, tc.want)
			}
		})
	}
}
