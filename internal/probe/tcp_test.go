package probe_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"regexp"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

// greeting is a port that says something and hangs up.
func greeting(t *testing.T, text string) string {
	t.Helper()
	return speaking(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
	})
}

func TestTCP(t *testing.T) {
	t.Parallel()
	p, ca := prober(t), authority(t)
	echo := speaking(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	flood := speaking(t, func(conn net.Conn) {
		for block := bytes.Repeat([]byte("x"), 4096); ; {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	})
	slow := speaking(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 rea") })
	secured := ca.serves(t, certificate{names: []string{"up.test"}})
	ready := regexp.MustCompile("^220 ready")
	passed := want{verdict: api.Passed}
	_, port, _ := net.SplitHostPort(echo)
	for _, c := range []struct {
		reason string
		ask    probe.TCP
		want   want
	}{
		{"it takes connections", probe.TCP{Address: silent(t)}, passed},
		{"by a name", probe.TCP{Address: "up.test:" + port}, passed},
		{"it says what it must", probe.TCP{Address: greeting(t, "220 ready\r\n"), Expect: ready}, passed},
		{"it answers what is said to it", probe.TCP{Address: echo, Send: "220 ready", Expect: ready}, passed},
		{"over TLS", probe.TCP{Address: secured, TLS: &probe.TLS{CA: ca.pem, ServerName: "up.test"}}, passed},

		{"nobody listens", probe.TCP{Address: closed(t)}, want{api.Failed, probe.Connect, "connection refused", false}},
		{"it says something else", probe.TCP{Address: greeting(t, "500"), Expect: ready},
			want{api.Failed, probe.Body, "closed after 3 bytes", false}},
		{"it says it in part", probe.TCP{Address: slow, Expect: ready}, want{api.Failed, probe.Reply, "no answer within 300ms", true}},
		{"it says more than is read", probe.TCP{Address: flood, Expect: ready}, want{api.Inconclusive, probe.Body, "65536 bytes", false}},
		{"no TLS", probe.TCP{Address: greeting(t, "220 ready\r\n"), TLS: &probe.TLS{}},
			want{api.Failed, probe.TLSLayer, "does not look like a TLS handshake", false}},
		{"no end of the handshake", probe.TCP{Address: silent(t), TLS: &probe.TLS{}},
			want{api.Failed, probe.TLSLayer, "no end of the TLS handshake", true}},
		{"another's certificate", probe.TCP{Address: secured, TLS: &probe.TLS{CA: ca.pem, ServerName: "down.test"}},
			want{api.Failed, probe.TLSLayer, "not down.test", false}},
		{"no such name", probe.TCP{Address: "gone.test:80"}, want{api.Failed, probe.Resolve, "cannot resolve gone.test", false}},
		{"the resolver fails", probe.TCP{Address: "servfail.test:80"}, want{api.Error, probe.Resolve, "cannot resolve servfail.test", false}},
		{"the resolver does not answer", probe.TCP{Address: "lost.test:80"}, want{api.Error, probe.Resolve, "could not be resolved", true}},
		{"a name of the metadata service", probe.TCP{Address: "meta.test:80"}, want{api.Error, probe.Connect, "metadata", false}},
		{"no port", probe.TCP{Address: "up.test"}, want{api.Error, probe.Question, "no host:port", false}},
		{"an authority that is none", probe.TCP{Address: secured, TLS: &probe.TLS{CA: []byte("none")}},
			want{api.Error, probe.Question, "no certificate", false}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			c.ask.Within = c.want.within()
			c.want.test(t, p.TCP(t.Context(), c.ask))
		})
	}
}

func TestReservedAddressesAreNotAsked(t *testing.T) {
	for text, want := range map[string]bool{
		"169.254.169.254": true, "169.254.20.10": true, "fe80::1%eth0": true, "fd00:ec2::254": true, "fd20:ce::254": true,
		"100.100.100.200": true, "::ffff:100.100.100.200": true, "::ffff:169.254.169.254": true, "64:ff9b::a9fe:a9fe": true, "168.63.129.16": true,
		"::a9fe:a9fe": true, "::ffff:0:a9fe:a9fe": true, "64:ff9b::6464:64c8": true, // compatible, translated, NAT64
		"64:ff9b:1::a9fe:a9fe": true, "64:ff9b:1:a9fe:a9:fe00::": true, "64:ff9b:1:12a9:fe:a9fe::": true, "64:ff9b:1:1:a9:fea9:fe00:0": true,
		"2002:a9fe:a9fe::1": true, "2001:0:a9fe:a9fe::1": true, "2001::5601:5601": true, "2001:db8::5efe:a9fe:a9fe": true,
		"2001:db8::200:5efe:a9fe:a9fe": true, "::ffff:0:a00:1": false, "64:ff9b:1::a00:1": false, "64:ff9b:1:a00:0:100::": false,
		"2002:a00:1::1": false, "2001:0:a00:1::1": false, "2001:db8::5efe:a00:1": false, "2001:db8::5eff:a9fe:a9fe": false, "::1": false,
		"64:ff9b:2::a9fe:a9fe": false, "2001:1::5601:5601": false, "2606:4700::1111": false,
		"10.0.0.1": false, "127.0.0.1": false, "fd00:ec2::1": false, "64:ff9b::a00:1": false, "169.253.1.1": false,
	} {
		if got := probe.Reserved(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is reserved: %t, want %t", text, got, want)
		}
	}
}
