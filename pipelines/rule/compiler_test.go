package rule_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines/rule"
)

var params = []rule.Param{
	{Name: "text", Type: rule.TypeString},
	{Name: "count", Type: rule.TypeInt},
	{Name: "share", Type: rule.TypeDouble},
	{Name: "strict", Type: rule.TypeBool},
	{Name: "wait", Type: rule.TypeDuration},
}

func TestCompile(t *testing.T) {
	cases := map[string]struct {
		reason string
		scope  rule.Scope
		source string
		want   string // issues
	}{
		"A batch sees workload, batch, unit and change": {
			reason: "that is its scope",
			scope:  rule.ScopeBatch,
			source: "workload.ready >= batch.target && unit.environment != '' && change.version != change.previous",
		},
		"A cluster sees workload, unit and change": {
			reason: "that is its scope",
			scope:  rule.ScopeCluster,
			source: "workload.unavailable == 0 && unit.labels['tier'] == 'gold' && change.run != ''",
		},
		"A stage sees stage and change": {
			reason: "that is its scope",
			scope:  rule.ScopeStage,
			source: "stage.succeeded == stage.units && change.component == 'agent'",
		},
		"Params have the types that they are declared with": {
			reason: "they are values, not pasted text",
			scope:  rule.ScopeStage,
			source: "params.text == '' || params.count > 1 || params.share > 0.5 || params.strict || params.wait > duration('1m')",
		},
		"Lists of structs are typed to the field": {
			reason: "events are facts too",
			scope:  rule.ScopeBatch,
			source: "workload.events.all(e, e.count < 3 && e.reason != 'BackOff') && workload.waiting.size() == 0",
		},
		"Libraries": {
			reason: "strings, lists and math are there",
			scope:  rule.ScopeBatch,
			source: "workload.name.split('-').size() > 0 && math.greatest(workload.ready, 1) == 1 && lists.range(3).slice(0, 1).size() == 1",
		},
		"A loop variable hides a fact": {
			reason: "as in CEL",
			scope:  rule.ScopeStage,
			source: "[1, 2].exists(workload, workload == 2)",
		},
		"A fact of another scope": {
			reason: "the message says which scope the rule was compiled for, and where the fact is known",
			scope:  rule.ScopeStage,
			source: "stage.failed == 0 && workload.ready > 0",
			want:   "1:22: cannot read workload in a rule of scope stage, which has stage and change; workload is known in scope batch and cluster",
		},
		"A batch fact at a cluster": {
			reason: "a cluster has no open batch",
			scope:  rule.ScopeCluster,
			source: "batch.target == 1",
			want:   "1:1: cannot read batch in a rule of scope cluster, which has workload, unit and change; batch is known in scope batch",
		},
		"A misspelt field": {
			reason: "it would be an error at every look",
			scope:  rule.ScopeBatch,
			source: "workload.updatedRedy == 1",
			want:   "1:10: workload has no field updatedRedy: did you mean updatedReady?",
		},
		"A misspelt field of an event": {
			reason: "the checker finds it, on the field too",
			scope:  rule.ScopeBatch,
			source: "workload.events.exists(e, e.reson == '')",
			want:   "1:29: undefined field 'reson'",
		},
		"A misspelt fact": {
			reason: "",
			scope:  rule.ScopeBatch,
			source: "worklod.ready == 1",
			want:   "1:1: unknown name 'worklod': did you mean workload?",
		},
		"A misspelt param": {
			reason: "",
			scope:  rule.ScopeBatch,
			source: "params.shar > 0.5",
			want:   "1:8: there is no param shar here: did you mean share?",
		},
		"All params at once": {
			reason: "there is no such value",
			scope:  rule.ScopeBatch,
			source: "params == 1",
			want:   "1:1: params is no value by itself: read params.NAME",
		},
		"Wrong types": {
			reason: "",
			scope:  rule.ScopeBatch,
			source: "params.share > workload.ready",
			want:   "1:14: found no matching overload for '>' applied to '(double, int)'",
		},
		"Not a bool": {
			reason: "a gate holds or does not",
			scope:  rule.ScopeBatch,
			source: "workload.ready",
			want:   "1:1: the rule yields int, not bool",
		},
		"Perhaps a bool": {
			reason: "nobody could tell before it runs",
			scope:  rule.ScopeBatch,
			source: "dyn(true)",
			want:   "1:1: the rule yields dyn, not bool",
		},
		"has() of a field": {
			reason: "it asks for zero, which is hardly what is meant",
			scope:  rule.ScopeBatch,
			source: "has(workload.ready)",
			want:   "1:5: workload.ready is always there: compare its value instead of asking has()",
		},
		"has() of a param": {
			reason: "every param has a value",
			scope:  rule.ScopeBatch,
			source: "has(params.count)",
			want:   "1:5: params.count is always there: compare its value instead of asking has()",
		},
		"has() of a label": {
			reason: "labels may be there or not",
			scope:  rule.ScopeBatch,
			source: "has(unit.labels.tier)",
		},
		"An object": {
			reason: "facts are seen, not made",
			scope:  rule.ScopeBatch,
			source: "rule.Batch{number: 1} == batch",
			want:   "1:11: a rule cannot build objects",
		},
		"Two lines, three mistakes": {
			reason: "all of them at once, in order",
			scope:  rule.ScopeBatch,
			source: "workload.redy == 1 &&\n  stage.units == 1 && nope",
			want: "1:10: workload has no field redy: did you mean ready?\n" +
				"2:3: cannot read stage in a rule of scope batch, which has workload, batch, unit and change; stage is known in scope stage\n" +
				"2:23: unknown name 'nope'",
		},
		"Nothing": {
			reason: "an empty rule is a forgotten one",
			scope:  rule.ScopeBatch,
			source: " \n",
			want:   "1:1: the rule is empty",
		},
		"Half a rule": {
			reason: "",
			scope:  rule.ScopeBatch,
			source: "workload.ready ==",
			want:   "1:18: syntax error: the rule ends too early",
		},
		"A bad regular expression": {
			reason: "it would be an error at every look",
			scope:  rule.ScopeBatch,
			source: "workload.name.matches('(')",
			want:   "1:23: invalid matches argument",
		},
		"A bad duration": {
			reason: "it would be an error at every look",
			scope:  rule.ScopeBatch,
			source: "params.wait > duration('ten')",
			want:   "1:24: invalid duration argument",
		},
		"Four loops": {
			reason: "the cost is the product",
			scope:  rule.ScopeBatch,
			source: "[1].all(a, [1].all(b, [1].all(c, [1].all(d, a+b+c+d > 0))))",
			want:   "1:41: comprehension exceeds nesting limit",
		},
		"A rule that is too long": {
			reason: "nobody can review it",
			scope:  rule.ScopeBatch,
			source: strings.Repeat("true && ", 600) + "true",
			want:   "1:1: the rule has 4804 characters, at most 4096 are allowed",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			program, err := rule.NewCompiler().Compile(tc.scope, params, tc.source)
			got := ""
			if err != nil {
				got = err.Error()
				if issues := rule.Issues(nil); !errors.As(err, &issues) || len(issues) == 0 {
					t.Errorf("the error is no Issues: %T", err)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("\n%s\nCompile(%s, %q): issues (-want +got):\n%s", tc.reason, tc.scope, tc.source, diff)
			}
			if err == nil && (program.Source() != tc.source || program.Scope() != tc.scope) {
				t.Errorf("the program is of %q in %s", program.Source(), program.Scope())
			}
		})
	}
}

