package check

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestAnAttemptAtATask(t *testing.T) {
	results := func(all map[string]any) []Finding { return []Finding{{Verdict: api.Passed, Results: all}} }
	for _, c := range []struct {
		reason   string
		finds    []Finding
		declared []pipelines.TaskResult
		want     string // reason: message
		results  []pipelines.ParamValue
	}{
		{"every step passed", verdicts("P"), nil, "Succeeded: All Steps have completed executing", nil},
		{"a step failed", verdicts("F"), nil, "Failed: t/step: Failed: F", nil},
		{"a step could not tell: that is no pass", verdicts("I"), nil, "Failed: t/step: Inconclusive: I", nil},
		{"nobody could look: neither is that", verdicts("E"), nil, "Failed: t/step: Error: 5 tries in a row did not work: E", nil},
		{
			"what is declared is kept, in its type, as text and from JSON too",
			results(map[string]any{"n": float64(3), "text": "x", "share": "0.5", "other": "left out"}),
			[]pipelines.TaskResult{{Name: "text", Type: "string"}, {Name: "n", Type: "int"}, {Name: "share", Type: "double"}, {Name: "none"}},
			"Succeeded: All Steps have completed executing",
			[]pipelines.ParamValue{{Name: "n", Value: int64(3)}, {Name: "share", Value: 0.5}, {Name: "text", Value: "x"}},
		},
		{
			"arrays and objects, from JSON and as text",
			results(map[string]any{"hosts": []any{"a", "b"}, "link": `{"url": "u"}`}),
			[]pipelines.TaskResult{{Name: "hosts", Type: "array"}, {Name: "link", Type: "object", Properties: map[string]pipelines.Property{"url": {}}}},
			"Succeeded: All Steps have completed executing",
			[]pipelines.ParamValue{{Name: "hosts", Value: []string{"a", "b"}}, {Name: "link", Value: map[string]string{"url": "u"}}},
		},
		{
			"an object without a key", results(map[string]any{"link": map[string]any{}}),
			[]pipelines.TaskResult{{Name: "link", Type: "object", Properties: map[string]pipelines.Property{"url": {}}}},
			"TaskValidationFailed: result link has no key url", nil,
		},
		{
			"a result of another type", results(map[string]any{"n": "three"}), []pipelines.TaskResult{{Name: "n", Type: "int"}},
			`TaskValidationFailed: result n must be of type int, not "three"`, nil,
		},
		{
			"results that are too large", results(map[string]any{"n": strings.Repeat("x", 4096)}), []pipelines.TaskResult{{Name: "n", Type: "string"}},
			"TaskRunResultLargerThanAllowedLimit: the results take 4097 bytes, at most 4096 are allowed", nil,
		},
		{
			"results that are just not", results(map[string]any{"n": strings.Repeat("x", 4095)}), []pipelines.TaskResult{{Name: "n", Type: "string"}},
			"Succeeded: All Steps have completed executing", []pipelines.ParamValue{{Name: "n", Value: strings.Repeat("x", 4095)}},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			task := aCheck("t", pipelines.Repeat{})
			said := Tallies{}
			i := Inquiry{Point: pipelines.BeforeRun, Checks: []pipelines.ResolvedCheck{task}, Say: func(t Tallies) { said = t }}
			got, err := measurerOf(newScript(c.finds...)).Attempt(t.Context(), i, c.declared)
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if text := got.Reason + ": " + got.Message; text != c.want || got.Succeeded != strings.HasPrefix(c.want, "Succeeded") {
				t.Errorf("%s: %t, %s; want %s", c.reason, got.Succeeded, text, c.want)
			}
			if diff := cmp.Diff(c.results, got.Results); diff != "" {
				t.Errorf("%s: results (-want +got):\n%s", c.reason, diff)
			}
			if len(got.Steps) != 1 || len(said) != 1 {
				t.Errorf("%s: it tells of steps %+v, and heartbeats carry %+v", c.reason, got.Steps, said)
			}

			// Whoever takes it up after all was measured, and before that was heard, measures nothing again.
			again := newScript(verdicts("F")...)
			i.Before = said
			twice, err := measurerOf(again).Attempt(t.Context(), i, c.declared)
			if err != nil || twice.Reason != got.Reason || len(again.asked) > 0 {
				t.Errorf("%s: taken up again it says %s, %v, and has asked %d times", c.reason, twice.Reason, err, len(again.asked))
			}
		})
	}
}

func TestAnAttemptThatIsCutShortIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		slow := SourceFunc(func(ctx context.Context, _ Question) Finding {
			<-ctx.Done()
			return Finding{Verdict: api.Passed}
		})
		task := aCheck("t", pipelines.Repeat{Timeout: new(pipelines.Duration(time.Hour))})
		got, err := measurerOf(slow).Attempt(ctx, Inquiry{Checks: []pipelines.ResolvedCheck{task}}, nil)
		if err == nil || got.Succeeded {
			t.Errorf("it says %+v, %v", got, err)
		}
	})
}

func TestWhetherATaskRuns(t *testing.T) {
	in := func(input string, op pipelines.WhenOperator, values ...string) pipelines.When {
		return pipelines.When{Input: input, Operator: op, Values: values}
	}
	for _, c := range []struct {
		reason string
		when   []pipelines.When
		want   bool
		says   string
	}{
		{"nothing is asked", nil, true, ""},
		{"a text among others", []pipelines.When{in("a", pipelines.WhenIn, "b", "a")}, true, ""},
		{"a text that is not", []pipelines.When{in("a", pipelines.WhenIn, "b")}, false, ""},
		{"a text that must not be", []pipelines.When{in("a", pipelines.WhenNotIn, "a")}, false, ""},
		{"a text that must not be, and is not", []pipelines.When{in("a", pipelines.WhenNotIn, "b")}, true, ""},
		{"all must hold", []pipelines.When{in("a", pipelines.WhenIn, "a"), {CEL: "params.least > 3"}}, false, ""},
		{"a rule over params, results and the change", []pipelines.When{{CEL: "tasks.`pre-check`.results.n > params.least && change.version == '2'"}}, true, ""},
		{"a result that is not there", []pipelines.When{{CEL: "tasks.other.results.n > 1"}}, false, "there is no task other"},
	} {
		got, err := New().Whether(t.Context(), step.WhetherRequest{
			When: c.when, Change: rule.Change{Version: "2"}, Params: []pipelines.ParamValue{{Name: "least", Value: int64(3)}},
			Results: []step.YieldedResult{{Task: "pre-check", Result: pipelines.ParamValue{Name: "n", Value: int64(4)}}},
		})
		if got != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %t, %v", c.reason, got, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := New().Whether(ended, step.WhetherRequest{When: []pipelines.When{{CEL: "true"}}}); got || err == nil {
		t.Errorf("a context that ended says %t, %v", got, err)
	}
}
