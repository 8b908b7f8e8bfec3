package probing_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/probing"
)

func TestWhoseARunIsByItsName(t *testing.T) {
	long := strings.Repeat("x", 60)
	run := func(of string) string {
		return probing.RunName(of, "n1", probing.Cause{Kind: probing.BySchedule, Key: "1"})
	}
	for _, c := range []struct {
		reason, of, run string
		want            bool
	}{
		{"its own", "etcd", run("etcd"), true},
		{"one of a long name", long, run(long), true},
		{"one of a case that begins alike", "etcd", run("etcd-2"), false},
		{"of a case that is called as a run is", "etcd", run(run("etcd")), false},
		{"no run at all", "etcd", "etcd-of-somebody", false},
		{"nothing", "etcd", "", false},
	} {
		if got := probing.RunOf(c.of, c.run); got != c.want {
			t.Errorf("%s: %s is a run of %s: %t", c.reason, c.run, c.of, got)
		}
	}
}
