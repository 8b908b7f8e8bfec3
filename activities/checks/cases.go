package checks

import (
	"context"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/serve"
)

// Bounds on what is run by hand in one cluster, and on what is answered of it.
const (
	maxCaseRuns    = 500
	maxCaseMessage = 500
)

// RunCases has cases of probes run, and answers what came of each. Whoever asks again hears of the same runs. Where no case answers to an
// event nothing is run, and that is no error.
func (a *Activities) RunCases(ctx context.Context, in api.ProbeInput) ([]api.ProbedRun, error) {
	defer serve.Alive(ctx, a.Clock, beat)()
	cluster, err := a.Clusters.Cluster(ctx, in.Context)
	if err != nil {
		return nil, err
	}
	configs, err := caserun.Configs(ctx, cluster)
	if err != nil {
		return nil, err
	}
	chosen, err := chosenCases(in, configs)
	if err != nil {
		return nil, err
	}
	asks, err := asksOf(ctx, cluster, in, chosen)
	if err != nil {
		return nil, err
	}
	runner := caserun.Runner{Clock: a.Clock}
	ends, err := runner.Run(ctx, cluster, asks, func([]caserun.End) bool { return false }, nil)
	if err != nil {
		return nil, err
	}
	runs := make([]api.ProbedRun, 0, len(ends))
	for _, e := range ends {
		runs = append(runs, probedOf(e))
	}
	return runs, nil
}

// chosenCases are the cases that are wanted. Residents are not among those of a set: they run as they do.
func chosenCases(in api.ProbeInput, configs []*probing.Config) ([]*probing.Config, error) {
	var chosen []*probing.Config
	for _, c := range configs {
		wanted := c.Name == in.Case && in.Case != ""
		switch {
		case in.Set != "":
			wanted = c.Labels[probing.LabelSet+in.Set] != ""
		case in.Event != "":
			wanted = c.Spec.Answers(probing.Event{Kind: probing.Posted, Name: in.Event})
		}
		if wanted && c.Spec.Mode == probing.Resident && in.Case != "" {
			return nil, fault.New(fault.Refused, "cannot run case %s in cluster %s: it is a resident, and runs all the time", in.Case, in.Cluster)
		}
		if wanted && c.Spec.Mode != probing.Resident {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 && in.Event == "" {
		what := "case " + in.Case
		if in.Set != "" {
			what = "a case of the set " + in.Set + " that is run"
		}
		return nil, fault.New(fault.NotFound, "cannot find %s in cluster %s", what, in.Cluster)
	}
	return chosen, nil
}

// asksOf are the runs that are wanted of some cases.
func asksOf(ctx context.Context, cluster *kube.Cluster, in api.ProbeInput, chosen []*probing.Config) (asks []caserun.Ask, err error) {
	cause := probing.Cause{Kind: probing.ByHand, Key: in.Key, By: in.By, Text: clip.Runes(in.Reason, 200)}
	if in.Event != "" {
		cause.Kind, cause.Key = probing.ByEvent, string(probing.Posted)+"/"+in.Event+"/"+in.Key
	}
	for _, c := range chosen {
		targets := []string{""}
		switch ofNodes := c.Spec.Target.Kind == probing.OfNodes; {
		case !ofNodes && len(in.Nodes) > 0 && in.Case != "":
			return nil, fault.New(fault.Invalid, "cannot run case %s for node %s: it is about the cluster, and not about nodes", c.Name, in.Nodes[0])
		case ofNodes && len(in.Nodes) > 0:
			targets = in.Nodes
		case ofNodes:
			if targets, err = caserun.Nodes(ctx, cluster, c, in.Key); err != nil {
				return nil, err
			}
		}
		for _, t := range targets {
			asks = append(asks, caserun.Ask{Config: c, Target: t, Cause: cause})
		}
	}
	if len(asks) > maxCaseRuns {
		return nil, fault.New(fault.Invalid, "cannot run %s in cluster %s: it would be %d runs, at most %d are allowed",
			in, in.Cluster, len(asks), maxCaseRuns)
	}
	return asks, nil
}

func probedOf(e caserun.End) api.ProbedRun {
	out := api.ProbedRun{
		Case: e.Config.Name, Target: e.Target, Node: e.Node, Run: e.Config.Namespace + "/" + e.Name(), ID: e.ID, Verdict: api.Error,
	}
	if e.Why != nil {
		out.Message = e.Why.Error()
	}
	if r := e.Result; r != nil {
		message := r.Message
		if message == "" {
			message = strings.Join(r.Errors, "; ")
		}
		out.Verdict, out.Code, out.Message = r.Verdict, r.Code, logscan.Mask(message)
	}
	out.Message = clip.Bytes(out.Message, maxCaseMessage)
	return out
}
