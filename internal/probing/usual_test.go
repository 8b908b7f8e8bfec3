package probing_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/probing"
)

func TestWhatIsUsual(t *testing.T) {
	for _, c := range []struct {
		reason string
		says   probing.Denoise
		mode   probing.Mode
		want   probing.Denoise
	}{
		{"one failure of a run is one", probing.Denoise{}, probing.OneShot, probing.Denoise{Failures: 1, Of: 1, Passes: 1}},
		{"a resident looks so often that one is none", probing.Denoise{}, probing.Resident, probing.Denoise{Failures: 3, Of: 3, Passes: 1}},
		{"but for one that says so", probing.Denoise{Failures: 1}, probing.Resident, probing.Denoise{Failures: 1, Of: 1, Passes: 1}},
		{"of more results than fail", probing.Denoise{Failures: 2, Of: 1, Passes: 4}, probing.OneShot, probing.Denoise{Failures: 2, Of: 2, Passes: 4}},
	} {
		if got := c.says.Usual(c.mode); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
		}
	}
}

func TestHowLateARunMayBegin(t *testing.T) {
	every := func(d time.Duration) probing.Schedule { return probing.Schedule{Every: metav1.Duration{Duration: d}} }
	for _, c := range []struct {
		reason string
		of     probing.Schedule
		want   time.Duration
	}{
		{"half of its interval", every(10 * time.Second), 5 * time.Second},
		{"a minute of a long one", every(time.Hour), time.Minute},
		{"a minute by cron", probing.Schedule{Cron: "0 * * * *"}, time.Minute},
	} {
		slots, err := probing.NewSlots(c.of, "eu-1", "etcd")
		if err != nil {
			t.Fatal(err)
		}
		if got := slots.Late(); got != c.want {
			t.Errorf("%s: %s, want %s", c.reason, got, c.want)
		}
	}
}
