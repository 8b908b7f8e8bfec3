package forgotten_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/forgotten"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
)

func TestWhatIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	l := sqlitetest.New(t)
	if _, err := l.NewRun(t.Context(), ledger.Run{Subject: api.Component("known"), Plan: "p", By: "ann", Started: now}); err != nil {
		t.Fatal(err)
	}
	var open []string
	var away error
	var log bytes.Buffer
	w := &forgotten.Watcher{
		Ledger: l, Open: func(context.Context) ([]string, error) { return open, away }, Clock: testclock.NewFakeClock(now),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	many := []string{"known-1"}
	for i := range 100 {
		many = append(many, fmt.Sprintf("lost-%d", i+1))
	}
	for _, c := range []struct {
		reason string
		open   []string
		says   []string // nil: nothing
	}{
		{"nothing is open", nil, nil},
		{"what is open is known", []string{"known-1"}, nil},
		{"one is not", []string{"known-1", "lost-1"}, []string{"count=1", "lost-1"}},
		{"it was said", []string{"lost-1"}, nil},
		{"there is another", []string{"lost-2", "lost-1"}, []string{"count=2", "lost-1 lost-2"}},
		{"they have ended", []string{"known-1"}, nil},
		{"one is there again", []string{"lost-1"}, []string{"count=1"}},
		{"there are more than anybody reads", many, []string{"count=100"}},
	} {
		log.Reset()
		open = c.open
		if err := w.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, word := range c.says {
			if !strings.Contains(log.String(), word) {
				t.Errorf("%s: it does not say %q: %s", c.reason, word, &log)
			}
		}
		if c.says == nil && log.Len() > 0 || log.Len() > 1000 || strings.Contains(log.String(), "known") {
			t.Errorf("%s: it says %s", c.reason, &log)
		}
	}
	away = errors.New("away")
	if err := w.Look(t.Context()); err == nil {
		t.Error("nobody hears that Temporal does not answer")
	}
}
