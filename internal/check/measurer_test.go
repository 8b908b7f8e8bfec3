package check

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// script is a source that answers with one verdict after another, the last one for ever.
type script struct {
	mu      sync.Mutex
	answers []Finding
	asked   []Question
	at      []time.Duration
	began   time.Time
}

func newScript(answers ...Finding) *script { return &script{answers: answers, began: time.Now()} }

func (s *script) Ask(_ context.Context, q Question) Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.answers[min(len(s.asked), len(s.answers)-1)]
	s.asked, s.at = append(s.asked, q), append(s.at, time.Since(s.began))
	return f
}

func verdicts(letters string) (all []Finding) {
	for _, l := range letters {
		v := map[rune]api.Verdict{'P': api.Passed, 'F': api.Failed, 'I': api.Inconclusive, 'E': api.Error}[l]
		all = append(all, Finding{Verdict: v, Message: string(l)})
	}
	return all
}

func measurerOf(s Source) *Measurer {
	return NewMeasurer(clock.RealClock{}, NewRules(), Sources{"gate": s})
}

func aCheck(name string, r pipelines.Repeat, after ...string) pipelines.ResolvedCheck {
	return pipelines.ResolvedCheck{Name: name, RunAfter: after, Enforcement: pipelines.Enforcing, Steps: []pipelines.ResolvedStep{
		{Name: name + "/step", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}, Repeat: r},
	}}
}

func every(d time.Duration, r pipelines.Repeat) pipelines.Repeat {
	r.Interval = new(pipelines.Duration(d))
	return r
}

// TestMeasurementsAreCountedAsArgoRolloutsDoes plays measurements one after another at a point.
func TestMeasurementsAreCountedAsArgoRolloutsDoes(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		answers string
		repeat  pipelines.Repeat
		want    api.Verdict
		asked   int
		took    time.Duration
		says    string
	}{
		"once":                       {"without a word a step is measured once", "P", pipelines.Repeat{}, api.Passed, 1, 0, "P"},
		"failed":                     {"no failure is borne", "F", pipelines.Repeat{}, api.Failed, 1, 0, "F"},
		"inconclusive":               {"nor is one that cannot tell", "I", pipelines.Repeat{}, api.Inconclusive, 1, 0, "I"},
		"an error is tried again":    {"four in a row are borne", "EEEEP", pipelines.Repeat{}, api.Passed, 5, 40 * time.Second, "P"},
		"five errors":                {"the fifth is one too many", "EEEEE", pipelines.Repeat{}, api.Error, 5, 40 * time.Second, "5 tries in a row did not work: E"},
		"errors are counted in rows": {"a pass between them", "EEEEPEEEEP", every(time.Minute, pipelines.Repeat{Count: 2}), api.Passed, 10, 140 * time.Second, "P"},
		"count":                      {"all are made", "PPP", every(time.Minute, pipelines.Repeat{Count: 3}), api.Passed, 3, 2 * time.Minute, "P"},
		"delay":                      {"the first one waits", "P", pipelines.Repeat{InitialDelay: new(pipelines.Duration(time.Hour))}, api.Passed, 1, time.Hour, "P"},
		"one failure is borne":       {"within its limit", "PFP", every(time.Second, pipelines.Repeat{Count: 3, FailureLimit: new(1)}), api.Passed, 3, 2 * time.Second, "P"},
		"two are not": {
			"above it", "PFFP", every(time.Second, pipelines.Repeat{Count: 4, FailureLimit: new(1)}), api.Failed, 3, 2 * time.Second,
			"2 of 3 measurements failed, 1 are borne: F",
		},
		"any number is borne":      {"-1 switches the limit off", "FFF", every(time.Second, pipelines.Repeat{Count: 3, FailureLimit: new(-1)}), api.Passed, 3, 2 * time.Second, "F"},
		"inconclusive are borne":   {"one of three", "PIP", every(time.Second, pipelines.Repeat{Count: 3, InconclusiveLimit: new(1)}), api.Passed, 3, 2 * time.Second, "P"},
		"none has passed":          {"what was never seen to be good is no pass", "III", every(time.Second, pipelines.Repeat{Count: 3, InconclusiveLimit: new(5)}), api.Inconclusive, 3, 2 * time.Second, "I"},
		"failed within the limit":  {"nor what was only seen to be bad", "FF", every(time.Second, pipelines.Repeat{Count: 2, FailureLimit: new(5)}), api.Failed, 2, time.Second, "F"},
		"enough passed in a row":   {"the rest is not made", "FPPP", every(time.Second, pipelines.Repeat{Count: 9, FailureLimit: new(1), ConsecutiveSuccessLimit: 2}), api.Passed, 3, 2 * time.Second, "P"},
		"no error is borne":        {"where the limit is 0", "EP", pipelines.Repeat{ConsecutiveErrorLimit: new(0)}, api.Error, 1, 0, "E"},
		"an unknown verdict":       {"is an error, and not a pass", "X", pipelines.Repeat{ConsecutiveErrorLimit: new(0)}, api.Error, 1, 0, "X"},
		"errors at short interval": {"are tried again no later than the next one", "EP", every(time.Second, pipelines.Repeat{}), api.Passed, 2, time.Second, "P"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(verdicts(c.answers)...)
				begun := time.Now()
				found, err := measurerOf(s).Ask(t.Context(), Inquiry{Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{aCheck("c", c.repeat)}})
				if err != nil || found[0].Verdict != c.want || len(s.asked) != c.asked || time.Since(begun) != c.took || found[0].Message != c.says {
					t.Errorf("%s: %+v, %v; asked %d times in %s", c.reason, found, err, len(s.asked), time.Since(begun))
				}
			})
		})
	}
}

