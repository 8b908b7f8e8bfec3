package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/rounds"
)

// heart says in the ledger that a worker is there: Temporal may be gone when somebody has to know.
type heart struct {
	ledger ledger.Beats
	clock  clock.WithTicker
	logger *slog.Logger
	beat   ledger.Beat
}

// identity is how a worker is called: the process and where it runs. Two containers may have the same of both.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s/%s", os.Getpid(), host, strings.ToLower(rand.Text()[:6]))
}

// toEnd is how long a worker that ends may take to say so.
const toEnd = 2 * time.Second

// keep beats until ctx ends. A beat that is lost is no reason to stop work.
func (h *heart) keep(ctx context.Context) {
	h.beat.Since = h.clock.Now().UTC()
	rounds.Keep(ctx, h.clock, ledger.BeatEvery, h.say)
}

// end says that the worker has ended: from then on it writes nothing.
func (h *heart) end() {
	ctx, cancel := context.WithTimeout(context.Background(), toEnd)
	defer cancel()
	h.beat.Ended = h.clock.Now().UTC()
	h.say(ctx)
}

func (h *heart) say(ctx context.Context) {
	h.beat.Seen = h.clock.Now().UTC()
	if err := h.ledger.SaveBeat(ctx, h.beat); err != nil && ctx.Err() == nil {
		h.logger.Warn("the ledger does not know that this worker is there", "error", err)
	}
}
