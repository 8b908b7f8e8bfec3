package kit

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/pipelines/rule"
)

// mostEvents is how many events facts carry; mostMessage is how long a message in them is.
const (
	mostEvents  = 20
	mostMessage = 300
)

// event is what the drivers keep of an event.
type event struct {
	about types.UID
	at    time.Time // of its last occurrence, as the cluster's clock says
	fact  rule.Event
}

func decodeEvent(object *unstructured.Unstructured, _ *event) event {
	count := field.Number(object, 0, "series", "count")
	count = max(count, field.Number(object, 0, "count"), 1)
	return event{
		about: types.UID(field.Text(object, "involvedObject", "uid")),
		at:    lastOccurred(object),
		fact: rule.Event{
			Type: field.Text(object, "type"), Reason: field.Text(object, "reason"), Message: clipped(field.Text(object, "message")), Count: count,
			Object: field.Text(object, "involvedObject", "kind") + "/" + field.Text(object, "involvedObject", "name"),
		},
	}
}

// lastOccurred is the latest of the times that an event carries, in whichever form it was written.
func lastOccurred(object *unstructured.Unstructured) time.Time {
	last := object.GetCreationTimestamp().Time
	for _, path := range [][]string{{"lastTimestamp"}, {"eventTime"}, {"series", "lastObservedTime"}} {
		if at, err := time.Parse(time.RFC3339, field.Text(object, path...)); err == nil && at.After(last) {
			last = at
		}
	}
	return last
}

// eventsAbout returns the warnings about some objects, sorted, the most frequent kept where there are too many.
func (s *Session) eventsAbout(uids map[types.UID]bool) []rule.Event {
	found := []rule.Event{}
	if s.events == nil {
		return found
	}
	for _, e := range s.events.All() {
		if uids[e.about] {
			found = append(found, e.fact)
		}
	}
	slices.SortFunc(found, func(a, b rule.Event) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count),
			strings.Compare(a.Object, b.Object), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
	})
	return found[:min(len(found), mostEvents)]
}

// clipped is a message that is not longer than what facts carry, without the secrets that it shows: a container may end with the last
// lines of its log, and an event quotes what a probe was answered.
func clipped(message string) string {
	if len(message) > 2*mostMessage { // a secret that is cut here is behind what is carried
		message = message[:2*mostMessage]
	}
	return clip.Bytes(logscan.Mask(message), mostMessage)
}
