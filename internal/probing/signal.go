package probing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// KindSignal is the kind of what cases say together, as other programs that upgrade a cluster read it.
const KindSignal = "HealthSignal"

// SignalName is the name of the one signal that a prober writes in a cluster.
const SignalName = "sluice"

// Signal is what the cases of a cluster say together. It belongs to no namespace.
type Signal struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              SignalSpec   `json:"spec"`
	Status            SignalStatus `json:"status,omitzero"`
}

// SignalSpec is what a signal is about.
type SignalSpec struct {
	Type      string       `json:"type"` // SignalOfCluster
	TargetRef SignalTarget `json:"targetRef"`
}

// SignalOfCluster is the type of a signal about a whole cluster.
const SignalOfCluster = "ClusterHealth"

// SignalTarget names a cluster, as Sluice calls it.
type SignalTarget struct {
	Name string `json:"name"`
}

// SignalStatus is what cases say. None of it counts after Until.
type SignalStatus struct {
	Until metav1.Time `json:"until"` // the latest of the conditions
	// LookedSince is when the oldest result began by which the cluster is healthy; whoever changed something later waits until it is later.
	LookedSince *metav1.Time      `json:"lookedSince,omitempty"`
	Conditions  []SignalCondition `json:"conditions"`     // Healthy, and one of each case, the worst first
	More        int               `json:"more,omitempty"` // cases that conditions does not name
}

// SignalCondition is a condition as those of Kubernetes, with a time after which it is Unknown, whatever it says.
type SignalCondition struct {
	Type               string                 `json:"type"` // ConditionHealthy, or a case's after ConditionOfCase
	Status             metav1.ConditionStatus `json:"status"`
	Reason             string                 `json:"reason"`
	Message            string                 `json:"message"`
	LastTransitionTime metav1.Time            `json:"lastTransitionTime"`
	Until              metav1.Time            `json:"until"`
	Severity           string                 `json:"severity,omitempty"` // of a case
	Owner              string                 `json:"owner,omitempty"`
	Enforcing          bool                   `json:"enforcing,omitempty"`
}

// The types of conditions.
const (
	ConditionHealthy = "Healthy"
	ConditionOfCase  = "case.sluice.dev/" // before its name
)

// Reasons of the condition Healthy. That of a case has a State.
const (
	CasesPass    = "CasesPass"
	CasesFail    = "CasesFail"
	CasesUnknown = "CasesUnknown"
	NoCases      = "NoCases"
)

// Bounds of a signal.
const (
	MaxSignalCases   = 100
	namedInSignal    = 10
	maxSignalMessage = 1024
)

// SignalTimes are for how long a signal counts, and how often it is written again where nothing has changed.
type SignalTimes struct {
	Lasts, Renewed time.Duration
}

// NewSignalStatus is what stands say at a time. A cluster is healthy by its enforcing cases alone: not where one fails, and not known where
// one is not known, or where none has anything to look at.
func NewSignalStatus(stands []Stand, now time.Time, times SignalTimes) SignalStatus {
	by := map[string][]Stand{}
	for _, st := range stands {
		by[st.Case] = append(by[st.Case], st)
	}
	var of []SignalCondition
	for _, name := range slices.Sorted(maps.Keys(by)) {
		of = append(of, conditionOf(name, by[name], now, times))
	}
	s := SignalStatus{More: max(0, len(of)-MaxSignalCases)}
	healthy := conditionHealthy(of, now, times)
	if healthy.Status == metav1.ConditionTrue {
		s.LookedSince = lookedSince(stands)
	}
	slices.SortStableFunc(of, func(a, b SignalCondition) int { return cmp.Compare(signalRank[a.Reason], signalRank[b.Reason]) })
	s.Conditions = append([]SignalCondition{healthy}, of[:len(of)-s.More]...)
	for _, c := range s.Conditions {
		if c.Until.After(s.Until.Time) {
			s.Until = c.Until
		}
	}
	return s
}

// signalRank is the order of conditions of cases by their reasons.
var signalRank = map[string]int{string(Failing): 0, string(Unknown): 1, string(Passing): 2, string(Paused): 3}

