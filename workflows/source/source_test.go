package source_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/source"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world answers the activities of a Source by what a test says of each look.
type world struct {
	looks  []api.SourceLooked // the last one again and again; after Gone there is none
	follow func(api.SourceFollow) (api.SourceFollowed, error)
	show   func(api.SourceShow) (api.SourceRequest, error)
	tend   func(api.SourceTend) (api.SourceTended, error)
	asked  []string
	at     []time.Duration // of each look, since the start
}

func (w *world) plays(t *testing.T, in api.SourceInput, tell ...func(*testsuite.TestWorkflowEnvironment)) (api.SourceState, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(noon)
	env.RegisterWorkflowWithOptions(source.Source, workflow.RegisterOptions{Name: api.SourceWorkflowName})
	env.RegisterActivityWithOptions(func(_ context.Context, l api.SourceLook) (api.SourceLooked, error) {
		next := w.looks[min(len(w.at), len(w.looks)-1)]
		w.at = append(w.at, env.Now().Sub(noon))
		w.asked = append(w.asked, "look "+l.Commit+l.Accept)
		if next.Error == "refused" {
			return next, fault.New(fault.Refused, "no")
		}
		return next, nil
	}, activity.RegisterOptions{Name: step.LookAtSource.Name()})
	env.RegisterActivityWithOptions(func(_ context.Context, f api.SourceFollow) (api.SourceFollowed, error) {
		w.asked = append(w.asked, "follow "+f.Head)
		if w.follow == nil {
			return api.SourceFollowed{Known: "known at " + f.Head, Did: "noted " + f.Head}, nil
		}
		return w.follow(f)
	}, activity.RegisterOptions{Name: step.FollowSource.Name()})
	env.RegisterActivityWithOptions(func(_ context.Context, s api.SourceShow) (api.SourceRequest, error) {
		w.asked = append(w.asked, fmt.Sprintf("show %d at %s", s.Request.Number, s.Request.Head))
		if w.show == nil {
			return s.Request, nil
		}
		return w.show(s)
	}, activity.RegisterOptions{Name: step.ShowRequest.Name()})
	env.RegisterActivityWithOptions(func(_ context.Context, s api.SourceTend) (api.SourceTended, error) {
		w.asked = append(w.asked, "tend")
		return w.tend(s)
	}, activity.RegisterOptions{Name: step.TendSource.Name()})
	for _, f := range tell {
		f(env)
	}
	env.ExecuteWorkflow(api.SourceWorkflowName, in)
	var state api.SourceState
	if v, err := env.QueryWorkflow(api.QuerySource); err == nil {
		if err := v.Get(&state); err != nil {
			t.Fatal(err)
		}
	}
	return state, env.GetWorkflowError()
}

func looked(head string, requests ...api.SourceRequest) api.SourceLooked {
	return api.SourceLooked{Of: "infra main", Every: time.Minute, Head: head, Requests: requests, Listed: true}
}

var gone = api.SourceLooked{Gone: true}

func TestASourceIsFollowedUntilItIsGone(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a"), looked("a"), looked("b"), gone}}
	state, err := w.plays(t, api.SourceInput{Source: "infra"})
	if want := []string{"look ", "follow a", "look a", "look a", "follow b", "look b"}; err != nil || !slices.Equal(w.asked, want) {
		t.Errorf("it asked for %q, %v", w.asked, err)
	}
	if want := []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute}; !slices.Equal(w.at, want) {
		t.Errorf("it looked at %v", w.at)
	}
	if state.Commit != "b" || state.Known != "known at b" || state.KnownAt != "b" || state.Did != "noted b" || !state.Followed.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("it knows %+v", state)
	}
}

func TestANudgeShortensTheInterval(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a"), looked("b"), gone}}
	_, err := w.plays(t, api.SourceInput{Source: "infra"}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(api.SignalNudge, api.SourceNudge{Accept: "b"}) }, 5*time.Second)
	})
	if want := []time.Duration{0, 5 * time.Second, 65 * time.Second}; err != nil || !slices.Equal(w.at, want) {
		t.Errorf("it looked at %v, %v", w.at, err)
	}
	if want := []string{"look ", "follow a", "look ab", "follow b", "look b"}; !slices.Equal(w.asked, want) {
		t.Errorf("it asked for %q: what a person accepts counts until it is followed", w.asked)
	}
}

// TestManyNudgesAreFewLooks has them all come at once.
func TestManyNudgesAreFewLooks(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a"), looked("a"), gone}}
	_, err := w.plays(t, api.SourceInput{Source: "infra"}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			for range 500 {
				env.SignalWorkflow(api.SignalNudge, api.SourceNudge{})
			}
		}, time.Second)
	})
	if err != nil || len(w.at) != 3 || w.at[1] > 2*time.Second {
		t.Errorf("it looked %d times, at %v, %v", len(w.at), w.at, err)
	}
}