func TestCompileForNoScope(t *testing.T) {
	_, err := rule.NewCompiler().Compile("galaxy", nil, "true")
	if want := `cannot build rule environment: there is no scope "galaxy"`; err == nil || err.Error() != want {
		t.Errorf("Compile(galaxy): got %v, want %s", err, want)
	}
}

func TestCompilerRemembers(t *testing.T) {
	c := rule.NewCompiler()
	first, err := c.Compile(rule.ScopeBatch, params, "params.strict")
	if err != nil {
		t.Fatal(err)
	}
	reversed := []rule.Param{params[4], params[3], params[2], params[1], params[0]}
	again, err := c.Compile(rule.ScopeBatch, reversed, "params.strict")
	if err != nil {
		t.Fatal(err)
	}
	if first != again {
		t.Error("the same rule with the same params was compiled twice")
	}
	other, err := c.Compile(rule.ScopeCluster, params, "params.strict")
	if err != nil {
		t.Fatal(err)
	}
	if first == other {
		t.Error("a rule of another scope is the same program")
	}
	if _, err := c.Compile(rule.ScopeBatch, []rule.Param{{Name: "strict", Type: rule.TypeInt}}, "params.strict"); err == nil {
		t.Error("a rule with params of other types was taken for the same")
	}
	for i := range 3_000 {
		if _, err := c.Compile(rule.ScopeStage, nil, fmt.Sprintf("stage.units > %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	forgotten, err := c.Compile(rule.ScopeBatch, params, "params.strict")
	if err != nil {
		t.Fatal(err)
	}
	if forgotten == first {
		t.Error("the compiler remembers without bound")
	}
}

func TestCompilerIsSafeForConcurrentUse(t *testing.T) {
	c := rule.NewCompiler()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				program, err := c.Compile(rule.ScopeBatch, params, fmt.Sprintf("workload.ready >= %d", (i+j)%10))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := program.Eval(t.Context(), rule.Facts{}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
