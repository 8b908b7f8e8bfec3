package ci

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Bounds of a report in JUnit's XML.
const (
	maxCases = 20_000
	maxSaid  = 2_000 // characters of a message
)

type junitReport struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []*junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Started string      `xml:"timestamp,attr,omitempty"`
	Cases   []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Seconds string     `xml:"time,attr,omitempty"`
	Failure *junitSaid `xml:"failure"`
	Error   *junitSaid `xml:"error"`
	Skipped *junitSaid `xml:"skipped"`
}

type junitSaid struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit is a run as test runners report: a suite for each stage, a case for each unit, and one for each check with its verdict. What failed
// is a failure; what could not be told, and what stands until a person decides, is an error; what was not reached is skipped.
func JUnit(run api.RunStatus) ([]byte, error) {
	report := &junitReport{Name: fmt.Sprintf("%s %s, run %s", run.Subject, run.Version, run.Name)}
	class := "sluice." + run.Subject.Name
	if len(run.Checks) > 0 {
		report.suite("run", run.Started).checks(class, "", run.Checks)
	}
	for i := range run.Stages {
		s := &run.Stages[i]
		suite, class := report.suite("stage "+s.Name, time.Time{}), class+"."+s.Name
		suite.checks(class, "", s.Checks)
		for j := range s.Units {
			suite.unit(class, &s.Units[j])
		}
	}
	left := 0
	for _, s := range report.Suites {
		if room := maxCases - report.Tests; len(s.Cases) > room {
			left += len(s.Cases) - room
			s.Cases = s.Cases[:room]
		}
		for i := range s.Cases {
			s.count(&s.Cases[i])
		}
		report.add(s.junitCounts)
	}
	if left > 0 {
		report.Name += fmt.Sprintf(" (%d more are left out)", left)
	}
	body, err := xml.MarshalIndent(report, "", " ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot report run %s", run.Name)
	}
	return append(append([]byte(xml.Header), body...), '\n'), nil
}

func (r *junitReport) suite(name string, started time.Time) *junitSuite {
	s := &junitSuite{Name: name}
	if !started.IsZero() {
		s.Started = started.UTC().Format("2006-01-02T15:04:05")
	}
	r.Suites = append(r.Suites, s)
	return s
}

func (c *junitCounts) add(o junitCounts) {
	c.Tests += o.Tests
	c.Failures += o.Failures
	c.Errors += o.Errors
	c.Skipped += o.Skipped
}

func (c *junitCounts) count(one *junitCase) {
	c.Tests++
	switch {
	case one.Failure != nil:
		c.Failures++
	case one.Error != nil:
		c.Errors++
	case one.Skipped != nil:
		c.Skipped++
	}
}

// unit adds a unit and its checks.
func (s *junitSuite) unit(class string, u *api.UnitStatus) {
	if s.Started == "" && !u.Started.IsZero() {
		s.Started = u.Started.UTC().Format("2006-01-02T15:04:05")
	}
	one := junitCase{Class: class, Name: u.Path}
	if !u.Started.IsZero() && !u.Ended.Before(u.Started) {
		one.Seconds = fmt.Sprintf("%.0f", u.Ended.Sub(u.Started).Seconds())
	}
	why := string(u.Phase)
	if u.Failure != nil {
		why = fmt.Sprintf("%s: %s %s at %s: %s", u.Phase, u.Failure.Name, u.Failure.Verdict, cmp.Or(u.FailedAt, u.Path), u.Failure.Message)
	} else if u.Waiting != nil {
		why = strings.TrimSpace(fmt.Sprintf("%s: waits for %s %s", u.Phase, u.Waiting.Kind, u.Waiting.Name))
	}
	switch said := saidBy(string(u.Phase), why); {
	case u.Phase == api.PhaseSucceeded:
	case u.Phase == api.PhaseFailed || u.Phase == api.PhaseRolledBack:
		one.Failure = said
	case u.Phase == api.PhaseAborted || u.Phase.Stands():
		one.Error = said
	default:
		one.Skipped = said
	}
	s.Cases = append(s.Cases, one)
	class += "." + u.Path
	s.checks(class, "", u.Checks)
	for i := range u.Batches {
		s.checks(class, u.Batches[i].Path, u.Batches[i].Checks)
	}
}

// checks adds checks with their verdicts.
func (s *junitSuite) checks(class, of string, all []api.Check) {
	for _, c := range all {
		one := junitCase{Class: class, Name: strings.TrimSpace(fmt.Sprintf("%s at %s %s", c.Name, c.At, of))}
		said := saidBy(string(c.Verdict), c.Message)
		switch {
		case c.Verdict == api.Passed:
		case c.Advisory:
			said.Message = "advisory, it holds nothing: " + said.Message
			one.Skipped = said
		case c.Verdict == api.Failed:
			one.Failure = said
		case c.Verdict == api.Skipped:
			one.Skipped = said
		default:
			one.Error = said
		}
		s.Cases = append(s.Cases, one)
	}
}

// saidBy is what is said of what did not pass.
func saidBy(kind, text string) *junitSaid {
	text = clip.Runes(cmp.Or(text, kind), maxSaid)
	first, _, _ := strings.Cut(text, "\n")
	return &junitSaid{Message: first, Type: kind, Text: text}
}
