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
			api.UpdateRetreat, "freeze", "unfreeze", "reconcile", "let-in", "drill", "sync",
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

// RightToKeep is the right that it takes to apply a document of a kind, or to delete one. A Source and a Trigger say who may have things
// planned, started and approved: whoever may merge to a branch. So they take the right of those who say who may do what.
func RightToKeep(kind string) pipelines.Right {
	switch kind {
	case pipelines.KindBinding, pipelines.KindSource, pipelines.KindTrigger:
		return pipelines.RightBind
	case pipelines.KindPolicy:
		return pipelines.RightEnforce
	}
	return pipelines.RightRegister
}
