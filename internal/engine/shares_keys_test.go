package engine_test

import (
	"testing"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// TestWhoHasOtherKeysHearsSo has a run be told something by whoever cannot read it: it is a matter of his keys, and of no server's.
func TestWhoHasOtherKeysHearsSo(t *testing.T) {
	b := newBench(t)
	run := b.started()
	sealed, err := b.temporal.keys.Converter(nil).ToPayloads("x")
	if err != nil {
		t.Fatal(err)
	}
	_, unread := (*payload.Ring)(nil).Decode(sealed.GetPayloads())
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) { return api.Answer{}, unread }
	_, err = b.Command(t.Context(), run.Name, api.UpdatePause, api.Command{Who: "ann"})
	wants(t, err, fault.Invalid, `its key "k" is none of those here`)
}
