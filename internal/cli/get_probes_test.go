package cli

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/probing"
)

func TestWhenACaseRunsByItself(t *testing.T) {
	every := probing.Schedule{Every: metav1.Duration{Duration: 90 * time.Second}}
	for _, row := range []struct {
		why  string
		mode probing.Mode
		in   probing.Schedule
		want string
	}{
		{"a resident has no times, whatever its schedule says", probing.Resident, every, "all the time"},
		{"a duration as people write it", probing.OneShot, every, "every 1m30s"},
		{"a cron expression without a zone", probing.OneShot, probing.Schedule{Cron: "0 * * * *"}, "0 * * * *"},
		{"and in one", "", probing.Schedule{Cron: "0 * * * *", Zone: "Europe/Berlin"}, "0 * * * * (Europe/Berlin)"},
		{"nothing but events", probing.OneShot, probing.Schedule{}, ""},
	} {
		if got := when(row.mode, row.in); got != row.want {
			t.Errorf("%s: %q, want %q", row.why, got, row.want)
		}
	}
}