func TestItContinuesAsNewWithWhatItKnows(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a")}}
	_, err := w.plays(t, api.SourceInput{Source: "infra"})
	var again *workflow.ContinueAsNewError
	if !errors.As(err, &again) || len(w.at) != 50 {
		t.Fatalf("after %d looks it ends with %v", len(w.at), err)
	}
	var next api.SourceInput
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &next); err != nil || next.Source != "infra" || next.State.Commit != "a" {
		t.Errorf("it goes on with %+v, %v", next, err)
	}
}

func TestWhatGoesWrongIsShownAndLookedAtAgain(t *testing.T) {
	broken := api.SourceLooked{Of: "infra main", Every: time.Minute, Error: "cannot read infra: it is away"}
	for name, c := range map[string]struct {
		reason string
		looks  []api.SourceLooked
		follow func(api.SourceFollow) (api.SourceFollowed, error)
		asked  []string
		check  func(api.SourceState) bool
	}{
		"away": {
			"what was known stays known", []api.SourceLooked{looked("a"), broken, gone}, nil,
			[]string{"look ", "follow a", "look a", "look a"},
			func(s api.SourceState) bool { return s.Error == broken.Error && s.Commit == "a" },
		},
		"back": {
			"an error is over with the next look", []api.SourceLooked{broken, looked("a"), gone}, nil,
			[]string{"look ", "look ", "follow a", "look a"},
			func(s api.SourceState) bool { return s.Error == "" && s.Commit == "a" },
		},
		"an activity that fails": {
			"the follower outlives it", []api.SourceLooked{{Error: "refused"}, looked("a"), gone}, nil,
			[]string{"look ", "look ", "follow a", "look a"},
			func(s api.SourceState) bool { return s.Commit == "a" },
		},
		"a commit that is wrong": {
			"it is followed once, and what was known before it is what the next one is compared with", []api.SourceLooked{looked("a"), looked("b"), looked("b"), looked("c"), gone},
			func(f api.SourceFollow) (api.SourceFollowed, error) {
				if f.Head == "b" {
					return api.SourceFollowed{Error: "it does not lint"}, nil
				}
				return api.SourceFollowed{Known: "known at " + f.Head, Did: "compared with " + f.State.KnownAt}, nil
			},
			[]string{"look ", "follow a", "look a", "follow b", "look b", "look b", "follow c", "look c"},
			func(s api.SourceState) bool { return s.Commit == "c" && s.Wrong == "" && s.Did == "compared with a" },
		},
		"nobody could look at its clusters": {
			"it is followed again", []api.SourceLooked{looked("a"), looked("a"), gone},
			func() func(api.SourceFollow) (api.SourceFollowed, error) {
				tries := 0
				return func(f api.SourceFollow) (api.SourceFollowed, error) {
					if tries++; tries == 1 {
						return api.SourceFollowed{Error: "no worker", Again: true}, nil
					}
					return api.SourceFollowed{Known: "k"}, nil
				}
			}(),
			[]string{"look ", "follow a", "look ", "follow a", "look a"},
			func(s api.SourceState) bool { return s.Commit == "a" && s.Error == "" },
		},
		"another repository": {
			"of that nothing is known", []api.SourceLooked{looked("a"), {Of: "other main", Every: time.Minute, Head: "x", Listed: true}, gone},
			func(f api.SourceFollow) (api.SourceFollowed, error) {
				return api.SourceFollowed{Known: "k", Did: "known was " + f.State.Known}, nil
			},
			[]string{"look ", "follow a", "look a", "follow x", "look x"},
			func(s api.SourceState) bool { return s.Did == "known was " && s.Of == "other main" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{looks: c.looks, follow: c.follow}
			state, err := w.plays(t, api.SourceInput{Source: "infra"})
			if err != nil || !slices.Equal(w.asked, c.asked) {
				t.Errorf("%s: it asked for %q, %v", c.reason, w.asked, err)
			}
			if !c.check(state) {
				t.Errorf("%s: it knows %+v", c.reason, state)
			}
		})
	}
}

