package probing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

var verdictOf = map[rune]api.Verdict{
	'P': api.Passed, 'F': api.Failed, 'I': api.Inconclusive, 'E': api.Error, 'S': api.Skipped,
}

// folded folds results a minute apart, a letter each.
func folded(results string, d probing.Denoise, freshness time.Duration) *probing.Stand {
	s := &probing.Stand{State: probing.Unknown}
	for i, letter := range results {
		probing.Fold(s, outcome(i, letter), d, freshness)
	}
	return s
}

func outcome(i int, letter rune) probing.Outcome {
	return probing.Outcome{ID: fmt.Sprint(i), Ended: noon.Add(time.Duration(i) * time.Minute), Result: probing.Result{Verdict: verdictOf[letter]}}
}

func TestWhatManyResultsSay(t *testing.T) {
	once, twoOfThree := probing.Denoise{}, probing.Denoise{Failures: 2, Of: 3, Passes: 2}
	for _, c := range []struct {
		reason  string
		results string
		denoise probing.Denoise
		want    probing.State
		since   int // the minute in which it began to stand so
		streak  int
	}{
		{"one pass is enough where nothing is known", "P", twoOfThree, probing.Passing, 0, 1},
		{"one failure is enough where nobody says otherwise", "PPF", once, probing.Failing, 2, 1},
		{"one pass ends it then", "PFP", once, probing.Passing, 2, 1},
		{"one failure of three is noise", "PPF", twoOfThree, probing.Passing, 0, 1},
		{"two of three are none", "PFPF", twoOfThree, probing.Failing, 3, 1},
		{"two of four are too far apart", "PFPPF", twoOfThree, probing.Passing, 0, 1},
		{"one pass does not end what two are needed for", "FFP", twoOfThree, probing.Failing, 1, 1},
		{"two in a row do", "FFPP", twoOfThree, probing.Passing, 3, 2},
		{"two that are not in a row do not", "FFPFP", twoOfThree, probing.Failing, 1, 1},
		{"a first failure that may be noise says nothing yet", "F", twoOfThree, probing.Unknown, 0, 1},
		{"what could not run has found no fault", "PPEEEE", once, probing.Passing, 0, 4},
		{"nor has what cannot tell", "PPIII", once, probing.Passing, 0, 3},
		{"nor does it end one", "PFEEE", once, probing.Failing, 1, 3},
		{"a failure counts over what could not run", "PFEEF", twoOfThree, probing.Failing, 4, 1},
		{"nothing to look at", "PS", once, probing.Paused, 1, 1},
		{"and something again", "PSSP", once, probing.Passing, 3, 1},
	} {
		s := folded(c.results, c.denoise, time.Hour)
		if s.State != c.want || !s.Since.Equal(noon.Add(time.Duration(c.since)*time.Minute)) || s.Streak != c.streak || s.Recent != c.results {
			t.Errorf("%s: after %s it is %s since minute %v, %d in a row, %q; want %s since %d, %d", c.reason, c.results, s.State,
				s.Since.Sub(noon).Minutes(), s.Streak, s.Recent, c.want, c.since, c.streak)
		}
	}
}

// A result has a deadline: past it nothing is known, whatever was seen, and whatever tried and could not look.
func TestFailureMode_P01_AResultHasADeadline(t *testing.T) {
	s := folded("PPEE", probing.Denoise{}, 5*time.Minute)
	last := noon.Add(time.Minute) // the last one that looked
	if got := s.At(last.Add(5 * time.Minute)); got != probing.Passing {
		t.Errorf("within its deadline it is %s", got)
	}
	if got := s.At(last.Add(5*time.Minute + time.Second)); got != probing.Unknown {
		t.Errorf("past its deadline it is %s, as if somebody had looked", got)
	}
	late := outcome(60, 'P')
	if !probing.Fold(s, late, probing.Denoise{}, 5*time.Minute) || !s.Since.Equal(late.Ended) || s.At(late.Ended) != probing.Passing {
		t.Errorf("that it passes again is news: %+v", s)
	}
	never := folded("PE", probing.Denoise{}, 0)
	if never.State != probing.Unknown {
		t.Errorf("where nothing is too old, what cannot look says at once that it is not known: %s", never.State)
	}
}

func TestTheSameAndTheOlderChangeNothing(t *testing.T) {
	s := folded("PPP", probing.Denoise{}, time.Hour)
	for _, o := range []probing.Outcome{outcome(2, 'F'), outcome(1, 'F')} {
		if probing.Fold(s, o, probing.Denoise{}, time.Hour) || s.State != probing.Passing || s.Recent != "PPP" {
			t.Errorf("a result that was there, or is older, makes it %s, %s", s.State, s.Recent)
		}
	}
}

func TestFoldingAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		results := rapid.StringOfN(rapid.RuneFrom([]rune("PFIES")), 1, 60, -1).Draw(t, "results")
		d := probing.Denoise{
			Failures: rapid.IntRange(0, 25).Draw(t, "failures"), Of: rapid.IntRange(0, 25).Draw(t, "of"), Passes: rapid.IntRange(0, 25).Draw(t, "passes"),
		}.Usual(probing.OneShot)
		s := folded(results, d, time.Hour)
		looks := strings.Map(func(r rune) rune {
			if r == 'P' || r == 'F' {
				return r
			}
			return -1
		}, s.Recent)
		switch {
		case len(s.Recent) > probing.MaxRecent || !strings.HasSuffix(results, s.Recent):
			t.Fatalf("it remembers %q of %q", s.Recent, results)
		case s.State == probing.Failing && !strings.Contains(results, "F"):
			t.Fatalf("it fails, and nothing did: %s", results)
		case strings.HasSuffix(looks, strings.Repeat("P", d.Passes)) && s.State == probing.Failing:
			t.Fatalf("it fails after %d passes in a row: %s", d.Passes, results)
		case strings.HasSuffix(s.Recent, strings.Repeat("F", d.Failures)) && s.State != probing.Failing:
			t.Fatalf("it is %s after %d failures in a row: %s", s.State, d.Failures, results)
		}
	})
}

func TestPartsOfTargetsOfTheirOwn(t *testing.T) {
	o := outcome(1, 'F')
	o.Parts = []probing.Part{
		{Name: "put", Target: "etcd-1", Verdict: api.Passed}, {Name: "get", Target: "etcd-1", Verdict: api.Failed, Code: "Slow", Message: "2 s"},
		{Name: "put", Target: "etcd-0", Verdict: api.Passed}, {Name: "elect", Verdict: api.Passed},
	}
	all := probing.Spread(o)
	if len(all) != 2 || all[0].Target != "etcd-0" || all[0].Verdict != api.Passed || all[1].Verdict != api.Failed || all[1].Code != "Slow" ||
		len(all[1].Parts) != 2 || all[0].ID == all[1].ID || all[0].ID == o.ID {
		t.Errorf("%+v", all)
	}
	o.Parts = []probing.Part{{Name: "put", Target: strings.Repeat("x", 253), Verdict: api.Passed}}
	if all := probing.Spread(o); len(all) != 1 || len(all[0].ID) > 64 {
		t.Errorf("its ID is longer than anybody takes: %+v", all)
	}
}
