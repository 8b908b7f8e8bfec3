package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Bounds of a report. What is longer is cut.
const (
	MaxErrors       = 20
	MaxParts        = 100
	MaxObservations = 100
	maxMessage      = 4000 // bytes
	maxError        = 2000
	maxPart         = 1000
	maxText         = 250
	maxName         = 250
	maxReport       = 250_000
)

// Report is what a program says of a run.
type Report struct {
	OK     bool     `json:"OK"`
	Errors []string `json:"Errors"`
	More   *More    `json:"sluice,omitempty"` // Kuberhealthy passes over it
}

// More is what Sluice takes beyond that.
type More struct {
	Verdict      Verdict        `json:"verdict,omitempty"`
	Code         string         `json:"code,omitempty"`
	Severity     string         `json:"severity,omitempty"`
	Message      string         `json:"message,omitempty"`
	Observations map[string]any `json:"observations,omitempty"` // numbers, texts and booleans
	Parts        []Part         `json:"parts,omitempty"`
	Seq          int64          `json:"seq,omitempty"`
	Target       string         `json:"target,omitempty"`
}

// Part is a step of a run, or one of several checks in it.
type Part struct {
	Name    string  `json:"name"`
	Target  string  `json:"target,omitempty"` // what it is about: a member, a tenant, a node
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code,omitempty"`
	Message string  `json:"message,omitempty"`
	Millis  int64   `json:"millis,omitempty"`
}

// add says a number more, of those that a report of a resident has by itself.
func (r *Report) add(name string, n float64) {
	if r.More.Observations == nil {
		r.More.Observations = map[string]any{}
	}
	if _, there := r.More.Observations[name]; there || len(r.More.Observations) < MaxObservations {
		r.More.Observations[name] = n
	}
}

// bounded is a report that servers take: no empty errors, none where it is ok, and nothing too long.
func (r Report) bounded() Report {
	var all []string
	for _, e := range r.Errors {
		if e = clip(e, maxError); e != "" {
			all = append(all, e)
		}
	}
	if n := len(all) - MaxErrors; n > 0 {
		all = append(all[:MaxErrors-1], fmt.Sprintf("and %d more errors", n+1))
	}
	switch {
	case r.OK:
		all = nil
	case len(all) == 0:
		all = []string{"it failed, and does not say why"}
	}
	r.Errors = append([]string{}, all...) // a list, and not null
	if r.More == nil {
		return r
	}
	m := *r.More
	m.Code, m.Message, m.Target = word(m.Code), clip(m.Message, maxMessage), clip(m.Target, maxName)
	m.Parts = boundedParts(m.Parts)
	r.More = &m
	return r
}

// boundedParts keeps those that are not ok before the others.
func boundedParts(all []Part) []Part {
	all = slices.Clone(all)
	if len(all) > MaxParts {
		slices.SortStableFunc(all, func(a, b Part) int { return strings.Compare(fmt.Sprint(a.Verdict.OK()), fmt.Sprint(b.Verdict.OK())) })
		all = all[:MaxParts]
	}
	for i := range all {
		p := &all[i]
		p.Name, p.Target, p.Code, p.Message = clip(p.Name, maxName), clip(p.Target, maxName), word(p.Code), clip(p.Message, maxPart)
	}
	return all
}

// encode is a report in at most so many bytes: it leaves out what matters less until it fits.
func (r Report) encode(most int) ([]byte, error) {
	r = r.bounded()
	for _, less := range []func(){
		func() {},
		func() {
			for i := range r.More.Parts {
				r.More.Parts[i].Message = clip(r.More.Parts[i].Message, 100)
			}
		},
		func() { r.More.Observations = nil },
		func() { r.More.Parts = r.More.Parts[:min(len(r.More.Parts), 10)] },
		func() { r.More.Message, r.More.Parts = clip(r.More.Message, 500), nil },
		func() {
			r.Errors = r.Errors[:min(len(r.Errors), 3)]
			for i := range r.Errors {
				r.Errors[i] = clip(r.Errors[i], 300)
			}
		},
	} {
		if r.More == nil {
			r.More = &More{}
		}
		less()
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		if err := e.Encode(r.plain()); err != nil {
			return nil, fmt.Errorf("cannot write the report: %w", err)
		}
		if out.Len() <= most {
			return bytes.TrimSpace(out.Bytes()), nil
		}
	}
	return nil, fmt.Errorf("cannot write the report in %d bytes", most)
}

// plain has nothing beyond what Kuberhealthy knows where nothing was said beyond it.
func (r Report) plain() Report {
	m := r.More
	if m != nil && m.Verdict == "" && m.Code == "" && m.Severity == "" && m.Message == "" && m.Observations == nil && m.Parts == nil &&
		m.Seq == 0 && m.Target == "" {
		r.More = nil
	}
	return r
}

// clip is a text of at most so many bytes, that shows that it was longer, without what only terminals understand.
func clip(text string, most int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "..."
}
