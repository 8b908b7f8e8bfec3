package engine

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// WindowsRequest asks what the windows of pipelines say at a time.
type WindowsRequest struct {
	Paths    []string
	Pipeline string            // "" is all of them
	Params   map[string]string // of the pipeline, where one is named
	At       time.Time
}

// WindowStep is a step that is a window, as a pipeline uses it, and what it says.
type WindowStep struct {
	Pipeline string             `json:"pipeline"`
	Stages   []string           `json:"stages,omitempty"` // that have it; none where it is asked once a run
	Step     string             `json:"step"`             // check/step
	At       []pipelines.Point  `json:"at"`
	TimeZone string             `json:"timeZone"`
	InFlight pipelines.InFlight `json:"inFlight,omitempty"`
	// Unknown says why there are no answers: the window depends on something that only a run knows.
	Unknown string         `json:"unknown,omitempty"`
	Answers []WindowAnswer `json:"answers,omitempty"`
}

// WindowAnswer is what a window says of an action by an invoker.
type WindowAnswer struct {
	Action  calendar.Action  `json:"action"`
	Invoker calendar.Invoker `json:"invoker"`
	Allowed bool             `json:"allowed"`
	Windows []string         `json:"windows,omitempty"` // that decide
	Until   time.Time        `json:"until,omitzero"`    // when that changes, in the zone of the windows
	Text    string           `json:"text"`
}

// ExplainWindows reads documents, and says of each window of each pipeline of theirs who may do what at a time, and until when. It needs
// neither ledger nor Temporal.
func ExplainWindows(req WindowsRequest, library []pipelines.Source) ([]WindowStep, error) {
	docs, err := LoadDocuments(req.Paths, library)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(docs.Pipelines))
	if req.Pipeline != "" {
		if docs.Pipelines[req.Pipeline] == nil {
			return nil, fault.New(fault.NotFound, "cannot find pipeline %s: %s", req.Pipeline, have("pipelines", names))
		}
		names = []string{req.Pipeline}
	} else { // one of the library is asked about by its name
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(docs.Files, docs.Pipelines[name].Position.File) })
	}
	out := []WindowStep{}
	for _, name := range names {
		found, err := windowsOf(docs, docs.Pipelines[name], req)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// windowsOf are the windows of one pipeline; one that the run and several stages have alike is there once.
func windowsOf(docs *pipelines.Documents, p *pipelines.Pipeline, req WindowsRequest) ([]WindowStep, error) {
	params, err := pipelines.BindParams(p, req.Params)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read the windows of pipeline %s", p.Metadata.Name)
	}
	var out []WindowStep
	add := func(stage string, checks []pipelines.ResolvedCheck, err error) error {
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read the windows of pipeline %s", p.Metadata.Name)
		}
		for _, c := range checks {
			for _, s := range c.Steps {
				if s.Window == nil {
					continue
				}
				one := explained(c, s, req.At)
				one.Pipeline = p.Metadata.Name
				if stage != "" {
					one.Stages = []string{stage}
				}
				if i := slices.IndexFunc(out, func(o WindowStep) bool { return o.alike(one) }); i >= 0 {
					out[i].join(one)
					continue
				}
				out = append(out, one)
			}
		}
		return nil
	}
	checks, err := docs.ResolveRunChecks(p, params)
	if err := add("", checks, err); err != nil {
		return nil, err
	}
	for i := range p.Spec.Stages {
		checks, err := docs.ResolveChecks(p, &p.Spec.Stages[i], params)
		if err := add(p.Spec.Stages[i].Name, checks, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// alike reports whether two windows say the same, wherever they are asked.
func (w WindowStep) alike(other WindowStep) bool {
	w.Stages, other.Stages, w.At, other.At = nil, nil, nil, nil
	return reflect.DeepEqual(w, other)
}

// join adds where another window is asked that says the same.
func (w *WindowStep) join(other WindowStep) {
	w.Stages = append(w.Stages, other.Stages...)
	at := append(slices.Clone(w.At), other.At...)
	w.At = slices.DeleteFunc(pipelines.Points(), func(p pipelines.Point) bool { return !slices.Contains(at, p) })
}

// windowsFor are the windows of a step, with the values of its check's params; with the step as it reads then.
func windowsFor(c pipelines.ResolvedCheck, s pipelines.ResolvedStep) (*calendar.Calendar, pipelines.ResolvedStep, error) {
	expanded, err := c.Expanded(s)
	if err != nil {
		return nil, s, fmt.Errorf("%w: only a run knows it", err)
	}
	windows, err := expanded.Window.Calendar()
	return windows, expanded, err
}

func explained(c pipelines.ResolvedCheck, s pipelines.ResolvedStep, at time.Time) WindowStep {
	windows, s, err := windowsFor(c, s)
	out := WindowStep{Step: s.Name, At: c.At, TimeZone: s.Window.TimeZone, InFlight: s.Window.InFlight}
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	for _, action := range calendar.Actions() {
		for _, by := range calendar.Invokers() {
			a := windows.Ask(at, action, by)
			out.Answers = append(out.Answers, WindowAnswer{
				Action: action, Invoker: by, Allowed: a.Allowed, Windows: a.Windows, Until: a.Until, Text: a.String(),
			})
		}
	}
	return out
}
