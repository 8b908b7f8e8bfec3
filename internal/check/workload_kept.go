package check

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxKeptPods is how many pods of each sort are remembered one by one.
const maxKeptPods = 250

// maxKeptBack is the same of pods whose readiness came back.
const maxKeptBack = 150

// keptWorkload is what looks at a workload hand on.
type keptWorkload struct {
	// Restarts are those of pods that have some, by a short name of their UID; Gone those of pods that are no longer there.
	Restarts map[string]int64 `json:"r,omitempty"`
	Gone     int64            `json:"g,omitempty"`
	// Unready is since when pods were seen unready, in Unix seconds.
	Unready map[string]int64 `json:"u,omitempty"`
	Leader  keptLeader       `json:"l,omitzero"`
	// Back are pods that were seen unready, and ready after that; Flaps is how often such a pod was seen unready again.
	Back  []string `json:"b,omitempty"`
	Flaps int64    `json:"f,omitempty"`

	unready map[string]int64 // of this look: pods that are ready again are forgotten
	untold  int64            // restarts of more pods than are remembered
}

func readKeptWorkload(text json.RawMessage) *keptWorkload {
	k := &keptWorkload{}
	if err := json.Unmarshal(text, k); err != nil {
		k = &keptWorkload{} // of a version that kept other things
	}
	k.unready = map[string]int64{}
	return k
}

// count takes in how often the containers of pods were started again. A pod that is remembered and not there any more was replaced:
// its restarts stay. So do those that a pod had before its status was lost.
func (k *keptWorkload) count(pods []*corev1.Pod) {
	before := k.Restarts
	k.Restarts, k.untold = map[string]int64{}, 0
	for _, p := range pods {
		id := shortUID(p.UID)
		n := max(before[id], restartsOf(p))
		delete(before, id)
		switch {
		case n == 0:
		case len(k.Restarts) < maxKeptPods:
			k.Restarts[id] = n
		default:
			k.untold += n
		}
	}
	for n := range maps.Values(before) {
		k.Gone += n
	}
}

// restarts are all that were counted.
func (k *keptWorkload) restarts() int64 {
	n := k.Gone + k.untold
	for pod := range maps.Values(k.Restarts) {
		n += pod
	}
	return n
}

// unreadySince is since when a pod was seen unready at every look.
func (k *keptWorkload) unreadySince(uid types.UID, now time.Time) time.Time {
	id := shortUID(uid)
	since, known := k.Unready[id]
	if !known {
		since = now.Unix()
	}
	if len(k.unready) < maxKeptPods {
		k.unready[id] = since
	}
	return time.Unix(since, 0)
}

// flap takes in how a pod is now, before anything else does. It reports whether the pod has lost the readiness that had come back.
func (k *keptWorkload) flap(uid types.UID, ready bool) bool {
	id := shortUID(uid)
	_, wasUnready := k.Unready[id]
	i := slices.Index(k.Back, id)
	switch {
	case ready && wasUnready && i < 0 && len(k.Back) < maxKeptBack:
		k.Back = append(k.Back, id)
	case !ready && !wasUnready && i >= 0:
		k.Flaps++
		return true
	}
	return false
}

func (k *keptWorkload) text() json.RawMessage {
	k.Unready = k.unready
	text, err := json.Marshal(k)
	if err != nil {
		return nil // there is nothing in it that has no JSON
	}
	return text
}

// shortUID is a short name of a UID: many are kept.
func shortUID(uid types.UID) string {
	h := fnv.New64a()
	h.Write([]byte(uid))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
