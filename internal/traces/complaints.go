package traces

import (
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/clip"
)

const (
	complainEvery = 10 * time.Minute
	maxComplaint  = 300 // bytes: it may quote what a collector has answered
)

// complaints logs what goes wrong with traces, once in a while, and counts the rest.
type complaints struct {
	clock  clock.PassiveClock
	logger *slog.Logger

	mu   sync.Mutex
	last time.Time
	more int // since the last one that was logged
}

func newComplaints(c clock.PassiveClock, logger *slog.Logger) *complaints {
	return &complaints{clock: c, logger: logger}
}

// Handle is asked by the SDK of OpenTelemetry with each error.
func (c *complaints) Handle(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	now, more := c.clock.Now(), c.more
	due := c.last.IsZero() || now.Sub(c.last) >= complainEvery
	if c.more++; due {
		c.last, c.more = now, 0
	}
	c.mu.Unlock()
	if due {
		c.logger.Warn("traces are not sent; runs go on", "error", clip.Bytes(err.Error(), maxComplaint), "before", more)
	}
}
