package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// readEvery is how often the bindings of the ledger are read: so long somebody keeps a right that was taken from him.
const readEvery = 5 * time.Second

// Bindings are what gives rights: documents that the server was started with, and those that are kept in the ledger.
type Bindings struct {
	Ours   []*pipelines.Binding // that the server was started with
	Kept   func(ctx context.Context, kind string) ([]ledger.Kept, error)
	Clock  clock.WithTicker
	Logger *slog.Logger

	grants atomic.Pointer[access.Grants]
	said   map[string]bool // faults of the last reading, which are not said again
}

// Grants are what the bindings give now.
func (b *Bindings) Grants() *access.Grants { return b.grants.Load() }

// Read compiles the bindings, and returns how many there are. A document that cannot be read binds nobody, and is in the log. Where the
// ledger cannot be asked, what was read last stands; the first time that is an error.
func (b *Bindings) Read(ctx context.Context) (int, error) {
	kept, err := b.Kept(ctx, pipelines.KindBinding)
	if err != nil {
		return 0, err
	}
	all, wrong := append([]*pipelines.Binding(nil), b.Ours...), map[string]bool{}
	for _, k := range kept {
		doc := &pipelines.Binding{}
		if err := k.Read(doc); err != nil {
			wrong[err.Error()] = true
			continue
		}
		all = append(all, doc)
	}
	grants, err := access.Compile(all)
	if err != nil {
		wrong[err.Error()] = true
	}
	b.grants.Store(grants)
	b.complain(wrong)
	return len(all), nil
}

// complain logs what is wrong now and was not before.
func (b *Bindings) complain(wrong map[string]bool) {
	for _, fault := range slices.Sorted(maps.Keys(wrong)) {
		if !b.said[fault] {
			b.Logger.Error("a binding binds nobody", "error", fault)
		}
	}
	b.said = wrong
}

// Follow reads the bindings again and again until ctx ends.
func (b *Bindings) Follow(ctx context.Context) {
	ticks := b.Clock.NewTicker(readEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C():
		}
		if _, err := b.Read(ctx); err != nil && ctx.Err() == nil {
			b.Logger.Warn("cannot read the bindings; those read last stand", "code", fault.CodeOf(err), "error", err)
		}
	}
}
