package pipelines

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ProbeTarget is what a probe is aimed at instead of an address.
type ProbeTarget string

// The targets: every pod of the new revision, or every node that has one, at most 500 of them, the youngest.
const (
	NewPods  ProbeTarget = "newPods"
	NewNodes ProbeTarget = "newNodes"
)

func (ProbeTarget) values() []string { return []string{string(NewPods), string(NewNodes)} }

// ProbeAim is whom a probe asks, from where, and how long it waits.
type ProbeAim struct {
	From ProbeFrom `json:"from,omitempty"` // the worker, or a pod in the cluster of the unit, one for each measurement; default worker
	Pod  *ProbePod `json:"pod,omitempty"`  // from: cluster only: the pod that asks
	// every pod or node of the new revision, each by its own address, instead of one address
	Target ProbeTarget `json:"target,omitempty"`
	// of the target: a number, the name of a container's port, or the key of an annotation of the pod that has the number
	Port         IntOrText `json:"port,omitempty"`
	EveryAddress bool      `json:"everyAddress,omitempty"` // each address of the host must answer; default: one does
	Within       *Duration `json:"within,omitempty"`       // the whole answer must be there; default 5s
	// why a link-local address, or a cloud's metadata service, may be asked
	AllowReserved string `json:"allowReserved,omitempty" is:"text"`
}

// ProbeTLS is how the identity of whoever answers is verified.
type ProbeTLS struct {
	CA              string `json:"ca,omitempty" is:"text"`              // PEM of the only authorities; default: those of whoever asks
	ServerName      string `json:"serverName,omitempty" is:"text"`      // that the certificate must be for; default: the host asked
	InsecureBecause string `json:"insecureBecause,omitempty" is:"text"` // why nothing is verified
}

// defaultWithin is how long a probe waits for an answer, and defaultTimeout how long a measurement takes, where a step does not say.
const (
	defaultWithin  = 5 * time.Second
	defaultTimeout = 30 * time.Second
)

// isLocal reports whether a probe is aimed at what a cluster has, or asked from there.
func (a *ProbeAim) isLocal() bool { return a.Target != "" || a.From == FromCluster }

// aim checks whom a probe asks. Address is the field that names an address, at the kind's field.
func (l *linter) aim(s *Step, a *ProbeAim, address string, at spot) {
	hasAddress, hasTarget := at.has(address), at.has("target")
	switch {
	case hasAddress && hasTarget:
		l.report.addAt(at.key("target"), "it asks one of %s and target, not both", address)
	case a.Target != "" && a.Port == "" && !at.has("port"):
		l.report.addAt(at, "it does not say which port of the target it asks")
	case a.Port != "" && !hasTarget:
		l.report.addAt(at.key("port"), "port goes with target: elsewhere it is a part of %s", address)
	case a.EveryAddress && hasTarget:
		l.report.addAt(at.key("everyAddress"), "everyAddress goes with %s: every one of a target is asked anyway", address)
	}
	if why := wrongPort(string(a.Port)); why != "" {
		l.report.addAt(at.at("port"), "port: %s", why)
	}
	l.within(s, a.Within, at)
}

// within checks that a measurement has the time that a probe waits.
func (l *linter) within(s *Step, within *Duration, at spot) {
	if within == nil {
		within = new(Duration(defaultWithin))
	}
	if *within <= 0 {
		l.report.addAt(at.at("within"), "within must be above 0")
		return
	}
	timeout := Duration(defaultTimeout)
	if s.Timeout != nil && *s.Timeout > 0 {
		timeout = *s.Timeout
	}
	if *within >= timeout {
		l.report.addAt(at.at("within"), "it waits for an answer as long as a measurement takes (%s): say a longer timeout", timeout)
	}
}

var (
	portName      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$`)
	annotationKey = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
)

// wrongPort says what is wrong with a port of a target; "" where nothing is, or it names a param.
func wrongPort(port string) string {
	if port == "" || expands(port) || annotationKey.MatchString(port) {
		return ""
	}
	if n, err := strconv.Atoi(port); err == nil {
		if n < 1 || n > 65535 {
			return port + " is not from 1 to 65535"
		}
		return ""
	}
	if !portName.MatchString(port) {
		return strconv.Quote(port) + " is no number, no name of a container's port, and no key of an annotation"
	}
	return ""
}

// hostPort checks an address of the form HOST:PORT.
func (l *linter) hostPort(text string, at spot, field string) {
	if text == "" || expands(text) {
		return
	}
	host, port, err := net.SplitHostPort(text)
	n, wrong := strconv.Atoi(port)
	if err != nil || host == "" || wrong != nil || n < 1 || n > 65535 {
		l.report.addAt(at.at(field), "%s: %q must be HOST:PORT, such as example.com:443 or [::1]:443", field, shortened(text))
	}
}

// pattern checks a regular expression.
func (l *linter) pattern(text string, at spot, field string) {
	if text == "" || expands(text) {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		l.report.addAt(at, "%s: %v", field, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
}

// trust checks how an identity is verified.
func (l *linter) trust(t *ProbeTLS, at spot) {
	if t == nil {
		return
	}
	if t.CA != "" && t.InsecureBecause != "" {
		l.report.addAt(at.at("tls").key("insecureBecause"), "insecureBecause verifies nothing: leave ca out")
	}
	if t.CA != "" && !expands(t.CA) && !strings.Contains(t.CA, "-----BEGIN CERTIFICATE-----") {
		l.report.addAt(at.at("tls", "ca"), "ca must be certificates in PEM: -----BEGIN CERTIFICATE-----...")
	}
}

// expands reports whether a text has a name in it that stands for a value of the run.
func expands(text string) bool { return namedText.MatchString(text) }
