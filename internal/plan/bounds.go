package plan

import (
	"bytes"
	"slices"

	"sluice.dev/sluice/internal/fault"
)

// Slim returns a group whose units carry only what a run needs to order, start and take them back.
func (g Group) Slim() Group {
	units := make([]Unit, len(g.Units))
	for i, u := range g.Units {
		units[i] = u.Slim()
	}
	g.Units = units
	return g
}

// Slim returns a unit without what only its own cluster needs: labels, failure domains, reasons and the digests of what it
// goes to.
func (u Unit) Slim() Unit {
	u.Labels, u.Domains, u.Reasons, u.Values, u.Target = nil, nil, nil, "", ""
	return u
}

// CheckBounds refuses a plan that is too big to run: a workflow with too many children or too big a payload would be left
// stuck rather than failed. Building and printing such a plan is fine.
func CheckBounds(p *Plan) error {
	var slim []StagePlan
	all := 0
	for i := range p.Stages {
		s := p.Stages[i]
		all += s.Units()
		if n := s.Units(); n > MaxStageUnits {
			return fault.New(fault.Refused, "cannot run the plan of %s %s: stage %s has %d clusters, "+
				"and a stage of a run holds at most %d (MaxStageUnits); split it into stages, or narrow the run",
				p.Subject, p.Version, s.Name, n, MaxStageUnits)
		}
		groups := make([]Group, len(s.Groups))
		for j := range s.Groups {
			groups[j] = s.Groups[j].Slim()
		}
		s.Groups, s.LeftOut = groups, nil // a run asks for nothing that it leaves out
		slim = append(slim, s)
	}
	if all > MaxRunUnits {
		return fault.New(fault.Refused, "cannot run the plan of %s %s: it has %d clusters, "+
			"and a run holds at most %d (MaxRunUnits); narrow the run",
			p.Subject, p.Version, all, MaxRunUnits)
	}
	if err := checkTasksBounds(p); err != nil {
		return err
	}
	var body bytes.Buffer
	if err := canonical(&body, slim); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot measure the plan of %s %s", p.Subject, p.Version)
	}
	if body.Len() > MaxPlanBytes {
		return fault.New(fault.Refused, "cannot run the plan of %s %s: its stages take %d bytes, "+
			"and a run carries at most %d (MaxPlanBytes); narrow the run",
			p.Subject, p.Version, body.Len(), MaxPlanBytes)
	}
	return nil
}

// checkTasksBounds refuses tasks that would not fit beside the stages: the run carries both, and so does its status.
func checkTasksBounds(p *Plan) error {
	if p.Tasks == nil {
		return nil
	}
	all := slices.Concat(p.Tasks.First, p.Tasks.Finally)
	yielding := 0
	for _, t := range all {
		if len(t.Results) > 0 && !t.Matrix {
			yielding++
		}
	}
	if yielding > MaxYielding {
		return fault.New(fault.Refused, "cannot run the plan of %s %s: %d of its tasks have results, "+
			"and a run keeps those of at most %d (MaxYielding); split the pipeline", p.Subject, p.Version, yielding, MaxYielding)
	}
	for _, b := range []struct {
		what, name string
		of         any
		most       int
	}{
		{"its tasks take", "MaxTasksBytes", p.Tasks, MaxTasksBytes},
		{"the status of its tasks begins with", "MaxTasksBegun", TasksBegin(all, false), MaxTasksBegun},
	} {
		var body bytes.Buffer
		if err := canonical(&body, b.of); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot measure the plan of %s %s", p.Subject, p.Version)
		}
		if body.Len() > b.most {
			return fault.New(fault.Refused, "cannot run the plan of %s %s: %s %d bytes, "+
				"and a run carries at most %d of them (%s); split the pipeline", p.Subject, p.Version, b.what, body.Len(), b.most, b.name)
		}
	}
	return nil
}