func TestInTheBackgroundAStepIsMeasuredUntilItDoesNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := newScript(verdicts("P")...), newScript(verdicts("PPPPF")...)
		m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"gate": SourceFunc(func(ctx context.Context, q Question) Finding {
			if strings.HasPrefix(q.Step.Name, "bad") {
				return bad.Ask(ctx, q)
			}
			return good.Ask(ctx, q)
		})})
		begun := time.Now()
		found, err := m.Watch(t.Context(), Inquiry{Point: pipelines.During, Checks: []pipelines.ResolvedCheck{
			aCheck("good", every(time.Second, pipelines.Repeat{})), aCheck("bad", pipelines.Repeat{}),
		}})
		if took := time.Since(begun); err != nil || took != time.Minute || found[0].Verdict != api.Passed || found[1].Verdict != api.Failed {
			t.Errorf("after %s: %+v, %v", took, found, err)
		}
		if len(good.asked) < 60 {
			t.Errorf("the other check was measured %d times", len(good.asked))
		}
	})
}

// TestSamplesAreMeasurementsOfEachStep: errors are none, what is enough otherwise is not, and one that fails ends the rest.
func TestSamplesAreMeasurementsOfEachStep(t *testing.T) {
	for name, c := range map[string]struct {
		answers string
		want    api.Verdict
		asked   int
		took    time.Duration
	}{
		"all pass":           {"P", api.Passed, 10, 9 * time.Minute},
		"some are no answer": {"PEEPP", api.Passed, 12, 9*time.Minute + 20*time.Second},
		"the last one fails": {"PPPPPPPPPF", api.Failed, 10, 9 * time.Minute},
		"an early one fails": {"PPF", api.Failed, 3, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(verdicts(c.answers)...)
				m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"gate": SourceFunc(func(ctx context.Context, q Question) Finding {
					if q.Step.Name != "c/step" {
						return Finding{Verdict: api.Passed}
					}
					return s.Ask(ctx, q)
				})})
				begun := time.Now()
				checks := pipelines.Sampled([]pipelines.ResolvedCheck{
					aCheck("quick", every(time.Second, pipelines.Repeat{})), aCheck("c", every(time.Minute, pipelines.Repeat{Count: 2, ConsecutiveSuccessLimit: 1})),
				}, 10)
				var said Tallies
				found, err := m.Watch(t.Context(), Inquiry{Point: pipelines.During, Checks: checks, Say: func(now Tallies) { said = now }})
				if said["c/step"].Of != 10 {
					t.Errorf("whoever looks on hears of %d measurements that are to be made", said["c/step"].Of)
				}
				if took := time.Since(begun); err != nil || found[1].Verdict != c.want || len(s.asked) != c.asked || took != c.took {
					t.Errorf("%+v, %v; asked %d times in %s", found, err, len(s.asked), took)
				}
			})
		})
	}
}

