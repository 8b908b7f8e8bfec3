package worker

import (
	"context"
	"errors"

	"go.temporal.io/sdk/client"
)

// ready reports whether the worker can work: whether Temporal and the ledger answer. What exactly they say stands in the log of whoever
// needs them.
func (o Options) ready(ctx context.Context) error {
	if _, err := o.Client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return errors.New("no answer from Temporal")
	}
	if _, err := o.Ledger.ListBeats(ctx); err != nil {
		return errors.New("no answer from the ledger")
	}
	return nil
}