// conditionOf is what the stands of a case say.
func conditionOf(name string, stands []Stand, now time.Time, times SignalTimes) SignalCondition {
	slices.SortFunc(stands, func(a, b Stand) int { return cmp.Compare(a.Target, b.Target) })
	of := map[State][]Stand{}
	for _, st := range stands {
		of[st.At(now)] = append(of[st.At(now)], st)
	}
	c := SignalCondition{
		Type: ConditionOfCase + name, Status: metav1.ConditionUnknown, Severity: stands[0].Severity, Owner: stands[0].Owner,
		Enforcing: stands[0].Enforcement.Mode == Enforcing, Until: metav1.NewTime(now.Add(times.Lasts)),
	}
	state := Paused
	for _, worse := range []State{Failing, Unknown, Passing} {
		if len(of[worse]) > 0 {
			state = worse
			break
		}
	}
	switch state {
	case Failing:
		c.Status = metav1.ConditionFalse
	case Passing:
		c.Status = metav1.ConditionTrue
	}
	c.Reason = string(state)
	var where []string
	for _, st := range of[state] {
		turned := st.Since
		if state == Unknown && st.State != Unknown {
			turned = st.Until // since when it is too old
		}
		if turned.After(c.LastTransitionTime.Time) {
			c.LastTransitionTime = metav1.NewTime(turned)
		}
		if state != Unknown && !st.Until.IsZero() && st.Until.Before(c.Until.Time) {
			c.Until = metav1.NewTime(st.Until)
		}
		if st.Target != "" {
			where = append(where, st.Target)
		}
	}
	if least := now.Add(times.Renewed + times.Renewed/4); c.Until.Time.Before(least) { // it is written again by then
		c.Until = metav1.NewTime(least)
	}
	c.Message = saysOf(state, of[state][0], where)
	return c
}

// saysOf is what a condition of a case says: where it is so, and what the first of them says.
func saysOf(state State, first Stand, where []string) string {
	text := ""
	if len(where) > 0 {
		text = "at " + clip.Few(where, namedInSignal)
	}
	if said := first.Last; said != nil && said.Message != "" && state != Passing {
		if text != "" {
			text += ": "
		}
		text += said.Message
	}
	return clip.Bytes(strings.TrimSpace(text), maxSignalMessage)
}

// Healthy is what enforcing cases say of a cluster, by the names of those that fail, of which nothing is known, and that have nothing to
// look at; well is what it says where all others pass, "" where there are none.
func Healthy(failing, unknown, skipped []string, well string) (status metav1.ConditionStatus, reason, message string) {
	switch {
	case len(failing) > 0:
		return metav1.ConditionFalse, CasesFail, "failing: " + clip.Few(failing, namedInSignal)
	case len(unknown) > 0:
		return metav1.ConditionUnknown, CasesUnknown, "not known: " + clip.Few(unknown, namedInSignal)
	case well != "":
		return metav1.ConditionTrue, CasesPass, well
	case len(skipped) > 0:
		return metav1.ConditionUnknown, NoCases, "enforcing cases have nothing to look at: " + clip.Few(skipped, namedInSignal)
	}
	return metav1.ConditionUnknown, NoCases, "no enforcing case looks at the cluster"
}

// conditionHealthy is what cases say together.
func conditionHealthy(of []SignalCondition, now time.Time, times SignalTimes) SignalCondition {
	c := SignalCondition{Type: ConditionHealthy, Until: metav1.NewTime(now.Add(times.Lasts))}
	named := map[string][]string{}
	for _, one := range of {
		if !one.Enforcing {
			continue
		}
		name := strings.TrimPrefix(one.Type, ConditionOfCase)
		if one.Message != "" && one.Reason != string(Passing) {
			name += " " + one.Message
		}
		named[one.Reason] = append(named[one.Reason], clip.Bytes(name, maxSignalMessage/4))
		if one.LastTransitionTime.After(c.LastTransitionTime.Time) {
			c.LastTransitionTime = one.LastTransitionTime
		}
		if one.Until.Before(&c.Until) {
			c.Until = one.Until
		}
	}
	well := ""
	if n := len(named[string(Passing)]); n > 0 {
		well = fmt.Sprintf("%d enforcing cases pass", n)
	}
	c.Status, c.Reason, c.Message = Healthy(named[string(Failing)], named[string(Unknown)], named[string(Paused)], well)
	if c.Message = clip.Bytes(c.Message, maxSignalMessage); c.LastTransitionTime.IsZero() {
		c.LastTransitionTime = metav1.NewTime(now)
	}
	return c
}

// lookedSince is when the oldest of the results began that enforcing cases go by; nil where that of one is not known, or did not pass: what
// is still passing because nobody could look has not been looked at.
func lookedSince(stands []Stand) *metav1.Time {
	var oldest *metav1.Time
	for _, st := range stands {
		if st.Enforcement.Mode != Enforcing || st.State == Paused {
			continue
		}
		if st.Last == nil || st.Last.Verdict != api.Passed || st.Last.Started.IsZero() {
			return nil
		}
		if oldest == nil || st.Last.Started.Before(oldest.Time) {
			oldest = new(metav1.NewTime(st.Last.Started))
		}
	}
	return oldest
}

// SaysAs reports whether two statuses say the same, times and messages apart.
func (s SignalStatus) SaysAs(other SignalStatus) bool {
	return s.More == other.More && slices.EqualFunc(s.Conditions, other.Conditions, func(a, b SignalCondition) bool {
		return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Enforcing == b.Enforcing && a.Severity == b.Severity
	})
}

// SignalList is what a cluster lists.
type SignalList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Signal `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (s *Signal) DeepCopyObject() runtime.Object { return copied(s) }

// DeepCopyObject implements runtime.Object.
func (l *SignalList) DeepCopyObject() runtime.Object { return copied(l) }
