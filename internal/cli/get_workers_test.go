package cli_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/ledger"
)

func TestGetWorkers(t *testing.T) {
	s := newSession(t)
	s.server.away = errors.New("no Temporal is needed")
	l := s.server.open()
	for _, b := range []ledger.Beat{
		{Worker: "1@here", Build: "1.2", Queues: []string{"q", "q-site-eu"}, Since: noon, Seen: s.now.Add(-ledger.BeatEvery)},
		{Worker: "2@there", Queues: []string{"q"}, Since: noon, Seen: s.now.Add(-ledger.BeatsWithin)},
		{Worker: "3@gone", Queues: []string{"q"}, Since: noon, Seen: s.now.Add(-time.Hour), Ended: s.now.Add(-time.Hour)},
	} {
		if err := l.SaveBeat(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	out, errs, code := s.types("get workers")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 4 {
		t.Fatalf("got %q, %s, %d", out, errs, code)
	}
	for i, want := range [][]string{{"WORKER", "LAST SEEN"}, {"1@here", "There", "1.2", "q, q-site-eu"}, {"2@there", "Silent"}, {"3@gone", "Ended"}} {
		for _, words := range want {
			if !strings.Contains(lines[i], words) {
				t.Errorf("line %d does not say %q: %s", i, words, lines[i])
			}
		}
	}
}
