package probe_test

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

func TestDNS(t *testing.T) {
	t.Parallel()
	long := make([]string, 60)
	for i := range long {
		long[i] = fmt.Sprintf("10.0.0.%d", i+1)
	}
	server := names(t, zone{
		"up.test A": {"10.0.0.1", "10.0.0.2"}, "up.test AAAA": {"2001:db8::1"}, "alias.test CNAME": {"Up.test"},
		"up.test MX": {"mail.test"}, "_https._tcp.up.test SRV": {"up.test"}, "up.test TXT": {"v=One two"}, "up.test NS": {"ns.test"},
		"1.0.0.10.in-addr.arpa PTR": {"up.test"}, "long.test A": long, "forged.test A": {"10.0.0.9"},
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR": {"up.test"},
	})
	p := prober(t)
	passed := want{verdict: api.Passed}
	for _, c := range []struct {
		reason string
		ask    probe.DNS
		want   want
	}{
		{"an address is there", probe.DNS{Name: "up.test"}, passed},
		{"by TCP at once", probe.DNS{Name: "up.test.", TCP: true}, passed},
		{"these addresses among others", probe.DNS{Name: "up.test", Answers: []string{"10.0.0.2"}}, passed},
		{"an address of IPv6, written in another way", probe.DNS{Name: "up.test", Type: "AAAA", Answers: []string{"2001:DB8:0::1"}}, passed},
		{"a name, whatever its case and last dot", probe.DNS{Name: "alias.test", Type: "CNAME", Answers: []string{"uP.test."}}, passed},
		{"MX", probe.DNS{Name: "up.test", Type: "MX", Answers: []string{"10 mail.test"}}, passed},
		{"NS", probe.DNS{Name: "up.test", Type: "NS", Answers: []string{"ns.test"}}, passed},
		{"SRV", probe.DNS{Name: "_https._tcp.up.test", Type: "SRV", Answers: []string{"0 5 8443 up.test"}}, passed},
		{"TXT is joined, and keeps its case", probe.DNS{Name: "up.test", Type: "TXT", Answers: []string{"v=One two"}}, passed},
		{"the name of an address", probe.DNS{Name: "10.0.0.1", Type: "PTR", Answers: []string{"up.test"}}, passed},
		{"the name of an address of IPv6", probe.DNS{Name: "2001:db8::1", Type: "PTR"}, passed},
		{"what is too long for a datagram comes by TCP", probe.DNS{Name: "long.test", AtLeast: 60}, passed},
		{"another's answer is passed over", probe.DNS{Name: "forged.test", Answers: []string{"10.0.0.9"}}, passed},
		{"a name that must not be there is not", probe.DNS{Name: "gone.test", Absent: true}, passed},
		{"a record that must not be there is not", probe.DNS{Name: "alias.test", Absent: true}, passed},

		{"it is there and must not be", probe.DNS{Name: "up.test", Absent: true},
			want{api.Failed, probe.Records, "there is 10.0.0.1, 10.0.0.2", false}},
		{"the name is not there", probe.DNS{Name: "gone.test"}, want{api.Failed, probe.Records, "does not exist", false}},
		{"the name is there, the record is not", probe.DNS{Name: "alias.test"}, want{api.Failed, probe.Records, "0 records", false}},
		{"too few", probe.DNS{Name: "up.test", AtLeast: 3}, want{api.Failed, probe.Records, "2 records of this type, at least 3", false}},
		{"another address", probe.DNS{Name: "up.test", Answers: []string{"10.0.0.1", "10.0.0.3"}},
			want{api.Failed, probe.Records, "10.0.0.3 is not among 10.0.0.1, 10.0.0.2", false}},
		{"the server that is asked fails", probe.DNS{Name: "servfail.test"}, want{api.Failed, probe.Reply, "SERVFAIL", false}},
		{"the server does not answer", probe.DNS{Name: "lost.test"}, want{api.Failed, probe.Reply, "no answer", true}},
		{"nobody listens", probe.DNS{Name: "up.test", Server: closed(t)}, want{api.Failed, probe.Connect, "connection refused", false}},
		{"nobody listens by TCP", probe.DNS{Name: "up.test", Server: closed(t), TCP: true},
			want{api.Failed, probe.Connect, "connection refused", false}},
		{"what answers is no name server", probe.DNS{Name: "up.test", TCP: true, Server: greeting(t, "\x00\x05hello")},
			want{api.Failed, probe.Reply, "no DNS", false}},
		{"a metadata service as the server", probe.DNS{Name: "up.test", Server: "169.254.169.254"},
			want{api.Error, probe.Connect, "metadata", false}},
		{"no type", probe.DNS{Name: "up.test", Type: "ANY"}, want{api.Error, probe.Question, "no type of record", false}},
		{"no name", probe.DNS{}, want{api.Error, probe.Question, "no name", false}},
		{"no server", probe.DNS{Name: "up.test", Server: "a:b:c"}, want{api.Error, probe.Question, "no name server", false}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			if c.ask.Server == "" {
				c.ask.Server = server
			}
			c.ask.Within = c.want.within()
			c.want.test(t, p.DNS(t.Context(), c.ask))
		})
	}
}
