package pipelines

// TCP connects to a port, and may say something and expect an answer.
type TCP struct {
	Address  string `json:"address,omitempty" is:"text"` // HOST:PORT; or a target
	ProbeAim `json:",inline"`
	TLS      *ProbeTLS `json:"tls,omitempty"` // over TLS; tls: {} verifies by the worker's authorities
	Send     string    `json:"send,omitempty"`
	Expect   string    `json:"expect,omitempty" is:"text" expand:"regexp"` // a pattern (RE2) among the first 64 KiB that it says
}

func lintTCP(l *linter, s *Step, at spot) {
	t := s.TCP
	if !at.has("address") && !at.has("target") {
		l.report.addAt(at, "it asks nobody: give address or target")
	}
	l.aim(s, &t.ProbeAim, "address", at)
	l.hostPort(t.Address, at, "address")
	l.pattern(t.Expect, at.at("expect"), "expect")
	l.trust(t.TLS, at)
}
