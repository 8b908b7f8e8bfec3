package show_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/show"
)

// TestChecksOfARunGiveUpWhatTheySaw: those of now keep it, and those of before go on saying what they found.
func TestChecksOfARunGiveUpWhatTheySaw(t *testing.T) {
	list := func(n int) (all []api.Check) {
		for i := range n {
			all = append(all, api.Check{
				Name: fmt.Sprint("check-", i), Verdict: api.Passed, Message: strings.Repeat("m", 1000),
				Seen: map[string]any{"series": strings.Repeat("s", 7000)},
			})
		}
		return all
	}
	const most = 100_000
	now, before := list(5), [][]api.Check{}
	for range 20 {
		before = append(before, list(20))
	}
	show.SpareChecks(most, append([][]api.Check{now}, before...)...)
	for _, c := range now {
		if len(c.Message) != 1000 || c.Seen["series"] == nil {
			t.Errorf("what was just found is %+v", c)
		}
	}
	last := before[19][19]
	if last.Name != "check-19" || last.Verdict != api.Passed || last.Seen["tooLong"] != true || !strings.HasSuffix(last.Message, "...") {
		t.Errorf("what was found long ago is %+v", last)
	}
	body, err := json.Marshal(append(before, now))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(body); n > most+405*200 {
		t.Errorf("all of it takes %d bytes", n)
	}
}

func TestATaskSaysHowItFailedInFewWords(t *testing.T) {
	steps := func() (all []api.Check) {
		for i := range 20 {
			all = append(all, api.Check{Name: fmt.Sprint("step-", i), Verdict: api.Failed, Message: strings.Repeat("m", 1000)})
		}
		return all
	}
	for _, c := range []struct {
		reason                   string
		most                     int
		attempts, steps, longest int // steps of the first attempt, steps of the last one, words of its last step
	}{
		{"where there is room nothing is lost", 100_000, 20, 20, 1000},
		{"earlier attempts give up their steps", 30_000, 0, 20, 1000},
		{"then the first steps go", 10_000, 0, 9, 1000},
		{"then all say less", 700, 0, 1, 100},
	} {
		task := api.TaskStatus{Message: "step-19: Failed", Steps: steps(), Attempts: []api.TaskAttempt{
			{Reason: api.ReasonFailed, Message: strings.Repeat("a", 500), Steps: steps()}, {Reason: api.ReasonFailed, Steps: steps()},
		}}
		show.SpareTask(&task, c.most)
		last := task.Steps[len(task.Steps)-1]
		if len(task.Attempts) != 2 || len(task.Attempts[0].Steps) != c.attempts || len(task.Steps) != c.steps ||
			last.Name != "step-19" || len(last.Message) != c.longest || task.Message == "" {
			t.Errorf("%s: %d steps of the first attempt, %d of the last, whose last one is %s with %d", c.reason,
				len(task.Attempts[0].Steps), len(task.Steps), last.Name, len(last.Message))
		}
	}
}
