package probing

import (
	"encoding/json"
	"strings"
)

// Program is what of a case comes to its verdicts, in a word that is the same for the same: image, command, arguments, environment, profile
// and what it may do beyond that, contract, mode, time and what it is about. When it runs, who bound it and where its pods may be is not in
// it. An image that is named by its digest is the same in whatever registry.
func (s *ConfigSpec) Program() string {
	p := s.Pod
	if _, content, ok := strings.Cut(p.Image, "@"); ok {
		p.Image = content
	}
	p.Exceptions = nil
	for _, e := range s.Pod.Exceptions {
		p.Exceptions = append(p.Exceptions, Exception{Name: e.Name, Capabilities: e.Capabilities})
	}
	p.ServiceAccount, p.NodeSelector, p.CPU, p.Memory, p.Storage = "", nil, "", "", ""
	data, err := json.Marshal(struct {
		Pod     PodSpec
		Mode    Mode
		Timeout string
		Kind    TargetKind
		Apart   bool
	}{p, s.Mode, s.Timeout.Duration.String(), s.Target.Kind, s.Target.Apart})
	if err != nil {
		panic(err) // it is made of what JSON has
	}
	return digest(string(data))
}
