package prober_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

// flight is a run by hand, one by an event and a resident that another one takes the place of, all of them under way.
type flight struct {
	*site
	event   probing.Event
	hand    *probing.Run
	changed bool // the case of the resident
	gap     bool
}

func newFlight(t *testing.T) *flight {
	t.Helper()
	f := &flight{site: newSite(t), event: probing.Event{Kind: probing.NodeNew, Name: "n1", Key: "n1/uid-1", At: time.Now()}}
	f.Kubelet = func(p *unstructured.Unstructured) map[string]any {
		if p.GetLabels()[probing.LabelCase] == "api-reads" {
			return running()
		}
		return exits(0, "fine")
	}
	f.probe("pod-life")
	f.probe("dns", func(c *probing.Config) { c.Spec.Events = []probing.EventSpec{{On: probing.NodeNew}} })
	f.resident("v1")
	f.hand = f.run("pod-life", "", "1")
	return f
}

// resident writes the case of the resident in a version.
func (f *flight) resident(version string) {
	f.probe("api-reads", func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Version = probing.Resident, version
		if version != "v1" {
			c.Generation = 2
		}
	})
}

// of are the runs of a case.
func (f *flight) of(probeCase string) (all []probing.Run) {
	for _, r := range f.runs() {
		if r.Spec.Case == probeCase {
			all = append(all, r)
		}
	}
	return all
}

// goes brings what is under way on, as programs and the watches of an agent do, and reports whether all of it has come to its end.
func (f *flight) goes() bool {
	f.prober.Happened(f.t.Context(), "eu-1", f.event)
	alive := 0
	for _, p := range f.pods() {
		if p.Labels[probing.LabelCase] != "api-reads" || p.Status.Phase != "Running" {
			continue
		}
		alive++
		f.report(p, `{"OK": true, "Errors": []}`)
	}
	f.gap = f.gap || f.changed && alive == 0
	if !f.changed && f.stand("api-reads", "").State == probing.Passing {
		f.changed = true
		f.resident("v2")
	}
	told := func(r probing.Run) bool { return r.Status.Told }
	residents := f.of("api-reads")
	over := slices.IndexFunc(residents, told)
	return slices.ContainsFunc(f.of("pod-life"), told) && slices.ContainsFunc(f.of("dns"), told) && f.changed && over >= 0 &&
		slices.ContainsFunc(residents, func(r probing.Run) bool { return r.Status.Phase == probing.RunRunning }) && len(f.outcomes()) >= 2
}

// TestKilledWithAllKindsUnderWay has a prober die after each of its writes while runs of all kinds are under way, and another one go on: each
// runs once, and the resident without a gap.
func TestKilledWithAllKindsUnderWay(t *testing.T) {
	t.Parallel()
	for writes := range int32(40) {
		t.Run(fmt.Sprintf("after %d writes", writes), func(t *testing.T) {
			t.Parallel()
			f := newFlight(t)
			var done atomic.Int32
			var dead atomic.Bool
			f.setBefore(func(kubetest.Write) int {
				if dead.Load() || done.Add(1) > writes {
					dead.Store(true)
					return http.StatusInternalServerError
				}
				return 0
			})
			f.start()
			f.until("it neither dies nor comes to an end", func() bool { return dead.Load() || f.goes() })
			f.stop()
			f.setBefore(nil)
			f.start()
			f.until("who goes on comes to no end", f.goes)
			if f.gap {
				t.Error("no resident ran for a while")
			}
			for _, name := range []string{"pod-life", "dns"} {
				if runs := f.of(name); len(runs) != 1 || runs[0].Status.Result.Verdict != api.Passed {
					t.Errorf("%s has the runs %+v", name, runs)
				}
			}
			pods := map[string]int{}
			for _, p := range f.pods() {
				pods[p.Labels[probing.LabelCase]]++
			}
			if n := created(f.site); n != 4 {
				t.Errorf("%d pods were made, of which there are %v", n, pods)
			}
			for _, name := range []string{"pod-life", "dns"} {
				if pods[name] != 1 {
					t.Errorf("%s has %d pods", name, pods[name])
				}
			}
			said := 0
			for _, o := range f.outcomes() {
				if o.Case != "api-reads" {
					said++
				}
			}
			if said != 2 {
				t.Errorf("%d outcomes are said: %+v", said, f.outcomes())
			}
		})
	}
}
