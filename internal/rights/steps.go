package rights

import (
	"cmp"
	"strings"

	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// bySteps says of each kind of step, by the name of its field, what measuring one asks of a cluster; nil where that is nothing.
var bySteps = map[string]func(s *pipelines.StepKinds) []Need{
	"gate":        nil, // goes by what its unit has seen
	"window":      nil,
	"metrics":     nil,
	"http":        ofProbe,
	"tcp":         ofProbe,
	"dns":         ofProbe,
	"certificate": ofCertificate,
	"logs":        ofLogs,
	"workload":    ofWorkload,
	"job":         ofJob,
	"script":      nil, // runs on the worker
	"probe":       ofProbeCase,
}

func ofSteps(steps []pipelines.StepKinds) (all []Need) {
	for i := range steps {
		if needs := bySteps[steps[i].Kind()]; needs != nil {
			all = append(all, needs(&steps[i])...)
		}
	}
	return all
}

// ofProbe is what a probe takes that asks from inside, and one that is aimed at pods.
func ofProbe(s *pipelines.StepKinds) []Need {
	if !s.FromCluster() {
		return nil
	}
	namespace := ""
	if pod := s.Aim().Pod; pod != nil {
		namespace = pod.Namespace
	}
	return pods(namespace, "probes that ask from inside a cluster are pods")
}

// ofProbeCase is what having cases run takes; nodes are read anyway.
func ofProbeCase(*pipelines.StepKinds) []Need {
	why := "tasks have cases of probes run"
	return []Need{
		{Group: probing.GroupVersion.Group, Resource: "probeconfigs", Verbs: []string{"list", "watch"}, Place: Anywhere, Why: why},
		{
			Group: probing.GroupVersion.Group, Resource: "proberuns", Verbs: []string{"get", "list", "watch", "create", "delete"},
			Place: Anywhere, Why: why,
		},
	}
}

func ofJob(s *pipelines.StepKinds) []Need {
	return pods(s.Job.Namespace, "jobs of tasks are pods")
}

// pods is what running pods to their end takes, and looking after those that somebody else has begun.
func pods(namespace, why string) []Need {
	return []Need{{
		Resource: "pods", Verbs: []string{"get", "list", "watch", "create", "delete"},
		Place: placeOf(cmp.Or(namespace, own)), Why: why,
	}}
}

func ofCertificate(s *pipelines.StepKinds) []Need {
	all := ofProbe(s)
	if c := s.Certificate; c.Secret != nil {
		all = append(all, Need{
			Resource: "secrets", Names: namesOf(c.Secret.Name), Verbs: []string{"get"}, Place: placeOf(c.Secret.Namespace),
			Why: "a task looks at a certificate there",
		})
	}
	if c := s.Certificate; c.Webhook != nil {
		all = append(all, webhook(*c.Webhook))
	}
	return all
}

func webhook(ref pipelines.WebhookRef) Need {
	return Need{
		Group: "admissionregistration.k8s.io", Resource: strings.ToLower(string(ref.Kind)) + "s", Names: namesOf(ref.Name),
		Verbs: []string{"get"}, Place: Outside, Why: "a task looks at webhooks",
	}
}

func ofLogs(*pipelines.StepKinds) []Need {
	return []Need{{Resource: "pods/log", Verbs: []string{"get"}, Place: OfUnits, Why: "a task reads what pods of a unit write"}}
}

func ofWorkload(s *pipelines.StepKinds) (all []Need) {
	w := s.Workload
	if w.Leader != nil {
		place := OfUnits
		if w.Leader.Namespace != "" {
			place = placeOf(w.Leader.Namespace)
		}
		all = append(all, Need{
			Group: "coordination.k8s.io", Resource: "leases", Names: namesOf(w.Leader.Lease), Verbs: []string{"get"}, Place: place,
			Why: "a task looks at who leads",
		})
	}
	for _, ref := range w.Webhooks {
		all = append(all, webhook(ref), Need{
			Resource: "services/proxy", Verbs: []string{"create"}, Place: Anywhere,
			Why: "a task asks webhooks through the API server; which Service, their configuration says",
		})
	}
	return all
}

// placeOf is a namespace that a document names, or any where that is a parameter's.
func placeOf(namespace string) Place {
	if strings.Contains(namespace, "$(") {
		return Anywhere
	}
	return In(namespace)
}

// namesOf is the name of an object that a document names; all names where that is a parameter's.
func namesOf(name string) []string {
	if strings.Contains(name, "$(") {
		return nil
	}
	return []string{name}
}
