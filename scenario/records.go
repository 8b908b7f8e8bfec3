package scenario

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
)

// records is what one run has written down, in memory.
type records struct {
	mu    sync.Mutex
	blobs map[string][]byte
	plan  ledger.Plan
	run   ledger.Run
}

// newRecords keeps a plan and a run of it.
func newRecords(p *plan.Plan, run ledger.Run) (*records, error) {
	body, err := plan.Encode(p)
	if err != nil {
		return nil, err
	}
	r := &records{blobs: map[string][]byte{}, run: run}
	digest, err := r.PutBlob(context.Background(), body)
	r.plan = ledger.Plan{Hash: plan.Hash(p), Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline, Body: digest}
	return r, err
}

func (r *records) PutBlob(_ context.Context, data []byte) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := ledger.Digest(data)
	r.blobs[digest] = data
	return digest, nil
}

func (r *records) Blob(_ context.Context, digest string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.blobs[digest]
	if !ok {
		return nil, fault.New(fault.NotFound, "cannot find blob %s", digest)
	}
	return data, nil
}

func (r *records) Plan(context.Context, string) (ledger.Plan, error)         { return r.plan, nil }
func (r *records) SavePlan(context.Context, ledger.Plan) error               { return nil }
func (r *records) Run(context.Context, string) (ledger.Run, error)           { return r.run, nil }
func (r *records) SaveRun(context.Context, ledger.Run) error                 { return nil }
func (r *records) SaveObservation(context.Context, ledger.Observation) error { return nil }
func (r *records) AddFreeze(_ context.Context, f api.Freeze) (api.Freeze, error) {
	f.Name = "freeze-1" // nothing starts after the run
	return f, nil
}

// NoteOutcome keeps nothing: one run is played, and fuses look over all.
func (r *records) NoteOutcome(context.Context, ledger.Outcome) error { return nil }

func (r *records) AddEntry(context.Context, ledger.Entry) error { return nil }

// Enter and what goes with it are the script's: here nobody is in the way.
func (r *records) Enter(context.Context, permit.Permit, []permit.Limit, time.Time) (permit.Admission, error) {
	return permit.Admission{}, nil
}
func (r *records) Trouble(context.Context, permit.Permit, string, time.Time) error { return nil }
func (r *records) Leave(context.Context, string, string, time.Time) error          { return nil }
func (r *records) ListKept(context.Context, string) ([]ledger.Kept, error)         { return nil, nil }
func (r *records) PermitRevision(context.Context) (int64, error)                   { return 0, nil }

// read fills in what was stored under a digest.
func (r *records) read(digest string, into any) error {
	data, err := r.Blob(context.Background(), digest)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
