package kit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines/rule"
)

// mostStuck is how many pods that do not get ready are told about by name, and mostWarnings how many events of each.
const (
	mostStuck    = 3
	mostWarnings = 2
)

// stuck tells which pods keep a workload from getting on.
func (s *Session) stuck(ctx context.Context, facts rule.Workload) (*api.Stuck, error) {
	if err := s.inTouch(ctx); err != nil {
		return nil, err
	}
	live, err := s.Live(ctx)
	if err != nil || live == nil {
		return nil, err
	}
	owners := []types.UID{live.GetUID()}
	for _, r := range s.revisions.All() {
		if r.Owner == live.GetUID() {
			owners = append(owners, r.UID)
		}
	}
	pods := slices.DeleteFunc(s.pods.All(), func(p Pod) bool { return p.Ended || !slices.Contains(owners, p.Owner) })
	return stuckAmong(pods, s.events.All(), facts), nil
}

func stuckAmong(pods []Pod, events []event, facts rule.Workload) *api.Stuck {
	there := 0
	var bad []Pod
	for _, p := range pods {
		if !p.Deleting {
			there++
		}
		if p.Deleting || p.Hash == facts.Revision && p.trouble.reason != "" && (!p.Ready || p.restarts > 0) {
			bad = append(bad, p)
		}
	}
	stuck := api.Stuck{Missing: max(0, int(facts.Desired)-there), More: max(0, len(bad)-mostStuck)}
	if stuck.Missing == 0 && len(bad) == 0 {
		return nil
	}
	// What is broken comes before what was, and both before what merely does not go.
	slices.SortFunc(bad, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(One(a.Deleting), One(b.Deleting)), cmp.Compare(One(a.Ready), One(b.Ready)), strings.Compare(a.Name, b.Name))
	})
	for _, p := range bad[:min(len(bad), mostStuck)] {
		stuck.Pods = append(stuck.Pods, api.Pod{
			Name: p.Name, Node: p.Node, Container: p.trouble.container, Image: p.trouble.image, Reason: p.trouble.reason,
			Message: p.trouble.message, Restarts: int(p.restarts), Since: p.trouble.since.UTC(), Events: warnings(events, p.UID),
		})
	}
	return &stuck
}

// warnings are the last events about a pod, the latest first.
func warnings(events []event, about types.UID) []string {
	events = slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.about != about })
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(a.fact.Reason, b.fact.Reason), strings.Compare(a.fact.Message, b.fact.Message))
	})
	var out []string
	for _, e := range events[:min(len(events), mostWarnings)] {
		text := e.fact.Reason + ": " + e.fact.Message
		if e.fact.Count > 1 {
			text += fmt.Sprintf(" (%d times)", e.fact.Count)
		}
		out = append(out, text)
	}
	return out
}