// TestWhatWasNotMeasuredHasNotPassed: the check that ends the looks leaves others behind that have seen nothing good yet.
func TestWhatWasNotMeasuredHasNotPassed(t *testing.T) {
	for name, repeat := range map[string]pipelines.Repeat{
		"not begun":          {InitialDelay: new(pipelines.Duration(time.Hour))},
		"failed, and borne":  {FailureLimit: new(9)},
		"errors in a row":    {ConsecutiveErrorLimit: new(99)},
		"waits for a moment": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := measurerOf(SourceFunc(func(_ context.Context, q Question) Finding {
					switch {
					case q.Step.Name == "bad/step":
						return Finding{Verdict: api.Failed}
					case repeat.FailureLimit != nil:
						return Finding{Verdict: api.Failed}
					case repeat.ConsecutiveErrorLimit != nil:
						return Finding{Verdict: api.Error}
					}
					return Finding{Verdict: api.Inconclusive, Again: time.Now().Add(time.Second)}
				}))
				found, err := m.Watch(t.Context(), Inquiry{Point: pipelines.During, Checks: []pipelines.ResolvedCheck{
					aCheck("other", repeat), aCheck("bad", pipelines.Repeat{InitialDelay: new(pipelines.Duration(time.Minute))}),
				}})
				if err != nil || found[0].Verdict != api.Skipped || !strings.Contains(found[0].Message, "not passed once") {
					t.Errorf("%+v, %v", found[0], err)
				}
				if bad, held := plan.FirstBad(found); !held || bad.Name != "bad" {
					t.Errorf("what holds is %+v", bad)
				}
			})
		})
	}
}

func TestWhatOnlyAdvisesEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := aCheck("advice", pipelines.Repeat{})
		c.Enforcement = pipelines.Advisory
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m := measurerOf(SourceFunc(func(_ context.Context, q Question) Finding {
			return Finding{Verdict: map[bool]api.Verdict{true: api.Failed, false: api.Passed}[q.Step.Name == "advice/step"]}
		}))
		begun := time.Now()
		_, err := m.Watch(ctx, Inquiry{Point: pipelines.During, Checks: []pipelines.ResolvedCheck{c, aCheck("holds", pipelines.Repeat{})}})
		if err == nil || time.Since(begun) != time.Hour {
			t.Errorf("it ended after %s with %v", time.Since(begun), err)
		}
	})
}

// TestACheckGoesOnCountingAfterACrash ends a measurer in the middle, and has another go on with what it said last.
func TestACheckGoesOnCountingAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said Tallies
		s := newScript(Finding{Verdict: api.Failed, Keep: json.RawMessage(`"place"`)}, Finding{Verdict: api.Passed}, Finding{Verdict: api.Failed})
		i := Inquiry{
			Point: pipelines.During, Key: "run/unit", Checks: []pipelines.ResolvedCheck{aCheck("c", every(time.Minute, pipelines.Repeat{FailureLimit: new(1)}))},
			Say: func(now Tallies) { said = now },
		}
		ctx, crash := context.WithTimeout(t.Context(), 90*time.Second)
		defer crash()
		if found, err := measurerOf(s).Watch(ctx, i); err == nil {
			t.Fatalf("what was cut short has the verdict %+v", found)
		}
		carried, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(carried, &i.Before); err != nil {
			t.Fatal(err)
		}
		found, err := measurerOf(s).Watch(t.Context(), i)
		if err != nil || found[0].Verdict != api.Failed || found[0].Message != "2 of 3 measurements failed, 1 are borne: " {
			t.Errorf("it goes on to %+v, %v", found, err)
		}
		if fmt.Sprint(s.at) != "[0s 1m0s 2m0s]" || string(s.asked[1].Kept) != `"place"` || !s.asked[2].Began.Equal(s.asked[0].Began) {
			t.Errorf("it was asked at %s, with %q kept", s.at, s.asked[1].Kept)
		}
		if s.asked[0].Key != "run/unit/during/c/step/0" || s.asked[2].Key != "run/unit/during/c/step/2" {
			t.Errorf("the keys are %q and %q", s.asked[0].Key, s.asked[2].Key)
		}
	})
}

