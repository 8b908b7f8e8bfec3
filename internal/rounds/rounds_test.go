package rounds_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/rounds"
)

func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		var at []time.Duration
		began := time.Now()
		rounds.Keep(ctx, clock.RealClock{}, 2*time.Second, rounds.Trying(logger, "cannot look", func(context.Context) error {
			if at = append(at, time.Since(began)); len(at) == 2 {
				return errors.New("nobody is there")
			}
			return nil
		}))
		if len(at) != 3 || at[0] != 0 || at[2] != 4*time.Second {
			t.Errorf("it was done at %v, want at once, after 2 s and after 4 s", at)
		}
		if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, `"cannot look; it is tried again" error="nobody is there"`) {
			t.Errorf("the log says %q", said)
		}
	})
}

func TestTheEndOfAWorkerIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	rounds.Keep(ctx, clock.RealClock{}, time.Hour, rounds.Trying(slog.New(slog.NewTextHandler(&log, nil)), "cannot look", func(ctx context.Context) error {
		stop()
		return ctx.Err()
	}))
	if log.Len() > 0 {
		t.Errorf("the log says %q", log.String())
	}
}
