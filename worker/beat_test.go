package worker

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
)

// sometimes is a ledger that does not answer every other time.
type sometimes struct {
	ledger.Beats
	asked chan int
	n     int
}

func (s *sometimes) SaveBeat(ctx context.Context, b ledger.Beat) error {
	defer func() { s.asked <- s.n }()
	if s.n++; s.n%2 == 0 {
		return errors.New("it is locked")
	}
	return s.Beats.SaveBeat(ctx, b)
}

func TestAWorkerSaysThatItIsThere(t *testing.T) {
	l := sqlitetest.New(t)
	began := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	clock := clocktesting.NewFakeClock(began)
	asked := make(chan int, 10)
	h := &heart{ledger: &sometimes{Beats: l, asked: asked}, clock: clock, logger: slog.New(slog.DiscardHandler), beat: ledger.Beat{
		Worker: "7@here", Build: "1.2", Queues: Options{Sites: []string{"eu"}}.queues("sluice"),
	}}
	quiet := background(t.Context(), h.keep)
	for want := 1; want <= 3; want++ {
		if <-asked != want {
			t.Fatal("it did not beat")
		}
		for !clock.HasWaiters() {
			time.Sleep(time.Millisecond)
		}
		if want < 3 {
			clock.Step(ledger.BeatEvery)
		}
	}
	only := func() ledger.Beat {
		t.Helper()
		all, err := l.ListBeats(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	b := only()
	if now := clock.Now(); !b.Seen.Equal(now) || !b.Since.Equal(began) || !b.There(now) || len(b.Queues) != 2 || b.Build != "1.2" {
		t.Errorf("got %+v", b)
	}
	quiet()
	h.ledger = l
	h.end()
	if b := only(); b.There(clock.Now()) {
		t.Errorf("it has ended, and is still there: %+v", b)
	}
}
