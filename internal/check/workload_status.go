package check

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// state is what an object says of itself.
type state int

const (
	stateProgressing state = iota // or it cannot be told
	stateCurrent
	stateFailed
)

// statusOf reads an object as kstatus does, and what is said of it.
func statusOf(o *unstructured.Unstructured) (state, string) {
	result, err := status.Compute(o)
	if err != nil {
		return stateProgressing, err.Error()
	}
	switch result.Status {
	case status.CurrentStatus:
		return stateCurrent, result.Message
	case status.FailedStatus:
		return stateFailed, result.Message
	}
	return stateProgressing, result.Message
}
