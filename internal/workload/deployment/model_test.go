package deployment

import (
	"fmt"
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
)

// modelPod is a pod that is there, not on its way out.
type modelPod struct{ ready, broken bool }

// modelSet is a ReplicaSet. A locked one has no available pods, as its controller sees it.
type modelSet struct {
	uid     types.UID
	spec    int
	locked  bool
	most    int // annotation max-replicas
	desired int // annotation desired-replicas
	pods    []modelPod
}

func (s *modelSet) ready() int {
	return len(slices.DeleteFunc(slices.Clone(s.pods), func(p modelPod) bool { return !p.ready }))
}

func (s *modelSet) known() int {
	if s.locked {
		return 0
	}
	return s.ready()
}

// model is a Deployment with its controllers, which do as those of Kubernetes do (pkg/controller/deployment: sync.go,
// rolling.go, util/deployment_util.go).
type model struct {
	replicas int
	paused   bool
	owner    map[string]any // strategy
	strategy map[string]any
	observed bool
	sets     []*modelSet // by creation
	current  types.UID   // of the template
}

func (m *model) live() *unstructured.Unstructured {
	spec := map[string]any{"replicas": int64(m.replicas), "strategy": m.strategy, "minReadySeconds": int64(lockReady)}
	if m.paused {
		spec["paused"] = true
	}
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"uid": "d"}, "spec": spec}}
}

func (m *model) newest() *modelSet {
	for _, s := range m.sets {
		if s.uid == m.current {
			return s
		}
	}
	return nil
}

func (m *model) older() []*modelSet {
	return slices.DeleteFunc(slices.Clone(m.sets), func(s *modelSet) bool { return s.uid == m.current })
}

func (m *model) total() int {
	n := 0
	for _, s := range m.sets {
		n += s.spec
	}
	return n
}

func (m *model) available() int {
	n := 0
	for _, s := range m.sets {
		n += s.ready()
	}
	return n
}

