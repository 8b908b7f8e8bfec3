package check

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func size(t *testing.T, v any) int {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(body)
}

// TestAHeartbeatOfManyStepsIsShort plays hundreds of steps that say and see as much as one may; what was counted is all there.
func TestAHeartbeatOfManyStepsIsShort(t *testing.T) {
	all := Tallies{}
	for n := range 300 {
		all[fmt.Sprint("check/step-", n)] = Tally{
			Measured: 10 + n, Passed: n, Message: strings.Repeat("m", maxMessage), Waits: strings.Repeat("w", maxMessage),
			Seen: map[string]any{"series": strings.Repeat("s", maxSeen-100)},
			Kept: []byte(`"kept"`), Results: Results{"value": int64(n)},
		}
	}
	all["check/small"] = Tally{Measured: 1, Message: "all is well", Seen: map[string]any{"series": int64(3)}}
	before := size(t, all)
	said := Spared(all)
	if n := size(t, said); before < 2<<20 || n > maxSaid {
		t.Errorf("%d bytes are said in %d", before, n)
	}
	for name, t0 := range all {
		got := said[name]
		if got.Measured != t0.Measured || got.Passed != t0.Passed || string(got.Kept) != string(t0.Kept) || got.Results["value"] != t0.Results["value"] {
			t.Fatalf("of %s it is said: %+v", name, got)
		}
		if len(t0.Message) < 1000 && (got.Message != t0.Message || got.Seen["series"] != int64(3)) {
			t.Errorf("a short one gave up what it said: %+v", got)
		}
	}
	if all["check/step-0"].Seen["series"] == nil {
		t.Error("what goes on counting lost what it saw")
	}
}

// TestAnAnswerOfManyChecksIsShort: what did not pass says all, what passed little.
func TestAnAnswerOfManyChecksIsShort(t *testing.T) {
	s := newScript(Finding{Verdict: api.Passed, Message: strings.Repeat("m", 900), Seen: map[string]any{"series": strings.Repeat("s", 7000)}})
	bad := SourceFunc(func(ctx context.Context, q Question) Finding {
		f := s.Ask(ctx, q)
		if strings.HasPrefix(q.Step.Name, "check-299/") {
			f.Verdict = api.Failed
		}
		return f
	})
	var checks []pipelines.ResolvedCheck
	for n := range 300 {
		checks = append(checks, aCheck(fmt.Sprint("check-", n), pipelines.Repeat{}))
	}
	found, err := measurerOf(bad).Ask(t.Context(), Inquiry{Point: pipelines.AfterBatch, Checks: checks})
	if err != nil || len(found) != 300 {
		t.Fatalf("%d, %v", len(found), err)
	}
	last := found[299]
	if n := size(t, found); n > maxSaid || last.Verdict != api.Failed || last.Seen["series"] == nil || found[298].Seen["tooLong"] != true {
		t.Errorf("%d bytes; the one that failed saw %v", n, last.Seen)
	}
}

// TestWhatIsKeptHasABound: beyond it a measurement is an Error that says so, and what was kept before stays.
func TestWhatIsKeptHasABound(t *testing.T) {
	b := newBook(Inquiry{})
	full := Finding{Verdict: api.Passed, Keep: []byte(`"` + strings.Repeat("k", maxKept-2) + `"`)}
	for n := range maxCounted / maxKept {
		name := fmt.Sprint("step-", n)
		if f := b.within(name, full); f.Verdict != api.Passed {
			if n < maxCounted/maxKept-1 {
				t.Fatalf("step %d finds no room: %s", n, f.Message)
			}
			break
		}
		b.keep(name, Tally{Kept: full.Keep})
	}
	for range 3 { // one that keeps what it kept before needs nothing more
		if f := b.within("step-0", full); f.Verdict != api.Passed {
			t.Errorf("a step has no room for what it had: %s", f.Message)
		}
		b.keep("step-0", Tally{Kept: full.Keep})
	}
	f := b.within("one more", full)
	if f.Verdict != api.Error || !strings.Contains(f.Message, "at most 1048576 can be") {
		t.Errorf("one more is %+v", f)
	}
	if f := b.within("one more", Finding{Verdict: api.Passed}); f.Verdict != api.Passed {
		t.Errorf("one that keeps nothing is %+v", f)
	}
}

func TestResultsOfAStepHaveABound(t *testing.T) {
	for n, want := range map[int]api.Verdict{8000: api.Passed, 9000: api.Error} {
		f := bounded(Finding{Verdict: api.Passed, Results: Results{"found": strings.Repeat("r", n)}})
		if f.Verdict != want || want == api.Error && f.Results != nil {
			t.Errorf("results of %d bytes are %s: %s", n, f.Verdict, f.Message)
		}
	}
}

// TestResultsAreWhatTheyWereAfterACrash: a heartbeat is JSON, which has one kind of number.
func TestResultsAreWhatTheyWereAfterACrash(t *testing.T) {
	const large = 1<<53 + 1
	before := Tallies{"s": {Results: Results{"large": int64(large), "half": 0.5, "text": "1", "yes": true}}}
	body, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after Tallies
	if err := json.Unmarshal(body, &after); err != nil {
		t.Fatal(err)
	}
	for name, want := range before["s"].Results {
		if got := after["s"].Results[name]; got != want {
			t.Errorf("%s was %v, and is %v", name, want, got)
		}
	}
}

// TestNumbersOfABodyAreComparedWithoutLoss: two whole numbers that are one float64 are two.
func TestNumbersOfABodyAreComparedWithoutLoss(t *testing.T) {
	for _, c := range []struct {
		body   string
		wanted any
		says   string
	}{
		{`{"n": 9007199254740993}`, int64(9007199254740993), ""},
		{`{"n": 9007199254740992}`, int64(9007199254740993), "/n of the body is not 9007199254740993"},
		{`{"n": 9007199254740993.0}`, int64(9007199254740993), "/n of the body is too large to be compared without loss: write both as whole numbers"},
		{`{"n": 9007199254740993}`, 9007199254740992.0, "/n of the body is too large to be compared without loss: write both as whole numbers"},
		{`{"n": 1e999}`, int64(1), "/n of the body is beyond all numbers"},
		{`{"n": 4.2e1}`, int64(42), ""},
		{`{"n": 42}`, 42.0, ""},
		{`{"n": 0.1}`, 0.1, ""},
		{`{"n": 1}`, true, "/n of the body is not true"},
		{`{"n": "42"}`, int64(42), "/n of the body is not 42"},
		{`{"n": 1}}`, int64(1), "the body is no JSON"},
	} {
		// As a plan carries it.
		carried, err := json.Marshal(pipelines.JSONValue{Pointer: "/n", Equals: c.wanted})
		if err != nil {
			t.Fatal(err)
		}
		var wanted pipelines.JSONValue
		if err := json.Unmarshal(carried, &wanted); err != nil {
			t.Fatal(err)
		}
		if _, whole := c.wanted.(int64); whole && wanted.Equals != c.wanted {
			t.Errorf("a plan carries %v as %v", c.wanted, wanted.Equals)
		}
		says := ""
		if err := holds([]byte(c.body), []pipelines.JSONValue{{Pointer: "/n", Equals: c.wanted}}); err != nil {
			says = err.Error()
		}
		if says != c.says {
			t.Errorf("%s is held against %v: %q, want %q", c.body, c.wanted, says, c.says)
		}
	}
}
