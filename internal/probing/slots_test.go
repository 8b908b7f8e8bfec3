package probing_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

func every(d, jitter time.Duration) probing.Schedule {
	return probing.Schedule{Every: metav1.Duration{Duration: d}, Jitter: metav1.Duration{Duration: jitter}}
}

func slots(t interface{ Fatal(...any) }, s probing.Schedule, cluster string) *probing.Slots {
	got, err := probing.NewSlots(s, cluster, "pod-life")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSlotsOfAnInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(int64(time.Second), int64(48*time.Hour)).Draw(t, "every"))
		s := slots(t, every(interval, 0), rapid.String().Draw(t, "cluster"))
		now := noon.Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "now")))
		next := s.Next(now)
		if !next.After(now) || next.Sub(now) > interval {
			t.Fatalf("after %s comes %s", now, next)
		}
		if again := s.Next(next); again.Sub(next) != interval {
			t.Fatalf("after %s comes %s", next, again)
		}
		n := rapid.Int64Range(0, 1000).Draw(t, "slots")
		until := next.Add(time.Duration(n) * interval)
		if slot, before := s.Due(now, until); !slot.Equal(until) || before != n {
			t.Fatalf("by %s %s is due, with %d before it, want %d", until, slot, before, n)
		}
		if slot, before := s.Due(next, until.Add(-time.Nanosecond)); n <= 1 && (!slot.IsZero() || before != 0) {
			t.Fatalf("nothing is due, and there is %s", slot)
		}
	})
}

// A fleet does not do the same in the same second.
func TestClustersSpreadOverTheInterval(t *testing.T) {
	of := map[int]int{}
	for i := range 1000 {
		s := slots(t, every(10*time.Minute, 0), fmt.Sprintf("cluster-%d", i))
		of[int(s.Next(noon).Sub(noon)/time.Minute)]++
	}
	for minute := range 10 {
		if n := of[minute]; n < 60 || n > 140 {
			t.Errorf("%d of 1000 clusters run in minute %d of ten", n, minute)
		}
	}
	s := slots(t, every(10*time.Minute, time.Minute), "a")
	if shift := s.Next(noon).Sub(noon.Truncate(10 * time.Minute)); shift > time.Minute {
		t.Errorf("a jitter of a minute shifts it by %s", shift)
	}
}

func TestSlotsOfCron(t *testing.T) {
	for _, c := range []struct {
		reason     string
		schedule   probing.Schedule
		since, now time.Time
		slot       time.Time
		before     int64
	}{
		{"in UTC where nobody says otherwise", probing.Schedule{Cron: "0 3 * * *"}, noon, noon.Add(24 * time.Hour),
			time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC), 0},
		{"by the clock on a wall", probing.Schedule{Cron: "0 3 * * *", Zone: "Asia/Shanghai"}, noon, noon.Add(24 * time.Hour),
			time.Date(2026, 11, 29, 19, 0, 0, 0, time.UTC), 0},
		{"what was missed is counted", probing.Schedule{Cron: "*/10 * * * *"}, noon, noon.Add(time.Hour), noon.Add(time.Hour), 5},
		{"nothing is due", probing.Schedule{Cron: "0 3 * * *"}, noon, noon.Add(time.Hour), time.Time{}, 0},
		{"a day that does not come", probing.Schedule{Cron: "0 0 30 2 *"}, noon, noon.Add(1000 * time.Hour), time.Time{}, 0},
	} {
		slot, before := slots(t, c.schedule, "a").Due(c.since, c.now)
		if !slot.Equal(c.slot) || before != c.before {
			t.Errorf("%s: %s, with %d before it; want %s, %d", c.reason, slot, before, c.slot, c.before)
		}
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	if s, err := probing.NewSlots(probing.Schedule{}, "a", "b"); s != nil || err != nil {
		t.Errorf("a case that never runs by itself: %v, %v", s, err)
	}
	for reason, s := range map[string]probing.Schedule{
		"both": {Every: metav1.Duration{Duration: time.Minute}, Cron: "* * * * *"}, "less than a second": every(time.Millisecond, 0),
		"below 0": every(-time.Minute, 0), "a jitter below 0": every(time.Minute, -1), "no cron": {Cron: "often"},
		"no zone": {Cron: "* * * * *", Zone: "Mars/Olympus"},
	} {
		if _, err := probing.NewSlots(s, "a", "b"); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