// resolve is what the controller makes of the strategy.
func (m *model) resolve() (surge, unavailable int) {
	of := func(key string, up bool) int {
		v := intstr.FromInt32(0)
		switch x := m.strategy["rollingUpdate"].(map[string]any)[key].(type) {
		case string:
			v = intstr.FromString(x)
		case int64:
			v = intstr.FromInt32(int32(x))
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(&v, m.replicas, up)
		if err != nil {
			panic(err)
		}
		return n
	}
	surge, unavailable = of("maxSurge", true), of("maxUnavailable", false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, m.replicas)
}

// sync is one turn of the Deployment controller.
func (m *model) sync() {
	defer func() { m.observed = true }()
	surge, unavailable := m.resolve()
	if s := m.newest(); s != nil {
		s.locked = true
	}
	scaling := slices.ContainsFunc(m.sets, func(s *modelSet) bool { return s.spec > 0 && s.desired != m.replicas })
	if m.paused || scaling {
		m.scale(surge)
		return
	}
	if m.newest() == nil {
		m.sets = append(m.sets, &modelSet{uid: m.current, locked: true})
	}
	current, older := m.newest(), m.older()
	if to := m.newReplicas(surge); to != current.spec {
		m.size(current, to, surge)
		return
	}
	old, known := 0, current.known()
	for _, s := range older {
		old += s.spec
		known += s.known()
	}
	least := m.replicas - unavailable
	surplus := m.total() - least - (current.spec - current.known())
	if old == 0 || surplus <= 0 {
		return
	}
	for _, s := range older {
		n := max(0, min(surplus, s.spec-s.known()))
		surplus -= n
		m.size(s, s.spec-n, surge)
	}
	extra := known - least
	for _, s := range older {
		n := max(0, min(extra, s.spec))
		extra -= n
		m.size(s, s.spec-n, surge)
	}
}

func (m *model) newReplicas(surge int) int {
	current := m.newest()
	if current.spec >= m.replicas {
		return m.replicas
	}
	return current.spec + max(0, min(m.replicas+surge-m.total(), m.replicas-current.spec))
}

func (m *model) size(s *modelSet, to, surge int) {
	s.spec, s.most, s.desired = max(0, to), m.replicas+surge, m.replicas
}

// scale is proportional where there are several ReplicaSets.
func (m *model) scale(surge int) {
	active := slices.DeleteFunc(slices.Clone(m.sets), func(s *modelSet) bool { return s.spec == 0 })
	if len(active) == 0 && len(m.sets) > 0 {
		active = m.sets[len(m.sets)-1:]
		if s := m.newest(); s != nil {
			active = []*modelSet{s}
		}
	}
	if len(active) == 1 {
		m.size(active[0], m.replicas, surge)
		return
	}
	add := m.replicas + surge - m.total()
	slices.SortStableFunc(active, func(a, b *modelSet) int {
		if a.spec != b.spec {
			return b.spec - a.spec
		}
		if i, j := slices.Index(m.sets, a), slices.Index(m.sets, b); add > 0 {
			return j - i
		} else {
			return i - j
		}
	})
	added, sizes := 0, make([]int, len(active))
	for i, s := range active {
		sizes[i] = s.spec
		if add == 0 || add == added {
			continue
		}
		part := int(math.Round(float64(s.spec*(m.replicas+surge))/float64(s.most))) - s.spec
		if add > 0 {
			part = min(part, add-added)
		} else {
			part = max(part, add-added)
		}
		sizes[i] += part
		added += part
	}
	sizes[0] += add - added
	for i, s := range active {
		m.size(s, sizes[i], surge)
	}
}

// fill is one turn of the ReplicaSet controller: pods that are not ready go first.
func (m *model) fill(s *modelSet) {
	for len(s.pods) < s.spec {
		s.pods = append(s.pods, modelPod{})
	}
	slices.SortStableFunc(s.pods, func(a, b modelPod) int { return int(kit.One(b.ready) - kit.One(a.ready)) })
	s.pods = s.pods[:s.spec]
}

// glance is what the views show: they may be behind.
func (m *model) glance(target int, a allowance) tide {
	seen := tide{live: m.live(), replicas: m.replicas, allowed: target, allowance: a, available: map[types.UID]int{}}
	seen.live.SetUID("d")
	all := m.revisions()
	for i, s := range m.sets {
		seen.available[s.uid] = s.ready()
		if s.uid == m.current {
			seen.rev, seen.known = all[i], true
		}
	}
	seen.count(all)
	return seen
}

func (m *model) revisions() []kit.Revision {
	var all []kit.Revision
	for i, s := range m.sets {
		r := kit.Revision{
			UID: s.uid, Owner: "d", Name: fmt.Sprintf("%03d", i), Replicas: int64(s.spec), Available: int64(s.known()), Observed: true,
		}
		if s.locked {
			r.Least = lockReady
		}
		all = append(all, r)
	}
	return all
}

// step is what the driver does about what it saw: settled says whether the controller had seen the Deployment's spec then.
func (m *model) step(seen tide, settled bool) bool {
	if !field.Same(seen.live.Object, m.live().Object) {
		return false
	}
	if !seen.exceeds() && (!settled || seen.known && (seen.rev.Least != lockReady || seen.rev.Available != 0)) {
		return false
	}
	if slices.ContainsFunc(seen.old, func(h herd) bool { return h.locked && h.pods > 0 }) {
		for _, s := range m.older() {
			s.locked = false
		}
		return true
	}
	next, do := seen.then()
	if do == tell && seen.paused() {
		seen.known = m.newest() != nil
		seen.count(m.revisions())
		next, do = seen.then()
	}
	switch do {
	case stop:
		m.paused, m.observed = true, false
	case tell:
		m.paused, m.strategy, m.observed = false, strategyFor(next, m.replicas), false
	}
	return do != wait
}

// take pauses and locks the Deployment for a new template, or for one that it had before.
func (m *model) take(uid types.UID) {
	m.strategy = pausedStrategy(m.live(), m.owner, m.total())
	m.paused, m.observed, m.current = true, false, uid
}

// calm is what comes before a pause and before another template: the controller gets time to do what it was told, unless it
// is away. Nothing is said of one that went away having taken old pods and made none instead.
func (m *model) calm(away bool) bool {
	moved := 0
	if s := m.newest(); s != nil {
		moved = s.spec
	}
	return away && m.total() >= m.replicas || m.paused || m.observed && steady(m.live(), moved, m.total()-moved)
}

// pause is what a Disarm does.
func (m *model) pause() {
	if !m.paused {
		m.strategy = keptStrategy(m.live(), m.owner, m.total())
	}
	m.paused, m.observed = true, false
}

func (m *model) String() string {
	text := fmt.Sprintf("%d replicas, paused %v, %v:", m.replicas, m.paused, m.strategy["rollingUpdate"])
	for _, s := range m.sets {
		text += fmt.Sprintf(" [%s: %d, %d pods, %d ready, locked %v]", s.uid, s.spec, len(s.pods), s.ready(), s.locked)
	}
	return text
}
