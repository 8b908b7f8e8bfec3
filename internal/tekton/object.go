// Package tekton shows runs in the layout that Tekton gives to PipelineRuns and TaskRuns, so that what reads those reads these. It
// computes from a run's status alone: it asks nobody, and knows no more of a run than the run itself says.
package tekton

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// APIVersion is the version of Tekton's objects whose layout this is.
const APIVersion = "tekton.dev/v1"

// Meta is what tells an object from others.
type Meta struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Created     time.Time         `json:"creationTimestamp,omitzero"`
}

// Condition is the one condition of an object, Succeeded.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"` // True, False or Unknown
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"lastTransitionTime,omitzero"`
}

// The states of a condition.
const (
	isTrue    = "True"
	isFalse   = "False"
	isUnknown = "Unknown"
)

// Reference names what is defined elsewhere.
type Reference struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Name       string `json:"name"`
}

// Value is a result: a text, a list of them (array) or a map of them (object). Other types of Sluice's are texts to Tekton.
type Value struct {
	Name  string `json:"name"`
	Type  string `json:"type,omitempty"`
	Value any    `json:"value"`
}

func valueOf(v pipelines.ParamValue) Value {
	switch v.Type() {
	case pipelines.TypeArray, pipelines.TypeObject:
		return Value{v.Name, string(v.Type()), v.Value}
	}
	return Value{v.Name, string(pipelines.TypeString), v.Text()}
}

// second is a time as Kubernetes writes it.
func second(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// labels are those of an object of a run.
func labels(r *api.RunStatus) map[string]string {
	return map[string]string{"tekton.dev/pipeline": r.Pipeline, "tekton.dev/pipelineRun": r.Name}
}
