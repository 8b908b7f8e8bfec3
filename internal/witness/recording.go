package witness

// Recording is what a recorder saw, in order.
type Recording []Event

// Most returns the highest number of pods that were there at once and for which count holds. Pods that are being
// deleted are not counted.
func (r Recording) Most(count func(Pod) bool) int {
	most := 0
	r.play(func(pods map[string]Pod) {
		most = max(most, counted(pods, count))
	})
	return most
}

// MostWithTag returns the highest number of pods whose image had a tag at once: "most new pods ever".
func (r Recording) MostWithTag(tag string) int {
	return r.Most(func(p Pod) bool { return p.Tag() == tag })
}

// MostUnavailable returns the highest number of pods, of as many as there should be, that were not ready or not there
// at once. It counts from the first time that all were ready: before that, a workload only comes up.
func (r Recording) MostUnavailable(desired int) int {
	most, up := 0, false
	r.play(func(pods map[string]Pod) {
		ready := counted(pods, func(p Pod) bool { return p.Ready })
		up = up || ready >= desired
		if up {
			most = max(most, desired-ready)
		}
	})
	return most
}

// Made returns, for each node, how many pods with a tag were made there. A pod is counted once, whatever became of it.
func (r Recording) Made(tag string) map[string]int {
	seen, nodes := map[string]bool{}, map[string]int{}
	for _, e := range r {
		if e.Pod.Tag() != tag || e.Pod.Node == "" || seen[e.Pod.UID] {
			continue
		}
		seen[e.Pod.UID] = true
		nodes[e.Pod.Node]++
	}
	return nodes
}

// play calls look with the pods that were there, by UID, after each event.
func (r Recording) play(look func(pods map[string]Pod)) {
	pods := map[string]Pod{}
	for _, e := range r {
		if e.Gone || e.Pod.Deleting {
			delete(pods, e.Pod.UID)
		} else {
			pods[e.Pod.UID] = e.Pod
		}
		look(pods)
	}
}

func counted(pods map[string]Pod, count func(Pod) bool) int {
	n := 0
	for _, p := range pods {
		if count(p) {
			n++
		}
	}
	return n
}
