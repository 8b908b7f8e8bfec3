package ci_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/pipelines"
)

// suites is what a reader of JUnit's XML knows.
type suites struct {
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Suites   []suite `xml:"testsuite"`
}

type suite struct {
	Name  string `xml:"name,attr"`
	Tests int    `xml:"tests,attr"`
	Cases []struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		Time    string `xml:"time,attr"`
		Failure *said  `xml:"failure"`
		Error   *said  `xml:"error"`
		Skipped *said  `xml:"skipped"`
	} `xml:"testcase"`
}

type said struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func TestJUnit(t *testing.T) {
	check := func(name string, v api.Verdict, message string) api.Check {
		return api.Check{Name: name, At: pipelines.AfterBatch, Verdict: v, Message: message}
	}
	advisory := check("panics", api.Failed, "3 panics")
	advisory.Advisory = true
	failed := check("ready", api.Failed, "2 of 5 pods <crash> \x00 & ]]>\nsecond line")
	run := api.RunStatus{
		Name: "agent-4", Subject: api.Component("agent"), Version: "2.0.0", Started: noon,
		Checks: []api.Check{check("window", api.Passed, "")},
		Stages: []api.StageStatus{
			{Name: "e2e", Units: []api.UnitStatus{{
				Path: "e2e/a", Phase: api.PhaseSucceeded, Started: noon, Ended: noon.Add(90 * time.Second),
				Batches: []api.BatchStatus{{Path: "e2e/a/all/1", Checks: []api.Check{check("ready", api.Passed, ""), advisory}}},
			}}},
			{Name: "production", Units: []api.UnitStatus{
				{Path: "p/b", Phase: api.PhaseFailed, Failure: &failed, FailedAt: "p/b/all/1", Checks: []api.Check{failed, check("slo", api.Inconclusive, "no data")}},
				{Path: "p/c", Phase: api.PhaseHeld, Waiting: &api.Waiting{Kind: api.WaitDecision, Name: "slo"}},
				{Path: "p/d", Phase: api.PhasePending},
				{Path: "p/e", Phase: api.PhaseMissed},
				{Path: "p/f", Phase: api.PhaseAborted},
				{Path: "p/g", Phase: api.PhaseRolledBack},
			}},
		},
	}
	body, err := ci.JUnit(run)
	if err != nil {
		t.Fatal(err)
	}
	var got suites
	if err := xml.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	want := map[string]string{
		"window at afterBatch": "", "e2e/a": "", "ready at afterBatch e2e/a/all/1": "", "panics at afterBatch e2e/a/all/1": "skipped: advisory, it holds nothing: 3 panics",
		"p/b": "failure: Failed: ready Failed at p/b/all/1: 2 of 5 pods <crash> \ufffd & ]]>", "ready at afterBatch": "failure: 2 of 5 pods <crash> \ufffd & ]]>",
		"slo at afterBatch": "error: no data", "p/c": "error: Held: waits for decision slo", "p/d": "skipped: Pending", "p/e": "skipped: Missed",
		"p/f": "error: Aborted", "p/g": "failure: RolledBack",
	}
	sum, names := suites{}, map[string]bool{}
	for _, s := range got.Suites {
		for _, c := range s.Cases {
			sum.Tests++
			is := ""
			for kind, of := range map[string]*said{"failure": c.Failure, "error": c.Error, "skipped": c.Skipped} {
				if of != nil {
					is += kind + ": " + of.Message
				}
			}
			if w, ok := want[c.Name]; !ok || is != w {
				t.Errorf("case %q of %s is %q, want %q", c.Name, s.Name, is, w)
			}
			switch word, _, _ := strings.Cut(is, ":"); word {
			case "failure":
				sum.Failures++
			case "error":
				sum.Errors++
			case "skipped":
				sum.Skipped++
			}
			if key := c.Class + " " + c.Name; names[key] {
				t.Errorf("two cases are called %s: one hides the other", key)
			} else {
				names[key] = true
			}
		}
	}
	if sum.Tests != len(want) || got.Tests != sum.Tests || got.Failures != sum.Failures || got.Errors != sum.Errors || got.Skipped != sum.Skipped {
		t.Errorf("it counts %d tests, %d failures, %d errors, %d skipped; there are %+v", got.Tests, got.Failures, got.Errors, got.Skipped, sum)
	}
	if took := got.Suites[1].Cases[0].Time; took != "90" {
		t.Errorf("a unit of 90 s took %q", took)
	}
}

func TestJUnitIsBounded(t *testing.T) {
	run := api.RunStatus{Subject: api.Component("agent"), Stages: make([]api.StageStatus, 3)}
	for i := range run.Stages {
		for j := range 9_000 {
			run.Stages[i].Units = append(run.Stages[i].Units, api.UnitStatus{
				Path: fmt.Sprint(j), Phase: api.PhaseHeld, Failure: &api.Check{Message: strings.Repeat("x", 100)},
			})
		}
	}
	body, err := ci.JUnit(run)
	if err != nil {
		t.Fatal(err)
	}
	var got suites
	if err := xml.Unmarshal(body, &got); err != nil || got.Tests != 20_000 || !strings.Contains(string(body[:300]), "(7000 more are left out)") || len(body) > 20<<20 {
		t.Errorf("%v: %d tests in %d bytes: %.300s", err, got.Tests, len(body), body)
	}
}
