package deployment

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// TestMakeBeforeBreak plays the driver against a model of the Deployment controller, with views that are behind, kills,
// pauses, other batches and other templates in the middle of a step.
func TestMakeBeforeBreak(t *testing.T) {
	for range 30 { // what goes wrong here takes a rare order of events
		rapid.Check(t, playBeforeBreak)
	}
}

func playBeforeBreak(t *rapid.T) {
	replicas := rapid.IntRange(1, 130).Draw(t, "replicas")
	if rapid.Bool().Draw(t, "few") {
		replicas = min(replicas, 12)
	}
	amount := func(name string) any {
		if rapid.Bool().Draw(t, name+" in percent") {
			return fmt.Sprintf("%d%%", rapid.IntRange(0, 60).Draw(t, name))
		}
		return int64(rapid.IntRange(0, 5).Draw(t, name))
	}
	owner := map[string]any{"rollingUpdate": map[string]any{"maxSurge": amount("surge"), "maxUnavailable": amount("unavailable")}}
	a := allowed(owner, replicas, rapid.IntRange(1, 4).Draw(t, "budget"))
	m := &model{replicas: replicas, owner: owner, strategy: owner, current: "0", observed: true}
	first := &modelSet{uid: "0", spec: replicas, desired: replicas, most: replicas}
	broken := rapid.IntRange(0, replicas).Draw(t, "broken")
	if rapid.Bool().Draw(t, "sound") {
		broken = 0
	}
	for i := range replicas {
		first.pods = append(first.pods, modelPod{ready: i >= broken, broken: i < broken})
	}
	m.sets = []*modelSet{first}
	least := min(replicas-a.down, replicas-broken)
	target := rapid.IntRange(1, replicas).Draw(t, "target")
	m.take("1")
	mostNew := target
	check := func(what string) {
		if n := m.available(); n < least {
			t.Fatalf("after %s: %d of %d pods are available, at least %d have to be: %s", what, n, replicas, least, m)
		}
		if n := m.total(); n > replicas+a.surge {
			t.Fatalf("after %s: %d pods, at most %d+%d may be: %s", what, n, replicas, a.surge, m)
		}
		if s := m.newest(); s != nil && s.spec > mostNew {
			t.Fatalf("after %s: %d pods are new, the batch allows %d: %s", what, s.spec, mostNew, m)
		}
	}
	fill := func() {
		for _, s := range m.sets {
			m.fill(s)
		}
	}
	ready := func() {
		for _, s := range m.sets {
			for i := range s.pods {
				s.pods[i].ready = s.pods[i].ready || !s.pods[i].broken || s.uid == m.current
			}
		}
	}
	glimpse, settled := m.glance(target, a), m.observed
	templates := 1
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		what := rapid.SampledFrom([]string{"sync", "sync", "fill", "fill one", "ready", "ready one", "look", "look", "act", "act", "pause", "pause while away", "batch", "template", "template while away"}).Draw(t, "what")
		switch what {
		case "sync":
			m.sync()
		case "fill":
			fill()
		case "fill one":
			m.fill(m.sets[rapid.IntRange(0, len(m.sets)-1).Draw(t, "set")])
		case "ready":
			ready()
		case "ready one":
			if s := m.newest(); s != nil && len(s.pods) > 0 {
				s.pods[rapid.IntRange(0, len(s.pods)-1).Draw(t, "pod")].ready = true
			}
		case "look":
			glimpse, settled = m.glance(target, a), m.observed
		case "act":
			m.step(glimpse, settled)
		case "pause", "pause while away":
			if m.calm(what != "pause") {
				m.pause()
			}
		case "batch":
			if !m.calm(false) {
				continue
			}
			target = rapid.IntRange(1, replicas).Draw(t, "target")
		case "template", "template while away":
			if !m.calm(what != "template") {
				continue
			}
			if rapid.Bool().Draw(t, "back") {
				m.take("0")
			} else {
				templates++
				m.take(types.UID(fmt.Sprint(templates)))
			}
			target = rapid.IntRange(1, replicas).Draw(t, "target")
		}
		if what == "batch" || strings.HasPrefix(what, "template") {
			// What the controller may do by what it was told before, or as it scales what is paused, is no later batch's to undo.
			mostNew = max(target, told(m.live()).most())
			if s := m.newest(); s != nil {
				mostNew = max(mostNew, s.spec+max(0, replicas+told(m.live()).extra-m.total()))
			}
			if what == "template while away" {
				mostNew = replicas // the controller scales what it finds half-done, as it thinks fit
			}
			glimpse, settled = m.glance(target, a), m.observed
		}
		check(what)
	}
	for i := range 20 + 20*replicas {
		m.sync()
		check("sync")
		fill()
		check("fill")
		ready()
		seen := m.glance(target, a)
		if seen.arrived() {
			if s := m.newest(); max(s.spec, told(m.live()).most()) <= target && m.total() != replicas {
				t.Fatalf("the batch of %d ended with %s", target, m)
			}
			return
		}
		m.step(seen, m.observed)
		check(fmt.Sprintf("round %d", i))
	}
	t.Fatalf("the batch of %d never ends: %s, allowed are %+v", target, m, a)
}
