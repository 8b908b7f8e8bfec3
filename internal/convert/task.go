package convert

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/internal/fault"
)

// Task is a Task as it is written.
type Task struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   Metadata `yaml:"metadata"`
	Spec       Spec     `yaml:"spec"`
}

// Metadata names a Task.
type Metadata struct {
	Name string `yaml:"name"`
}

// Spec is what a Task takes and does.
type Spec struct {
	Params []Param `yaml:"params,omitempty"`
	Steps  []Step  `yaml:"steps"`
}

// Param is a param of a Task.
type Param struct {
	Name        string    `yaml:"name"`
	Type        string    `yaml:"type"`
	Description string    `yaml:"description,omitempty"`
	Default     yaml.Node `yaml:"default,omitempty"`
}

// Step is a step of a Task that measures a metric.
type Step struct {
	Name                    string  `yaml:"name"`
	Metrics                 Metrics `yaml:"metrics"`
	InitialDelay            string  `yaml:"initialDelay,omitempty"`
	Interval                string  `yaml:"interval,omitempty"`
	Count                   *int    `yaml:"count,omitempty"`
	Timeout                 string  `yaml:"timeout,omitempty"`
	FailureLimit            *int    `yaml:"failureLimit,omitempty"`
	InconclusiveLimit       *int    `yaml:"inconclusiveLimit,omitempty"`
	ConsecutiveErrorLimit   *int    `yaml:"consecutiveErrorLimit,omitempty"`
	ConsecutiveSuccessLimit *int    `yaml:"consecutiveSuccessLimit,omitempty"`
}

// Metrics is what is asked of Prometheus, and how the answer is judged, in CEL.
type Metrics struct {
	PromQL           string `yaml:"promql"`
	SuccessCondition string `yaml:"successCondition,omitempty"`
	FailureCondition string `yaml:"failureCondition,omitempty"`
}

// YAML writes documents, Tasks and others, as a file.
func YAML[T any](documents []T) ([]byte, error) {
	if len(documents) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	// A condition stays on one line: whoever reads the file compares it with what it came from.
	dump, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot write documents")
	}
	for i, d := range documents {
		if err := dump.Dump(d); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot write document %d", i+1)
		}
	}
	if err := dump.Close(); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot write documents")
	}
	return out.Bytes(), nil
}