func TestASourceThatDoesNotWork(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		ask    func(context.Context, Question) Finding
		says   string
		took   time.Duration
	}{
		"hangs": {
			"it is not waited for", func(context.Context, Question) Finding { time.Sleep(time.Hour); return Finding{Verdict: api.Passed} },
			"it took longer than 30s, and did not end", defaultTimeout + comeBack,
		},
		"ends late": {
			"a pass that comes after its time is none", func(ctx context.Context, _ Question) Finding { <-ctx.Done(); return Finding{Verdict: api.Passed} },
			"it took longer than 30s", defaultTimeout,
		},
		"panics": {"it is an error, and says where", func(context.Context, Question) Finding { panic("no such thing") }, "the check broke: no such thing at ", 0},
		"keeps too much": {
			"nothing is kept by halves", func(context.Context, Question) Finding {
				return Finding{Verdict: api.Passed, Keep: json.RawMessage(`"` + strings.Repeat("x", maxKept) + `"`)}
			},
			"the check wanted to keep 16386 bytes, at most 16384 can be", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				check := aCheck("c", pipelines.Repeat{ConsecutiveErrorLimit: new(0)})
				found, err := measurerOf(SourceFunc(c.ask)).Ask(t.Context(), Inquiry{Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{check}})
				if err != nil || found[0].Verdict != api.Error || !strings.HasPrefix(found[0].Message, c.says) || time.Since(begun) != c.took {
					t.Errorf("%s: %+v, %v after %s", c.reason, found, err, time.Since(begun))
				}
				time.Sleep(2 * time.Hour) // for the one that hangs
			})
		})
	}
}

func TestTextsNameParamsFactsAndResultsBefore(t *testing.T) {
	b := newBook(Inquiry{})
	b.keep("c/first", Tally{Results: map[string]any{"share": 0.5}})
	c := pipelines.ResolvedCheck{Name: "c"}
	q := &Question{
		Params: rule.Params{"window": 90 * time.Second},
		Facts:  rule.Facts{Unit: rule.Unit{Cluster: "eu-1", Labels: map[string]string{"a.b/c": "gold"}}},
	}
	for name, want := range map[string]any{
		"params.window": 90 * time.Second, "unit.cluster": "eu-1", "unit.labels.a.b/c": "gold", "steps.first.results.share": 0.5,
		"params.none": nil, "unit.labels.none": nil, "steps.second.results.share": nil, "unit": nil, "nobody.knows": nil,
	} {
		if got, ok := b.value(name, c, q); ok != (want != nil) || ok && got != want {
			t.Errorf("%s is %v, %t; want %v", name, got, ok, want)
		}
	}
}

// TestWhatIsNotToBeJudgedYetIsAskedAgain is a window that is closed: it counts nowhere, and opens by itself.
func TestWhatIsNotToBeJudgedYetIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said Tallies
		opens := time.Now().Add(9 * time.Hour)
		s := newScript(Finding{Again: opens, Message: "opens at nine"}, Finding{Verdict: api.Passed})
		begun := time.Now()
		found, err := measurerOf(s).Ask(t.Context(), Inquiry{
			Point: pipelines.BeforeBatch, Checks: []pipelines.ResolvedCheck{aCheck("window", pipelines.Repeat{})},
			Say: func(now Tallies) {
				if now["window/step"].Waits != "" {
					said = now
				}
			},
		})
		if err != nil || found[0].Verdict != api.Passed || time.Since(begun) != 9*time.Hour || said["window/step"].Waits != "opens at nine" {
			t.Errorf("after %s: %+v, %v; it said %+v", time.Since(begun), found, err, said)
		}
	})
}
