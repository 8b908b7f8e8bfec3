package server

import (
	"context"
	"log/slog"
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
	said   string // the last fault, which is not said again
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
	all := append([]*pipelines.Binding(nil), b.Ours...)
	for _, k := range kept {
		doc := &pipelines.Binding{}
		if err := k.Read(doc); err != nil {
			b.complain(err)
			continue
		}
		all = append(all, doc)
	}
	grants, err := access.Compile(all)
	if err != nil {
		b.complain(err)
	}
	b.grants.Store(grants)
	return len(all), nil
}

func (b *Bindings) complain(err error) {
	if err.Error() != b.said {
		b.said = err.Error()
		b.Logger.Error("a binding binds nobody", "error", err)
	}
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