func TestARequestIsShownOnceForEachHead(t *testing.T) {
	one, two := api.SourceRequest{Number: 1, Head: "x"}, api.SourceRequest{Number: 2, Head: "y"}
	moved := api.SourceRequest{Number: 1, Head: "z"}
	w := &world{looks: []api.SourceLooked{looked("a", one), looked("a", one, two), looked("a", moved, two), looked("a", two), gone}}
	tries := 0
	w.show = func(s api.SourceShow) (api.SourceRequest, error) {
		if s.Request.Number == 2 {
			if tries++; tries == 1 {
				s.Request.Error = "the forge is away"
			}
		}
		if s.Known != "known at a" || s.KnownAt != "a" {
			t.Errorf("it is compared with %q at %q", s.Known, s.KnownAt)
		}
		return s.Request, nil
	}
	state, err := w.plays(t, api.SourceInput{Source: "infra"})
	var shown []string
	for _, a := range w.asked {
		if strings.HasPrefix(a, "show") {
			shown = append(shown, a)
		}
	}
	if want := []string{"show 1 at x", "show 2 at y", "show 1 at z", "show 2 at y"}; err != nil || !slices.Equal(shown, want) {
		t.Errorf("it showed %q, %v", shown, err)
	}
	if !slices.Equal(state.Requests, []api.SourceRequest{two}) {
		t.Errorf("it remembers %v", state.Requests)
	}
}

func TestManyRequestsAreShownInTurns(t *testing.T) {
	var all []api.SourceRequest
	for i := range 25 {
		all = append(all, api.SourceRequest{Number: int64(i), Head: "x"})
	}
	w := &world{looks: []api.SourceLooked{looked("a", all...), looked("a", all...), looked("a", all...), looked("a", all...), gone}}
	state, err := w.plays(t, api.SourceInput{Source: "infra"})
	if err != nil || len(state.Requests) != 25 || len(w.asked) != 5+1+25 {
		t.Errorf("it remembers %d of them, after %d steps, %v", len(state.Requests), len(w.asked), err)
	}
}

// TestRequestsThatCannotBeShownHoldUpNothing has whoever may only propose do so with what takes too long.
func TestRequestsThatCannotBeShownHoldUpNothing(t *testing.T) {
	var all []api.SourceRequest
	for i := range 12 {
		all = append(all, api.SourceRequest{Number: int64(i + 1), Head: "x"})
	}
	w := &world{looks: []api.SourceLooked{looked("a", all...), looked("a", all...), gone}}
	w.follow = func(api.SourceFollow) (api.SourceFollowed, error) {
		return api.SourceFollowed{Known: "k", Waiting: []api.SourceStart{{Component: "agent"}}}, nil
	}
	w.show = func(s api.SourceShow) (api.SourceRequest, error) {
		if s.Request.Number <= 10 {
			return s.Request, fault.New(fault.Refused, "it took too long")
		}
		return s.Request, nil
	}
	tended := 0
	w.tend = func(s api.SourceTend) (api.SourceTended, error) {
		tended++
		return api.SourceTended{Waiting: s.State.Waiting}, nil
	}
	state, err := w.plays(t, api.SourceInput{Source: "infra"})
	if err != nil || tended != 2 {
		t.Errorf("what waits was tended %d times, %v", tended, err)
	}
	well := slices.DeleteFunc(slices.Clone(state.Requests), func(r api.SourceRequest) bool { return r.Error != "" })
	if len(well) != 2 || well[0].Number != 11 || well[1].Number != 12 {
		t.Errorf("of those that can be shown it showed %v", well)
	}
}

func TestWhatWaitsIsTended(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a"), looked("a"), looked("a"), gone}}
	w.follow = func(api.SourceFollow) (api.SourceFollowed, error) {
		return api.SourceFollowed{Known: "k", Waiting: []api.SourceStart{{Component: "agent"}}}, nil
	}
	turn := 0
	w.tend = func(s api.SourceTend) (api.SourceTended, error) {
		switch turn++; turn {
		case 1:
			return api.SourceTended{Waiting: s.State.Waiting, Did: "it waits"}, nil
		case 2:
			return api.SourceTended{Runs: []api.SourceRun{{Component: "agent", Run: "agent-1"}}, Did: "started"}, nil
		}
		return api.SourceTended{}, nil
	}
	state, err := w.plays(t, api.SourceInput{Source: "infra"})
	if err != nil || turn != 3 || len(state.Waiting)+len(state.Runs) != 0 || state.Did != "started" {
		t.Errorf("it was tended %d times, and knows %+v, %v", turn, state, err)
	}
}

// TestItEndsWhereItIsCancelled shows that nobody has to terminate it.
func TestItEndsWhereItIsCancelled(t *testing.T) {
	w := &world{looks: []api.SourceLooked{looked("a")}}
	_, err := w.plays(t, api.SourceInput{Source: "infra"}, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	if !temporal.IsCanceledError(errors.Unwrap(err)) && !temporal.IsCanceledError(err) {
		t.Errorf("it ends with %v", err)
	}
}
