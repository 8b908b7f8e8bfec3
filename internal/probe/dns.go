package probe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sluice.dev/sluice/internal/api"
)

// DNS asks a name server for the records of a name.
type DNS struct {
	Name string // whole: no search list is gone through; for PTR also an address
	Type string // see DNSTypes; "" is A
	// Server is host or host:port; "" asks the resolvers of this machine, whose failures are our own.
	Server   string
	TCP      bool // at once; without it over UDP, and by TCP where the answer is too long for that
	Within   time.Duration
	Reserved bool // a reserved address may be asked: node-local caches stand at one

	Answers []string // each must be among the records, written as DNSTypes says
	AtLeast int      // so many records must be there; 0 is 1
	Absent  bool     // the name must have no such record; Answers and AtLeast say nothing then
}

// types are the records that can be asked for.
var types = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "CNAME": dnsmessage.TypeCNAME, "MX": dnsmessage.TypeMX,
	"NS": dnsmessage.TypeNS, "PTR": dnsmessage.TypePTR, "SRV": dnsmessage.TypeSRV, "TXT": dnsmessage.TypeTXT,
}

// DNSTypes are the types of records that can be asked for. Records are written as addresses for A and AAAA, "10 mail.example.com" for
// MX, "0 5 8443 host.example.com" for SRV (priority, weight, port, target), the joined text for TXT, and else as names, without their
// last dot.
func DNSTypes() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"}
}

// DNS asks once; a datagram that gets lost is sent again.
func (p *Prober) DNS(ctx context.Context, q DNS) Result {
	target := cmp.Or(q.Type, "A") + " " + q.Name
	if q.Server != "" {
		target += " at " + q.Server
	}
	return p.ask(ctx, target, q.Within, q.Reserved, func(ctx context.Context, a *attempt) error {
		question, err := q.question()
		if err != nil {
			return err
		}
		servers, err := q.servers()
		if err != nil {
			return err
		}
		message, err := a.exchange(ctx, servers, question, q.TCP, q.within())
		if err == nil {
			err = q.judge(a, question, message)
		}
		if err != nil && q.Server == "" {
			return owned(a.at(), err)
		}
		return err
	})
}

func (q DNS) within() time.Duration { return cmp.Or(q.Within, DefaultWithin) }

// owned is an end that a resolver of this machine brought about. What it says of the name stands; that it says nothing is our own.
func owned(l Layer, err error) error {
	e := judged(l, err)
	if e.layer == Records {
		return e
	}
	return &end{layer: Resolve, verdict: api.Error, err: fmt.Errorf("the resolver of this machine: %w", e.err), late: e.late}
}

func (q DNS) question() (dnsmessage.Question, error) {
	kind, ok := types[cmp.Or(q.Type, "A")]
	if !ok {
		return dnsmessage.Question{}, senseless("%q is no type of record: %s are", q.Type, strings.Join(DNSTypes(), ", "))
	}
	text := q.Name
	if address, err := netip.ParseAddr(text); err == nil && kind == dnsmessage.TypePTR {
		text = reverse(address)
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(text, ".") + ".")
	if err != nil || text == "" {
		return dnsmessage.Question{}, senseless("%q is no name", q.Name)
	}
	return dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET}, nil
}

// reverse is the name under which an address has its names.
func reverse(a netip.Addr) string {
	const hex = "0123456789abcdef"
	a = a.Unmap()
	bytes := a.AsSlice()
	slices.Reverse(bytes)
	var labels []string
	for _, b := range bytes {
		if a.Is4() {
			labels = append(labels, fmt.Sprint(b))
			continue
		}
		labels = append(labels, string(hex[b&15]), string(hex[b>>4]))
	}
	if a.Is4() {
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}

// servers are whom to ask, as host:port.
func (q DNS) servers() ([]string, error) {
	if q.Server == "" {
		return resolvers(resolvConf)
	}
	if _, _, err := net.SplitHostPort(q.Server); err == nil {
		return []string{q.Server}, nil
	}
	host := strings.Trim(q.Server, "[]")
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return nil, senseless("%s is no name server: write host or host:port", q.Server)
	}
	return []string{net.JoinHostPort(host, "53")}, nil
}

// judge looks at what a name server said.
func (q DNS) judge(a *attempt, asked dnsmessage.Question, message *dnsmessage.Message) error {
	a.reach(Records)
	a.see("code", code(message.RCode))
	if message.RCode != dnsmessage.RCodeSuccess && message.RCode != dnsmessage.RCodeNameError {
		return failed(Reply, "the server answered %s", code(message.RCode))
	}
	records := recordsOf(message, asked.Type)
	a.see("records", int64(len(records)))
	if len(records) > 0 {
		a.see("first", records[0])
	}
	switch {
	case q.Absent && len(records) > 0:
		return failed(Records, "there is %s, where nothing must be", enumerated(records))
	case q.Absent:
		return nil
	case message.RCode == dnsmessage.RCodeNameError:
		return failed(Records, "the name does not exist")
	case len(records) < max(q.AtLeast, 1):
		return failed(Records, "%d records of this type, at least %d must be there", len(records), max(q.AtLeast, 1))
	}
	for _, wanted := range q.Answers {
		if !slices.Contains(records, q.canonical(wanted)) {
			return failed(Records, "%s is not among %s", wanted, enumerated(records))
		}
	}
	return nil
}

// enumerated names records, at most ten of them.
func enumerated(records []string) string {
	if more := len(records) - 10; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(records[:10], ", "), more)
	}
	return strings.Join(records, ", ")
}

// code is the name of a response code.
func code(c dnsmessage.RCode) string {
	names := map[dnsmessage.RCode]string{
		dnsmessage.RCodeSuccess: "NOERROR", dnsmessage.RCodeFormatError: "FORMERR", dnsmessage.RCodeServerFailure: "SERVFAIL",
		dnsmessage.RCodeNameError: "NXDOMAIN", dnsmessage.RCodeNotImplemented: "NOTIMP", dnsmessage.RCodeRefused: "REFUSED",
	}
	if name, ok := names[c]; ok {
		return name
	}
	return fmt.Sprintf("code %d", c)
}

// recordsOf are the records of a type in an answer, as texts, sorted.
func recordsOf(message *dnsmessage.Message, kind dnsmessage.Type) (all []string) {
	for _, r := range message.Answers {
		if r.Header.Type == kind {
			all = append(all, written(r.Body))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// written is a record as people write it.
func written(body dnsmessage.ResourceBody) string {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(r.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(r.AAAA).String()
	case *dnsmessage.CNAMEResource:
		return canonical(r.CNAME.String())
	case *dnsmessage.NSResource:
		return canonical(r.NS.String())
	case *dnsmessage.PTRResource:
		return canonical(r.PTR.String())
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%d %s", r.Pref, canonical(r.MX.String()))
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, canonical(r.Target.String()))
	case *dnsmessage.TXTResource:
		return strings.Join(r.TXT, "")
	}
	return ""
}

// canonical is a record that people have written, as written has it.
func (q DNS) canonical(text string) string {
	if q.Type == "TXT" {
		return text
	}
	return canonical(text)
}

// canonical is a name or address, or what ends with a name, in one of the ways to write it.
func canonical(text string) string {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.String()
	}
	return strings.ToLower(strings.TrimSuffix(text, "."))
}
