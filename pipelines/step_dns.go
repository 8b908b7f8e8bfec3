package pipelines

import (
	"net"
	"net/netip"
	"strings"
)

// DNS asks a name server for the records of a name.
type DNS struct {
	Name     string  `json:"name" is:"text"`             // whole: no search list is gone through; for PTR also an address
	Type     DNSType `json:"type,omitempty"`             // default A
	Server   string  `json:"server,omitempty" is:"text"` // HOST or HOST:PORT; or a target; default: the resolvers of whoever asks
	ProbeAim `json:",inline"`
	TCP      bool       `json:"tcp,omitempty"`    // over TCP at once; default over UDP, and by TCP where the answer is too long
	Expect   *DNSExpect `json:"expect,omitempty"` // default: at least one record
}

// DNSExpect is what must be there.
type DNSExpect struct {
	// records that must be there, among others; an address, a name, "10 mail.example.com" (MX), "0 5 8443 host.example.com" (SRV), a text
	Answers []string `json:"answers,omitempty" is:"text" items:"1..50"`
	AtLeast int      `json:"atLeast,omitempty" range:"1..1000"` // so many records must be there; default 1
	Absent  bool     `json:"absent,omitempty"`                  // there must be no such record
}

// DNSType is a type of records.
type DNSType string

func (DNSType) values() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"}
}

func lintDNS(l *linter, s *Step, at spot) {
	d := s.DNS
	l.aim(s, &d.ProbeAim, "server", at)
	if d.EveryAddress && d.Server == "" && !at.has("target") {
		l.report.addAt(at.key("everyAddress"), "everyAddress goes with server")
	}
	if d.Server != "" && !expands(d.Server) && !isServer(d.Server) {
		l.report.addAt(at.at("server"), "server: %q must be HOST or HOST:PORT", shortened(d.Server))
	}
	if d.Name != "" && !expands(d.Name) && !isDomain(d.Name) && (d.Type != "PTR" || !isAddress(d.Name)) {
		l.report.addAt(at.at("name"), "name: %q is no name: letters, digits, dashes, underscores and dots, at most 253", shortened(d.Name))
	}
	e := d.Expect
	if e != nil && e.Absent && (len(e.Answers) > 0 || e.AtLeast > 0) {
		l.report.addAt(at.at("expect").key("absent"), "absent says that nothing must be there: leave answers and atLeast out")
	}
	if e == nil || d.Type != "" && d.Type != "A" && d.Type != "AAAA" {
		return
	}
	for i, answer := range e.Answers {
		if !expands(answer) && !isAddress(answer) {
			l.report.addAt(at.at("expect", "answers", i), "answers: %q is no address", shortened(answer))
		}
	}
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func isServer(text string) bool {
	if host, port, err := net.SplitHostPort(text); err == nil {
		return host != "" && wrongPort(port) == ""
	}
	host := strings.Trim(text, "[]")
	return isAddress(host) || isDomain(host)
}

// isDomain reports whether a text is a name of DNS, in letters of ASCII. Services' names begin with underscores.
func isDomain(text string) bool {
	text = strings.TrimSuffix(text, ".")
	if text == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		wrong := strings.IndexFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '*'
		})
		if label == "" || len(label) > 63 || wrong >= 0 {
			return false
		}
	}
	return true
}
