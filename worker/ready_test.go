package worker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
)

// healthy is a Temporal that answers, or does not.
type healthy struct {
	client.Client
	why error
}

func (h healthy) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	return &client.CheckHealthResponse{}, h.why
}

func TestAWorkerIsReadyWhereTemporalAndTheLedgerAnswer(t *testing.T) {
	for _, c := range []struct {
		reason   string
		temporal error
		closed   bool
		want     string
	}{
		{"both answer", nil, false, ""},
		{"Temporal is away", errors.New("dial tcp 10.0.0.7:7233: connection refused"), false, "no answer from Temporal"},
		{"the ledger is away", nil, true, "no answer from the ledger"},
	} {
		o := Options{Client: healthy{why: c.temporal}, Ledger: sqlitetest.New(t)}
		if c.closed {
			o.Ledger.Close()
		}
		err := o.ready(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v", c.reason, err)
		}
		if err != nil && strings.Contains(err.Error(), "10.0.0.7") {
			t.Errorf("%s: whoever may look learns where it is", c.reason)
		}
	}
}
