package access

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// commands are what one may do to runs and to the fleet, by the right that it takes. Words are those of the audit.
func commands() map[pipelines.Right][]string {
	return map[pipelines.Right][]string{
		pipelines.RightPlan: {"plan", "catch-up"},
		pipelines.RightOperate: {
			"run", api.UpdatePause, api.UpdateResume, api.UpdateSkip, api.UpdateRetry, api.UpdateAbort, api.UpdateRollback, api.UpdateEndSoak,
			api.UpdateRetreat, "freeze", "unfreeze", "reconcile", "let-in", "drill",
		},
		pipelines.RightApprove: {api.UpdateApprove, api.UpdateReject, "bypass"},
	}
}

// RightTo is the right that a command takes, or false for a word that is none: nobody may do what nobody knows.
func RightTo(command string) (pipelines.Right, bool) {
	for right, words := range commands() {
		if slices.Contains(words, command) {
			return right, true
		}
	}
	return "", false
}

// RightToKeep is the right that it takes to apply a document of a kind, or to delete one.
func RightToKeep(kind string) pipelines.Right {
	switch kind {
	case pipelines.KindBinding:
		return pipelines.RightBind
	case pipelines.KindPolicy:
		return pipelines.RightEnforce
	}
	return pipelines.RightRegister
}

// Touching is the object of an action on a component in some cluster groups, and in namespaces of their clusters. Without a group it
// is about all of them.
func Touching(component string, groups []*pipelines.ClusterGroup, namespaces ...string) Object {
	o := Object{Component: component, Namespaces: namespaces}
	for _, g := range groups {
		o.GroupLabels = append(o.GroupLabels, g.EffectiveLabels())
		if e := g.Spec.Environment; e != "" && !slices.Contains(o.Environments, e) {
			o.Environments = append(o.Environments, e)
		}
	}
	return o
}
