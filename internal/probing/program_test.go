package probing_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/probing"
)

func TestAProgramIsWhatComesToVerdicts(t *testing.T) {
	spec := func() *probing.ConfigSpec {
		return &probing.ConfigSpec{
			Probe: "etcd", Version: "1", Binding: "everywhere", Timeout: metav1.Duration{Duration: time.Minute},
			Pod: probing.PodSpec{
				Image: "eu.example/probes@sha256:aa", Command: []string{"probes"}, Args: []string{"etcd"}, Profile: "restricted",
				Env:        []probing.Variable{{Name: "WITHIN", Value: "30s"}},
				Exceptions: []probing.Exception{{Name: "raw", Because: "it pings", Capabilities: []string{"NET_RAW"}}},
			},
		}
	}
	for reason, c := range map[string]struct {
		change func(*probing.ConfigSpec)
		same   bool
	}{
		"another version of the component that brings the same": {func(s *probing.ConfigSpec) { s.Version = "2" }, true},
		"another binding":                         {func(s *probing.ConfigSpec) { s.Binding = "staging" }, true},
		"it runs more often":                      {func(s *probing.ConfigSpec) { s.Schedule.Every.Duration = time.Second }, true},
		"it counts for longer":                    {func(s *probing.ConfigSpec) { s.Freshness.Duration = time.Hour }, true},
		"it is to be enforcing":                   {func(s *probing.ConfigSpec) { s.Enforcement.Mode = probing.Enforcing }, true},
		"another registry":                        {func(s *probing.ConfigSpec) { s.Pod.Image = "us.example/probes@sha256:aa" }, true},
		"its pods are elsewhere":                  {func(s *probing.ConfigSpec) { s.Pod.NodeSelector = map[string]string{"a": "b"} }, true},
		"another reason":                          {func(s *probing.ConfigSpec) { s.Pod.Exceptions[0].Because = "x" }, true},
		"another image":                           {func(s *probing.ConfigSpec) { s.Pod.Image = "eu.example/probes@sha256:ab" }, false},
		"an image by its tag":                     {func(s *probing.ConfigSpec) { s.Pod.Image = "eu.example/probes:1" }, false},
		"another command":                         {func(s *probing.ConfigSpec) { s.Pod.Command = []string{"true"} }, false},
		"another argument":                        {func(s *probing.ConfigSpec) { s.Pod.Args = []string{"dns"} }, false},
		"another environment":                     {func(s *probing.ConfigSpec) { s.Pod.Env[0].Value = "1h" }, false},
		"another profile":                         {func(s *probing.ConfigSpec) { s.Pod.Profile = "node" }, false},
		"it may do more":                          {func(s *probing.ConfigSpec) { s.Pod.Exceptions[0].Capabilities = nil }, false},
		"another mode":                            {func(s *probing.ConfigSpec) { s.Mode = probing.Resident }, false},
		"more time":                               {func(s *probing.ConfigSpec) { s.Timeout.Duration = time.Hour }, false},
		"it is about something else":              {func(s *probing.ConfigSpec) { s.Target.Kind = probing.OfNodes }, false},
		"its words are divided in another manner": {func(s *probing.ConfigSpec) { s.Pod.Command, s.Pod.Args = []string{"probes", "etcd"}, nil }, false},
	} {
		other := spec()
		c.change(other)
		if is := other.Program() == spec().Program(); is != c.same {
			t.Errorf("%s: the same is %t", reason, is)
		}
	}
}
