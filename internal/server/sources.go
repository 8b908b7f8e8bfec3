package server

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/hook"
)

// HooksOf are the sources that an engine keeps.
func HooksOf(e *engine.Engine) Hooks { return sourceHooks{e} }

// sourceHooks takes deliveries for sources: each is a hint to look.
type sourceHooks struct{ *engine.Engine }

// Secret is what a Source and its forge both know.
func (h sourceHooks) Secret(ctx context.Context, source string) (forge.Kind, string, error) {
	return h.SourceSecret(ctx, source)
}

// Nudge has a Source be looked at soon.
func (h sourceHooks) Nudge(ctx context.Context, source string, _ hook.Event) error {
	return h.NudgeSource(ctx, source, api.SourceNudge{})
}
